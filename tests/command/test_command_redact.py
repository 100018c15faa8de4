"""``redact``: nothing that tells a host apart is left, and the diagnosis is what it was."""

from __future__ import annotations

import json
import re
import stat
import zipfile
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzers.diagnose import diagnose
from collector.errors import FailureKind
from collector.evidence import ConnectionFacts, Evidence, Failure, Manifest, ProbeResult, Status, Subject
from collector.evidence.memory import SCHEMA, evidence_of
from collector.evidence.read import open_evidence, verify
from collector.target import Transport
from lab.corpus import load_case
from ssm_triage.pseudonyms import Pseudonyms
from ssm_triage.redaction import Redactor, learn, redact
from tests.command.conftest import CORPUS, Command, Store

KEY = bytes(range(32))
CASES = sorted(path.name for path in CORPUS.iterdir() if path.is_dir())


def redacted(evidence: Evidence, folder: Path) -> tuple[Evidence, dict[str, dict[str, str]]]:
    pseudonyms = Pseudonyms(KEY)
    path = redact(evidence, Redactor(pseudonyms, learn([evidence])), folder)
    return open_evidence(path), pseudonyms.used


def everything(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        return "\n".join(archive.read(name).decode("utf-8", "replace") for name in archive.namelist())


@pytest.mark.parametrize("case", CASES)
def test_the_diagnosis_stays(case: str, tmp_path: Path) -> None:
    evidence = load_case(CORPUS / case)
    before = diagnose(evidence)
    shown, used = redacted(evidence, tmp_path)
    verify(shown)
    after = diagnose(shown)
    assert after.verdict is before.verdict
    assert [(c.slug, c.scope, c.confidence) for c in after.causes] == [
        (c.slug, c.scope, c.confidence) for c in before.causes
    ]
    assert [(hop.kind, hop.state) for hop in after.path] == [(hop.kind, hop.state) for hop in before.path]
    assert [out.slug for out in after.excluded] == [out.slug for out in before.excluded]
    assert [log.parts[0].first_line for log in shown.manifest.logs if log.parts] == [
        log.parts[0].first_line for log in evidence.manifest.logs if log.parts
    ]
    text = everything(next(tmp_path.iterdir()))
    left = [
        original
        for values in used.values()
        for original, stand_in in values.items()
        if original != stand_in and re.search(rf"(?<![\w.-]){re.escape(original)}(?![\w-]|\.\d)", text)
    ]
    assert left == []


def test_a_run_folder(ssm_triage: Command, store: Store, tmp_path: Path) -> None:
    store("healthy-proxy", "billing-01.corp.initech.example", "run/evidence")
    store("imds-lost-midlife", "billing-02.corp.initech.example", "run/evidence")
    done = ssm_triage("redact", "run", "-o", "out", "--map", "map.json")
    assert done.returncode == 0, done.stderr
    files = sorted((tmp_path / "out").iterdir())
    assert [str(path.relative_to(tmp_path)) for path in files] == sorted(done.stdout.split())
    assert all(path.name.endswith(".redacted.zip") for path in files)
    for path in files:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert open_evidence(path).manifest.redaction == "pseudonyms"
        for secret in (
            "billing",
            "initech",
            "AppServerRole",
            "123456789012",
            "i-0a1b2c3d4e5f60718",
            "10.77.",
        ):
            assert secret not in everything(path)
    assert stat.S_IMODE((tmp_path / "map.json").stat().st_mode) == 0o600
    used = json.loads((tmp_path / "map.json").read_text())
    names = {open_evidence(path).manifest.subject.name for path in files}
    assert names <= set(used["host"].values())
    domains = {name.partition(".")[2] for name in names}
    assert len(domains) == 1, "two hosts of one domain stay in one"
    ids = {open_evidence(path).probe("identity-config").output for path in files}
    found = {found for body in ids for found in re.findall(rb"i-[0-9a-f]{17}", body)}
    assert found == {used["resource"]["i-0a1b2c3d4e5f60718"].encode()}


def test_logs_that_somebody_sent(ssm_triage: Command, tmp_path: Path) -> None:
    done = ssm_triage("redact", CORPUS / "imds-no-route-3.1/logs", "-o", "out")
    assert done.returncode == 0, done.stderr
    told = ssm_triage("analyze", "out", "--reporter", "json:-")
    assert json.loads(told.stdout)["hosts"][0]["evidence"]["origin"] == "log-folder"


def test_the_folder_must_be_new(ssm_triage: Command, store: Store, tmp_path: Path) -> None:
    store("healthy-dhmc")
    done = ssm_triage("redact", "evidence", "-o", "evidence")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "not empty" in done.stderr


CONNECTION = ConnectionFacts(
    Transport.SSH,
    "10.20.30.40",
    22,
    "jdoe",
    "publickey ed25519 SHA256:" + "aB3/" * 10 + "xyz",
    jump=("mallory@bastion.initech.example:2222",),
)
MANIFEST = Manifest(
    SCHEMA, "ssm-triage", "collected", Subject("billing-7", "10.20.30.40", groups=("payroll",), zone="vault"),
    connection=CONNECTION, ran_as="jdoe",
)  # fmt: skip


def probe(name: str, text: str, via: str = "") -> ProbeResult:
    return ProbeResult(name, Status.OK, text.encode(), via=via)


def test_names_wherever_they_stand(tmp_path: Path) -> None:
    log = (
        b"2026-11-23 06:38:45 INFO amazon-ssm-agent - v3.3.40.0\n"
        b"2026-11-23 06:38:45 ERROR User: arn:aws:sts::123456789012:assumed-role/PayrollRole"
        b"/i-0a1b2c3d4e5f60718 is not authorized; PayrollRole on billing-7 for jdoe"
        b" at 10.20.30.41:443 [2001:db8:1::7]\n"
        b"2026-11-23 06:38:45 ERROR dial tcp: lookup squid.initech.example on 10.20.0.2:53\n"
    )
    probes = [
        probe("hostname", "billing-7\n"),
        probe("mounts", "/dev/sdb /mnt/old-billing-7_backup ext4 rw 0 0\nbilling-7.initech.example:/x\n"),
        probe("addresses", "inet 10.20.30.40/20 brd 10.20.31.255 scope global eth0\n"),
        probe("agent-environ", "# pid 1 /usr/bin/amazon-ssm-agent\nhttps_proxy=http://squid.initech.example:3128\n"),
        probe("routes", "Iface\tDestination\tGateway\tFlags\tR\tU\tM\tMask\n"
              "eth0\t00101E0A\t0100140A\t3\t0\t0\t0\t00F0FFFF\n", "/proc/net/route"),
    ]  # fmt: skip
    shown, used = redacted(evidence_of(probes, {"amazon-ssm-agent.log": log}, manifest=MANIFEST), tmp_path)
    text = everything(next(tmp_path.iterdir()))
    for told in (
        *("billing", "payroll", "vault", "jdoe", "mallory", "bastion", "initech", "squid", "PayrollRole"),
        *("123456789012", "0a1b2c3d4e5f60718", "10.20.", "2001:db8:1", "aB3/aB3", "00101E0A"),
    ):
        assert told not in text, told
    assert "v3.3.40.0" in text
    assert "[2001:" in text
    assert shown.manifest.subject.address == used["address"]["10.20.30.40"]
    assert shown.manifest.subject.name in shown.probe("hostname").output.decode()
    destination = shown.probe("routes").output.split(b"\n")[1].split(b"\t")[1].decode()
    network = IPv4Network((bytes.fromhex(destination)[::-1], 20))
    assert IPv4Address(used["address"]["10.30.16.0"]) in network


def test_a_name_that_is_a_word_of_the_agents(ssm_triage: Command, store: Store, tmp_path: Path) -> None:
    """A host called ``agent``: the log must not lose its words."""
    store("imds-lost-midlife", "agent")
    done = ssm_triage("redact", "evidence", "-o", "out")
    assert done.returncode == 0
    assert "'agent' is a word of the agent's own" in done.stderr
    path = next((tmp_path / "out").iterdir())
    assert open_evidence(path).manifest.subject.name != "agent"
    assert diagnose(open_evidence(path)).causes[0].slug == "imds-no-route"


def test_of_a_host_that_was_not_reached(tmp_path: Path) -> None:
    detail = "billing-7 (10.20.30.40) refused jdoe; known is SHA256:" + "aB3/" * 10 + "xyz"
    failure = Failure(FailureKind.HOST_KEY, detail, "see /home/jdoe/.ssh/known_hosts")
    subject = Subject("billing-7", "127.0.0.1")
    manifest = replace(MANIFEST, subject=subject, failure=failure)
    shown, used = redacted(evidence_of((), manifest=manifest), tmp_path)
    assert shown.manifest.failure is not None
    assert shown.manifest.failure.kind is FailureKind.HOST_KEY
    assert shown.manifest.subject.address == "127.0.0.1"
    assert shown.manifest.failure.try_next == f"see /home/{used['user']['jdoe']}/.ssh/known_hosts"
    for told in ("billing", "10.20.30.40", "jdoe", "aB3/"):
        assert told not in everything(next(tmp_path.iterdir()))


def test_two_looks_at_one_host_are_two_files(ssm_triage: Command, store: Store, tmp_path: Path) -> None:
    store("imds-lost-midlife", "web-01", "before")
    store("healthy-dhmc", "web-01", "after")
    done = ssm_triage("redact", "before", "after", "-o", "out")
    before, after = done.stdout.split()
    compared = ssm_triage("diff", before, after)
    assert "verdict: broken -> healthy" in compared.stdout
    assert "Two hosts" not in compared.stdout


# Addresses ------------------------------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1), st.integers(0, 32), st.integers(0, 2**32 - 1))
def test_subnets_stay_subnets(one: int, length: int, other: int) -> None:
    """Two addresses share as many leading bits afterwards as before, but for the last octet, which stays."""
    other = (one >> (32 - length) << (32 - length)) | (other & ((1 << (32 - length)) - 1))
    pseudonyms = Pseudonyms(KEY)
    first, second = (pseudonyms.address(IPv4Address(address)) for address in (one, other))
    network = IPv4Network((first, length), strict=False)
    assert second in network
    assert (int(first) & 255, int(second) & 255) == (one & 255, other & 255)
    assert (first == second) is (one == other)


@given(st.integers(0, 2**32 - 1), st.integers(8, 31))
def test_a_network_holds_its_hosts(address: int, length: int) -> None:
    network = IPv4Network((address, length), strict=False)
    pseudonyms = Pseudonyms(KEY)
    shown = IPv4Network((pseudonyms.address(network.network_address, length), length))
    assert pseudonyms.address(IPv4Address(address)) in shown
    assert shown.is_private == network.is_private
    assert shown.is_link_local == network.is_link_local


@given(st.integers(0, 2**128 - 1))
def test_version_6(address: int) -> None:
    shown = Pseudonyms(KEY).address_6(IPv6Address(address))
    before = IPv6Address(address)
    assert shown.is_link_local == before.is_link_local
    assert shown.is_loopback == before.is_loopback
    assert Pseudonyms(KEY).address_6(before) == shown


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "169.254.169.254", "169.254.169.123", "0.0.0.0", "255.255.255.0", "224.0.0.1"]
)
def test_what_is_the_same_everywhere_stays(address: str) -> None:
    assert str(Pseudonyms(KEY).address(IPv4Address(address))) == address


def test_link_local_of_a_mac_follows_the_mac() -> None:
    pseudonyms = Pseudonyms(KEY)
    shown = pseudonyms.address_6(IPv6Address("fe80::811:22ff:fe33:4455"))
    assert shown in IPv6Network("fe80::/10")
    mac = bytes.fromhex(pseudonyms.mac("0a:11:22:33:44:55").replace(":", ""))
    assert shown.packed[8:] == bytes([mac[0] ^ 2]) + mac[1:3] + b"\xff\xfe" + mac[3:]


@settings(deadline=None, max_examples=50)
@given(st.text())
def test_any_text(text: str) -> None:
    names = learn([])
    names.learn_text(text)
    Redactor(Pseudonyms(KEY), names).text(text)


@settings(deadline=None, max_examples=50)
@given(st.binary())
def test_any_bytes(data: bytes) -> None:
    evidence = evidence_of([replace(probe("routes", "", "/proc/net/route"), output=data)])
    redactor = Redactor(Pseudonyms(KEY), learn([evidence]))
    redactor.data(redactor.routes(data))
