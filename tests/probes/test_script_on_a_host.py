"""The real script against a host with doubles of what AWS answers."""

from __future__ import annotations

from pathlib import Path

import pytest
from private_host import CREDENTIALS, TOKEN
from probe_support import Answer, RunScript, needs

from collector.evidence.model import Status
from collector.evidence.records import Record, parse_records

pytestmark = pytest.mark.root

HOSTS = {
    "/etc/hosts": "127.0.0.1 localhost\n"
    "10.77.0.11 ssm.eu-central-1.amazonaws.com ssmmessages.eu-central-1.amazonaws.com\n"
}
RESOLVER = {"/etc/resolv.conf": "nameserver 127.0.0.1\n", "/etc/nsswitch.conf": "hosts: files\n"}
PROXY = "http://ssm:p%40ss@10.77.0.2:3128"


def records(answer: Answer, probe: str) -> dict[str, Record]:
    return {record.name: record for record in parse_records(answer.sink.probes[probe].output)}


@pytest.fixture(params=["curl", "python3", "bash"])
def tool(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_imds_is_asked_in_stages_and_no_secret_leaves_the_host(private_host: RunScript) -> None:
    answer = private_host(imds=True)
    said = records(answer, "imds")
    assert list(said) == [
        "token", "v1", "instance-id", "region", "zone", "mac", "iam-info", "role", "credentials",
        "identity", "document",
    ]  # fmt: skip
    assert (said["token"].get("http"), said["token"].body) == ("200", "")
    assert said["v1"].get("http") == "401"
    assert said["role"].body == "AppServerRole"
    assert said["credentials"].body.splitlines() == [
        '"Code": "Success"',
        '"LastUpdated": "2026-11-23T06:36:56Z"',
        '"Expiration": "2026-11-23T12:36:56Z"',
        '"Type": "AWS-HMAC"',
    ]
    everything = (
        b"".join(result.output for result in answer.sink.probes.values()) + answer.raw + answer.stderr
    )
    for secret in (TOKEN, CREDENTIALS["AccessKeyId"], CREDENTIALS["SecretAccessKey"], CREDENTIALS["Token"]):
        assert secret.encode() not in everything


def test_endpoints_are_looked_at_stage_by_stage(
    private_host: RunScript, authority: tuple[Path, Path]
) -> None:
    answer = private_host(files=HOSTS | RESOLVER, tls=authority)
    said = records(answer, "endpoint-ssm")
    assert said["endpoint"].get("region_source") == "inventory"
    assert said["resolve"].all("address") == ("10.77.0.11",)
    assert said["tcp"].get("outcome") == "connected"
    assert said["tls"].get("outcome") == "untrusted"
    assert "Untrusted Authority" in said["tls"].get("issuer")
    assert said["tls"].get("not_after").endswith("GMT")
    assert (said["http"].get("http"), said["http"].body) == ("404", "<UnknownOperationException/>")
    assert said["http"].get("date")
    other = records(answer, "endpoint-ec2messages")
    assert other["resolve"].get("error") == "no such name"
    assert "tcp" not in other


def test_the_agents_proxy_is_used_as_the_agent_would_and_its_password_is_covered(
    private_host: RunScript, authority: tuple[Path, Path]
) -> None:
    escaped = PROXY.replace("%", "%%")  # as systemd wants it
    both = f'"https_proxy={escaped}" "http_proxy={escaped}"'
    unit = f"[Service]\nEnvironment={both}\nEnvironment=no_proxy=10.0.0.0/8\n"
    answer = private_host(
        files=HOSTS | RESOLVER | {"/etc/systemd/system/amazon-ssm-agent.service.d/proxy.conf": unit},
        imds=True,
        tls=authority,
        env={"https_proxy": "http://login:secret@10.77.0.2:1"},
    )
    proxied = records(answer, "imds")["proxied"]
    assert (proxied.get("http"), proxied.get("outcome")) == ("503", "answered")
    assert proxied.get("proxy") == "http://***@10.77.0.2:3128"
    proxy = records(answer, "endpoint-ssm")["proxy"]
    assert (proxy.get("connect"), proxy.get("http")) == ("200", "404")
    assert "Untrusted Authority" in proxy.get("issuer")
    assert "# login\nhttps_proxy=http://***@10.77.0.2:1\n" in answer.text("proxy-files")
    everything = b"".join(result.output for result in answer.sink.probes.values())
    assert b"p%40ss" not in everything
    assert b"secret" not in everything


@pytest.mark.parametrize(
    ("commands", "outcome"),
    [
        (["ip addr del 169.254.169.254/32 dev lo"], "no-route"),
        (
            ["ip addr del 169.254.169.254/32 dev lo", "ip route add unreachable 169.254.169.254"],
            "host-unreachable",
        ),
        (["ip addr del 169.254.169.254/32 dev lo", "ip route add prohibit 169.254.169.254"], "denied"),
        (["ip addr del 169.254.169.254/32 dev lo", "ip route add blackhole 169.254.169.254"], "invalid"),
        ([], "refused"),
        (["iptables -A OUTPUT -d 169.254.169.254 -j DROP"], "timeout"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_way_in_which_imds_can_be_out_of_reach_has_its_word(
    private_host: RunScript, commands: list[str], outcome: str
) -> None:
    if any("iptables" in command for command in commands):
        needs("iptables")
    answer = private_host(commands=commands)
    said = records(answer, "imds")
    assert said["token"].get("outcome") == outcome
    assert set(said) == {"token", "v1"}
    if outcome == "timeout":
        assert "-A OUTPUT -d 169.254.169.254/32 -j DROP" in answer.text("iptables")


def test_the_region_comes_from_imds_where_the_inventory_has_none(private_host: RunScript) -> None:
    endpoint = records(private_host(imds=True, region=None), "endpoint-ssm")["endpoint"]
    assert (endpoint.get("region"), endpoint.get("region_source")) == ("eu-central-1", "imds")


def test_the_agents_configuration_moves_an_endpoint(private_host: RunScript) -> None:
    config = '{"Mds": {"Endpoint": "https://mds.example.test/"},\n "Agent": {"Region": "cn-north-1"}}'
    answer = private_host(files={"/etc/amazon/ssm/amazon-ssm-agent.json": config})
    hosts = {s: records(answer, f"endpoint-{s}")["endpoint"] for s in ("ssm", "ec2messages")}
    assert hosts["ec2messages"].get("host") == "mds.example.test"
    assert hosts["ssm"].get("host") == "ssm.cn-north-1.amazonaws.com.cn"
    assert hosts["ssm"].get("source") == "agent-config"


def test_a_running_agent_is_seen(private_host: RunScript) -> None:
    agent = {
        "args": ["amazon-ssm-agent", "-register", "-code", "oneTimeActivationCode", "900"],
        "executable": "/usr/bin/amazon-ssm-agent",
        "env": {
            "https_proxy": f"{PROXY}",
            "AWS_SECRET_ACCESS_KEY": "keyInTheEnvironment",
            "OTHER": "private",
        },
    }
    answer = private_host(
        files={"/usr/bin/amazon-ssm-agent": "#!/bin/sh\n"},
        commands=["cp --remove-destination /usr/bin/sleep /usr/bin/amazon-ssm-agent"],
        processes=[agent | {"args": ["amazon-ssm-agent", "900"]}],
    )
    environ = answer.text("agent-environ")
    assert "/usr/bin/amazon-ssm-agent\n" in environ
    assert "https_proxy=http://***@10.77.0.2:3128\nAWS_SECRET_ACCESS_KEY=(set)\n" in environ
    assert "private" not in environ
    assert "keyInTheEnvironment" not in environ
    assert "amazon-ssm-agent 900" in answer.text("processes")
    assert "used=" in answer.text("fd-limits")


def test_stray_credentials_are_told_by_name_only(private_host: RunScript) -> None:
    body = "[default]\naws_access_key_id = AKIANEVERTOBESEEN000\naws_secret_access_key = neverSeen\n[ops]\n"
    answer = private_host(files={"/root/.aws/credentials": body})
    assert "[/root/.aws/credentials]\nmodified=" in answer.text("stray-credentials")
    assert "profile=default\nprofile=ops\n" in answer.text("stray-credentials")
    everything = b"".join(result.output for result in answer.sink.probes.values())
    assert b"AKIANEVER" not in everything
    assert b"neverSeen" not in everything


def test_without_privilege_what_needs_it_is_denied_and_the_rest_comes(private_host: RunScript) -> None:
    needs("setpriv")
    answer = private_host(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "dash"])
    assert answer.statuses["agent-environ"] == "denied"
    assert answer.statuses["routes"] == "ok"
    assert answer.reader.hello["privilege"] == "none"
    assert answer.sink.probes["identity-config"].note == "needs root"


START = "2026-11-23 06:26:14.7432 INFO Proxy environment variables:\n"
LINE = "2026-11-23 06:26:15.0000 INFO [amazon-ssm-agent] line number {:06d} of many lines in this log\n"


def test_logs_come_whole_within_the_budget(private_host: RunScript) -> None:
    log = START + "https_proxy: http://user:pass@word@proxy:3128\n" + LINE.format(1)
    folder = "/var/log/amazon/ssm"
    answer = private_host(
        files={
            f"{folder}/amazon-ssm-agent.log": log,
            f"{folder}/amazon-ssm-agent.log.1": "older\n",
            f"{folder}/amazon-ssm-agent.log.3": "newest of the old\n",
            f"{folder}/errors.log": "",
            f"{folder}/audits/amazon-ssm-agent-audit-2026-11-23": "SchemaVersion=1\n",
        }
    )
    logs = answer.sink.logs
    assert [log.name for log in logs] == [
        "amazon-ssm-agent.log", "errors.log", "audits/amazon-ssm-agent-audit-2026-11-23",
        "amazon-ssm-agent.log.3", "amazon-ssm-agent.log.1",
    ]  # fmt: skip
    assert all(log.status is Status.OK and log.is_whole for log in logs)
    # The cover is as long as what it covers, so that offsets in the host's file stay true.
    assert logs[0].plain.decode() == log.replace("user:pass@word", "*" * 14)
    assert logs[0].path == f"{folder}/amazon-ssm-agent.log"
    assert logs[0].modified is not None
    assert answer.statuses["agent-logs"] == "ok"


@pytest.mark.parametrize("shell", [["dash"], ["busybox", "ash"]], ids=["dash", "busybox"])
def test_a_big_log_comes_as_the_head_of_the_last_start_and_the_tail(
    private_host: RunScript, shell: list[str]
) -> None:
    needs(shell[0])
    lines = [LINE.format(number) for number in range(4000)]
    lines[100] = lines[1000] = START
    log = "".join(lines)
    answer = private_host(shell, files={"/var/log/amazon/ssm/amazon-ssm-agent.log": log}, log_budget=64_000)
    head, tail = answer.sink.logs
    for part in (head, tail):
        assert part.plain.decode() == log[part.offset : part.offset + len(part.plain)]
        assert part.first_line == log[: part.offset].count("\n") + 1
        assert part.size == len(log)
    assert head.first_line == 1001
    assert tail.offset + len(tail.plain) == len(log)
    assert 40_000 < len(head.plain) + len(tail.plain) <= 64_000


def test_all_of_the_log_comes_when_asked_for(private_host: RunScript) -> None:
    log = "".join(LINE.format(number) for number in range(4000))
    answer = private_host(files={"/var/log/amazon/ssm/amazon-ssm-agent.log": log}, log_budget=None)
    assert [(part.offset, len(part.plain)) for part in answer.sink.logs] == [(0, len(log))]


def test_a_mounted_volume_is_read_below_its_root_only(private_host: RunScript, tmp_path: Path) -> None:
    root = tmp_path / "rescue"
    for name, text in {
        "etc/hosts": "127.0.0.1 rescued\n",
        "var/log/amazon/ssm/amazon-ssm-agent.log": "rescued log\n",
        "run/resolv": "nameserver 192.0.2.53\n",
        "etc/amazon/ssm/.keep": "",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "etc/resolv.conf").symlink_to("/run/resolv")
    (root / "etc/nsswitch.conf").symlink_to("../../../../../../../../etc/nsswitch.conf")
    (root / "etc/amazon/ssm/seelog.xml").symlink_to("/etc/passwd")
    answer = private_host(root=str(root))
    assert answer.text("hosts-file") == "127.0.0.1 rescued\n"
    assert answer.text("resolv-conf") == "nameserver 192.0.2.53\n"
    assert answer.statuses["nsswitch-conf"] == "absent"
    assert answer.statuses["seelog"] == "absent"
    assert answer.statuses["routes"] == "skipped"
    assert [(log.plain, log.path) for log in answer.sink.logs] == [
        (b"rescued log\n", "/var/log/amazon/ssm/amazon-ssm-agent.log")
    ]
