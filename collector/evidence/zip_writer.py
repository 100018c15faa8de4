"""Writes a zip whose members may be packed elsewhere: a host's own deflate stream goes in as it is.

The standard library can only compress by itself; a log that the host has packed already would be inflated
and packed again.  The format is PKWARE's APPNOTE.TXT 6.3; sections are named where they matter.  Each local
header is written twice, first as a placeholder and, when the member's sizes are known, for good: such a
file needs no data descriptors and is read by every tool, also from its front.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO

from collector.errors import EvidenceError

_LOCAL = struct.Struct("<4sHHHHHLLLHH")  # 4.3.7
_CENTRAL = struct.Struct("<4sHHHHHHLLLHHHHHLL")  # 4.3.12
_END = struct.Struct("<4sHHHHLLH")  # 4.3.16
_END64 = struct.Struct("<4sQHHLLQQQQ")  # 4.3.14
_LOCATOR64 = struct.Struct("<4sLQL")  # 4.3.15
_EXTRA64_OFFSET = struct.Struct("<HHQ")

_STORED = 0
_DEFLATED = 8
_UTF8_NAME = 1 << 11
_UNIX = 3 << 8
_PLAIN_FILE_0600 = 0o100600 << 16
_MAX32 = 0xFFFF_FFFF
_MAX16 = 0xFFFF
_COPY = 256 * 1024
_WORTH_PACKING = 512
"""Bytes: what is smaller takes longer to pack than it is worth."""


@dataclass(slots=True)
class _Member:
    name: bytes
    offset: int
    date: int
    time: int
    crc: int = 0
    packed: int = 0
    size: int = 0
    method: int = _DEFLATED

    def local_header(self) -> bytes:
        """The header with the sizes; members are kept below 4 GiB, so that its length never changes."""
        fields = (20, _UTF8_NAME, self.method, self.time, self.date, self.crc, self.packed, self.size)
        return _LOCAL.pack(b"PK\3\4", *fields, len(self.name), 0) + self.name

    def central_header(self) -> bytes:
        far = self.offset >= _MAX32
        extra = _EXTRA64_OFFSET.pack(1, 8, self.offset) if far else b""
        version = 45 if far else 20
        fields = (_UNIX | version, version, _UTF8_NAME, self.method, self.time, self.date)
        sizes = (self.crc, self.packed, self.size, len(self.name), len(extra))
        where = (0, 0, 0, _PLAIN_FILE_0600, min(self.offset, _MAX32))
        return _CENTRAL.pack(b"PK\1\2", *fields, *sizes, *where) + self.name + extra


class ZipWriter:
    """Appends members to ``file``, a new seekable file open for reading and writing, one at a time.

    ``OSError`` of the file passes through: the owner of the file knows its name.
    """

    def __init__(self, file: BinaryIO, now: datetime) -> None:
        self._file = file
        self._members: list[_Member] = []
        self._body = 0
        self._date = (max(now.year, 1980) - 1980) << 9 | now.month << 5 | now.day
        self._time = now.hour << 11 | now.minute << 5 | now.second // 2

    def begin(self, name: str) -> None:
        """Start a member; what is written until ``end`` belongs to it."""
        member = _Member(name.encode("utf-8", "replace"), self._file.tell(), self._date, self._time)
        self._members.append(member)
        self._file.write(member.local_header())
        self._body = self._file.tell()

    def write(self, deflated: bytes) -> None:
        """The next piece of the member's raw deflate stream (RFC 1951)."""
        self._file.write(deflated)

    def written(self) -> int:
        """How many packed bytes the open member has."""
        return self._file.tell() - self._body

    def read(self, at: int, size: int) -> bytes:
        """At most ``size`` packed bytes of the open member from ``at`` on; the end is where it was."""
        end = self._file.tell()
        self._file.seek(self._body + at)
        try:
            return self._file.read(min(size, end - self._body - at))
        finally:
            self._file.seek(end)

    def drop_front(self, size: int) -> None:
        """Take the first ``size`` packed bytes of the open member away; the rest moves up."""
        left = self.written() - size
        for at in range(0, left, _COPY):
            piece = self.read(size + at, min(_COPY, left - at))
            end = self._file.tell()
            self._file.seek(self._body + at)
            self._file.write(piece)
            self._file.seek(end)
        self._file.seek(self._body + left)
        self._file.truncate()

    def cancel(self) -> None:
        """Take the last member away, as if it had never begun."""
        self._file.seek(self._members.pop().offset)
        self._file.truncate()

    def end(self, crc: int, size: int) -> None:
        """The member is whole; ``crc`` and ``size`` are those of its plain bytes.

        Raises:
            EvidenceError: the member is of 4 GiB or more.
        """
        member = self._members[-1]
        member.crc, member.size, member.packed = crc, size, self.written()
        if max(member.size, member.packed) >= _MAX32:
            name = member.name.decode("utf-8", "replace")
            raise EvidenceError(f"{name}: 4 GiB or more in one piece; lower the byte budget of the logs")
        after = self._file.tell()
        self._file.seek(member.offset)
        self._file.write(member.local_header())
        self._file.seek(after)

    def add(self, name: str, plain: bytes) -> None:
        """A whole member from its plain bytes, of which there are less than 4 GiB."""
        method = _STORED if len(plain) < _WORTH_PACKING else _DEFLATED
        packed = plain if method == _STORED else _packed(plain)
        where = (self._file.tell(), self._date, self._time)
        sizes = (zlib.crc32(plain), len(packed), len(plain))
        member = _Member(name.encode("utf-8", "replace"), *where, *sizes, method)
        self._members.append(member)
        self._file.write(member.local_header() + packed)

    def close(self) -> None:
        """Write the central directory; the file is then a whole zip.  The file itself stays open."""
        start = self._file.tell()
        for member in self._members:
            self._file.write(member.central_header())
        size, count = self._file.tell() - start, len(self._members)
        if count >= _MAX16 or start >= _MAX32 or size >= _MAX32:
            end64 = self._file.tell()
            self._file.write(_END64.pack(b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, start))
            self._file.write(_LOCATOR64.pack(b"PK\6\7", 0, end64, 1))
        counts = (min(count, _MAX16), min(count, _MAX16))
        self._file.write(_END.pack(b"PK\5\6", 0, 0, *counts, min(size, _MAX32), min(start, _MAX32), 0))


def raw_deflate(level: int = 1) -> zlib._Compress:
    """A packer of raw deflate.  Level 1: logs shrink to a tenth already, and a sweep has many of them."""
    return zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)


def _packed(plain: bytes) -> bytes:
    """``plain`` as raw deflate, with a window no larger than itself: a full one takes longer to set up than
    most outputs of probes take to pack."""
    bits = min(max(len(plain).bit_length(), 9), zlib.MAX_WBITS)
    packer = zlib.compressobj(1, zlib.DEFLATED, -bits, min(bits - 7, zlib.DEF_MEM_LEVEL))
    return packer.compress(plain) + packer.flush()


def raw_inflate() -> zlib._Decompress:
    """The opposite of ``raw_deflate``."""
    return zlib.decompressobj(-zlib.MAX_WBITS)
