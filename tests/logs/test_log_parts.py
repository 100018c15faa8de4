# ruff: noqa: E501, DTZ001 - lines of real logs stay whole; the times of a log are naive
"""What arrives is seldom the whole file in the plain form: parts with a gap, other encodings, other patterns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import pytest
from log_samples import DATA, case_logs, read_bytes

from analyzers.logs import LogReading, read_logs
from collector.evidence import LogFile, LogPart, Status
from collector.evidence.memory import MemoryEvidence, evidence_of

REAL = (DATA / "proxy-imds-wrong-instance" / "amazon-ssm-agent.log").read_bytes()
DENIED = (DATA / "midlife-iam-denied" / "amazon-ssm-agent.log").read_bytes()


def in_parts(data: bytes, *spans: tuple[int, int], counted: bool = True, errors: bytes = b"") -> LogReading:
    """Read some runs of bytes of one log; the line numbers are those of the whole log."""
    parts = tuple(
        LogPart(start, end - start, data.count(b"\n", 0, start) + 1 if counted else None)
        for start, end in spans
    )
    log = LogFile("amazon-ssm-agent.log", "/var/log/x", Status.OK, len(data), parts=parts)
    bodies = {("amazon-ssm-agent.log", start): data[start:end] for start, end in spans}
    logs = (log,)
    if errors:
        logs += (
            LogFile("errors.log", "/var/log/y", Status.OK, len(errors), parts=(LogPart(0, len(errors)),)),
        )
        bodies["errors.log", 0] = errors
    return read_logs(MemoryEvidence(replace(evidence_of().manifest, logs=logs), bodies))


def test_every_proxy_variable_of_the_last_start_is_kept(read_case: Callable[..., LogReading]) -> None:
    proxy = read_case("proxy-imds-wrong-instance").proxy
    assert proxy is not None
    assert (proxy.http_proxy, proxy.https_proxy, proxy.no_proxy) == (
        "http://10.77.200.10:3128",
        "http://10.77.200.10:3128",
        "",
    )


def test_the_proxy_variables_of_an_earlier_start_do_not_count() -> None:
    second = REAL.replace(b"http_proxy: http://10.77.200.10:3128", b"http_proxy: ")
    proxy = read_bytes(
        agent=REAL + second.replace(b"https_proxy: http://10.77.200.10:3128", b"https_proxy: ")
    ).proxy
    assert proxy is not None
    assert (proxy.http_proxy, proxy.https_proxy) == ("", "")


def test_each_change_of_a_state_is_told_with_the_entry_that_told_it() -> None:
    opened = b"2026-11-23 07:%02d:00 INFO [ssm-agent-worker] [MessageService] [MGSInteractor] Successfully opened websocket connection to: 10.77.100.11:443\n"
    lost = b"2026-11-23 07:%02d:00 WARN [ssm-agent-worker] [MessageService] [MGSInteractor] Closing websocket channel connection to: wss://ssmmessages.us-east-1.amazonaws.com/v1/control-channel/i-0a1b2c3d4e5f60718?role=subscribe&stream=input\n"
    minutes = [
        (opened, 0),
        (opened, 1),
        (lost, 2),
        (opened, 3),
        (opened, 4),
        (lost, 5),
        (lost, 6),
        (opened, 7),
    ]
    states = read_bytes(agent=b"".join(line % minute for line, minute in minutes)).states
    assert [(s.value, s.event.time.minute) for s in states if s.event.time] == [
        ("open", 0),
        ("lost", 2),
        ("open", 3),
        ("lost", 5),
        ("open", 7),
    ]


# -- parts -------------------------------------------------------------------------------------------------


def loud_lines(reading: LogReading) -> dict[tuple[str, str], tuple[int, list[int | None]]]:
    return {
        (s.signature, s.operation): (s.count, [event.line for event in (*s.samples, s.last)])
        for s in reading.sightings
    }


def test_the_lines_of_a_tail_are_those_of_the_whole_file() -> None:
    start = DENIED.index(b"\n", len(DENIED) // 2) + 1
    tail = in_parts(DENIED, (start, len(DENIED)))
    lines = DENIED.decode().split("\n")
    cited = [event for sighting in tail.sightings for event in (*sighting.samples, sighting.last)]
    assert len(cited) > 10
    for event in cited:
        assert event.line is not None
        assert lines[event.line - 1] == event.text.split("\n")[0]


def test_a_part_whose_lines_were_not_counted_is_cited_without() -> None:
    start = DENIED.index(b"\n", len(DENIED) // 2) + 1
    counted, uncounted = (in_parts(DENIED, (start, len(DENIED)), counted=c) for c in (True, False))
    assert {key: count for key, (count, _) in loud_lines(counted).items()} == {
        key: count for key, (count, _) in loud_lines(uncounted).items()
    }
    assert {line for _, lines in loud_lines(uncounted).values() for line in lines} == {None}


ERROR = (
    b"2026-11-23 06:4%d:00 ERROR [Registrar] failed to register identity: error calling RegisterManagedInstance API: RequestError: send request failed\n"
    b'caused by: Post "https://ssm.us-east-1.amazonaws.com/": dial tcp: lookup ssm.us-east-1.amazonaws.com on 10.77.0.2:53: no such host\n'
)
START = b"2026-11-23 06:40:00 INFO Proxy environment variables:\n"
FILLER = b"2026-11-23 06:40:01 INFO [X] nothing of note\n" * 50


def test_an_entry_that_a_border_tears_tells_nothing() -> None:
    """Whatever its half would mean: the rest of a wrapper chooses among causes, and may be what is missing."""
    data = START + ERROR % 1 + FILLER + ERROR % 2 + ERROR % 3
    second = data.rindex(b"caused by")
    whole = in_parts(data, (0, len(data)))
    assert [s.count for s in whole.failures()] == [3]
    for end in range(len(START) + 20, len(START) + len(ERROR) - 1):
        torn = in_parts(data, (0, end), (second, len(data)))
        assert torn.start_count == 1
        assert not torn.failures(), end


@pytest.mark.parametrize("at", range(-30, 31, 3))
def test_a_tail_may_begin_anywhere(at: int) -> None:
    data = START + ERROR % 1 + FILLER + ERROR % 2 + ERROR % 3
    begin = data.index(b"2026-11-23 06:42") + at
    (sighting,) = in_parts(data, (begin, len(data))).failures()
    assert sighting.count == (2 if at <= 0 else 1)
    assert sighting.last.line == data.count(b"\n", 0, data.index(b"2026-11-23 06:43")) + 1


def test_errors_log_tells_of_the_gap_between_two_parts_and_of_what_came_behind() -> None:
    data = START + FILLER + ERROR % 2 + FILLER.replace(b"06:40:01", b"06:44:00")
    gap = data.index(b"2026-11-23 06:42"), data.index(b"2026-11-23 06:44")
    (sighting,) = in_parts(
        data, (0, gap[0]), (gap[1], len(data)), errors=ERROR % 0 + ERROR % 2 + ERROR % 9
    ).failures()
    assert [event.time.minute for event in sighting.samples if event.time] == [42, 49]


# -- dresses -----------------------------------------------------------------------------------------------

BODY = (START + ERROR % 1).decode()


@pytest.mark.parametrize(
    "dressed",
    [
        BODY.encode("utf-16"),
        BODY.encode("utf-16-le"),
        BODY.encode("utf-16-be"),
        b"\xef\xbb\xbf" + BODY.encode(),
        BODY.replace("\n", "\r\n").encode(),
        BODY.replace("\n", "\r\n").encode("utf-16"),
        BODY.replace("ERROR", "ER\0ROR").replace("caused", "\0\0caused").encode(),
    ],
    ids=["utf-16", "utf-16-le", "utf-16-be", "bom", "crlf", "utf-16-crlf", "nul"],
)
def test_an_encoding_changes_nothing(dressed: bytes) -> None:
    (plain,), (sighting,) = read_bytes(agent=BODY.encode()).failures(), read_bytes(agent=dressed).failures()
    assert sighting == plain
    assert sighting.first.line == 2


@pytest.mark.parametrize(
    ("head", "stamped"),
    [
        ("[ERROR] 2026/11/23 06:41:00 ", True),
        ("2026-11-23T06:41:00.123Z ERROR ", True),
        ("2026-11-23 06:41:00 [Err] ", True),
        ("2026-11-23 06:41:00 | ERR | ", True),
        ("ERROR: ", False),
    ],
)
def test_the_pattern_of_a_custom_seelog_changes_neither_meaning_nor_place(head: str, stamped: bool) -> None:
    plain = BODY.split("\n", 1)[1]
    custom = plain.replace("2026-11-23 06:41:00 ERROR ", head)
    (sighting,) = read_bytes(agent=custom.encode()).failures()
    (wanted,) = read_bytes(agent=plain.encode()).failures()
    assert (sighting.key, sighting.captures) == (wanted.key, wanted.captures)
    assert sighting.first.level == "ERROR"
    assert (sighting.first.time is not None) == stamped
    assert "0000-00-00" not in sighting.first.text


def test_what_has_no_time_in_a_journal_is_cited_as_it_stands() -> None:
    journal = case_logs("wrong-user")["journal.txt"]
    reading = read_bytes(**{"journal.txt": journal})
    cited = [event for s in reading.sightings for event in (*s.samples, s.last)]
    assert any(event.time is None for event in cited)
    lines = journal.decode().split("\n")
    for event in cited:
        assert event.line is not None
        assert event.text.split("\n")[0] == lines[event.line - 1]


def test_audits_tell_of_starts_that_the_logs_do_not_reach() -> None:
    audit = b"SchemaVersion=1\nagent_telemetry amazon-ssm-agent.start 3.2.582.0 06:26:14\nbroken line\nagent_telemetry amazon-ssm-agent.start 3.3.1142.0 99:99:99\n"
    start = b"2026-11-23 06:40:00 INFO [amazon-ssm-agent] amazon-ssm-agent - v3.3.1142.0\n"
    for text in (audit, audit.replace(b"\n", b"\r\n")):
        reading = read_bytes(agent=start, **{"audits/amazon-ssm-agent-audit-2026-11-20": text})
        assert [(s.time, s.version) for s in reading.starts] == [
            (datetime(2026, 11, 20, 6, 26, 14), "3.2.582.0"),
            (datetime(2026, 11, 23, 6, 40), "3.3.1142.0"),
        ]
        assert reading.start_count == 2
