"""A log that came home in part: what was not read is told as not seen, and proves nothing."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pytest

from analyzers.diagnose import diagnose
from analyzers.diagnosis import Diagnosis, Verdict
from collector.errors import EvidenceError
from collector.evidence import LogFile, LogPart, Status
from collector.evidence.memory import MemoryEvidence, evidence_of
from lab.corpus import load_case

CORPUS = Path(__file__).parent.parent / "corpus"
NAME = "amazon-ssm-agent.log"
GOOD = (CORPUS / "healthy-dhmc/logs" / NAME).read_bytes()


def by_logs(log: LogFile, bodies: dict[tuple[str, int], bytes]) -> Diagnosis:
    return diagnose(MemoryEvidence(replace(evidence_of().manifest, logs=(log,)), bodies))


def whole(status: Status = Status.OK, note: str = "", size: int = len(GOOD)) -> LogFile:
    return LogFile(NAME, "/x", status, size, parts=(LogPart(0, len(GOOD)),), note=note)


def seen(diagnosis: Diagnosis) -> list[tuple[str, Status, str]]:
    return [(one.probe, one.status, one.why) for one in diagnosis.unseen]


def test_a_whole_log_leaves_nothing_unseen() -> None:
    diagnosis = by_logs(whole(), {(NAME, 0): GOOD})
    assert (diagnosis.verdict, seen(diagnosis)) == (Verdict.HEALTHY, [])


def test_a_part_that_is_not_there_is_not_seen() -> None:
    diagnosis = by_logs(whole(), {})
    ((probe, status, why),) = seen(diagnosis)
    assert (diagnosis.verdict, probe, status) == (Verdict.UNKNOWN, f"logs/{NAME}", Status.ERROR)
    assert "no part at byte 0" in why


@pytest.mark.parametrize("status", [Status.DENIED, Status.TIMEOUT, Status.ERROR])
def test_a_log_that_could_not_be_read_on_the_host_is_not_seen(status: Status) -> None:
    diagnosis = by_logs(LogFile(NAME, "/x", status, note="as the host said"), {})
    assert seen(diagnosis) == [(f"logs/{NAME}", status, "as the host said")]


def test_no_log_is_an_answer() -> None:
    assert seen(by_logs(LogFile(NAME, "/x", Status.ABSENT), {})) == []


def test_a_packed_log_that_was_cut_proves_nothing_of_now() -> None:
    diagnosis = by_logs(whole(Status.TRUNCATED, "the stream ends early"), {(NAME, 0): GOOD})
    assert diagnosis.verdict is Verdict.UNKNOWN
    assert seen(diagnosis) == [(f"logs/{NAME}", Status.TRUNCATED, "the stream ends early")]


def test_an_end_that_was_not_brought_home_proves_nothing_of_now() -> None:
    diagnosis = by_logs(whole(size=len(GOOD) + 1000), {(NAME, 0): GOOD})
    assert diagnosis.verdict is Verdict.UNKNOWN


def test_a_middle_that_was_left_out_does_not_matter() -> None:
    """What is longer than its budget comes home as a beginning and an end."""
    cut = GOOD.index(b"\n", 500) + 1
    later = 10_000_000
    parts = (LogPart(0, cut), LogPart(later, len(GOOD) - cut))
    log = LogFile(NAME, "/x", Status.TRUNCATED, later + len(GOOD) - cut, parts=parts)
    diagnosis = by_logs(log, {(NAME, 0): GOOD[:cut], (NAME, later): GOOD[cut:]})
    assert diagnosis.verdict is Verdict.HEALTHY
    assert [probe for probe, _, _ in seen(diagnosis)] == [f"logs/{NAME}"]


class _Breaking(io.BytesIO):
    """A stream whose digest turns out wrong at its end."""

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        if not data:
            raise EvidenceError(f"{NAME}: its bytes are not what the manifest says")
        return data


class _Damaged(MemoryEvidence):
    def open_log(self, log: LogFile, part: LogPart) -> BinaryIO:
        return _Breaking(super().open_log(log, part).read())


def test_what_a_damaged_log_says_is_kept_and_proves_nothing_of_now() -> None:
    case = load_case(CORPUS / "healthy-dhmc", with_facts=False)
    diagnosis = diagnose(_Damaged(case.manifest, case.contents))
    assert diagnosis.verdict is Verdict.UNKNOWN
    assert (f"logs/{NAME}", Status.ERROR) in [(probe, status) for probe, status, _ in seen(diagnosis)]
    assert [event for event in diagnosis.timeline if event.kind == "agent-start"]


def test_a_damaged_log_does_not_hide_its_failures() -> None:
    case = load_case(CORPUS / "no-instance-profile-3.3", with_facts=False)
    (cause,) = diagnose(_Damaged(case.manifest, case.contents)).causes
    assert cause.slug == "iam-no-instance-profile"


def test_a_channel_that_is_held_is_proof_enough() -> None:
    case = load_case(CORPUS / "healthy-dhmc")
    assert diagnose(_Damaged(case.manifest, case.contents)).verdict is Verdict.HEALTHY
