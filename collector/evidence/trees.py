"""Folders, zips and tars of files from strangers, read without unpacking anything to the disk.

Each is looked through once, under limits, before any byte of it is used: too many members, members that
expand without measure, names that lead outside, links and devices under a name that matters.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import os
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from collector.errors import EvidenceError

MAX_MEMBERS = 50_000
MAX_TOTAL = 8 << 30
"""Plain bytes of one archive, or of one packed log."""
ALWAYS_ALLOWED = 100 << 20
MAX_RATIO = 300
"""Plain by packed size; logs shrink 10 to 100 times.  Not asked below ``ALWAYS_ALLOWED`` bytes."""

_READ_AT_ONCE = 8 << 20
_PIECE = 256 * 1024
_DAMAGE = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, OSError, ValueError, KeyError, IndexError, OverflowError),
    *(NotImplementedError, RuntimeError, MemoryError),
)
"""All that the standard library raises on hostile archives."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One regular file of a tree."""

    name: str
    """Relative, ``/`` between folders."""
    size: int
    """In bytes, as the tree says."""
    modified: datetime | None


class Tree(Protocol):
    """A folder or an archive.  Opens its file anew each time, so that it can be sent to another process."""

    @property
    def path(self) -> Path: ...

    def entries(self) -> Iterator[Entry]:
        """The regular files.

        Raises:
            EvidenceError: the tree is damaged, beyond the limits, or has names that lead outside.
        """
        ...

    def open(self, name: str) -> io.BufferedReader:
        """The plain bytes of one file.  Reading raises ``EvidenceError`` where they are damaged."""
        ...


def open_tree(path: Path) -> Tree:
    """The tree at ``path``, by what is there, not by its name alone.

    Raises:
        EvidenceError: nothing is there, or it is neither a folder nor an archive that is known.
    """
    with reading(path):
        if path.is_dir():
            return FolderTree(path)
        with path.open("rb") as file:
            head = file.read(8)
    if head.startswith((b"PK\3\4", b"PK\5\6")) or path.suffix.lower() == ".zip":
        return ZipTree(path)
    return TarTree(path)


def looks_like_archive(name: str) -> bool:
    """Whether a file of this name is worth opening as an archive."""
    lower = name.lower()
    return lower.endswith((".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz"))


@contextmanager
def reading(path: Path, what: str = "") -> Iterator[None]:
    """Turns what goes wrong while reading ``path`` into one clear line."""
    where = f"{path}: {what}" if what else str(path)
    try:
        yield
    except FileNotFoundError:
        raise EvidenceError(f"{where}: there is no such file or folder") from None
    except PermissionError:
        raise EvidenceError(f"{where}: may not be read; use an account that may") from None
    except _DAMAGE as error:
        detail = " ".join((str(error) or type(error).__name__).split())
        raise EvidenceError(f"{where}: damaged or cut short ({detail}); fetch it again") from None


@dataclass(frozen=True, slots=True)
class FolderTree:
    """A folder, searched through all its depth.  Links are followed within the folder only."""

    path: Path

    def entries(self) -> Iterator[Entry]:
        top = self.path.resolve()
        count = 0
        for folder, folders, files in os.walk(top):
            folders.sort()
            for name in sorted(files):
                count += 1
                if count > MAX_MEMBERS:
                    raise EvidenceError(
                        f"{self.path}: more than {MAX_MEMBERS} files; name the folder of logs itself"
                    )
                file = Path(folder, name)
                found = file.stat() if file.resolve().is_relative_to(top) and file.exists() else file.lstat()
                if stat.S_ISREG(found.st_mode):
                    yield Entry(file.relative_to(top).as_posix(), found.st_size, _time(found.st_mtime))

    def open(self, name: str) -> io.BufferedReader:
        with reading(self.path, name):
            top = self.path.resolve()
            file = (top / name).resolve()
            if not file.is_relative_to(top) or not file.is_file():
                raise EvidenceError(f"{self.path}: {name}: is not a regular file within the folder")
            return file.open("rb")


@dataclass(frozen=True, slots=True)
class ZipTree:
    """A zip."""

    path: Path

    def entries(self) -> Iterator[Entry]:
        with reading(self.path), zipfile.ZipFile(self.path) as archive:
            members = archive.infolist()
            total = sum(member.file_size for member in members)
            _check_count(self.path, len(members), total)
            packed_size = self.path.stat().st_size
            if total > plain_limit(packed_size):
                raise _bomb(self.path, "it", total, packed_size)
            seen: set[str] = set()
            for member in members:
                _check_name(self.path, member.filename)
                if member.filename in seen:
                    raise EvidenceError(f"{self.path}: {printable(member.filename)} is in it twice; not read")
                seen.add(member.filename)
                if stat.S_ISLNK(member.external_attr >> 16):
                    raise EvidenceError(f"{self.path}: {printable(member.filename)} is a link; not read")
                if member.file_size > plain_limit(member.compress_size):
                    name = printable(member.filename)
                    raise _bomb(self.path, name, member.file_size, member.compress_size)
                if not member.is_dir():
                    yield Entry(member.filename, member.file_size, _zip_time(member))

    def open(self, name: str) -> io.BufferedReader:
        with reading(self.path, printable(name)), ExitStack() as owner:
            archive = owner.enter_context(zipfile.ZipFile(self.path))
            member = cast(BinaryIO, archive.open(name))
            return checked(member, self.path, name, owner=owner.pop_all())

    def contents(self, names: Iterable[str]) -> dict[str, bytes]:
        """The plain bytes of several small files, for which the zip is opened once.

        Raises:
            EvidenceError: one of them is not there or is damaged.
        """
        found: dict[str, bytes] = {}
        with reading(self.path), zipfile.ZipFile(self.path) as archive:
            for name in names:
                with reading(self.path, printable(name)):
                    found[name] = archive.read(name)
        return found

    def packed_sha256(self, name: str) -> str:
        """SHA-256, in hex, of the packed bytes of one file."""
        with reading(self.path, printable(name)), self.path.open("rb") as file:
            with zipfile.ZipFile(file) as archive:
                member = archive.getinfo(name)
            file.seek(member.header_offset)
            lengths = struct.unpack("<26x2H", file.read(30))  # PKWARE's APPNOTE.TXT 6.3, 4.3.7
            file.seek(sum(lengths), os.SEEK_CUR)
            digest, left = hashlib.sha256(), member.compress_size
            while left and (piece := file.read(min(left, _PIECE))):
                digest.update(piece)
                left -= len(piece)
            return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class TarTree:
    """A tar, plain or packed by gzip, bzip2 or xz."""

    path: Path

    def entries(self) -> Iterator[Entry]:
        with reading(self.path), self._archive() as archive:
            count = total = 0
            for member in archive:
                count, total = count + 1, total + member.size
                _check_count(self.path, count, total)
                _check_name(self.path, member.name)
                if member.isreg():
                    yield Entry(member.name.removeprefix("./"), member.size, _time(member.mtime))
                elif "ssm" in member.name.lower() and member.name.lower().endswith(".log"):
                    raise EvidenceError(
                        f"{self.path}: {printable(member.name)} is a link or a device; not read"
                    )

    def open(self, name: str) -> io.BufferedReader:
        with reading(self.path, printable(name)), ExitStack() as owner:
            archive = owner.enter_context(self._archive())
            for member in archive:
                if member.name.removeprefix("./") == name and member.isreg():
                    content = cast(BinaryIO, archive.extractfile(member))
                    return checked(content, self.path, name, owner=owner.pop_all())
            raise KeyError("not in it")

    @contextmanager
    def _archive(self) -> Iterator[tarfile.TarFile]:
        with (
            self.path.open("rb") as packed,
            closing(unpacked(packed, self.path.stat().st_size, str(self.path))) as plain,
            tarfile.open(fileobj=plain, mode="r:") as archive,
        ):
            yield archive


def unpacked(packed: io.BufferedReader, packed_size: int, where: str) -> BinaryIO:
    """The plain bytes of a stream that may be packed by gzip, bzip2 or xz, under the limit for its size."""
    head = packed.peek(6)[:6]
    opener: Callable[[BinaryIO], object] | None = None
    if head.startswith(b"\x1f\x8b"):
        opener = partial(gzip.GzipFile, None, "rb", 9)
    elif head.startswith(b"BZh"):
        opener = bz2.BZ2File
    elif head.startswith(b"\xfd7zXZ\0"):
        opener = lzma.LZMAFile
    if opener is None:
        return cast(BinaryIO, _Limited(packed, MAX_TOTAL, where, packed_size))
    plain = cast(BinaryIO, opener(packed))
    return cast(BinaryIO, _Limited(plain, plain_limit(packed_size), where, packed_size))


def plain_limit(packed: int) -> int:
    """How many plain bytes ``packed`` bytes may become."""
    return min(MAX_TOTAL, max(ALWAYS_ALLOWED, packed * MAX_RATIO))


class _Limited:
    """A readable file that ends in an error beyond ``limit``, and gives no more than a piece at once."""

    def __init__(self, file: BinaryIO, limit: int, where: str, packed: int) -> None:
        self._file, self._limit, self._where, self._packed = file, limit, where, packed
        self._at = 0

    def read(self, size: int = -1) -> bytes:
        if size > _READ_AT_ONCE:
            raise EvidenceError(f"{self._where}: a header in it claims {size} bytes; not read")
        data = self._file.read(size if size >= 0 else _READ_AT_ONCE)
        self._at += len(data)
        self._check(self._at)
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        if whence == 0:
            self._check(offset)
        self._at = self._file.seek(offset, whence)
        return self._at

    def tell(self) -> int:
        return self._at

    def close(self) -> None:
        self._file.close()

    def _check(self, at: int) -> None:
        if at > self._limit:
            raise EvidenceError(
                f"{self._where}: {self._packed} bytes that expand to more than {self._limit}; not read"
            )


def checked(
    content: BinaryIO,
    path: Path,
    name: str,
    *,
    owner: ExitStack | None = None,
    sha256: str = "",
) -> io.BufferedReader:
    """``content`` as a stream whose reading raises ``EvidenceError`` where it is damaged or altered."""
    return io.BufferedReader(_Checked(content, path, name, owner, sha256), 256 * 1024)


class _Checked(io.RawIOBase):
    def __init__(
        self,
        content: BinaryIO,
        path: Path,
        name: str,
        owner: ExitStack | None,
        sha256: str,
    ) -> None:
        self._content, self._path, self._name, self._owner = content, path, name, owner
        self._expected = sha256
        self._sha256 = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]  # whatever BufferedReader hands over is a buffer
        with reading(self._path, printable(self._name)):
            data = self._content.read(len(view))
        view[: len(data)] = data
        if self._expected:
            self._sha256.update(data)
            if not data and self._sha256.hexdigest() != self._expected:
                raise altered(self._path, self._name)
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._content.close()
            if self._owner is not None:
                self._owner.close()
        super().close()


def altered(path: Path, name: str) -> EvidenceError:
    """What to say where bytes are not those that the manifest vouches for."""
    return EvidenceError(
        f"{path}: {printable(name)} fails its digest in the manifest; the file was damaged or altered"
    )


def printable(name: str) -> str:
    """A hostile name, fit for one line."""
    return name[:200].encode("unicode_escape").decode("ascii") if not name.isprintable() else name[:200]


def _check_count(path: Path, count: int, total: int) -> None:
    if count > MAX_MEMBERS:
        raise EvidenceError(f"{path}: more than {MAX_MEMBERS} members; not read")
    if total > MAX_TOTAL:
        raise EvidenceError(f"{path}: expands to more than {MAX_TOTAL >> 30} GiB; not read")


def _check_name(path: Path, name: str) -> None:
    parts = name.replace("\\", "/").split("/")
    if ".." in parts or name.startswith(("/", "\\")) or name[1:3] in (":\\", ":/"):
        raise EvidenceError(f"{path}: {printable(name)} leads outside the archive; not read")


def _bomb(path: Path, what: str, plain: int, packed: int) -> EvidenceError:
    return EvidenceError(f"{path}: {what} expands from {packed} to {plain} bytes; not read")


def _time(seconds: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _zip_time(member: zipfile.ZipInfo) -> datetime | None:
    """A zip knows local time only, without its zone: taken as UTC it is right to a day."""
    try:
        return datetime(*member.date_time, tzinfo=UTC)
    except ValueError:
        return None
