"""``read_logs``: all logs of one host's evidence, read once, as a
:class:`~analyzers.logs.model.LogReading`."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, partial
from itertools import groupby
from pathlib import Path
from typing import BinaryIO

from analyzers.logs.episodes import Placed, Story, local_time
from analyzers.logs.grammar import plain_blocks
from analyzers.logs.model import AgentStart, FileRead, Kind, LogEvent, LogReading, Sighting, Silence
from analyzers.logs.retry import Standing, ladder, next_try
from analyzers.logs.scan import Batch, Borders, Record, Scanned, Scanner
from analyzers.logs.signature_files import load_signatures
from analyzers.logs.signatures import Signatures
from analyzers.logs.sources import HostClock, Source, audit_starts, host_clock, role_of, sources_of
from analyzers.text import Message, say
from collector.errors import EvidenceError
from collector.evidence import Evidence, LogFile, Status

_MAIN = ("agent", "worker", "hibernate", "other")
_COVERING = ("agent", "worker", "other")
_TWINS = ("errors", "journal")
"""Logs that mostly repeat the main ones: only what lies outside of their span is news."""
_AUDIT_LIMIT = 1 << 20
_UNSETTLED = 1 << 23
"""Bytes of log that are held at most until what must be kept of them is cut out."""
_QUIET = timedelta(minutes=12)
"""A healthy agent writes a line with every health ping, each five minutes."""


def read_logs(evidence: Evidence, *, signatures: Sequence[Path] | Signatures | None = None) -> LogReading:
    """Read all logs of one host.

    ``signatures`` may be folders of a user's own signature files, which come before the built-in ones.
    A log that cannot be read is a note, never an error: what is missing is unknown.

    Raises:
        SignatureError: a signature file is not valid.
    """
    known = signatures if isinstance(signatures, Signatures) else load_signatures(*signatures or ())
    return _Reader(evidence, known).read()


@dataclass(slots=True)
class _Seen:
    """What was read of one run of bytes."""

    source: Source
    scanned: Scanned
    ended: bool = False
    note: str = ""


class _Reader:
    def __init__(self, evidence: Evidence, signatures: Signatures) -> None:
        self.evidence = evidence
        self.sources = sources_of(evidence)
        self.scanner = Scanner(signatures, several=sum(role in self.sources for role in _MAIN) > 1)
        self.clock = host_clock(evidence)
        self.story = Story(signatures, self.clock)
        self.seen: list[_Seen] = []
        self.unsettled = 0
        """Bytes of the batches that the story may still hold."""
        self.notes: list[Message] = []

    def read(self) -> LogReading:
        told_by = [self.sources[role] for role in (*_MAIN, *_TWINS) if role in self.sources]
        self._fold([self._records(sources) for sources in told_by])
        newest = max((s.scanned.latest for s in self.seen if s.scanned.latest is not None), default=0.0)
        self.story.close(newest)
        return self._reading()

    def _fold(self, streams: list[Iterator[tuple[Batch, Source]]]) -> None:
        if len(streams) == 1:
            for batch, source in streams[0]:
                self._feed(batch, source, batch.records)
            return
        merged = heapq.merge(*map(_one_by_one, streams), key=lambda item: item[2][0])
        for (_, batch, source), run in groupby(merged, key=lambda item: (id(item[0]), item[0], item[1])):
            self._feed(batch, source, [item[2] for item in run])

    def _feed(self, batch: Batch, source: Source, records: list[Record]) -> None:
        if source.role in _TWINS:
            records = [record for record in records if not self._is_told_already(batch, record)]
        self.story.feed(batch, records, source.name, counted=source.first_line is not None)
        self.unsettled += len(batch.text)
        if self.unsettled > _UNSETTLED:
            self.story.settle()
            self.unsettled = 0

    def _is_told_already(self, batch: Batch, record: Record) -> bool:
        """Whether the main logs hold this entry of a twin too: if they cover its time, and it has one.

        The streams are merged by time, so a main log that has begun and not ended covers the moment.
        """
        if (
            batch.text[record[2] : record[2] + 4] == b"0000"
            or not batch.text[record[2] : record[2] + 1].isdigit()
        ):
            return False
        for seen in self.seen:
            scanned = seen.scanned
            if seen.source.role in _COVERING and scanned.earliest is not None and scanned.latest is not None:
                until = scanned.latest if seen.ended else float("inf")
                if scanned.earliest - 1 <= record[0] <= until + 1:
                    return True
        return False

    def _records(self, sources: list[Source]) -> Iterator[tuple[Batch, Source]]:
        for source in sources:
            seen = _Seen(source, Scanned())
            self.seen.append(seen)
            try:
                with source.open(self.evidence) as stream:
                    blocks = plain_blocks(partial(self._read, stream, seen), console=source.role == "journal")
                    borders = Borders(source.cut_before, source.cut_behind)
                    for batch in self.scanner.scan(blocks, seen.scanned, source.first_line or 1, borders):
                        yield batch, source
            except (EvidenceError, OSError) as error:
                self._broke_off(seen, error)
            seen.ended = True

    def _read(self, stream: BinaryIO, seen: _Seen, size: int) -> bytes:
        """The next bytes; where there is damage the log ends, and what came before it counts."""
        try:
            return stream.read(size)
        except (EvidenceError, OSError) as error:
            self._broke_off(seen, error)
            return b""

    def _broke_off(self, seen: _Seen, error: Exception) -> None:
        seen.note = str(error)
        self.notes.append(
            say("{file} could not be read to its end: {error}", file=seen.source.name, error=error)
        )

    # -- putting it together -------------------------------------------------------------------------------

    def _reading(self) -> LogReading:
        story, sighting = self.story, cache(self.story.sighting)
        current = _sorted(map(sighting, story.current.values()))
        history = _sorted(sighting(t) for t in story.history.values() if t.meaning.kind in _PASSING)
        starts, count = self._starts(self.sources.get("audit", []))
        first, last = self._ends()
        version = next((start.version for start in reversed(starts) if start.version), None)
        version = version or next(reversed(story.versions), None)
        standing = self._standing(version, starts, current)
        good = story.good
        if self.clock.offset is None and last is not None:
            self.notes.append(say("the host's time zone is not known, so times are as its clock showed them"))
        return LogReading(
            files=tuple(self._files()),
            sightings=_sorted(map(sighting, story.merged())),
            current=current,
            history=history,
            starts=starts,
            start_count=count,
            states=story.state_changes(),
            version=version,
            generations=tuple(story.versions),
            identity=story.identity,
            channel=story.channel,
            hibernating=story.hibernating,
            last_good=story.event(good[1]) if good else None,
            last_good_why=good[0].signature.means if good else "",
            last_good_proves=good[0].signature.proves if good else (),
            first_event=first,
            last_event=last,
            silence=self._silence(last, standing, current),
            next_try=next_try(standing),
            proxy=story.proxy_block(),
            utc_offset=self.clock.offset,
            notes=tuple(self.notes),
        )

    def _starts(self, audits: list[Source]) -> tuple[tuple[AgentStart, ...], int]:
        """Starts from the logs; from the audit files those that are older than the logs reach."""
        starts = list(self.story.agent_starts())
        oldest = min((start.time for start in starts if start.time), default=None)
        older: list[AgentStart] = []
        for source in audits:
            try:
                with source.open(self.evidence) as stream:
                    text = stream.read(_AUDIT_LIMIT).decode("utf-8", "replace")
            except (EvidenceError, OSError) as error:
                self.notes.append(say("{file} could not be read: {error}", file=source.name, error=error))
                continue
            for when, version in audit_starts(text, source.name):
                # the file's day is UTC on some versions and local on others: near the logs, trust the logs
                aware = self.clock.aware(when) if when else None
                if aware and (oldest is None or aware < oldest - timedelta(hours=14)):
                    older.append(AgentStart(aware, version, None))
        older.sort(key=lambda start: start.time.timestamp() if start.time else 0.0)
        return tuple((older + starts)[-100:]), self.story.start_count + len(older)

    def _ends(self) -> tuple[LogEvent | None, LogEvent | None]:
        placed = [place for seen in self.seen if seen.source.role != "journal" for place in _ends_of(seen)]
        if not placed:
            return None, None
        return (
            self.story.event(min(placed, key=lambda place: place.when)),
            self.story.event(max(placed, key=lambda place: place.when)),
        )

    def _standing(
        self, version: str | None, starts: tuple[AgentStart, ...], current: tuple[Sighting, ...]
    ) -> Standing:
        story = self.story
        announced = None
        if story.announced:
            said = story.time_of(story.announced[0])
            announced = (said, story.announced[1]) if said else None
        return Standing(
            version=version,
            hybrid=story.hybrid,
            start_failed=bool(starts) and starts[-1].outcome == "failed",
            hibernating=story.hibernating,
            announced=announced,
            failures=[s for s in current if s.kind in (Kind.FAILURE, Kind.SYMPTOM)],
        )

    def _silence(
        self, last: LogEvent | None, standing: Standing, current: tuple[Sighting, ...]
    ) -> Silence | None:
        if last is None or last.time is None:
            return None
        collected = self.clock.collected
        length = None
        if collected is not None and last.time.tzinfo is not None:
            length = max(collected - last.time, timedelta())
        expected, reason = self._quiet(standing, current, length)
        return Silence(last.time, length, expected, reason)

    def _quiet(
        self, standing: Standing, current: tuple[Sighting, ...], length: timedelta | None
    ) -> tuple[bool, Message]:
        row = ladder(standing.version, hybrid=standing.hybrid, denied=False)
        tries = max(
            (s.count for s in current if s.operation.startswith(("creds.", "ssm.profile"))), default=0
        )
        starts = self.story.starts
        if starts and starts[-1].outcome == "stopped":
            return True, say("the agent was stopped and wrote so")
        if standing.hibernating:
            return True, say(
                "a hibernating agent writes one line per back-off period, and only to hibernate.log"
            )
        if row is not None and row.silent_after is not None and tries >= row.silent_after:
            return True, say(
                "after {count} failures this agent tells of its tries for credentials at debug level only",
                count=row.silent_after,
            )
        if standing.announced:
            return True, say("the agent sleeps before its next try")
        if length is not None and length <= _QUIET:
            return True, say("nothing needs to be written between two health pings")
        if self.story.channel is None:
            return False, say(
                "the agent has started but never reached its channel; its first call may hang without a word"
            )
        return False, say("an agent that works writes a line at least every five minutes")

    def _files(self) -> Iterator[FileRead]:
        parts = {
            seen.source.name: [s for s in self.seen if s.source.name == seen.source.name]
            for seen in self.seen
        }
        for log in self.evidence.manifest.logs:
            yield _file_read(log, parts.get(log.name, []), self.clock)
        if "probes/journal" in parts:
            status = self.evidence.probe("journal").status
            yield _file_read(LogFile("probes/journal", "", status), parts["probes/journal"], self.clock)


def _ends_of(seen: _Seen) -> Iterator[Placed]:
    """The first and the last entry of what was read."""
    scanned, counted = seen.scanned, seen.source.first_line is not None
    if scanned.earliest is None or scanned.latest is None or not scanned.first or not scanned.newest:
        return
    entry, line = scanned.first
    yield Placed(scanned.earliest, entry, seen.source.name, line if counted else None)
    batch, begin, end = scanned.newest
    yield Placed(
        scanned.latest, batch.entry(begin, end), seen.source.name, batch.line_at(begin) if counted else None
    )


def _one_by_one(stream: Iterator[tuple[Batch, Source]]) -> Iterator[tuple[Batch, Source, Record]]:
    return ((batch, source, record) for batch, source in stream for record in batch.records)


_PASSING = (Kind.FAILURE, Kind.SYMPTOM)


def _file_read(log: LogFile, parts: list[_Seen], clock: HostClock) -> FileRead:
    scans = [part.scanned for part in parts]
    damaged = any(part.note for part in parts)
    reached = max((part.offset + part.length for part in log.parts), default=log.size)
    brought = sum(part.length for part in log.parts)  # all of it, and yet cut: what follows was never there
    earliest = min((s.earliest for s in scans if s.earliest is not None), default=None)
    latest = max((s.latest for s in scans if s.latest is not None), default=None)
    return FileRead(
        name=log.name,
        role=role_of(log.name),
        status=str(Status.ERROR if damaged and log.status is Status.OK else log.status),
        bytes=sum(part.source.part.length if part.source.part else len(part.source.output) for part in parts),
        lines=sum(scan.lines for scan in scans),
        entries=sum(scan.entries for scan in scans),
        first=_time(earliest, clock),
        last=_time(latest, clock),
        note="; ".join(filter(None, [log.note, *(part.note for part in parts)])),
        ends_early=damaged or reached < log.size or (log.status is Status.TRUNCATED and brought == log.size),
    )


def _time(when: float | None, clock: HostClock) -> datetime | None:
    return clock.aware(local_time(when)) if when is not None else None


def _sorted(sightings: Iterable[Sighting]) -> tuple[Sighting, ...]:
    """In the order in which they began; those without a time come first."""
    return tuple(sorted(sightings, key=lambda s: s.first.time.timestamp() if s.first.time else float("-inf")))
