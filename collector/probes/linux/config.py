"""What the agent was told: its configuration, its log settings, the identity it settled on."""

from __future__ import annotations

from collector.probes.model import Probe

PROBES = (
    Probe(
        id="agent-config",
        title="The agent's configuration",
        feeds=("agent_config",),
        rescue=True,
        script="show /etc/amazon/ssm/amazon-ssm-agent.json\n",
    ),
    Probe(
        id="seelog",
        title="The agent's log settings",
        feeds=("seelog",),
        rescue=True,
        script="show /etc/amazon/ssm/seelog.xml\n",
    ),
    Probe(
        id="identity-config",
        title="The identity that the agent chose",
        feeds=("identity",),
        needs_root=True,
        rescue=True,
        script="show /var/lib/amazon/ssm/runtimeconfig/identity_config.json\n",
    ),
    Probe(
        id="registration",
        title="Hybrid registration",
        feeds=("registration",),
        needs_root=True,
        rescue=True,
        script=r"""
locate /var/lib/amazon/ssm/registration
if [ "$FILE" ] && [ -r "$FILE" ]; then
    text=$(LIMIT=4096 && cut_file "$FILE")
    line '[registration]'
    field path "${FILE#"$ROOT"}"
    json_string ManagedInstanceID "$text" && field instance "$VALUE"
    json_string Region "$text" && field region "$VALUE"
    field modified "$(stat -L -c %Y "$FILE")"
fi
# Of the vault the names only: its files hold keys.
locate /var/lib/amazon/ssm/Vault
if [ "$FILE" ] && [ -d "$FILE" ]; then
    line '[vault]'
    for file in "$FILE"/* "$FILE"/Store/*; do
        [ -e "$file" ] && field file "${file#"$FILE"/}"
    done
else
    [ "${text-}" ] || absent 'no registration and no vault'
fi
:
""",
    ),
    Probe(
        id="stray-credentials",
        title="Credentials that could interfere (presence only)",
        feeds=("stray_credentials",),
        needs_root=True,
        rescue=True,
        script=r"""
for path in /root/.aws/credentials /root/.aws/config /etc/aws/credentials; do
    locate "$path"
    [ "$FILE" ] && [ -e "$FILE" ] || continue
    line "[$path]"
    field modified "$(stat -L -c %Y "$FILE")"
    field mode "$(stat -L -c %a "$FILE")"
    # Of the file nothing but the names of its profiles.
    sed -n 's/^[[:space:]]*\[\([A-Za-z0-9 _.:@/-]\{1,128\}\)\][[:space:]]*$/profile=\1/p' "$FILE"
done
names=$(unit_environment | sed -n 's/^\(AWS_[A-Z0-9_]*\)=..*/name=\1/p')
[ "$names" ] && line '[environment]' && line "$names"
:
""",
    ),
)
