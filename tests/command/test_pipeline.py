"""One host's trouble never costs the others their verdicts."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzers.diagnosis import Diagnosis, Verdict
from collector.errors import SignatureError
from collector.evidence import Evidence
from collector.evidence.read import Source, discover
from ssm_triage.pipeline import examine

CASE = Path(__file__).parents[1] / "corpus/healthy-3.0/logs"


def source() -> Source:
    return next(discover(CASE))


def test_a_defect_of_a_rule_is_a_verdict_of_unknown() -> None:
    def broken(evidence: Evidence) -> Diagnosis:
        raise KeyError("a rule that nobody tried on this host")

    host = examine(source(), broken)
    assert host.diagnosis.verdict is Verdict.UNKNOWN
    assert "KeyError" in str(host.diagnosis.headline)


def test_what_concerns_every_host_is_raised() -> None:
    def misconfigured(evidence: Evidence) -> Diagnosis:
        raise SignatureError("mine.yaml:3: no pattern")

    with pytest.raises(SignatureError):
        examine(source(), misconfigured)
