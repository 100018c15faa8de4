"""Limits of the kernel, memory, and what security software says."""

from __future__ import annotations

from collector.probes.model import Probe

PROBES = (
    Probe(
        id="inotify",
        title="inotify limits and their use by root",
        feeds=("inotify",),
        needs_root=True,
        timeout_s=8,
        script=r"""
for name in max_user_watches max_user_instances max_queued_events; do
    # Not by read, which takes byte after byte: of a number, the kernel gives it the first digit only.
    value=$(cat "/proc/sys/fs/inotify/$name") && field "$name" "$value"
done
find /proc/self/fd -maxdepth 1 -lname x || return 0
# Each instance is a descriptor of some process; each of its watches is a line of that one's fdinfo.
files=$(find /proc/[0-9]*/fd -maxdepth 1 -user root -lname 'anon_inode:*inotify' 2>/dev/null) || files=
count=0 watches=0
set -f
for file in $files; do
    count=$((count + 1))
    watched=$(grep -c '^inotify' "${file%/fd/*}/fdinfo/${file##*/}" 2>/dev/null) || watched=0
    watches=$((watches + watched))
    [ "$count" -ge 200 ] && break
done
set +f
field root_instances "$count"
field root_watches "$watches"
""",
    ),
    Probe(
        id="fd-limits",
        title="Open files: limits and use",
        feeds=("fd_limits",),
        script=r"""
line '[system]'
# shellcheck disable=SC2046  # three words: in use, free, the most
set -- $(cat /proc/sys/fs/file-nr)
field file_nr "${1-}"
field file_max "${3-}"
put "$AGENTS" | while read -r pid _; do
    line "[pid $pid]"
    sed -n 's/^Max open files *\([0-9a-z]*\) *\([0-9a-z]*\).*/soft=\1\
hard=\2/p' "/proc/$pid/limits"
    set -- "/proc/$pid/fd"/*
    [ -r "/proc/$pid/fd" ] && field used $#
done
:
""",
    ),
    Probe(
        id="memory",
        title="Memory and load",
        feeds=("memory",),
        script=r"""
head -n 8 /proc/meminfo
cat /proc/loadavg
""",
    ),
    Probe(
        id="oom",
        title="Kernel: processes killed for want of memory",
        feeds=("oom",),
        script=r"""
if have journalctl && { [ -d /run/log/journal ] || [ -d /var/log/journal ]; }; then
    VIA=journalctl
    limit 4 journalctl --no-pager -q -k -b -n 20000 -o short-iso 2>/dev/null
elif have dmesg; then
    VIA=dmesg
    limit 4 dmesg 2>/dev/null || { STATUS=denied NOTE='dmesg: not permitted'; }
else
    absent 'no journalctl, no dmesg'
fi | grep -i -e 'out of memory' -e 'oom-kill' -e 'oom_reaper' -e 'invoked oom' | tail -n 40 | cut_stream
""",
    ),
    Probe(
        id="security",
        title="SELinux, AppArmor, fapolicyd, and what they denied the agent",
        feeds=("security",),
        script=r"""
if { read -r value </sys/fs/selinux/enforce; } 2>/dev/null; then
    case "$value" in 1) field selinux Enforcing ;; *) field selinux Permissive ;; esac
elif have getenforce || [ -d /etc/selinux ]; then field selinux Disabled
fi
{ read -r value </sys/module/apparmor/parameters/enabled; } 2>/dev/null && field apparmor "$value"
for file in /proc/[0-9]*/comm; do
    { read -r name <"$file"; } 2>/dev/null || continue
    case "$name" in
    fapolicyd) field fapolicyd running ;;
    falcon-sensor* | cbagentd | cbdaemon | ds_agent | SentinelOne* | s1-agent | mdatp* | wdavdaemon | \
        elastic-endpoin* | xagt | cortex* | pmd | savd | sophos* | cylancesvc) field product "$name" ;;
    esac
done
[ -r /var/log/audit/audit.log ] && tail -c 2000000 /var/log/audit/audit.log |
    grep -a -e '^type=AVC' -e '^type=FANOTIFY' -e '^type=USER_AVC' | grep -a -e ssm -e amazon |
    tail -n 20 | sed 's/^/avc=/' | cut_stream
:
""",
    ),
)
