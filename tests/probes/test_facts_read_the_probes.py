"""What the probes print is what the facts read: both sides of docs/evidence.md, on a real answer."""

from __future__ import annotations

from pathlib import Path

import pytest
from probe_support import RunScript

from analyzers.facts import Facts, Known
from analyzers.facts.imds import ImdsState
from collector.evidence.memory import evidence_of

pytestmark = pytest.mark.root


HOST_FILES = {
    "/etc/hosts": "127.0.0.1 localhost\n10.77.0.11 ssm.eu-central-1.amazonaws.com\n",
    "/etc/resolv.conf": "nameserver 127.0.0.1\n",
    "/etc/nsswitch.conf": "hosts: files dns\n",
    "/usr/bin/amazon-ssm-agent": "",
    "/etc/amazon/ssm/amazon-ssm-agent.json": '{"Agent": {"Region": ""}}',
    "/var/lib/amazon/ssm/registration": '{"ManagedInstanceID": "mi-0123", "Region": "eu-central-1"}',
    "/etc/systemd/system/amazon-ssm-agent.service": "[Service]\nExecStart=/usr/bin/amazon-ssm-agent\n",
    "/root/.aws/credentials": "[default]\n",
}
READ_EVERYWHERE = (
    *("addresses", "agent_config", "clock", "credentials", "disk", "fds", "files", "hostname", "hosts_file"),
    *("imds", "inodes", "inotify", "installed", "memory", "mounts", "os", "packages", "processes", "proxy"),
    *("registration", "resolvers", "route_answers", "routes", "rules", "service", "uname", "unit_files"),
    "whoami",
)


def test_what_the_probes_print_is_what_the_facts_read(
    private_host: RunScript, authority: tuple[Path, Path]
) -> None:
    proxy = "http://user:password@10.77.0.2:3128"
    agent = {
        "args": ["amazon-ssm-agent", "900"],
        "executable": "/usr/bin/amazon-ssm-agent",
        "env": {"https_proxy": proxy, "http_proxy": proxy},
    }
    answer = private_host(
        imds=True,
        tls=authority,
        files=HOST_FILES,
        commands=["cp --remove-destination /usr/bin/sleep /usr/bin/amazon-ssm-agent"],
        processes=[agent],
    )
    facts = Facts(evidence_of(answer.sink.probes.values()))
    unknown = [name for name in READ_EVERYWHERE if not isinstance(getattr(facts, name), Known)]
    assert unknown == []

    imds, endpoint = facts.imds.or_none(), facts.endpoints["ssm"].or_none()
    assert imds is not None
    assert endpoint is not None
    assert imds.state is ImdsState.OK
    assert imds.answers["credentials"].body.startswith('"Code": "Success"')
    assert imds.proxied is not None
    assert imds.proxied.proxy == "http://***@10.77.0.2:3128"
    assert [(tls.outcome, tls.not_after is not None) for tls in endpoint.tls] == [("untrusted", True)]
    assert endpoint.proxied is not None
    assert [str(attempt.address) for attempt in endpoint.tcp] == ["10.77.0.11"]
    processes, settings = facts.processes.or_none(), facts.proxy.or_none()
    assert processes is not None
    assert settings is not None
    assert settings.process is not None
    assert [process.command for process in processes.processes] == ["amazon-ssm-agent 900"]
    assert {variable.value for variable in settings.process.variables} == {"http://***@10.77.0.2:3128"}
