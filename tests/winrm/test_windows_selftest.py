"""The self-test: it passes on a host that is as we believe, and each check fails on one that is not.

The answers are made by us: nobody recorded them from a live host.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from winrm_rig import HTTP, PASSWORD, USER, Rig

from analyzers.diagnose import diagnose
from analyzers.facts import Facts
from collector.collect import CollectOptions, collect_host
from collector.connections.base import Deadline
from collector.connections.windows_bootstrap import READER
from collector.evidence import Evidence, Status
from collector.evidence.memory import evidence_of
from collector.evidence.read import open_evidence
from collector.windows_selftest import Outcome, SelfTest, selftest, wire
from collector.windows_selftest.beliefs import TEXT, beliefs, bulk
from lab.windows.powershell import Answer, UnknownScript
from lab.windows_personas import WindowsPersona, persona
from lab.windows_personas.asked import asked_by
from lab.windows_personas.frames import frame
from lab.windows_personas.transcript import TranscriptPersona
from ssm_triage.pseudonyms import Pseudonyms
from ssm_triage.transcripts import redactor_of, transcript

ERROR = b'<Objs><S S="Error">to error</S><S S="Error">x : a word_x000D__x000A_</S></Objs>'
WHO = b"psversion=5.1.20348.1 os=10.0.20348.0 culture=de-DE codepage=65001 name=EC2AMAZ-X1 user=alice"
CHECKS = 19
HOST = persona("stale-persistent-route", 2019, "ko")
KEY = b"k" * 32


def believed(script: bytes, host: WindowsPersona = HOST) -> bytes | Answer:
    """A host that is as we believe it to be."""
    if script == b"exit 7":
        return Answer(exit_code=7)
    for key, answer in (
        (b"'hello'", Answer(b"hello")),
        (b"'whole'", Answer(b"whole")),
        (b"psversion=", Answer(WHO)),
        (b"OpenStandardOutput()\n$o.Write($b", Answer(TEXT.encode())),
        (b"$i -lt 60000", Answer(bulk())),
        (b"Write-Error 'a word'", Answer(b"", ERROR, 1)),
        (b"Seconds 25", Answer(b"awake", delay_s=1.5)),
        (b"Seconds 120", Answer(b"held", delay_s=120)),
        (b"OpenExisting('ssm-triage", Answer(b"gone")),
        (b"'file='", Answer(b"file=")),
        (b"'missing='", Answer(b"missing=Get-NetRoute")),
        (b"administrator=$a", Answer(b"administrator=True keys=True,True,False")),
    ):
        if key in script:
            return answer
    return host(script)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "_GIVEN_UP_S", 2.0)
    monkeypatch.setattr(wire, "_GONE_WITHIN_S", 0.0)


def asked(rig: Rig, host: Callable[[bytes], bytes | Answer], **setup: object) -> SelfTest:
    server = rig.host(host, **setup)
    target = rig.target(
        server, {**({} if setup.get("tls") else HTTP), "ansible_winrm_operation_timeout_sec": "1"}
    )
    connection = rig.open(target, seconds=60)
    done = selftest(connection, deadline=Deadline.after(90))
    connection.close()
    assert not server.shells.open
    return done


def failed(done: SelfTest) -> list[str]:
    return [check.name for check in done.checks if check.outcome is Outcome.FAILED]


def test_a_host_as_we_believe(rig: Rig) -> None:
    done = asked(rig, believed)
    assert [check for check in done.checks if check.outcome is not Outcome.OK] == []
    assert done.passed
    assert len(done.checks) == CHECKS
    seen = {check.name: check.detail for check in done.checks}
    assert seen["which cmdlets are missing"] == "missing=Get-NetRoute"
    assert seen["an unencrypted message is refused"].startswith("WinRMTransportError")
    assert "3 to see" in seen["kept routes are named as believed"]
    assert done.host is not None
    assert {probe.probe: probe.output for probe in done.host.probes}["routes"] == HOST.probes["routes"]


def test_over_https_there_is_nothing_to_refuse(rig: Rig) -> None:
    done = asked(rig, believed, tls=True)
    assert done.passed
    assert {c.name for c in done.checks if c.outcome is Outcome.NOT_ASKED} == {
        "an unencrypted message is refused"
    }


def odd(script: bytes) -> Answer:
    """A host of which nothing small is as we believe."""
    if script == b"exit 7":
        return Answer()
    for key, answer in (
        (b"$o.Write($b", Answer(b"caf?")),
        (b"$i -lt 60000", Answer(bulk()[:-9])),
        (b"Write-Error 'a word'", Answer(stderr=b"<Objs>raw")),
        (b"Seconds 25", Answer(b"")),
        (b"Seconds 120", Answer(b"held", delay_s=120)),
        (b"OpenExisting('ssm-triage", Answer(b"held")),
        (b"'file='", Answer(b"file=C:\\x.ps1")),
    ):
        if key in script:
            return answer
    return Answer(b"odd", exit_code=1)


def test_each_check_can_fail(rig: Rig) -> None:
    done = asked(rig, odd, allow_unencrypted=True)
    assert [check.name for check in done.checks if check.outcome is Outcome.OK] == [
        "answers come in pieces below the envelope"
    ]
    assert done.host is None
    assert not done.passed


def test_each_check_of_the_facts_can_fail(rig: Rig) -> None:
    """The collecting script comes to its end, and what it brings is not as we believe."""
    routes = b'{"kind":"value","value":"169.254.169.254 via 10.0.0.1"}\n'
    other = replace(HOST, probes={**HOST.probes, "routes": b"\xff\n", "persistent-routes": routes})

    def host(script: bytes) -> bytes | Answer:
        if b"$LogBudget" not in script:
            return believed(script)
        nonce = asked_by(script).nonce
        log = {"name": "errors.log", "path": "C:\\x", "size": 1, "modified": None, "offset": 0, "line": None}
        late = {"probe": "clock", "status": "timeout", "ms": 1, "via": "", "note": "late", "ran_as": ""}
        head, _, rest = other(script).partition(b"\n@@END")
        first = frame(nonce, {"log": log}) + frame(nonce, {"log_end": "denied", "note": "x"})
        return (
            head
            + b"\n@@END"
            + rest.partition(b"\n")[0]
            + first
            + frame(nonce, late)
            + rest.partition(b"\n")[2]
        )

    assert failed(asked(rig, host)) == [
        "every probe comes to an end of its own",
        "what comes is UTF-8",
        "kept routes are named as believed",
        "a log is read beside its writer",
    ]


@pytest.mark.parametrize("sizes", [[], [160_000]])
def test_pieces_that_are_none_or_too_large(rig: Rig, sizes: list[int]) -> None:
    connection = rig.open(rig.target(rig.host()))
    assert wire.pieces(connection, sizes).outcome is Outcome.FAILED
    connection.close()


# The transcript, played back -----------------------------------------------------------------------------


def told(done: SelfTest) -> str:
    return transcript(done, "web01.corp.example", tool="ssm-triage 0", pseudonyms=Pseudonyms(KEY))


def collected(rig: Rig, host: Callable[[bytes], bytes | Answer], folder: Path) -> Evidence:
    server = rig.host(host)
    target = rig.target(server, {**HTTP, "ansible_winrm_operation_timeout_sec": "1"})
    connection = rig.open(target)
    kept = collect_host(connection, target, CollectOptions(), folder, Deadline.after(60))
    connection.close()
    assert kept.failure is None
    return open_evidence(kept.path)


def test_a_transcript_is_a_host_to_try_on(rig: Rig, tmp_path: Path) -> None:
    """Asked, written down, played back, collected: the facts are those of the host, by other names."""
    done = asked(rig, believed)
    path = tmp_path / "selftest.json"
    path.write_text(told(done))
    played = TranscriptPersona.read(path)
    evidence = collected(rig, played, tmp_path)
    redactor = redactor_of(done, "web01.corp.example", tool="ssm-triage 0", pseudonyms=Pseudonyms(KEY))
    for name, output in HOST.probes.items():
        assert evidence.probe(name).output == redactor.data(output), name
    assert evidence.probe("agent-files").status is Status.OK
    assert evidence.probe("update").status is Status.ABSENT
    plain = Facts(_as_it_was(HOST, redactor.data))
    again = Facts(evidence)
    assert again.routes == plain.routes
    assert again.windows == plain.windows
    assert again.service == plain.service
    assert [cause.slug for cause in diagnose(evidence).causes] == [HOST.cause]
    # And the self-test of what is played back says the same.
    once_more = asked(rig, lambda script: believed(script) if b"ssm-triage-" in script else played(script))
    assert failed(once_more) == []


def _as_it_was(host: WindowsPersona, redact: Callable[[bytes], bytes]) -> Evidence:
    from collector.evidence import ProbeResult, Subject
    from collector.target import Platform

    results = [ProbeResult(name, Status.OK, redact(output)) for name, output in host.probes.items()]
    return evidence_of(results, subject=Subject("x", platform=Platform.WINDOWS))


def test_a_transcript_tells_no_names(rig: Rig) -> None:
    secretive = replace(
        HOST,
        user="CORP\\svc-deploy",
        probes={
            **HOST.probes,
            "whoami": b"user=CORP\\svc-deploy\nlogin=CORP\\svc-deploy\n",
            "proxy-layers": b'{"kind":"setting","layer":"winhttp","value":"squid7.initech.net:3128"}\n',
            "resolv-conf": b'{"kind":"search","list":"","domain":"berlin.initech.net"}\n',
        },
    )
    text = told(asked(rig, lambda script: believed(script, secretive)))
    document = json.loads(text)
    assert document["host"]["probes"]["routes"]["status"] == "ok"
    for name in (
        USER,
        PASSWORD,
        "EC2AMAZ-X1",
        "svc-deploy",
        "initech",
        "squid7",
        "web01",
        "10.0.20.37",
    ):
        assert name not in text, name
    assert "i-0a1b2c3d4e5f60718" not in text


def test_what_was_not_asked_has_no_answer(rig: Rig, tmp_path: Path) -> None:
    path = tmp_path / "selftest.json"
    path.write_text(told(asked(rig, believed)))
    with pytest.raises(UnknownScript):
        TranscriptPersona.read(path)(b"Get-Date")
    path.write_text("{}")
    with pytest.raises(ValueError, match="not the transcript"):
        TranscriptPersona.read(path)


# The scripts ---------------------------------------------------------------------------------------------


def test_every_script_is_another() -> None:
    digests = [belief.digest for belief in beliefs()]
    assert len(set(digests)) == len(digests)


@pytest.mark.parametrize("package", ["tree_sitter_powershell", "tree_sitter_pwsh"])
def test_the_scripts_are_powershell(package: str) -> None:
    tree_sitter = pytest.importorskip("tree_sitter", reason="tree-sitter is missing (pip: tree-sitter)")
    grammar = pytest.importorskip(package, reason=f"{package} is missing (pip: {package.replace('_', '-')})")
    parser = tree_sitter.Parser(tree_sitter.Language(grammar.language()))
    scripts = [READER.encode(), wire._HOLD % b"x", wire._HELD % b"x", *(one.script for one in beliefs())]
    for script in scripts:
        assert script.isascii()
        assert not parser.parse(script).root_node.has_error, script[:200]
    assert parser.parse(b"if ($x { 1 }").root_node.has_error
