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
from typing import Any

from analyzers.logs.grammar import BLOCK, MAX_ENTRY, bounded, parse_entry, text_of
from analyzers.logs.patterns import MASK
from analyzers.logs.signatures import Meaning, Signatures

_STAMP = b"0000-00-00 00:00:00"
_MARK = b"\n" + _STAMP
_TORN = re.compile(re.escape(_STAMP) + rb"(?=(?:[.,]0{1,9})? (?:TRACE|DEBUG|INFO|WARN|ERROR|CRITICAL) )")
_IDS = re.compile(rb"[0a-f]{8,64}(?:-[0a-f]{4,12}){0,4}")
_REMEMBERED = 1 << 14
_STEP = 4096
_LONGEST = 4 * BLOCK
"""Bytes; an entry that is longer loses its middle."""


Record = tuple[float, Meaning, int, int, int]
"""What means something: when (seconds of the host's local time as if it were UTC; the time of the entry
before it where it has none), what, from where to where in its batch, and for how many entries it stands: of
what is no failure and comes again and again between two failures, only the newest is told."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one piece of a log holds that means something. A plain carrier: there may be 100,000 records in
    30 MB."""

    text: bytes
    line: int
    """Lines before this piece."""
    records: list[Record]
    steps: list[int] = field(default_factory=list)
    """Line feeds up to each multiple of ``_STEP``, counted when first asked for."""

    def entry(self, begin: int, end: int) -> bytes:
        """The bytes of one entry, cut to a bounded length."""
        return bounded(self.text[begin:end] if end - begin <= 2 * MAX_ENTRY else _ends(self.text, begin, end))

    def line_at(self, begin: int) -> int:
        """The number of the line that begins there."""
        if not self.steps:
            self.steps.extend(
                accumulate(self.text.count(b"\n", at, at + _STEP) for at in range(0, len(self.text), _STEP))
            )
        step = begin // _STEP
        before = self.steps[step - 1] if step else 0
        return self.line + before + self.text.count(b"\n", step * _STEP, begin)


def _ends(text: bytes, begin: int, end: int) -> bytes:
    return text[begin : begin + MAX_ENTRY] + text[end - MAX_ENTRY : end]


@dataclass(slots=True)
class Scanned:
    """What a scan saw besides the entries that mean something."""

    lines: int = 0
    entries: int = 0
    first: tuple[bytes, int] | None = None
    """The first entry that has a time, and its line."""
    newest: tuple[Batch, int, int] | None = None
    """Where the last one stands."""
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
        self._by_shape: dict[bytes, Meaning | _Verdict | None] = {}
        self._minutes: dict[bytes, float] = {}
        self._heard: set[Meaning] = set()
        """Of the file at hand: what has been told at least once."""

    def scan(self, blocks: Iterable[bytes], scanned: Scanned, first_line: int = 1) -> Iterator[Batch]:
        """The meaningful entries of one log in the default form; ``scanned`` is filled on the way."""
        line = first_line - 1
        when = 0.0
        self._heard.clear()
        for text in _chunks(blocks, scanned):
            batch = Batch(text, line, [])
            pieces, starts = _cut(text)
            self._survey(batch, pieces, starts, scanned)
            when = self._fill(batch, pieces, starts, when)
            line += text.count(b"\n")
            scanned.lines = line - first_line + 1
            if batch.records:
                yield batch

    def _fill(self, batch: Batch, pieces: list[bytes], starts: list[int], when: float) -> float:
        """Write the records of a batch; gives the time of the last one."""
        meanings = self._meanings(batch.text, pieces, starts)
        quiet: dict[Meaning, list[int]] = {}
        text, minutes, append = batch.text, self._minutes, batch.records.append

        def tell(meaning: Meaning, index: int, count: int) -> None:
            nonlocal when
            start = starts[index]
            begin = start - len(_STAMP) if index else 1
            try:
                when = minutes[text[begin : begin + 16]] + float(text[begin + 17 : begin + 24])
            except (KeyError, ValueError):
                stamp = self._when(text[begin : begin + 24]) if index else None
                when = when if stamp is None else stamp
            append((when, meaning, begin, start + len(pieces[index]), count))

        for index, meaning in [
            (index, meaning) for index, meaning in enumerate(meanings) if meaning is not None
        ]:
            if meaning.loud:
                if quiet:
                    for other, (last, count) in sorted(quiet.items(), key=_by_place):
                        tell(other, last, count)
                    quiet.clear()
                tell(meaning, index, 1)
            elif meaning in quiet:
                quiet[meaning][0] = index
                quiet[meaning][1] += 1
            elif meaning in self._heard:
                quiet[meaning] = [index, 1]
            else:
                self._heard.add(meaning)
                tell(meaning, index, 1)
        for other, (last, count) in sorted(quiet.items(), key=_by_place):
            tell(other, last, count)
        return when

    def _meanings(self, text: bytes, pieces: list[bytes], starts: list[int]) -> list[Meaning | None]:
        """What each entry of a chunk means."""
        distinct = set(pieces)
        known = self._learn(distinct)
        by_digits = {piece: known[piece] for piece in distinct if known[piece].__class__ is _Verdict}
        found: list[Any] = [known[piece] for piece in pieces]
        if by_digits:
            for index, piece in enumerate(pieces):
                if piece in by_digits:
                    found[index] = self._by_digits(found[index], text, index, starts[index], len(piece))
        return found

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
        shape = _IDS.sub(b"#", piece)
        if shape not in self._by_shape:
            if len(self._by_shape) > _REMEMBERED:
                self._by_shape.clear()
            spans = tuple(self._spans(piece))
            self._by_shape[shape] = _Verdict(spans) if spans else self._classify(_STAMP + piece)
        verdict = self._by_shape[shape]
        if isinstance(verdict, _Verdict):
            # ids of another length move the places, so the digits may stand elsewhere in this one
            return _Verdict(tuple(self._spans(piece)), verdict.meanings)
        return verdict

    def _spans(self, piece: bytes) -> Iterator[tuple[int, int]]:
        """Where the real digits matter: never in the fraction of the time, with which the piece begins."""
        behind_time = piece.find(b" ", 0, 12) + 1
        for number in self._numbers:
            position = piece.find(number, behind_time)
            while position >= 0:
                yield position, position + len(number)
                position = piece.find(number, position + 1)

    def _by_digits(
        self, verdict: _Verdict, text: bytes, index: int, start: int, length: int
    ) -> Meaning | None:
        """What an entry means whose digits matter; ``start`` is where it goes on behind its time."""
        entry = text[start - len(_STAMP) if index else 0 : start + length]
        if not verdict.spans:
            return self._classify(entry)
        digits = tuple([text[first + start : last + start] for first, last in verdict.spans])
        if digits not in verdict.meanings:
            if len(verdict.meanings) > _REMEMBERED:
                verdict.meanings.clear()
            verdict.meanings[digits] = self._classify(entry)
        return verdict.meanings[digits]

    def _classify(self, entry: bytes) -> Meaning | None:
        parsed = parse_entry(text_of(entry))
        return self._signatures.classify(parsed.level, parsed.body)

    def _when(self, entry: bytes) -> float | None:
        """The time of an entry, in seconds."""
        base = self._minutes.get(entry[:16])
        if base is None:
            base = _epoch(entry[:16])
            if base is None:
                return None
            if len(self._minutes) > _REMEMBERED:
                self._minutes.clear()
            self._minutes[entry[:16]] = base
        try:
            return base + float(entry[17:24])
        except ValueError:
            return base + float(entry[17:19]) if entry[17:19].isdigit() else None

    def _survey(self, batch: Batch, pieces: list[bytes], starts: list[int], scanned: Scanned) -> None:
        """Count entries, and keep the first, the last and the span of time."""
        timed = len(pieces) - 1
        for index in (1, timed) if timed else ():
            begin, end = starts[index] - len(_STAMP), starts[index] + len(pieces[index])
            when = self._when(batch.text[begin : begin + 32])
            if when is not None:
                scanned.earliest = when if scanned.earliest is None else min(scanned.earliest, when)
                scanned.latest = when if scanned.latest is None else max(scanned.latest, when)
            scanned.first = scanned.first or (batch.entry(begin, end), batch.line_at(begin))
            scanned.newest = batch, begin, end
        scanned.entries += timed


def _by_place(item: tuple[Meaning, list[int]]) -> int:
    return item[1][0]


def _cut(text: bytes) -> tuple[list[bytes], list[int]]:
    """The entries of a chunk with their digits masked, each from behind its time, and where each of these
    begins."""
    masked = text.translate(MASK)
    pieces = masked.split(_MARK)
    starts = list(accumulate([len(piece) + len(_MARK) for piece in pieces], initial=0))
    if masked.count(_STAMP) != len(pieces) - 1:
        return _mend(pieces, starts)
    return pieces, starts


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


def _last_entry(text: bytes) -> int:
    """Where the last entry begins, looked for near the end first."""
    tail = max(len(text) - (1 << 16), 0)
    cut = text[tail:].translate(MASK).rfind(_MARK)
    return tail + cut if cut >= 0 else text.translate(MASK).rfind(_MARK)


def _chunks(blocks: Iterable[bytes], scanned: Scanned) -> Iterator[bytes]:
    """Whole entries, about a block at a time; each chunk begins with the line feed before its first entry."""
    pending = b"\n"
    for block in blocks:
        pending += block
        if len(pending) < BLOCK:
            continue
        cut = _last_entry(pending)
        if cut > 0:
            yield pending[:cut]
            pending = pending[cut:]
        if len(pending) > _LONGEST:
            middle = pending[BLOCK:-BLOCK]
            scanned.dropped += len(middle)
            pending = pending[:BLOCK] + b"\n" * middle.count(b"\n") + pending[-BLOCK:]
    yield pending
