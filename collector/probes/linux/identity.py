"""Who and what the host is: clock, system, the agent's packages and files."""

from __future__ import annotations

from collector.probes.model import Probe

PROBES = (
    Probe(
        id="clock",
        title="Clock, time zone, time service, boot",
        feeds=("clock",),
        script=r"""
date -u '+utc=%Y-%m-%dT%H:%M:%SZ'
date '+epoch=%s.%N
offset=%z' | sed 's/\.[^0-9]*$//'
zone=$(readlink /etc/localtime) || zone=
case "$zone" in
*/zoneinfo/*) field zone "${zone##*/zoneinfo/}" ;;
*) [ -r /etc/timezone ] && field zone "$(cut_file /etc/timezone)" ;;
esac
source=none ntp=
for file in /proc/[0-9]*/comm; do
    { read -r name <"$file"; } 2>/dev/null || continue
    case "$name" in
    chronyd) source=chrony ;;
    ntpd | ntpsec) source=ntpd ;;
    systemd-timesyn) source=timesyncd ;;
    esac
done
case "$source" in
chrony) case "$(limit 2 chronyc -h 127.0.0.1 -n tracking)" in  # not by its socket: that would leave a file
    *Normal*) ntp=yes ;; *'Not synchronised'*) ntp=no ;; esac ;;
ntpd) case "$(limit 2 ntpq -c 'rv 0 leap')" in *leap=11*) ntp=no ;; *leap=*) ntp=yes ;; esac ;;
timesyncd) if [ -e /run/systemd/timesync/synchronized ]; then ntp=yes; else ntp=no; fi ;;
esac
[ "$ntp" ] && field ntp "$ntp"
field source "$source"
sed -n 's/^btime /boot=/p' /proc/stat
now
field uptime "$UP"
""",
    ),
    Probe(
        id="whoami",
        title="The collecting user and its privileges",
        feeds=("privilege",),
        script=r"""
field uid "$MY_UID"
field user "$(id -un)"
field login "${SUDO_USER:-${LOGNAME:-}}"
field privilege "$PRIVILEGE"
""",
    ),
    Probe(
        id="hostname",
        title="Host name",
        script=r"""
{ read -r name </proc/sys/kernel/hostname && line "$name"; } 2>/dev/null || hostname
""",
    ),
    Probe(id="uname", title="Kernel", feeds=("os",), script="uname -a\n"),
    Probe(
        id="os-release",
        title="Operating system",
        feeds=("os",),
        rescue=True,
        script=r"""
show /etc/os-release
[ "$STATUS" = absent ] && STATUS='' NOTE='' && show /usr/lib/os-release
:
""",
    ),
    Probe(
        id="virtualization",
        title="Machine: vendor, product, container",
        feeds=("virtualization",),
        script=r"""
dmi() { [ -r "/sys/class/dmi/id/$2" ] && read -r value <"/sys/class/dmi/id/$2" && field "$1" "$value"; }
dmi vendor sys_vendor
dmi product product_name
dmi uuid product_uuid
dmi asset_tag board_asset_tag
[ -r /sys/hypervisor/uuid ] && read -r value </sys/hypervisor/uuid && field hypervisor "$value"
if [ -e /.dockerenv ]; then field container docker
elif [ -e /run/.containerenv ]; then field container podman
elif [ -r /run/systemd/container ]; then field container "$(cut_file /run/systemd/container)"
fi
:
""",
    ),
    Probe(
        id="packages",
        title="Packages that installed the agent",
        feeds=("packages",),
        timeout_s=10,
        script=r"""
found=
if have dpkg-query; then
    deb=$(limit 5 dpkg-query -W -f='version=${Version}\nstate=${db:Status-Status}\n' amazon-ssm-agent)
    [ "$deb" ] && found=yes && line '[deb]' && line "$deb" && line path=/usr/bin/amazon-ssm-agent
fi
if have rpm; then
    # As root, rpm may write to its database even when it only reads: so it is asked as nobody.
    as_nobody=
    [ "$MY_UID" = 0 ] && as_nobody='chroot --userspec=65534:65534 /'
    # shellcheck disable=SC2086  # words
    rpm=$(limit 8 $as_nobody rpm -q amazon-ssm-agent \
        --qf 'version=%{VERSION}\nrelease=%{RELEASE}\ninstalled=%{INSTALLTIME}\nstate=installed\n') &&
        found=yes && line '[rpm]' && line "$rpm" && line path=/usr/bin/amazon-ssm-agent
fi
for folder in /snap /var/lib/snapd/snap; do
    yaml=$folder/amazon-ssm-agent/current/meta/snap.yaml
    [ -r "$yaml" ] || continue
    found=yes
    line '[snap]'
    sed -n 's/^version: *["'\'']\{0,1\}\([^"'\'']*\).*/version=\1/p' "$yaml"
    field state installed
    field revision "$(readlink "${yaml%/meta/snap.yaml}")"
    field path "${yaml%/meta/snap.yaml}/amazon-ssm-agent"
done
if [ -z "$found" ] && [ -x /usr/bin/amazon-ssm-agent ]; then
    line '[file]'
    field state installed
    field path /usr/bin/amazon-ssm-agent
    found=yes
fi
[ "$found" ] || absent 'no package of the agent: not deb, not rpm, not snap'
""",
    ),
    Probe(
        id="agent-version",
        title="Version reported by the agent",
        feeds=("packages",),
        timeout_s=8,
        script=r"""
for program in /usr/bin/amazon-ssm-agent /snap/amazon-ssm-agent/current/amazon-ssm-agent; do
    [ -x "$program" ] || continue
    # Up to 2.x the agent opens its log before it looks at this option; 3.x has its worker beside it.
    [ -e "${program%/*}/ssm-agent-worker" ] || { absent 'no worker beside it: not run'; return; }
    VIA=$program
    limit 5 "$program" -version 2>&1
    return
done
absent 'no agent program'
""",
    ),
    Probe(
        id="agent-files",
        title="The agent's files and folders",
        feeds=("agent_files",),
        rescue=True,
        script=r"""
set --
for file in /etc/amazon/ssm /var/lib/amazon/ssm /var/lib/amazon/ssm/runtimeconfig /var/lib/amazon/ssm/ipc \
    /var/log/amazon/ssm /usr/bin/amazon-ssm-agent /usr/bin/ssm-agent-worker /usr/bin/ssm-document-worker \
    /usr/bin/ssm-session-worker /usr/bin/ssm-cli /snap/amazon-ssm-agent/current /root/.aws; do
    locate "$file"
    [ "$FILE" ] && [ -e "$FILE" ] && set -- "$@" "$FILE"
done
[ $# -gt 0 ] || { absent 'none of the agent'\''s files'; return; }
limit 4 ls -la "$@" 2>&1 | cut_stream
""",
    ),
)
