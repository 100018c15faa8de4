"""Where else a proxy is set: for logins and shells, which the agent does not see."""

from __future__ import annotations

from collector.probes.model import Probe

PROBES = (
    Probe(
        id="proxy-files",
        title="Proxy settings in the host's files and in this login",
        feeds=("proxy",),
        rescue=True,
        script=r"""
for file in "$ROOT"/etc/environment "$ROOT"/etc/profile "$ROOT"/etc/profile.d/* "$ROOT"/etc/sysconfig/* \
    "$ROOT"/etc/default/* "$ROOT"/etc/bashrc "$ROOT"/etc/bash.bashrc "$ROOT"/etc/systemd/system.conf \
    "$ROOT"/etc/yum.conf "$ROOT"/etc/dnf/dnf.conf "$ROOT"/etc/apt/apt.conf "$ROOT"/etc/apt/apt.conf.d/* \
    "$ROOT"/root/.bashrc "$ROOT"/root/.bash_profile "$ROOT"/root/.profile "$ROOT"/etc/environment.d/*; do
    [ -f "$file" ] && [ -r "$file" ] && set -- "$@" "$file"
done
# Named with /dev/null, grep always says which file a line is of.
set -f
lines=$(grep -i -e '_proxy=' -e '^[[:space:]]*proxy[[:space:]]*=' -e 'acquire::https*::proxy' "$@" /dev/null |
    mask | cut_stream)
last=
while [ "$lines" ]; do
    text=${lines%%"$NL"*}
    case "$lines" in *"$NL"*) lines=${lines#*"$NL"} ;; *) lines='' ;; esac
    file=${text%%:*}
    [ "$file" = "$last" ] || line "# ${file#"$ROOT"}"
    last=$file
    line "${text#*:}"
done
set +f
if [ -z "$ROOT" ] && [ "$LOGIN_PROXY" ]; then
    line '# login'
    line "$LOGIN_PROXY" | masked_lines
fi
:
""",
    ),
)
