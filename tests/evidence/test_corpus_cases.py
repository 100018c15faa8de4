"""Cases of real agents come through the mapping as what they are, by the cases' own facts."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.evidence.model import Status
from collector.evidence.records import Record, parse_records
from collector.target import Platform
from lab.corpus import load_case, load_label

CORPUS = Path(__file__).parent.parent / "corpus"
CASES = sorted(folder.name for folder in CORPUS.iterdir() if folder.is_dir())


def records(case: str, probe: str) -> dict[str, Record]:
    return {record.name: record for record in parse_records(load_case(CORPUS / case).probe(probe).output)}


@pytest.mark.parametrize("case", CASES)
def test_every_case_loads_and_tells_nothing_of_its_label(case: str) -> None:
    evidence = load_case(CORPUS / case)
    label = load_label(CORPUS / case)
    assert label.cause
    everything = repr(evidence.manifest) + repr([(r.output, r.note, r.via) for r in evidence.manifest.probes])
    assert case not in everything.replace("healthy-dhmc-role", "")
    assert label.cause not in everything or label.cause in ("throttling",)
    assert len({result.probe for result in evidence.manifest.probes}) == len(evidence.manifest.probes)
    for log in evidence.manifest.logs:
        with evidence.open_log(log, log.parts[0]) as stream:
            assert len(stream.read()) > 0 or log.size == 0
    assert {"imds", "endpoint-ssm", "endpoint-ssmmessages", "endpoint-ec2messages", "routes", "clock"} <= {
        result.probe for result in evidence.manifest.probes
    }


@pytest.mark.parametrize("case", CASES)
def test_logs_alone_know_no_fact(case: str) -> None:
    evidence = load_case(CORPUS / case, with_facts=False)
    assert evidence.manifest.origin == "log-folder"
    assert evidence.manifest.probes == ()
    assert evidence.probe("imds").status is Status.SKIPPED


@pytest.mark.parametrize("case", CASES)
def test_no_secret_comes_through(case: str) -> None:
    evidence = load_case(CORPUS / case)
    everything = b"".join(result.output for result in evidence.manifest.probes)
    assert b"LabSSMToken" not in everything
    assert b"lab-not-a-real-key" not in everything
    token = records(case, "imds")["token"]
    assert token.get("http") != "200" or token.body == ""


IMDS = {
    "healthy-3.0": ("answered", "200"),
    "imds-no-route-3.1": ("no-route", "000"),
    "imds-local-firewall-reject": ("refused", "000"),
    "imds-disabled-403-3.1": ("answered", "403"),
    "imds-hang": ("no-answer", "000"),
    "imds-wrong-gateway-drops-3.1": ("timeout", "000"),
}


@pytest.mark.parametrize("case", IMDS)
def test_outcome_of_the_token_request(case: str) -> None:
    token = records(case, "imds")["token"]
    assert (token.get("method"), token.get("outcome"), token.get("http")) == ("PUT", *IMDS[case])


def test_answers_of_the_metadata_service() -> None:
    healthy = records("healthy-3.0", "imds")
    assert list(healthy) == ["token", "v1", "instance-id", "iam-info", "role", "document"]
    assert healthy["v1"].get("http") == "401"
    assert healthy["v1"].get("server") == "EC2ws"
    assert healthy["instance-id"].body == "i-0a1b2c3d4e5f60718"
    assert '"InstanceProfileArn"' in healthy["iam-info"].body
    assert healthy["role"].body
    without = records("no-instance-profile-3.3", "imds")
    assert (without["iam-info"].get("http"), without["role"].get("http")) == ("404", "404")
    assert list(records("imds-no-route-3.1", "imds")) == ["token", "v1"]


ENDPOINTS = [
    ("healthy-3.0", "ssm", {"dns 10.77.0.2": "NOERROR", "tcp": "connected", "tls": "ok", "http": "answered"}),
    ("dns-nxdomain-3.3", "ssm", {"dns 10.77.0.2": "NXDOMAIN"}),
    ("dns-timeout", "ssm", {"dns 10.77.0.2": "timeout"}),
    ("dns-resolver-refused", "ssm", {"dns 10.77.0.2": "refused"}),
    ("dns-wrong-ip-refused", "ssm", {"dns 10.77.0.2": "NOERROR", "tcp": "refused", "http": "refused"}),
    ("ep-drop-all-3.3", "ssm", {"dns 10.77.0.2": "NOERROR", "tcp": "timeout", "http": "timeout"}),
    ("ep-firewall-admin-prohibited", "ssm", {"dns 10.77.0.2": "NOERROR", "tcp": "host-unreachable"}),
    ("only-ec2messages-refused-3.3", "ec2messages", {"dns 10.77.0.2": "NOERROR", "tcp": "refused"}),
    ("only-ec2messages-refused-3.3", "ssm", {"tcp": "connected", "tls": "ok", "http": "answered"}),
    ("only-ec2messages-nxdomain-3.1", "ec2messages", {"dns 10.77.0.2": "NXDOMAIN"}),
    ("ep-no-response-3.3", "ssm", {"tcp": "connected", "tls": "ok", "http": "no-answer"}),
    ("tls-expired-cert", "ssm", {"tcp": "connected", "tls": "expired"}),
    ("tls-unknown-ca-3.3", "ssm", {"tcp": "connected", "tls": "untrusted"}),
]


@pytest.mark.parametrize(("case", "service", "stages"), ENDPOINTS)
def test_stages_of_an_endpoint(case: str, service: str, stages: dict[str, str]) -> None:
    found = records(case, f"endpoint-{service}")
    assert found["endpoint"].get("host") == f"{service}.us-east-1.amazonaws.com"
    told = {name: found[name].get("outcome") or found[name].get("rcode") for name in stages}
    assert told == stages


def test_stages_carry_what_was_measured() -> None:
    found = records("healthy-3.0", "endpoint-ssm")
    assert found["resolve"].all("address") == ("10.77.100.11",)
    assert found["tcp"].get("address") == "10.77.100.11"
    assert found["tls"].get("not_after").endswith("2027 GMT")
    assert found["tls"].get("issuer").startswith("C = US, O = Amazon")
    assert found["http"].get("date").endswith("GMT")
    assert found["http"].get("remote") == "10.77.100.11"


def test_state_of_the_service() -> None:
    running = records("healthy-3.0", "service")["amazon-ssm-agent.service"]
    assert (running.get("ActiveState"), running.get("SubState")) == ("active", "running")
    assert int(running.get("MainPID")) > 0
    killed = records("agent-killed", "service")["amazon-ssm-agent.service"]
    assert (killed.get("ActiveState"), killed.get("Result"), killed.get("ExecMainStatus")) == (
        "failed",
        "signal",
        "9",
    )
    waiting = records("imds-no-route-3.1", "service")["amazon-ssm-agent.service"]
    assert (waiting.get("ActiveState"), waiting.get("SubState")) == ("activating", "auto-restart")


def test_environment_and_drop_ins_show_proxies_and_hide_the_rest() -> None:
    evidence = load_case(CORPUS / "healthy-proxy")
    environ = evidence.probe("agent-environ").output.decode()
    assert "# pid 58 /usr/bin/amazon-ssm-agent\nhttp_proxy=http://10.77.200.10:3128\n" in environ
    assert "INVOCATION_ID" not in environ
    assert evidence.probe("unit").output.startswith(b"# /etc/systemd/system/amazon-ssm-agent.service.d/")


def test_disks_clock_limits_and_credentials() -> None:
    full = load_case(CORPUS / "disk-full-midlife").probe("disk-space").output.decode().splitlines()
    assert full[0] == "Filesystem 1024-blocks Used Available Capacity Mounted on"
    assert full[2] == "tmpfs 2048 2048 0 100% /var/log/amazon"
    mounts = load_case(CORPUS / "disk-full-midlife").probe("mounts").output
    assert mounts.startswith(b"tmpfs /var/lib/amazon tmpfs rw")
    clock = records("healthy-3.0", "clock")[""]
    assert (clock.get("offset"), clock.get("zone")) == ("+0000", "UTC")
    assert records("inotify-watches-exhausted", "inotify")[""].get("max_user_watches") == "192536"
    stray = records("healthy-shared-creds-ignored-2.3", "stray-credentials")["/root/.aws/credentials"]
    assert stray.get("profile") == "default"
    assert int(stray.get("modified")) > 1_700_000_000
    registered = records("hybrid-healthy", "registration")["registration"]
    assert registered.get("instance").startswith("mi-")


def test_what_was_not_there_is_absent_and_what_printed_nothing_is_empty() -> None:
    evidence = load_case(CORPUS / "healthy-3.0")
    assert evidence.probe("agent-config").status is Status.ABSENT
    assert (evidence.probe("iptables").status, evidence.probe("iptables").output) == (Status.OK, b"")
    assert evidence.probe("oom").status is Status.SKIPPED


def test_the_platform_is_that_of_the_facts_and_without_them_that_of_the_logs() -> None:
    """An agent for Windows ran under Wine: its facts are of the Linux host beneath."""
    wine = CORPUS / "wine-iam-denied-uii"
    assert load_case(wine).manifest.subject.platform is Platform.LINUX
    assert load_case(wine, with_facts=False).manifest.subject.platform is Platform.WINDOWS
