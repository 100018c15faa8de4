# ---- Log files: whole, or the head of the last start and the tail, within a budget of bytes ---------------------

# Where the agent says that it started, from 2.x to 3.3; the proxy block is the first thing a start prints.
START_LINES='Proxy environment variables:|amazon-ssm-agent - v[0-9]'

# What a log must not hold: users and passwords in URLs, keys, tokens and signatures behind their names, what an
# Authorization header shows, private keys.
NAMED_KEY='[Ss][Ee][Cc][Rr][Ee][Tt][A-Za-z_]*[Kk][Ee][Yy]'
NAMED_TOKEN='[Tt][Oo][Kk][Ee][Nn][A-Za-z]*'
NAMED_SIGNATURE='[Ss][Ii][Gg][Nn][Aa][Tt][Uu][Rr][Ee]'
EQUALS='["'\'' \[]*[:=]["'\'' \[]*'
LONG='[A-Za-z0-9/+%_-]'
SECRETS="uthorization${EQUALS}[A-Za-z0-9]|PRIVATE KEY-----|://[^[:space:]]*@|($NAMED_KEY|$NAMED_TOKEN|$NAMED_SIGNATURE)$EQUALS${LONG}{40}"

# collect_logs: every log of the agent, the newest and most telling first.
collect_logs() {
    LEFT=$LOG_BUDGET
    LOG_COUNT=0
    for k_folder in /var/log/amazon /var/log/amazon/ssm; do
        locate "$k_folder"
        if [ ! -e "${FILE:-/nowhere/}" ]; then
            absent "$k_folder: no such folder"
            return
        elif [ ! -x "$FILE" ] || [ ! -r "$FILE" ]; then
            STATUS=denied NOTE="$k_folder: permission denied"
            return
        fi
    done
    LOG_FOLDER=$FILE
    for k_name in amazon-ssm-agent.log errors.log hibernate.log; do
        collect_log "$LOG_FOLDER/$k_name" "$k_name"
    done
    for k_file in "$LOG_FOLDER"/audits/*; do
        collect_log "$k_file" "audits/${k_file##*/}"
    done
    for k_file in $(custom_logs); do
        collect_log "$ROOT$k_file" "${k_file##*/}"
    done
    # Of what was rolled over, the highest number is the newest.
    for k_number in 9 8 7 6 5 4 3 2 1; do
        for k_name in amazon-ssm-agent.log errors.log hibernate.log; do
            collect_log "$LOG_FOLDER/$k_name.$k_number" "$k_name.$k_number"
        done
    done
    [ "$LOG_COUNT" -gt 0 ] || absent "no log file in $LOG_FOLDER"
}

# custom_logs: what seelog.xml names outside of the usual folder.
custom_logs() {
    locate /etc/amazon/ssm/seelog.xml
    [ -r "$FILE" ] || return 0
    sed -n 's/.*filename="\(\/[A-Za-z0-9._\/-]*\)".*/\1/p' "$FILE" | sort -u | grep -v '^/var/log/amazon/ssm/'
}

# collect_log FILE NAME
collect_log() {
    [ -e "$1" ] || return 0
    [ -f "$1" ] || return 0
    case "$2" in *[!A-Za-z0-9._/@+-]*) return 0 ;; esac
    if [ "$ROOT" ]; then
        locate "${1#"$ROOT"}"
        [ "$FILE" ] || return 0
    fi
    if [ ! -r "$1" ]; then
        log_part "$1" "$2" 0 - 0 1 0 denied
        return
    fi
    LOG_SIZE=$(stat -L -c '%s %Y' "$1" 2>/dev/null) || LOG_SIZE="$(wc -c <"$1") -"
    LOG_TIME=${LOG_SIZE#* }
    LOG_SIZE=${LOG_SIZE%% *}
    case "$LOG_SIZE" in '' | *[!0-9]*) return 0 ;; esac
    if [ -z "$LEFT" ] || [ "$LOG_SIZE" -le "$(share)" ]; then
        log_part "$1" "$2" "$LOG_SIZE" "$LOG_TIME" 0 1 "$LOG_SIZE"
    else
        two_parts "$1" "$2"
    fi
}

# share: how much of what is left one file may take: three quarters, so that no file starves the rest.
share() { put $((LEFT * 3 / 4)); }

# two_parts FILE NAME: the head of the last start, then the tail; only the tail where it holds that start.
two_parts() {
    t_share=$(share)
    [ "$t_share" -ge 4096 ] || return 0
    t_head=$((t_share / 4))
    t_tail=$((t_share - t_head))
    t_tail_at=$((LOG_SIZE - t_tail))
    last_start "$1"
    if [ -z "$START_AT" ] || [ "$START_AT" -ge "$t_tail_at" ]; then
        t_tail_at=$((LOG_SIZE - t_share))
    elif [ $((START_AT + t_share)) -ge "$LOG_SIZE" ]; then
        log_part "$1" "$2" "$LOG_SIZE" "$LOG_TIME" "$START_AT" "$START_LINE" $((LOG_SIZE - START_AT))
        return
    else
        log_part "$1" "$2" "$LOG_SIZE" "$LOG_TIME" "$START_AT" "$START_LINE" "$t_head"
    fi
    # From the next full line on.
    t_skip=$(tail -c "+$((t_tail_at + 1))" "$1" | head -n 1 | wc -c)
    [ "$t_skip" -lt 65536 ] && t_tail_at=$((t_tail_at + t_skip))
    t_line=$(head -c "$t_tail_at" "$1" | wc -l)
    log_part "$1" "$2" "$LOG_SIZE" "$LOG_TIME" "$t_tail_at" $((t_line + 1)) $((LOG_SIZE - t_tail_at))
}

# last_start FILE: byte offset and line number of the last start, in START_AT and START_LINE; empty: not found.
last_start() {
    START_AT='' START_LINE=''
    l_found=$(grep -a -b -n -E "$START_LINES" "$1" 2>/dev/null | tail -n 20 | cut -c 1-200)
    if [ -z "$l_found" ]; then  # busybox knows no -b
        l_found=$(awk -v want="$START_LINES" '$0 ~ want { print NR ":" at ":" substr($0, 1, 160) } { at += length($0) + 1 }' \
            "$1" 2>/dev/null | tail -n 20)
    fi
    # The proxy block comes a few lines before the version; either alone is the start.
    l_proxy=$(put "$l_found" | grep 'Proxy environment' | tail -n 1)
    l_last=${l_proxy:-${l_found##*"$NL"}}
    START_LINE=${l_last%%:*}
    START_AT=${l_last#*:}
    START_AT=${START_AT%%:*}
    case "$START_AT" in *[!0-9]*) START_AT='' ;; esac
}

# log_part FILE NAME SIZE TIME OFFSET LINE LENGTH [STATUS]: one part of a log, packed by itself.
log_part() {
    mark log "$PACK" "$3" "$4" "$5" "$6" "$2" "${1#"$ROOT"}"
    if [ "${8-}" ]; then
        mark log-end "$8" 'permission denied'
        return
    fi
    [ "$LEFT" ] && LEFT=$((LEFT - $7))
    LOG_COUNT=$((LOG_COUNT + 1))
    LIMIT=$7
    part_of "$1" "$5" | mask_log "$1" "$5" | if [ "$PACK" = gzip ]; then gzip -1c; else cat; fi
    mark log-end ok
}

# part_of FILE OFFSET: LIMIT bytes of it.
part_of() {
    if [ "$2" = 0 ]; then cut_file "$1"; else tail -c "+$(($2 + 1))" "$1" | cut_stream; fi
}

# mask_log FILE OFFSET: the agent prints its proxy settings, and in debug mode more.  Few logs hold a secret, so
# a quick look comes first.  The cover of a URL's user is as long as what it covers: offsets stay true.
mask_log() {
    part_of "$@" | grep -a -q -E "$SECRETS"
    case $? in
    1) cat ;;
    *)
        sed -e ':again' -e 's#\(://\**\)[^*[:space:]]\([^[:space:]]*@\)#\1*\2#' -e 't again' \
            -e "s#\\($NAMED_KEY$EQUALS\\)$LONG\\{40,\\}[=.]*#\\1***#g" \
            -e "s#\\($NAMED_TOKEN$EQUALS\\)$LONG\\{40,\\}[=.]*#\\1***#g" \
            -e "s#\\($NAMED_SIGNATURE$EQUALS\\)$LONG\\{40,\\}[=.]*#\\1***#g" \
            -e "s#\\(uthorization${EQUALS}[A-Za-z0-9-]\\{1,20\\}[[:space:]]\\{1,\\}\\)[^[:space:]\"',*][^[:space:]\"',]*#\\1***#g" \
            -e '/-----BEGIN [A-Z ]*PRIVATE KEY-----/,/-----END [A-Z ]*PRIVATE KEY-----/{' \
            -e '/PRIVATE KEY-----/!s/^..*$/***/' -e '}'
        ;;
    esac
}
