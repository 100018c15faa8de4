"""From bytes to classified entries, fast, in bounded memory.

The trick: with every digit written as ``0`` (one ``bytes.translate``), each time stamp is the same text, so
that one ``bytes.split`` cuts a whole block into entries, and entries that differ only in times, addresses
and ids become equal. Each distinct entry is held against the signatures once; entries that mean nothing are
never touched in Python.

It is exact.  Digits that a signature asks for (``status code: 403``) are known from the patterns
(:mod:`analyzers.logs.patterns`); an entry that has such a text is told apart by its real digits there.
``tests/logs`` compares all this with the plain loop over every entry and pattern.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import accumulate

from analyzers.logs.grammar import BLOCK, MAX_ENTRY, bounded, parse_entry, text_of
from analyzers.logs.patterns import MASK
from analyzers.logs.signatures import Meaning, Signatures

_STAMP = b"0000-00-00 00:00:00"
_MARK = b"\n" + _STAMP
_TORN = re.compile(re.escape(_STAMP) + rb"(?=(?:[.,]0{1,9})? (?:TRACE|DEBUG|INFO|WARN|ERROR|CRITICAL) )")
_IDS = re.compile(rb"[0a-f]{8}-[0a-f]{4}-[0a-f]{4}-[0a-f]{4}-[0a-f]{12}|[0a-f]{16,64}")
_REMEMBERED = 1 << 14
_LONGEST = 4 * BLOCK
"""Bytes; an entry that is longer loses its middle."""


Record = tuple[float, Meaning, int, int]
"""An entry that means something: when (seconds of the host's local time as if it were UTC; the time of the
entry before it where it has none), what, and from where to where in its batch."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one piece of a log holds that means something. A plain carrier: there may be 100,000 records in
    30 MB."""

    text: bytes
    line: int
    """Lines before this piece."""
    records: list[Record]

    def entry(self, begin: int, end: int) -> bytes:
        """The bytes of one entry, cut to a bounded length."""
        return bounded(self.text[begin:end] if end - begin <= 2 * MAX_ENTRY else _ends(self.text, begin, end))

    def line_at(self, begin: int) -> int:
        """The number of the line that begins there."""
        return self.line + self.text.count(b"\n", 0, begin)


def _ends(text: bytes, begin: int, end: int) -> bytes:
    return text[begin : begin + MAX_ENTRY] + text[end - MAX_ENTRY : end]


@dataclass(slots=True)
class Scanned:
    """What a scan saw besides the entries that mean something."""

    lines: int = 0
    entries: int = 0
    first: tuple[bytes, int] | None = None
    """The first entry that has a time, and its line."""
    last: tuple[bytes, int] | None = None
    earliest: float | None = None
    latest: float | None = None
    dropped: int = 0
    """Bytes in the middle of endless entries that were not looked at."""


@dataclass(slots=True)
class _Verdict:
    """What a masked entry means, once for all or by its digits at some places."""

    spans: tuple[tuple[int, int], ...]
    meanings: dict[tuple[bytes, ...], Meaning | None] = field(default_factory=dict)


class Scanner:
    """Scans logs with one set of signatures; what it learnt from one file serves for the next."""

    def __init__(self, signatures: Signatures) -> None:
        self._signatures = signatures
        self._numbers = tuple(number.encode() for number in signatures.numbers)
        self._known: dict[bytes, Meaning | _Verdict | None] = {}
        self._by_shape: dict[tuple[bytes, int], Meaning | _Verdict | None] = {}
        self._minutes: dict[bytes, float] = {}

    def scan(self, blocks: Iterable[bytes], scanned: Scanned, first_line: int = 1) -> Iterator[Batch]:
        """The meaningful entries of one log in the default form; ``scanned`` is filled on the way."""
        line = first_line - 1
        when = 0.0
        for text in _chunks(blocks, scanned):
            batch = Batch(text, line, [])
            when = self._fill(batch, when, scanned)
            line += text.count(b"\n")
            scanned.lines = line - first_line + 1
            if batch.records:
                yield batch

    def _fill(self, batch: Batch, when: float, scanned: Scanned) -> float:
        text, records, minutes = batch.text, batch.records, self._minutes
        masked = text.translate(MASK)
        pieces = masked.split(_MARK)
        starts = list(accumulate([len(piece) + len(_MARK) for piece in pieces], initial=0))
        if masked.count(_STAMP) != len(pieces) - 1:
            pieces, starts = _mend(pieces, starts)
        self._survey(batch, pieces, starts, scanned)
        known = self._learn(set(pieces))
        hot = {piece for piece in known if known[piece] is not None}
        for index in [index for index, piece in enumerate(pieces) if piece in hot]:
            start, piece = starts[index], pieces[index]
            begin = start - len(_STAMP) if index else 0
            end = start + len(piece)
            verdict = known[piece]
            if isinstance(verdict, _Verdict):
                verdict = self._by_digits(verdict, text, start, end, begin)
            if verdict is None:
                continue
            try:
                when = minutes[text[begin : begin + 16]] + float(text[begin + 17 : begin + 24])
            except (KeyError, ValueError, TypeError):
                stamp = self._when(text[begin:end][:32]) if index else None
                when = when if stamp is None else stamp
            records.append((when, verdict, begin, end))
        return when

    def _learn(self, distinct: set[bytes]) -> dict[bytes, Meaning | _Verdict | None]:
        """What each distinct masked entry means; ``None``: nothing."""
        known = self._known
        if len(known) > _REMEMBERED:
            known.clear()
        for piece in distinct - known.keys():
            known[piece] = self._judge(piece)
        return known

    def _judge(self, piece: bytes) -> Meaning | _Verdict | None:
        if len(piece) > MAX_ENTRY - len(_STAMP):
            return _Verdict(())  # is cut before it is read, so its digits have no fixed places
        spans = tuple(self._spans(piece))
        shape = (_IDS.sub(b"#", piece), len(spans))
        if spans:
            verdict = self._by_shape.get(shape)
            if not isinstance(verdict, _Verdict):
                verdict = self._by_shape[shape] = _Verdict(spans)
            return _Verdict(spans, verdict.meanings)
        if shape not in self._by_shape:
            if len(self._by_shape) > _REMEMBERED:
                self._by_shape.clear()
            self._by_shape[shape] = self._classify(_STAMP + piece)
        return self._by_shape[shape]

    def _spans(self, piece: bytes) -> Iterator[tuple[int, int]]:
        """Where the real digits matter: never in the fraction of the time, with which the piece begins."""
        behind_time = piece.find(b" ", 0, 12) + 1
        for number in self._numbers:
            position = piece.find(number, behind_time)
            while position >= 0:
                yield position, position + len(number)
                position = piece.find(number, position + 1)

    def _by_digits(self, verdict: _Verdict, text: bytes, start: int, end: int, begin: int) -> Meaning | None:
        """What an entry means whose digits matter; ``start`` is where it goes on behind its time."""
        if not verdict.spans:
            return self._classify(text[begin:end])
        digits = tuple([text[first + start : last + start] for first, last in verdict.spans])
        if digits not in verdict.meanings:
            if len(verdict.meanings) > _REMEMBERED:
                verdict.meanings.clear()
            verdict.meanings[digits] = self._classify(text[begin:end])
        return verdict.meanings[digits]

    def _classify(self, entry: bytes) -> Meaning | None:
        parsed = parse_entry(text_of(entry))
        return self._signatures.classify(parsed.level, parsed.body)

    def _when(self, entry: bytes) -> float | None:
        """The time of an entry, in seconds."""
        base = self._minutes.get(entry[:16])
        if base is None:
            base = _epoch(entry[:16])
            if base is None or not entry[17:19].isdigit():
                return None
            if len(self._minutes) > _REMEMBERED:
                self._minutes.clear()
            self._minutes[entry[:16]] = base
        second = float(entry[17:19])
        if entry[19:20] in (b".", b","):
            fraction = entry[20:24]
            if fraction.isdigit():
                second += int(fraction) / 10 ** len(fraction)
        return base + second

    def _survey(self, batch: Batch, pieces: list[bytes], starts: list[int], scanned: Scanned) -> None:
        """Count entries, and keep the first, the last and the span of time."""
        timed = len(pieces) - 1
        if timed == 0:
            return
        ends: list[tuple[bytes, int]] = []
        for index in (1, timed):
            begin = starts[index] - len(_STAMP)
            ends.append((batch.entry(begin, starts[index] + len(pieces[index])), batch.line_at(begin)))
            when = self._when(ends[-1][0])
            if when is not None:
                scanned.earliest = when if scanned.earliest is None else min(scanned.earliest, when)
                scanned.latest = when if scanned.latest is None else max(scanned.latest, when)
        scanned.entries += timed
        scanned.first = scanned.first or ends[0]
        scanned.last = ends[1]


def _epoch(minute: bytes) -> float | None:
    try:
        return datetime.fromisoformat(minute.decode("ascii")).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def _mend(pieces: list[bytes], starts: list[int]) -> tuple[list[bytes], list[int]]:
    """Part entries that a torn line runs into one: a time and a level in the middle of a line."""
    whole: list[bytes] = []
    places: list[int] = []
    for piece, start in zip(pieces, starts, strict=False):
        cut = 0
        for torn in _TORN.finditer(piece) if _STAMP in piece else ():
            whole.append(piece[cut : torn.start()])
            places.append(start + cut)
            cut = torn.end()
        whole.append(piece[cut:])
        places.append(start + cut)
    return whole, places


def _chunks(blocks: Iterable[bytes], scanned: Scanned) -> Iterator[bytes]:
    """Whole entries, about a block at a time; each chunk begins with the line feed before its first entry."""
    pending = b"\n"
    for block in blocks:
        pending += block
        if len(pending) < BLOCK:
            continue
        cut = pending.translate(MASK).rfind(_MARK)
        if cut > 0:
            yield pending[:cut]
            pending = pending[cut:]
        if len(pending) > _LONGEST:
            middle = pending[BLOCK:-BLOCK]
            scanned.dropped += len(middle)
            pending = pending[:BLOCK] + b"\n" * middle.count(b"\n") + pending[-BLOCK:]
    yield pending
