"""A host whose logs are full to the last byte of the budget: the page stays small and loses no end."""

from __future__ import annotations

import random
import re
from datetime import UTC, datetime, timedelta
from functools import cache

from analyzers.diagnose import diagnose
from analyzers.diagnosis import Diagnosis, TimelineEvent
from analyzers.text import say
from collector.evidence import Clock, Manifest, ProbeResult, Status, Subject
from collector.evidence.memory import evidence_of
from reports.html import LIMIT, render_host
from reports.provenance import Provenance, provenance
from reports.timeline import timeline

BUDGET = 4 * 1024 * 1024
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
LINES = (
    "INFO Proxy environment variables:",
    "INFO amazon-ssm-agent - v3.3.1611.0",
    "INFO Successfully assumed identity type: EC2",
    "INFO EC2RoleProvider Successfully connected with instance profile role credentials",
    "ERROR [EC2Identity] Failed to get instance info from IMDS. Err: failed to get identity instance id. "
    "Error: EC2MetadataError: failed to get IMDSv2 token and fallback to IMDSv1 is disabled\ncaused by: :\n"
    '\tstatus code: 0, request id: \ncaused by: Put "http://169.254.169.254/latest/api/token": dial tcp '
    "169.254.169.254:80: connect: no route to host",
    "ERROR Agent failed to assume any identity",
    "ERROR error when calling AWS APIs. error details - UpdateInstanceInformation AccessDeniedException: "
    "User: arn:aws:sts::123456789012:assumed-role/App/i-0a1b2c3d4e5f60718 is not authorized to perform: "
    "ssm:UpdateInstanceInformation on resource: *",
    'ERROR Post "https://ssm.us-east-1.amazonaws.com/": dial tcp: lookup ssm.us-east-1.amazonaws.com: '
    "i/o timeout",
    "WARN <&> a line that nobody knows, of " + "<&> " * 60,
)  # fmt: skip


@cache
def full() -> tuple[Diagnosis, Provenance]:
    """Two logs of random lines, a second apart, that fill the budget."""
    dice = random.Random(4)
    texts = []
    for size in (BUDGET * 3 // 4, BUDGET // 4):
        lines: list[str] = []
        moment, room = NOON, size
        while room > 0:
            moment -= timedelta(seconds=dice.choice((1, 1, 2, 5, 900, 9_000)))
            lines.append(f"{moment:%Y-%m-%d %H:%M:%S}.1234 {dice.choice(LINES)}\n")
            room -= len(lines[-1])
        texts.append("".join(reversed(lines)).encode())
    clock = ProbeResult("clock", Status.OK, b"utc=2026-11-23T12:00:00Z\nepoch=1795435200\noffset=+0900\n")
    manifest = Manifest(1, "ssm-triage 0", "collected", Subject("full"), Clock(NOON, NOON))
    logs = {"amazon-ssm-agent.log": texts[0], "errors.log": texts[1]}
    evidence = evidence_of([clock], logs, manifest=manifest)
    return diagnose(evidence, now=NOON), provenance(evidence, "evidence/full.zip")


def test_the_page_stays_small() -> None:
    page = render_host(*full())
    assert len(page.encode()) <= LIMIT // 2, "with room for what else a host may have"
    assert "evidence/full.zip" in page


def test_the_first_and_the_last_of_each_kind_are_told() -> None:
    diagnosis, told = full()
    shown = [entry.event for entry in timeline(diagnosis, told, 80).entries]
    assert len(shown) <= 90
    by_kind: dict[str, list[TimelineEvent]] = {}
    for event in diagnosis.timeline:
        by_kind.setdefault(event.kind, []).append(event)
    assert {"failure", "agent-start"} <= set(by_kind)
    for events in by_kind.values():
        assert min(events, key=lambda event: event.first) in shown
        assert max(events, key=lambda event: event.first) in shown


def test_what_there_is_room_for_is_shown() -> None:
    diagnosis, told = full()
    assert timeline(diagnosis, told, 80).left_out == 0
    few = timeline(diagnosis, told, 7)
    assert len(few.entries) + few.left_out == len(diagnosis.timeline) + 1


def test_thousands_are_counted_and_not_listed() -> None:
    diagnosis, told = full()
    assert sum(event.count for event in diagnosis.timeline) > 5_000
    page = render_host(diagnosis, told)
    section = page.partition('id="timeline"')[2].partition("</section>")[0]
    assert section.count('role="rowheader"') <= 90
    assert re.search(r"×\d,\d{3}", section)


def test_utc_beside_the_hosts_own_time() -> None:
    section = render_host(*full()).partition('id="timeline"')[2].partition("</section>")[0]
    assert "Host&#39;s time" in section
    assert re.search(r"\d\d:\d\d:\d\d \+09:00", section)


def test_a_thousand_different_events_keep_both_ends_and_their_gaps() -> None:
    diagnosis, told = full()
    events = tuple(
        TimelineEvent(kind, moment, moment, say("{kind} {n}", kind=kind, n=n))
        for n in range(2_000)
        for kind in ("failure", "state")
        for moment in [NOON - timedelta(hours=2_000 - n)]
    )
    shown = timeline(Diagnosis(diagnosis.subject, diagnosis.verdict, say("x"), timeline=events), told, 40)
    labels = [str(entry.event.label) for entry in shown.entries]
    assert {"failure 0", "failure 1999", "state 0", "state 1999"} <= set(labels)
    assert shown.left_out == 4_001 - len(labels)
    assert all(
        entry.gap is not None for entry in shown.entries[2:] if str(entry.event.label).startswith("failure")
    )
