"""Takes in one part of a log as a host sends it, and leaves it in the open member of a zip.

A host masks its logs before it packs them (``mask_log`` in the script).  What it packed is kept as it is, so
that a sweep need not pack the logs of a thousand hosts once more.  A second look is taken all the same: on
arrival where a part is small or damaged (it is then packed again, if a secret was overlooked), and else
whenever it is read (``read.py``): to unpack megabytes of log takes longer than to bring them home.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain
from typing import Protocol

from collector.evidence.model import LogPart
from collector.evidence.secrets_scan import Masker, find_secrets
from collector.evidence.zip_writer import ZipWriter, raw_deflate, raw_inflate

HOLD = 128 * 1024
"""Packed bytes of a part that are held back until they were looked through: those of some 1.5 MB of a log."""

_LOOK = 16 << 20
"""Plain bytes that are looked through in one piece."""
_PIECE = 64 * 1024
_TRAILER = 8

Ended = tuple[LogPart, bool]
"""What has become of a part, and whether it is what the host meant to send."""


class PartWriter(Protocol):
    """One part that is coming."""

    def data(self, data: bytes) -> None:
        """The next bytes, as the host sent them."""
        ...

    def end(self) -> Ended:
        """No more will come; the member is closed."""
        ...


class PlainPart:
    """A part that comes as it is, from a host without gzip: it is masked and packed here."""

    def __init__(self, archive: ZipWriter, part: LogPart) -> None:
        self._zip = archive
        self._part = part
        self._masker = Masker()
        self._packer = raw_deflate()
        self._sha256 = hashlib.sha256()
        self._crc = 0
        self._length = 0
        self._kept = 0

    def data(self, data: bytes) -> None:
        self._length += len(data)
        self._keep(self._masker.feed(data))

    def end(self, drop: int = 0) -> Ended:
        """``drop``: bytes of the member that were written before and are to go."""
        self._keep(self._masker.finish())
        self._zip.write(self._packer.flush())
        if drop:
            self._zip.drop_front(drop)
        self._zip.end(self._crc, self._kept)
        digest = self._sha256.hexdigest()
        return replace(self._part, length=self._length, sha256=digest, redacted=self._masker.count), True

    def _keep(self, masked: bytes) -> None:
        self._sha256.update(masked)
        self._crc = zlib.crc32(masked, self._crc)
        self._kept += len(masked)
        self._zip.write(self._packer.compress(masked))


class PackedPart:
    """A part that comes as one gzip member (RFC 1952)."""

    def __init__(self, archive: ZipWriter, part: LogPart, expected: int, limit: int) -> None:
        """Take in a part.

        Args:
            archive: with a member open for it.
            part: where it stands in the host's file.
            expected: its length, unpacked, if it reaches to the end of that file.
            limit: of a damaged one no more bytes are unpacked.
        """
        self._zip = archive
        self._part = part
        self._expected = expected
        self._limit = limit
        self._held: bytearray | None = bytearray()
        self._tail = b""
        """The last bytes that came, which may be the trailer: the check sum and the length."""
        self._sha256 = hashlib.sha256()

    def data(self, data: bytes) -> None:
        if self._held is None:
            self._write(data)
            return
        self._held += data
        if len(self._held) > HOLD:
            held, self._held = self._held, None
            self._write(_without_header(held))

    def end(self) -> Ended:
        if self._held is not None:
            stream = _without_header(self._held)
            if _is_whole_and_clean(self._held):
                self._write(stream)
                return self._as_sent(), True
            self._tail = stream
        elif self._announced() == self._expected:
            return self._as_sent(), True
        return self._packed_again()

    def _write(self, data: bytes) -> None:
        data = self._tail + data
        self._tail = data[-_TRAILER:]
        deflated = data[:-_TRAILER]
        self._sha256.update(deflated)
        self._zip.write(deflated)

    def _announced(self) -> int:
        return int.from_bytes(self._tail[4:], "little")

    def _as_sent(self) -> LogPart:
        size = self._announced()
        self._zip.end(int.from_bytes(self._tail[:4], "little"), size)
        return replace(self._part, length=size, packed_sha256=self._sha256.hexdigest())

    def _packed_again(self) -> Ended:
        """Behind what is written already: unpacked as far as that goes, masked, packed."""
        sent = self._zip.written()
        written = (self._zip.read(at, min(_PIECE, sent - at)) for at in range(0, sent, _PIECE))
        stream = _Unpacked(chain(written, [self._tail]))
        anew = PlainPart(self._zip, self._part)
        for plain in stream.pieces(self._limit):
            anew.data(plain)
        part, _ = anew.end(drop=sent)
        return part, stream.is_whole


class _Unpacked:
    """The plain bytes of a deflate stream and its trailer, as far as they are sound."""

    def __init__(self, packed: Iterable[bytes]) -> None:
        self._packed = packed
        self.is_whole = False
        """Whether it came to its end, and the check sum and the length were right."""

    def pieces(self, limit: int) -> Iterator[bytes]:
        """No more than about ``limit`` bytes."""
        inflate = raw_inflate()
        crc = size = 0
        trailer = b""
        for packed in self._packed:
            while packed and not inflate.eof and size < limit:
                try:
                    plain = inflate.decompress(packed, _PIECE)
                except zlib.error:
                    return
                crc, size = zlib.crc32(plain, crc), size + len(plain)
                packed = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
                yield plain
            if inflate.eof:
                trailer += packed
        self.is_whole = trailer == _trailer(crc, size)


def _is_whole_and_clean(member: bytes | bytearray) -> bool:
    inflate = zlib.decompressobj(16 + zlib.MAX_WBITS)  # looks at the check sum and the length itself
    try:
        plain = inflate.decompress(member, _LOOK)
    except zlib.error:
        return False
    return inflate.eof and not inflate.unused_data and not find_secrets(plain)


def _trailer(crc: int, size: int) -> bytes:
    return crc.to_bytes(4, "little") + (size & 0xFFFFFFFF).to_bytes(4, "little")


def _without_header(data: bytes | bytearray) -> bytes:
    """A gzip member from its deflate stream on; nothing where it is none."""
    if len(data) < 10 or not data.startswith(b"\x1f\x8b\x08"):
        return b""
    flags, at = data[3], 10
    if flags & 4:
        at += 2 + int.from_bytes(data[at : at + 2], "little")
    for text in (8, 16):
        if flags & text:
            at = data.find(b"\0", at) + 1 or len(data)
    at += 2 if flags & 2 else 0
    return bytes(data[at:])
