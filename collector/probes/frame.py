"""The answer of the one script: how it is framed on the wire, and how it is read back.

The host prints marker lines, each ``\\n@@<nonce> <words>\\n``.  The nonce is random for every run, so nothing
that lies on the host (a log, a file, a motd) can pass for a marker.  What stands between two markers belongs
to the first of them::

    hello VERSION gzip|plain KEY=VALUE...     before it: noise of the login, kept as a note
    local|network gzip|plain                  then one gzip member that holds probe frames (or they, plain)
    begin PROBE UPTIME                        then the output of that probe
    end PROBE STATUS EXIT UPTIME VIA NOTE...
    stop                                      the bound of what is open is reached; it did not end by itself
    log gzip|plain SIZE MTIME OFFSET LINE NAME PATH     then the bytes, as one gzip member of their own
    log-end STATUS NOTE...
    bye                                       the script came to its end

Every log body is a gzip member by itself, so that the host's own compressed bytes can go into the evidence
as they are: they are not unpacked here.  A member's CRC-32 and length are the digest of what it holds.  A
stream that is cut, noisy or forged yields what was whole; nothing in it raises.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Protocol

from collector.evidence.model import LogHead, ProbeResult, Status
from collector.probes.model import Probe

MAX_TOTAL = 1 << 30
"""Bytes that one host may send in all, outputs of probes unpacked; more is a bomb."""

_STATUSES = {status.value: status for status in Status}
_MAX_MARKER = 4096
_MAX_NOISE = 4096
_STEP = 1 << 16
_NOTHING = hashlib.sha256(b"").hexdigest()


class FrameSink(Protocol):
    """Takes what a host answered, as it comes.  Called by one thread, in the order of the stream.

    Every asked probe comes exactly once.  Logs come part by part; each part is one ``log_begin``, any number
    of ``log_data``, one ``log_end``, never nested.  Parts of one file share its ``name`` and come in order of
    ``offset``.
    """

    def probe(self, result: ProbeResult) -> None:
        """One probe has come to its end, whatever that was.  ``result.sha256`` is filled."""
        ...

    def log_begin(self, head: LogHead) -> None:
        """A part of a log file begins."""
        ...

    def log_data(self, data: bytes) -> None:
        """The next bytes of the part, as the host sent them."""
        ...

    def log_end(self, status: Status, note: str = "") -> None:
        """The part has ended.

        Args:
            status: ``ok``: the host sent all of it; ``truncated``: it was cut and what came is kept;
                ``denied``, ``absent``, ``timeout``, ``error``: it could not be read.
            note: why, where it is not ``ok``.
        """
        ...


class FrameReader:
    """Reads the answer of one host as it comes, in bounded memory, and hands it on piece by piece.

    Neither method raises because of what the host sent; an exception of the sink passes through.
    """

    def __init__(
        self, nonce: str, sink: FrameSink, probes: Sequence[Probe], *, max_total: int = MAX_TOTAL
    ) -> None:
        self.hello: dict[str, str] = {}
        """What the script said first: ``uid``, ``privilege``; hostile text."""
        self.noise = b""
        """What the login printed before the script began (its first 4 KiB): a motd, rc files."""
        self.complete = False
        """Whether the script came to its end."""
        self._sink = sink
        self._limits = {probe.id: probe.max_bytes for probe in probes}
        self._left = max_total
        self._refused = False
        self._greeted = False
        self._probe: _OpenProbe | None = None
        self._log_is_open = False
        self._member: _Gunzip | None = None
        self._inner = _Splitter(nonce, self._output, self._inner_marker)
        self._outer = _Splitter(nonce, self._payload, self._marker)

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream, however they were cut."""
        if not self._refused:
            self._outer.feed(data)

    def finish(self, reason: str = "") -> None:
        """The stream is at its end.

        Args:
            reason: why, where it broke off; it becomes the note of what is missing.
        """
        if not self._refused:
            self._outer.close()
            self._end_member()
        why = reason or "the answer ended before"
        self._end_log(Status.TRUNCATED, why)
        self._end_probe(Status.TRUNCATED, why)
        for probe in list(self._limits):
            note = why if self._greeted else f"no answer from the script: {why}"
            self._deliver(ProbeResult(probe, Status.ERROR, note=note))

    # Payload: what stands between markers.

    def _payload(self, data: bytes) -> None:
        if self._refused:
            return
        if not self._greeted:
            self.noise = (self.noise + data)[:_MAX_NOISE]
        elif self._log_is_open:
            if self._spend(len(data)):
                self._sink.log_data(data)
        elif self._member is not None:
            for plain in self._member.feed(data):
                self._inner.feed(plain)
                if self._refused:
                    return
        else:
            self._output(data)

    def _output(self, data: bytes) -> None:
        if self._spend(len(data)) and self._probe is not None:
            self._probe.add(data)

    def _spend(self, count: int) -> bool:
        """Whether the host may still send that much; if not, nothing more is read from it."""
        self._left -= count
        if self._left >= 0:
            return True
        if not self._refused:
            self._refused = True
            self._end_log(Status.TRUNCATED, "the host sent more than it may")
        return False

    # Markers.

    def _marker(self, words: list[str]) -> None:
        if self._refused:
            return
        self._end_member()
        match words:
            case ["hello", *rest]:
                self._greeted = True
                self.hello |= dict(word.split("=", 1) for word in rest if "=" in word)
            case ["local" | "network", "gzip", *_]:
                self._member = _Gunzip()
            case ["log", "gzip" | "plain" as pack, size, modified, offset, line, name, *path]:
                self._end_log(Status.TRUNCATED, "its end never came")
                self._log_is_open = True
                self._sink.log_begin(
                    LogHead(
                        _safe_name(name),
                        " ".join(path),
                        _number(size) or 0,
                        _moment(modified),
                        _number(offset) or 0,
                        _number(line) or None,
                        packed=pack == "gzip",
                    )
                )
            case ["log-end", status, *note]:
                self._end_log(_status(status), " ".join(note))
            case ["bye", *_]:
                self._end_log(Status.TRUNCATED, "its end never came")
                self.complete = True
            case _:
                self._inner_marker(words)

    def _inner_marker(self, words: list[str]) -> None:
        match words:
            case ["begin", probe, *uptime]:
                self._end_probe(Status.TRUNCATED, "its end never came")
                if probe in self._limits:
                    self._probe = _OpenProbe(probe, self._limits[probe], _hundredths(uptime[:1]))
            case ["end", probe, status, code, *rest]:
                if self._probe is None or self._probe.id != probe:
                    self._end_probe(Status.TRUNCATED, "its end never came")
                    self._probe = _OpenProbe(probe, self._limits.get(probe, 0), None)
                self._probe.ended = _hundredths(rest[:1])
                self._probe.via = "" if rest[1:2] == ["-"] else " ".join(rest[1:2])
                self._probe.exit_code = _number(code)
                self._end_probe(_status(status), " ".join(rest[2:]))
            case ["stop", *_]:
                self._end_log(Status.TIMEOUT, "it took longer than its bound")
                self._end_probe(Status.TIMEOUT, "it took longer than its bound")

    # Ends.

    def _end_member(self) -> None:
        if self._member is not None:
            self._member = None
            self._inner.close()

    def _end_log(self, status: Status, note: str) -> None:
        if self._log_is_open:
            self._log_is_open = False
            self._sink.log_end(status, note)

    def _end_probe(self, status: Status, note: str) -> None:
        probe, self._probe = self._probe, None
        if probe is not None:
            self._deliver(probe.result(status, note))

    def _deliver(self, result: ProbeResult) -> None:
        if self._limits.pop(result.probe, None) is not None:
            self._sink.probe(result)


class _OpenProbe:
    """A probe whose output is still coming."""

    def __init__(self, probe: str, limit: int, started: int | None) -> None:
        self.id = probe
        self.exit_code: int | None = None
        self.via = ""
        self.ended: int | None = None
        self._limit = limit
        self._started = started
        self._output = bytearray()

    def add(self, data: bytes) -> None:
        self._output += data[: self._limit - len(self._output)]

    def result(self, status: Status, note: str) -> ProbeResult:
        if status is Status.OK and self._output and len(self._output) >= self._limit:
            status, note = Status.TRUNCATED, f"cut at {self._limit} bytes"
        output = bytes(self._output)
        took = None
        if self._started is not None and self.ended is not None:
            took = max(0, self.ended - self._started) * 10
        digest = hashlib.sha256(output).hexdigest() if output else _NOTHING
        return ProbeResult(self.id, status, output, self.exit_code, took, self.via, note, digest)


class _Splitter:
    """Takes a stream apart into markers and the data between them, however it was cut."""

    def __init__(
        self, nonce: str, data: Callable[[bytes], None], marker: Callable[[list[str]], None]
    ) -> None:
        self._mark = b"\n@@" + nonce.encode() + b" "
        self._data = data
        self._marker = marker
        self._held = b""

    def feed(self, data: bytes) -> None:
        held, at = self._held + data, 0
        self._held = b""
        while (found := held.find(self._mark, at)) >= 0:
            begin = found + len(self._mark)
            end = held.find(b"\n", begin, begin + _MAX_MARKER)
            if end < 0 and len(held) - begin < _MAX_MARKER:
                self._pass(held[at:found])
                self._held = held[found:]
                return
            self._pass(held[at:found])
            if end < 0:  # No marker is as long as that; it is dropped.
                at = begin
                continue
            self._marker(held[begin:end].decode("utf-8", "replace").split())
            at = end + 1
        keep = max(at, len(held) - len(self._mark) + 1)
        self._pass(held[at:keep])
        self._held = held[keep:]

    def close(self) -> None:
        """Pass on what was held back because a marker could have begun there; a torn marker is dropped."""
        held, self._held = self._held, b""
        if not held.startswith(self._mark):
            self._pass(held)

    def _pass(self, data: bytes) -> None:
        if data:
            self._data(data)


class _Gunzip:
    """One gzip member (RFC 1952) in steps; where it is damaged, what came before."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(16 + zlib.MAX_WBITS)
        self._broken = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What was unpacked."""
        while data and not self._broken and not self._inflate.eof:
            try:
                plain = self._inflate.decompress(data, _STEP)
            except zlib.error:
                self._broken = True
                return
            data = self._inflate.unconsumed_tail
            yield plain


def _safe_name(name: str) -> str:
    """A log's name below the evidence's ``logs/``: no way out, nothing that is not printable."""
    printable = "".join(char if char.isprintable() and char not in '\\:*?"<>|@' else "_" for char in name)
    parts = [part for part in printable.split("/") if part not in ("", ".", "..")]
    return "/".join(parts)[:200] or "unnamed"


def _status(word: str) -> Status:
    return _STATUSES.get(word, Status.ERROR)


def _number(word: str) -> int | None:
    return int(word) if word.isascii() and word.isdigit() and len(word) <= 18 else None


def _hundredths(words: Sequence[str]) -> int | None:
    """A reading of ``/proc/uptime``, ``12.34``, in hundredths of a second."""
    whole, _, part = words[0].partition(".") if words else ("", "", "")
    return _number(whole + (part + "00")[:2])


def _moment(word: str) -> datetime | None:
    seconds = _number(word)
    try:
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
