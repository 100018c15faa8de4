"""The agent as a service: its units, its processes, what it was given, what it last said."""

from __future__ import annotations

from collector.probes.model import Probe

PROBES = (
    Probe(
        id="service",
        title="State of the agent's service",
        feeds=("service",),
        timeout_s=8,
        script=r"""
if [ -d /run/systemd/system ] && have systemctl; then
    for unit in $UNITS; do
        line "[$unit]"
        field manager systemd
        limit 3 systemctl show --no-pager -p LoadState,ActiveState,SubState,UnitFileState,ExecMainStatus \
            -p ExecMainCode,Result,NRestarts,User,MainPID,ExecMainStartTimestamp,ExecMainExitTimestamp \
            -p ActiveEnterTimestamp,InactiveEnterTimestamp,FragmentPath,DropInPaths,NeedDaemonReload \
            -p After,Restart,RestartUSec "$unit" 2>&1 || return
    done
elif have initctl; then
    line '[amazon-ssm-agent]'
    field manager upstart
    state=$(limit 3 initctl status amazon-ssm-agent 2>&1)
    field raw "$state"
    case "$state" in
    *start/running*)
        field LoadState loaded
        field ActiveState active
        field MainPID "${state##* }"
        ;;
    *stop/*)
        field LoadState loaded
        field ActiveState inactive
        ;;
    *) field LoadState not-found ;;
    esac
else
    line '[amazon-ssm-agent]'
    if [ -e /etc/init.d/amazon-ssm-agent ]; then field manager sysv; else field manager none; fi
    if [ "$AGENTS" ]; then
        field ActiveState active
        field MainPID "${AGENTS%% *}"
    else
        field ActiveState inactive
    fi
fi
""",
    ),
    Probe(
        id="unit",
        title="Unit file and drop-ins",
        feeds=("service", "proxy"),
        rescue=True,
        script=r"""
files=$(unit_files)
[ "$files" ] || { absent 'no unit file of the agent'; return; }
for file in $files; do
    line "# $file"
    show "$file"
    line
done
STATUS='' NOTE=''
""",
    ),
    Probe(
        id="processes",
        title="The agent's processes",
        feeds=("processes",),
        script=r"""
have ps || { absent 'no ps'; return; }
all=$(limit 3 ps -eo user,pid,ppid,lstart,args 2>/dev/null) || { VIA='ps w' all=$(limit 3 ps w); }
put "$all$NL" | sed -n -e 1p -e '/amazon-ssm-agent/p' -e '/ssm-agent-worker/p' -e '/ssm-document-worker/p' \
    -e '/ssm-session-worker/p' | sed -e '/ sed -n /d' -e 's#\(-code[= ]*\)[^ ]*#\1***#' | mask | cut_stream
""",
    ),
    Probe(
        id="agent-environ",
        title="Proxy settings of the agent's processes",
        feeds=("proxy",),
        needs_root=True,
        script=r"""
[ "$AGENTS" ] || { absent 'no process of the agent'; return; }
put "$AGENTS" | while read -r pid name; do
    line "# pid $pid $(readlink "/proc/$pid/exe" || put "$name")"
    environ_of "$pid" | masked_lines
done
""",
    ),
    Probe(
        id="journal",
        title="Journal of the agent and its service",
        feeds=("journal",),
        timeout_s=8,
        max_bytes=131_072,
        script=r"""
LIMIT=131072
if have journalctl && { [ -d /run/log/journal ] || [ -d /var/log/journal ]; }; then
    VIA=journalctl
    for unit in $UNITS; do set -- "$@" -u "$unit"; done
    limit 6 journalctl --no-pager -q -n 400 -o short-iso "$@" 2>&1 | mask | cut_stream
    return
fi
for file in /var/log/messages /var/log/syslog; do
    [ -f "$file" ] || continue
    [ -r "$file" ] || { STATUS=denied NOTE="$file: permission denied"; return; }
    VIA=$file
    tail -c 4000000 "$file" | grep -a -e amazon-ssm-agent -e ssm-agent-worker | tail -n 400 |
        mask | cut_stream
    return
done
absent 'no journal and no syslog file'
""",
    ),
    Probe(
        id="update",
        title="Updates of the agent",
        feeds=("update",),
        needs_root=True,
        script=r"""
found=
for folder in /var/lib/amazon/ssm/update /var/log/amazon/ssm/update /var/log/amazon/ssm/download; do
    [ -d "$folder" ] || continue
    found=yes
    line "# $folder"
    limit 3 ls -la "$folder" 2>&1 | cut_stream
done
for file in /var/log/amazon/ssm/AmazonSSMAgent-update.txt /var/lib/amazon/ssm/update/*/updatelog*; do
    [ -f "$file" ] || continue
    found=yes
    line "# $file"
    tail -n 60 "$file" | mask | cut_stream
done
[ "$found" ] || absent 'no trace of an update'
""",
    ),
    Probe(
        id="ssm-cli",
        title="ssm-cli get-diagnostics, as a second opinion",
        feeds=("ssm_cli",),
        needs_root=True,
        timeout_s=25,
        script=r"""
for program in /usr/bin/ssm-cli /snap/amazon-ssm-agent/current/ssm-cli; do
    [ -x "$program" ] || continue
    VIA=$program
    limit 20 "$program" get-diagnostics --output json | mask | cut_stream
    return
done
absent 'no ssm-cli'
""",
    ),
)
