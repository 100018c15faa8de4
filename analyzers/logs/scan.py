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
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import accumulate, compress, pairwise
from typing import Any

from analyzers.logs.grammar import BLOCK, MAX_ENTRY, bounded, parse_entry, text_of
from analyzers.logs.patterns import MASK
from analyzers.logs.signatures import Meaning, Signatures

_STAMP = b"0000-00-00 00:00:00"
_MARK = b"\n" + _STAMP
_TORN = re.compile(re.escape(_STAMP) + rb"(?=(?:[.,]0{1,9})? (?:TRACE|DEBUG|INFO|WARN|ERROR|CRITICAL) )")
_ID = re.compile(rb"0{8}(?:-0{4}){3}-0{12}|0{17,}")
"""With ``_HEX_MASK``: ids of requests and documents; of traces, instances and sessions."""
_ID_BEGINS = b"0" * 8
_HEX_MASK = bytes.maketrans(b"abcdef", b"000000")
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - as naive as the times of a log
_SECOND = timedelta(seconds=1)
_REMEMBERED = 1 << 12
_STEP = 1 << 13
_LONGEST = 4 * BLOCK
"""Bytes; an entry that is longer loses its middle."""


@dataclass(frozen=True, slots=True)
class Borders:
    """Whether the bytes at hand may begin and end within an entry, because the rest of it was not
    collected. What is left of such an entry tells nothing certain, and is passed over."""

    cut_before: bool = False
    cut_behind: bool = False


WHOLE = Borders()

Record = tuple[float, Meaning, int, int, int]
"""What means something: when (seconds of the host's local time as if it were UTC; the time of the entry
before it where it has none), what, from where to where in its batch, and for how many entries it stands.

What is no failure and comes again and again is told when it comes first, when the state that it tells of was
another one before, and then only its newest before the next failure that it bears on."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one piece of a log holds that means something. A plain carrier: there may be 100,000 records in
    30 MB."""

    text: bytes
    line: int
    """Lines before this piece."""
    records: list[Record]
    torn: Sequence[int] = ()
    """Where a line feed was put in that the log does not have."""
    steps: list[int] = field(default_factory=list)
    """Line feeds up to each multiple of ``_STEP``, counted when first asked for."""

    def entry(self, begin: int, end: int) -> bytes:
        """The bytes of one entry, cut to a bounded length."""
        return bounded(self.text[begin:end] if end - begin <= 2 * MAX_ENTRY else _ends(self.text, begin, end))

    def lines(self) -> int:
        """How many lines of the log end in it."""
        if not self.steps:
            places = range(0, len(self.text), _STEP)
            self.steps.extend(accumulate(self.text.count(b"\n", at, at + _STEP) for at in places))
        return self.steps[-1] - len(self.torn)

    def line_at(self, begin: int) -> int:
        """The number of the line that begins there."""
        self.lines()
        step = begin // _STEP
        before = (self.steps[step - 1] if step else 0) - bisect_left(self.torn, begin)
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


@dataclass(slots=True, eq=False)
class _ByDigits:
    """The verdict on a masked entry that depends on its real digits at some places."""

    spans: tuple[tuple[int, int], ...]
    """Empty: on all of them."""
    meanings: dict[tuple[bytes, ...], Meaning | None] = field(default_factory=dict)


_Verdict = Meaning | _ByDigits | None
_Told = tuple[int, Meaning, int]
"""The number of an entry in its chunk, what it means, and for how many it stands."""
_Before = dict[Meaning | str, Meaning]
"""Of one log: what was told last of each aspect of the agent's state, and of what has none."""


class _TornLine(Exception):
    """A masked entry has a second one in the middle of a line: no error, but the text must be mended."""


class _Cut:
    """A piece of a log, cut into entries. The first of them has no time."""

    __slots__ = ("_offsets", "pieces", "text")

    def __init__(self, text: bytes) -> None:
        self.text = text
        self.pieces = text.translate(MASK).split(_MARK)
        """The entries with their digits masked, each from behind its time."""
        self._offsets = list(accumulate(map(len, self.pieces), initial=0))

    def place(self, index: int) -> tuple[int, int, int]:
        """Where an entry begins, where it goes on behind its time, and where it ends."""
        marks = index * len(_MARK)
        start = self._offsets[index] + marks
        return (start - len(_STAMP) if index else 1), start, self._offsets[index + 1] + marks


class Scanner:
    """Scans logs with one set of signatures; what it learnt from one file serves for the next.

    ``several``: the story is told by several logs side by side, so that an entry may bear on failures in
    another one, and none is passed over.
    """

    def __init__(self, signatures: Signatures, *, several: bool = False) -> None:
        self._signatures = signatures
        self._several = several
        self._numbers = tuple(number.encode() for number in signatures.numbers)
        self._known: dict[bytes, _Verdict] = {}
        """What masked entries mean."""
        self._by_shape: dict[bytes, _Verdict] = signatures.learnt
        self._minutes: dict[bytes, float] = {}

    def scan(
        self, blocks: Iterable[bytes], scanned: Scanned, first_line: int = 1, borders: Borders = WHOLE
    ) -> Iterator[Batch]:
        """The meaningful entries of one log in the default form; ``scanned`` is filled on the way."""
        line = first_line - 1
        when = 0.0
        before: _Before = {}
        for text in _chunks(blocks, scanned, borders):
            cut, torn, verdicts = self._read(text)
            batch = Batch(cut.text, line, [], torn)
            self._survey(batch, cut, scanned)
            when = self._record(batch, cut, self._tell(cut, verdicts, before), when)
            line += batch.lines()
            scanned.lines = line - first_line + 1
            if batch.records:
                yield batch

    def _read(self, text: bytes) -> tuple[_Cut, Sequence[int], list[_Verdict]]:
        """The entries of a chunk, the line feeds that had to be put in to part them, and what each entry
        means."""
        if len(self._known) > _REMEMBERED:
            self._known.clear()
        cut = _Cut(text)
        torn: Sequence[int] = ()
        try:
            self._meet(cut.pieces)
        except _TornLine:
            text, torn = _mend(text)
            cut = _Cut(text)
            self._meet(cut.pieces)
        verdicts = list(map(self._known.__getitem__, cut.pieces))
        if cut.pieces[0]:
            begin, _, end = cut.place(0)
            verdicts[0] = self._classify(text[begin:end])
        return cut, torn, verdicts

    # -- what a masked entry means -------------------------------------------------------------------------

    def _meet(self, pieces: list[bytes]) -> None:
        """Judge those that were never met before, all at once: most differ only in their ids."""
        new = set(pieces).difference(self._known)
        text = b"\n".join(new)
        if _STAMP in text and any(map(_TORN.search, new)):
            raise _TornLine
        shapes, at = _without_ids(text), 0
        for piece in new:
            end = at + len(piece)
            self._known[piece] = self._judge(piece, shapes[at:end])
            at = end + 1

    def _judge(self, piece: bytes, shape: bytes) -> _Verdict:
        if len(piece) > MAX_ENTRY - len(_STAMP):
            return _ByDigits(())  # is cut before it is read, so its digits have no fixed places
        try:
            return self._by_shape[shape]
        except KeyError:
            return self._learn(shape)

    def _learn(self, shape: bytes) -> _Verdict:
        spans = tuple(self._spans(shape))
        verdict = _ByDigits(spans) if spans else self._classify(_STAMP + shape)
        if len(self._by_shape) > _REMEMBERED:
            self._by_shape.clear()
        self._by_shape[shape] = verdict
        return verdict

    def _spans(self, piece: bytes) -> Iterator[tuple[int, int]]:
        """Where the real digits matter: never in the fraction of the time, with which the piece begins."""
        behind_time = piece.find(b" ", 0, 12) + 1
        for number in self._numbers:
            position = piece.find(number, behind_time)
            while position >= 0:
                yield position, position + len(number)
                position = piece.find(number, position + 1)

    def _by_digits(self, verdict: _Verdict, cut: _Cut, index: int) -> Meaning | None:
        """What an entry means by its real digits."""
        if not isinstance(verdict, _ByDigits):
            return verdict
        text, (begin, start, end) = cut.text, cut.place(index)
        if not verdict.spans:
            return self._classify(text[begin:end])
        digits = tuple([text[first + start : last + start] for first, last in verdict.spans])
        try:
            return verdict.meanings[digits]
        except KeyError:
            meaning = self._classify(text[begin:end])
        if len(verdict.meanings) > _REMEMBERED:
            verdict.meanings.clear()
        verdict.meanings[digits] = meaning
        return meaning

    def _classify(self, entry: bytes) -> Meaning | None:
        parsed = parse_entry(text_of(entry))
        return self._signatures.classify(parsed.level, parsed.body)

    # -- what of it is told --------------------------------------------------------------------------------

    def _tell(self, cut: _Cut, verdicts: list[_Verdict], before: _Before) -> list[_Told]:
        """Every loud entry; of the quiet ones each that is news, and then the newest before
        what it bears on."""
        told: list[_Told] = []
        quiet: dict[Meaning, list[int]] = {}
        """What has been told before, and the numbers of its entries since."""
        hasty: set[Meaning] = set()
        """What of it must be told before the next failure that it bears on."""
        verdict: Any
        for index, verdict in compress(enumerate(verdicts), verdicts):
            if (since := quiet.get(verdict)) is not None:
                since.append(index)
                continue
            meaning = verdict if type(verdict) is Meaning else self._by_digits(verdict, cut, index)
            if meaning is None:
                continue
            if meaning in quiet:
                quiet[meaning].append(index)
            elif meaning.loud or (self._several and meaning.bears_on):
                if hasty or (quiet and not meaning.fails):
                    due = [o for o in hasty if meaning.area in o.bears_on] if meaning.fails else [*quiet]
                    told += _newest(due, quiet)
                    hasty.difference_update(due)
                told.append((index, meaning, 1))
            elif (other := before.get(meaning.topic)) is not meaning:
                if other is not None and other in quiet:
                    told += _newest([other], quiet)
                    hasty.discard(other)
                before[meaning.topic] = meaning
                told.append((index, meaning, 1))
            else:
                quiet[meaning] = [index]
                if meaning.bears_on:
                    hasty.add(meaning)
        told += ((since[-1], meaning, len(since)) for meaning, since in quiet.items())
        told.sort()
        return told

    def _record(self, batch: Batch, cut: _Cut, told: list[_Told], when: float) -> float:
        """Write the records of a batch; gives the time of the last one."""
        text, place, minutes, append = cut.text, cut.place, self._minutes, batch.records.append
        for index, meaning, count in told:
            begin, _, end = place(index)
            try:
                when = minutes[text[begin : begin + 16]] + float(text[begin + 17 : begin + 24])
            except (KeyError, ValueError):
                stamp = self._when(text[begin : begin + 24]) if index else None
                when = when if stamp is None else stamp
            append((when, meaning, begin, end, count))
        return when

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

    def _survey(self, batch: Batch, cut: _Cut, scanned: Scanned) -> None:
        """Count entries, and keep the first, the last and the span of time."""
        timed = len(cut.pieces) - 1
        for index in (1, timed) if timed else ():
            begin, _, end = cut.place(index)
            when = self._when(batch.text[begin : begin + 32])
            if when is not None:
                scanned.earliest = when if scanned.earliest is None else min(scanned.earliest, when)
                scanned.latest = when if scanned.latest is None else max(scanned.latest, when)
            scanned.first = scanned.first or (batch.entry(begin, end), batch.line_at(begin))
            scanned.newest = batch, begin, end
        scanned.entries += timed


def _newest(meanings: Iterable[Meaning], quiet: dict[Meaning, list[int]]) -> Iterator[_Told]:
    """Take quiet meanings off the list."""
    for meaning in meanings:
        since = quiet.pop(meaning)
        yield since[-1], meaning, len(since)


def _without_ids(text: bytes) -> bytes:
    """Masked entries with every digit of their long ids as ``0``, the hexadecimal ones too.

    No signature may look into an id (:mod:`analyzers.logs.patterns` refuses it)."""
    hexed = text.translate(_HEX_MASK)
    masked = bytearray(text)
    at = hexed.find(_ID_BEGINS)
    while at >= 0:
        long_id = _ID.match(hexed, at)
        behind = long_id.end() if long_id else at + 1
        if long_id:
            masked[at:behind] = hexed[at:behind]
        at = hexed.find(_ID_BEGINS, behind)
    return bytes(masked)


def _epoch(minute: bytes) -> float | None:
    try:
        return (datetime.fromisoformat(minute.decode("ascii")) - _EPOCH) / _SECOND
    except ValueError:
        return None


def _mend(text: bytes) -> tuple[bytes, list[int]]:
    """Part entries that a torn line runs into one (a time and a level in the middle of a line) by a line
    feed; gives also where these stand."""
    places = [torn.start() for torn in _TORN.finditer(text.translate(MASK))]
    places = [place for place in places if text[place - 1 : place] != b"\n"]
    mended = b"\n".join(text[begin:end] for begin, end in pairwise([0, *places, len(text)]))
    return mended, [place + number for number, place in enumerate(places)]


def _last_entry(text: bytes) -> int:
    """Where the last entry begins, looked for near the end first."""
    tail = max(len(text) - _STEP, 0)
    cut = text[tail:].translate(MASK).rfind(_MARK)
    return tail + cut if cut >= 0 else text.translate(MASK).rfind(_MARK)


def _chunks(blocks: Iterable[bytes], scanned: Scanned, borders: Borders) -> Iterator[bytes]:
    """Whole entries, about a block at a time; each chunk begins with the line feed before its first entry."""
    pending = b"\n"
    torn = borders.cut_before
    for block in blocks:
        if torn:
            pending += block
            begin = pending.translate(MASK).find(_MARK)
            torn = begin < 0
            pending = _blank(pending[:begin]) + pending[begin:] if begin >= 0 else _blank(pending)
            continue
        cut = _last_entry(block) if len(pending) + len(block) >= BLOCK else -1
        if cut < 0:
            pending += block
        else:
            yield b"".join((pending, memoryview(block)[:cut]))
            pending = block[cut:]
        if len(pending) > _LONGEST:
            middle = pending[BLOCK:-BLOCK]
            scanned.dropped += len(middle)
            pending = pending[:BLOCK] + _blank(middle) + pending[-BLOCK:]
    if borders.cut_behind:
        cut = max(_last_entry(pending), 0)
        pending = pending[:cut] + _blank(pending[cut:])
    yield pending


def _blank(text: bytes) -> bytes:
    """Its line feeds alone, so that the lines behind keep their numbers."""
    return b"\n" * text.count(b"\n")
