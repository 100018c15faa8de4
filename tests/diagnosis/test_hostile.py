"""Whatever a host sends, a verdict comes out."""

from __future__ import annotations

import casebook as book
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analyzers.diagnose import diagnose
from analyzers.diagnosis import Diagnosis
from collector.evidence import ProbeResult, Status, Subject
from collector.evidence.memory import evidence_of

LOG = book.START + book.ONLINE + book.request_failed("dial tcp 10.77.100.11:443: i/o timeout")
PROBES = sorted(book.HEALTHY)
quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def verdict(probes: dict[str, bytes], log: bytes, statuses: dict[str, Status] | None = None) -> Diagnosis:
    results = [ProbeResult(n, (statuses or {}).get(n, Status.OK), body) for n, body in probes.items()]
    found = diagnose(
        evidence_of(results, {"amazon-ssm-agent.log": log}, subject=Subject("web01")), now=book.NOW
    )
    assert str(found.headline)
    for cause in found.causes:
        assert str(cause.sentence)
        assert cause.evidence
        for step in (*cause.remedy, *cause.verify):
            assert str(step.text)
    return found


def healthy() -> dict[str, bytes]:
    return {name: text.encode() for name, text in book.HEALTHY.items()}


@quick
@given(st.sampled_from(PROBES), st.binary(max_size=400))
def test_a_probe_of_garbage(name: str, garbage: bytes) -> None:
    verdict({**healthy(), name: garbage}, LOG.encode())


@quick
@given(st.sampled_from(PROBES), st.floats(0, 1), st.integers(0, 255))
def test_a_probe_cut_and_a_byte_flipped(name: str, part: float, byte: int) -> None:
    body = bytearray(book.HEALTHY[name].encode())
    at = int(part * (len(body) - 1))
    body[at] = byte
    verdict({**healthy(), name: bytes(body)}, LOG.encode())
    verdict({**healthy(), name: bytes(body[:at])}, LOG.encode())


@quick
@given(st.floats(0, 1), st.binary(max_size=40))
def test_a_log_cut_and_spliced(part: float, splice: bytes) -> None:
    body = LOG.encode()
    at = int(part * len(body))
    verdict(healthy(), body[:at] + splice + body[at:])
    verdict({}, body[at:] + splice)


@quick
@given(st.dictionaries(st.sampled_from(PROBES), st.sampled_from(list(Status))))
def test_any_probe_may_be_missing(statuses: dict[str, Status]) -> None:
    told = {name: b"" if name in statuses else body for name, body in healthy().items()}
    found = verdict(told, b"", statuses)
    assert all(cause.evidence for cause in found.causes)


@pytest.mark.parametrize("name", PROBES)
def test_what_was_not_seen_is_never_a_cause(name: str) -> None:
    """A healthy host stays healthy, or becomes unknown, whichever single probe was denied."""
    told = {probe: body for probe, body in healthy().items() if probe != name}
    results = [ProbeResult(n, Status.OK, body) for n, body in told.items()]
    results.append(ProbeResult(name, Status.DENIED, note="needs root"))
    log = (book.START + book.ONLINE).encode()
    found = diagnose(
        evidence_of(results, {"amazon-ssm-agent.log": log}, subject=Subject("web01")), now=book.NOW
    )
    assert not found.causes
    assert name in {unseen.probe for unseen in found.unseen}
