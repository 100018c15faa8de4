"""Evidence for others holds no secret, whatever the host overlooked."""

from __future__ import annotations

from pathlib import Path

from evidence_samples import LOG_LINE, send_log, small_manifest

from collector.evidence.handed_on import fit_to_hand_on
from collector.evidence.model import LogHead, ProbeResult, Status
from collector.evidence.read import open_evidence, verify
from collector.evidence.store import EvidenceWriter

SECRET = b"wJalrXUtnFEMIK7MDENGbPxRfiCYzEXAMPLEKEYx"
LEAK = b"2026-11-23 06:26:14 DEBUG aws_secret_access_key=" + SECRET + b"\n"
LARGE = b"".join(b"%d %s" % (number * 7919, LOG_LINE) for number in range(20_000))


def _evidence(folder: Path, log: bytes) -> Path:
    with EvidenceWriter(folder, "web-1") as writer:
        writer.probe(ProbeResult("hostname", Status.OK, b"web-1\n"))
        send_log(writer, "errors.log", LOG_LINE)
        send_log(writer, "amazon-ssm-agent.log", log)
        writer.log_begin(LogHead("hibernate.log", "/x", 5, None, 0, 1, packed=True))
        writer.log_end(Status.DENIED, "permission denied")
        return writer.finish(small_manifest())


def test_what_holds_no_secret_is_handed_on_as_it_is(tmp_path: Path) -> None:
    path = _evidence(tmp_path, LARGE)
    assert fit_to_hand_on(path, tmp_path) == path


def test_a_secret_in_a_large_log_does_not_get_into_the_copy(tmp_path: Path) -> None:
    path = _evidence(tmp_path, LARGE + LEAK + LARGE)
    (tmp_path / "copy").mkdir()
    copy = fit_to_hand_on(path, tmp_path / "copy")
    assert copy != path
    evidence = open_evidence(copy)
    verify(evidence)
    logs = {log.name: log for log in evidence.manifest.logs}
    large = logs["amazon-ssm-agent.log"]
    with evidence.open_log(large, large.parts[0]) as stream:
        assert stream.read() == LARGE + LEAK.replace(SECRET, b"***") + LARGE
    assert large.parts[0].redacted == 1
    assert (logs["hibernate.log"].status, logs["hibernate.log"].parts) == (Status.DENIED, ())
    assert evidence.probe("hostname").output == b"web-1\n"


def test_what_cannot_be_read_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "web-1.zip"
    path.write_bytes(b"PK\3\4 damaged")
    assert fit_to_hand_on(path, tmp_path) == path
