#!/bin/sh
# Stands in for systemctl on a lab host, where no systemd runs: answers from /etc/lab/UNIT.
verb=''
units=''
for word in "$@"; do
    case $word in
        show | cat | is-active | is-enabled | status) [ -n "$verb" ] || verb=$word ;;
        *.service) units="$units $word" ;;
    esac
done
separator=''
for unit in $units; do
    printf '%b' "$separator"
    separator='\n'
    case $verb in
        show)
            if [ -e "/etc/lab/$unit" ]; then
                cat "/etc/lab/$unit"
            else
                printf 'Id=%s\nLoadState=not-found\nActiveState=inactive\nSubState=dead\n' "$unit"
            fi
            ;;
        cat)
            path=/lib/systemd/system/$unit
            [ -e "/etc/lab/$unit" ] && printf '# %s\n[Service]\nExecStart=/usr/bin/amazon-ssm-agent\n' "$path"
            for drop_in in "/etc/systemd/system/$unit.d/"*.conf; do
                [ -e "$drop_in" ] && { printf '\n# %s\n' "$drop_in"; cat "$drop_in"; }
            done
            ;;
    esac
done
exit 0
