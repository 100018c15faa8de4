"""The answer of a Windows host: how it is framed on the wire, and how it is read back.

The script answers with a run of frames on standard output, each between two marker lines::

    @@BEGIN <nonce> <length> <sha256>
    base64 lines
    @@END <nonce> <exit code>

Length and SHA-256 are those of the packed bytes, a gzip of one JSON object on a line of its own and, behind
it, the bytes that the object tells of::

    {"hello": {...}}                                             the script has begun
    {"probe": ID, "status":, "ms":, "via":, "note":, "ran_as":}  then the probe's output
    {"log": {"name", "path", "size", "modified", "offset", "line"}}   then its first bytes
    {"more": true}                                               then further bytes of that log
    {"log_end": STATUS, "note":}
    {"bye": true}                                                the script came to its end

There is a frame for each probe, not one for all: a collection that breaks off keeps what came before.  Base64
makes code pages and line ends harmless; the nonce is random for every run, so nothing that lies on the host
can pass for a marker.  What is cut, noisy or forged is left out; nothing in it raises.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import zlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from collector.evidence.model import LogHead, ProbeResult, Status
from collector.probes.frame import MAX_TOTAL, FrameSink, _moment, _safe_name
from collector.probes.model import Probe

MAX_FRAME = 16 << 20
"""Packed bytes of one frame; the script sends a log in blocks of a quarter of a mebibyte."""

_MAX_LINE = 64 << 10
_MAX_NOISE = 4096
_MAX_HEAD = 64 << 10
_STEP = 1 << 16
_BASE64 = re.compile(rb"[A-Za-z0-9+/=]*")
_STATUSES = {status.value: status for status in Status}


class WindowsFrameReader:
    """Reads the answer of one Windows host as it comes, in bounded memory, and hands it on piece by piece.

    Used as ``collector.probes.frame.FrameReader`` is.  Neither method raises because of what the host sent;
    an exception of the sink passes through.
    """

    def __init__(
        self, nonce: str, sink: FrameSink, probes: Sequence[Probe], *, max_total: int = MAX_TOTAL
    ) -> None:
        self.hello: dict[str, str] = {}
        """What the script said first: ``user``, ``privilege``, ``powershell``; hostile text."""
        self.noise = b""
        """What stood outside of the frames (its first 4 KiB): a banner, a profile's words."""
        self.complete = False
        """Whether the script came to its end."""
        self._sink = sink
        self._limits = {probe.id: probe.max_bytes for probe in probes}
        self._left = max_total
        self._begin = re.compile(rb"@@BEGIN %s ([0-9]{1,9}) ([0-9a-f]{64})" % nonce.encode())
        self._end = re.compile(rb"@@END %s -?[0-9]{1,10}" % nonce.encode())
        self._line = b""
        self._frame: _OpenFrame | None = None
        self._log_open = False
        self._damaged = 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream, however they were cut."""
        *lines, rest = (self._line + data).split(b"\n")
        for line in lines:
            self._take(line.strip())
        # A line without end is noise; its beginning is kept in case that it is a marker's.
        self._line = rest[:_MAX_LINE]

    def finish(self, reason: str = "") -> None:
        """The stream is at its end.

        Args:
            reason: why, where it broke off; it becomes the note of what is missing.
        """
        self._take(self._line.strip())
        self._line, self._frame = b"", None
        why = reason or "the answer ended before"
        if self._damaged:
            why = f"{why}; {self._damaged} part(s) of it came damaged"
        self._end_log(Status.TRUNCATED, why)
        for probe in list(self._limits):
            note = why if self.hello else f"no answer from the script: {why}"
            self._deliver(ProbeResult(probe, Status.ERROR, note=note))

    # Lines and frames.

    def _take(self, line: bytes) -> None:
        begin = self._begin.fullmatch(line)
        if begin:
            self._damaged += self._frame is not None
            size = int(begin[1])
            self._frame = _OpenFrame(size, begin[2].decode()) if size <= MAX_FRAME else None
        elif self._end.fullmatch(line):
            packed = self._frame.whole() if self._frame is not None else None
            self._frame = None
            if packed is None:
                self._damaged += 1
            else:
                self._open(packed)
        elif self._frame is not None:
            self._frame.add(line)
        elif line:
            self.noise = (self.noise + line + b"\n")[:_MAX_NOISE]

    def _open(self, packed: bytes) -> None:
        """Unpack a frame, within what is left of the host's total, and hand on what it holds."""
        plain = _unpacked(packed, self._left)
        if plain is None:
            self._damaged += 1
            return
        self._left -= len(plain)
        head, _, body = plain.partition(b"\n")
        told = _object(head)
        if told is None:
            self._damaged += 1
        elif isinstance(told.get("hello"), dict):
            self.hello = {key: str(value)[:200] for key, value in told["hello"].items()}
        elif "probe" in told:
            self._probe(told, body)
        elif isinstance(told.get("log"), dict):
            self._log(told["log"], body)
        elif told.get("more") is True and self._log_open:
            self._sink.log_data(body)
        elif "log_end" in told:
            self._end_log(_status(told["log_end"]), _text(told, "note"))
        elif told.get("bye") is True:
            self.complete = True

    # What they hold.

    def _probe(self, told: Mapping[str, Any], body: bytes) -> None:
        probe, status, note = _text(told, "probe"), _status(told.get("status")), _text(told, "note")
        limit = self._limits.get(probe)
        if limit is None:
            return
        if len(body) > limit:
            body, status, note = body[:limit], Status.TRUNCATED, f"cut at {limit} bytes"
        took = _whole(told.get("ms"))
        digest = hashlib.sha256(body).hexdigest()
        self._deliver(
            ProbeResult(
                probe,
                status,
                body,
                duration_ms=took,
                via=_text(told, "via"),
                note=note,
                sha256=digest,
                ran_as=_text(told, "ran_as"),
            )
        )

    def _deliver(self, result: ProbeResult) -> None:
        if self._limits.pop(result.probe, None) is not None:
            self._sink.probe(result)

    def _log(self, told: Mapping[str, Any], body: bytes) -> None:
        self._end_log(Status.TRUNCATED, "the next log began before its end")
        self._log_open = True
        self._sink.log_begin(
            LogHead(
                _safe_name(_text(told, "name")),
                _text(told, "path"),
                _whole(told.get("size")) or 0,
                _time(told.get("modified")),
                _whole(told.get("offset")) or 0,
                _whole(told.get("line")),
                packed=False,
            )
        )
        if body:
            self._sink.log_data(body)

    def _end_log(self, status: Status, note: str) -> None:
        if self._log_open:
            self._log_open = False
            self._sink.log_end(status, note)


class _OpenFrame:
    """A frame whose base64 is still coming."""

    def __init__(self, size: int, digest: str) -> None:
        self._size = size
        self._digest = digest
        self._text = bytearray()
        self._limit = (size + 2) // 3 * 4
        self._sound = True

    def add(self, line: bytes) -> None:
        if not _BASE64.fullmatch(line) or len(self._text) + len(line) > self._limit:
            self._sound = False
        if self._sound:
            self._text += line

    def whole(self) -> bytes | None:
        """The packed bytes; ``None`` where they are not those that the frame announced."""
        if not self._sound:
            return None
        try:
            packed = base64.b64decode(bytes(self._text), validate=True)
        except (binascii.Error, ValueError):
            return None
        sound = len(packed) == self._size and hashlib.sha256(packed).hexdigest() == self._digest
        return packed if sound else None


def _unpacked(packed: bytes, limit: int) -> bytes | None:
    """The plain bytes of one gzip member; ``None`` where it is none, or holds more than ``limit``."""
    inflate = zlib.decompressobj(16 + zlib.MAX_WBITS)
    plain = bytearray()
    data = packed
    try:
        while data and not inflate.eof:
            plain += inflate.decompress(data, _STEP)
            data = inflate.unconsumed_tail
            if len(plain) > limit:
                return None
    except zlib.error:
        return None
    return bytes(plain) if inflate.eof else None


def _object(line: bytes) -> dict[str, Any] | None:
    if len(line) > _MAX_HEAD:
        return None
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _text(told: Mapping[str, Any], key: str) -> str:
    value = told.get(key)
    return value[:4096] if isinstance(value, str) else ""


def _whole(value: object) -> int | None:
    sound = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 62
    return value if isinstance(value, int) and sound else None


def _status(value: object) -> Status:
    return _STATUSES.get(value, Status.ERROR) if isinstance(value, str) else Status.ERROR


def _time(value: object) -> datetime | None:
    seconds = _whole(value)
    return None if seconds is None else _moment(str(seconds))
