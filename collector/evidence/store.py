"""Writes the evidence of one host to one zip, as it comes.

The file grows as ``<name>.zip.part``; only when it is whole and on the disk does it get its name.  A writer
that ends early (disk full, killed, an exception) leaves no ``<name>.zip``: after an error the ``.part`` is
removed, after ``kill -9`` it stays behind, is passed over by every reader, and the next run writes over it.
"""

from __future__ import annotations

import hashlib
import os
import re
import zlib
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from collector.errors import EvidenceError
from collector.evidence.manifest import to_json
from collector.evidence.memory import SCHEMA
from collector.evidence.model import LogFile, LogPart, Manifest, ProbeResult, Status
from collector.evidence.secrets_scan import Masker, mask_secrets
from collector.evidence.zip_writer import ZipWriter, raw_deflate, raw_inflate

MANIFEST = "manifest.json"
SUFFIX = ".zip"

_PIECE = 64 * 1024
_SAFE_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?")
_UNSAFE_IN_MEMBER = re.compile(r"[^\w.@~+=,() /-]")


def file_name(host: str) -> str:
    """The name of a host's evidence file, made from the host's name alone.

    A plain name stays as it is; any other (capitals, slashes, a name that Windows reserves) is made plain
    and gets a digest of the original, so that two hosts never meet, whatever the file system folds.
    """
    if _SAFE_NAME.fullmatch(host) and not _RESERVED.fullmatch(host) and not host.endswith("."):
        return host + SUFFIX
    digest = hashlib.sha256(host.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    readable = re.sub(r"[^a-z0-9._-]+", "-", host.lower()).strip("-.")[:60]
    return f"{readable or 'host'}~{digest}{SUFFIX}"


def run_folder(path: Path) -> Path:
    """Make the folder of a run, for its owner's eyes only; one that is there already keeps its mode.

    Raises:
        EvidenceError: it cannot be made or is no folder.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise EvidenceError(f"{path}: cannot be the run folder: {error.strerror}; choose another") from None
    return path


class EvidenceWriter:
    """Takes what a host answers (a ``FrameSink``) and makes an evidence file of it.

    Use it as a context manager: left without ``finish``, it leaves nothing behind.  Every method raises
    ``EvidenceError`` where the file cannot be written; the writer is then of no more use.  Memory is bounded
    by the probes' outputs, which have byte limits; logs pass through.
    """

    def __init__(self, folder: Path, host: str) -> None:
        self.path = folder / file_name(host)
        self.probes: list[ProbeResult] = []
        self.logs: list[LogFile] = []
        self._part_path = self.path.with_name(self.path.name + ".part")
        self._members: set[str] = {MANIFEST}
        self._log: _PartWriter | None = None
        self._finished = False
        with self._guarded():
            self._file = _open_private(self._part_path)
        self._zip = ZipWriter(self._file, datetime.now(UTC))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()

    def probe(self, result: ProbeResult) -> None:
        """One probe has come to its end; its output is scanned for secrets and written."""
        output, redacted = mask_secrets(result.output)
        if redacted or not result.sha256:
            digest = hashlib.sha256(output).hexdigest()
            result = replace(result, output=output, redacted=redacted, sha256=digest)
        if output:
            with self._guarded():
                self._zip.add(self._member(f"probes/{result.probe}.txt"), output)
        self.probes.append(result)

    def log_begin(
        self,
        name: str,
        path: str,
        size: int,
        modified: datetime | None,
        offset: int,
        first_line: int | None,
    ) -> None:
        """A part of a log file begins: see ``FrameSink``."""
        self._join_or_add(LogFile(name, path, Status.OK, size, modified), offset)
        member = self._member(f"logs/{self.logs[-1].name}" + (f"@{offset}" if offset else ""))
        with self._guarded():
            self._zip.begin(member)
        self._log = _PartWriter(self._zip, LogPart(offset, 0, first_line, member))

    def log_data(self, plain: bytes, deflated: bytes | None) -> None:
        """The next bytes of the part, and the piece of the host's own deflate stream that holds them."""
        with self._guarded():
            self._open_part().data(plain, deflated)

    def log_end(self, status: Status, note: str, *, deflate_whole: bool) -> None:
        """The part has ended."""
        with self._guarded():
            part = self._open_part().end(deflate_whole=deflate_whole)
            self._log = None
            if not part.length and status is not Status.OK:
                self._zip.cancel()
        log = self.logs[-1]
        if log.status is Status.OK:
            log = replace(log, status=status, note=note)
        if part.length or status is Status.OK:
            alone = not log.parts and part.length == log.size
            log = replace(log, parts=(*log.parts, part), sha256=part.sha256 if alone else "")
        self.logs[-1] = log

    def finish(self, manifest: Manifest, *, lasts: bool = True) -> Path:
        """Write the manifest, with the probes and logs that came, and give the file its name.

        A part of a log that is still open is closed as ``truncated``.  Without ``lasts`` nobody waits for
        the disk: after a loss of power the file may be damaged.
        """
        if self._log is not None:
            self.log_end(Status.TRUNCATED, "the connection ended within this file", deflate_whole=False)
        whole = replace(manifest, schema=SCHEMA, probes=tuple(self.probes), logs=tuple(self.logs))
        with self._guarded():
            self._zip.add(MANIFEST, to_json(whole))
            self._zip.close()
            self._file.flush()
            if lasts:
                os.fsync(self._file.fileno())
            self._file.close()
            self._part_path.replace(self.path)
            self._finished = True
            if lasts:
                _sync_folder(self.path.parent)
        return self.path

    def abort(self) -> None:
        """Take back what was not finished.  Never raises; after ``finish`` it does nothing."""
        with suppress(OSError):
            self._file.close()
        if not self._finished:
            with suppress(OSError):
                self._part_path.unlink(missing_ok=True)

    def _open_part(self) -> _PartWriter:
        if self._log is None:
            raise RuntimeError("log_data or log_end came without log_begin")
        return self._log

    def _join_or_add(self, log: LogFile, offset: int) -> None:
        """A part that carries on the file before it joins that file; all else is a file of its own."""
        last = self.logs[-1] if self.logs else None
        if last and (last.name, last.path) == (log.name, log.path) and last.parts:
            before = last.parts[-1]
            if offset >= before.offset + before.length:
                return
        names = {known.name for known in self.logs}
        name = next(name for name in _numbered(log.name) if name not in names)
        self.logs.append(replace(log, name=name))

    def _member(self, wanted: str) -> str:
        """A name within the zip that no tool can misread and no other member has."""
        plain = _UNSAFE_IN_MEMBER.sub("_", wanted)
        member = next(name for name in _numbered(plain) if name.casefold() not in self._members)
        self._members.add(member.casefold())
        return member

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if hasattr(self, "_file"):
                self.abort()
            raise EvidenceError(
                f"{self.path}: evidence cannot be written: {error.strerror or error};"
                " free some space or choose another output folder"
            ) from None


@dataclass(slots=True)
class _Piece:
    """A piece of the host's deflate stream that waits until the plain bytes in it are known to be clean."""

    deflated: bytes
    plain_end: int


class _PartWriter:
    """Writes one part of a log into the open member of a zip.

    As long as nothing must be masked, the host's own deflate stream is what is kept.  At the first secret,
    or where that stream turns out to be broken, the member is packed again from its beginning, behind what
    is already there, which is then taken away.  No secret is ever written.
    """

    def __init__(self, archive: ZipWriter, part: LogPart) -> None:
        self._zip = archive
        self._part = part
        self._plain = 0
        self._waiting: deque[_Piece] = deque()
        self._as_sent = True
        self._nothing_sent = True
        self._dropped = 0
        self._fresh()

    def _fresh(self) -> None:
        self._masker = Masker()
        self._packer = raw_deflate()
        self._sha256 = hashlib.sha256()
        self._crc = 0
        self._kept = 0

    def data(self, plain: bytes, deflated: bytes | None) -> None:
        if deflated is None and self._as_sent and self._nothing_sent:
            self._as_sent = False
        self._nothing_sent = False
        self._plain += len(plain)
        if self._as_sent:
            self._waiting.append(_Piece(deflated or b"", self._plain))
            self._digest(self._masker.feed(plain))
            if self._masker.count:
                self._pack_again()
            else:
                self._write_settled(self._masker.settled)
        else:
            self._pack(self._masker.feed(plain))

    def end(self, *, deflate_whole: bool) -> LogPart:
        if self._as_sent:
            self._digest(self._masker.finish())
            if self._masker.count or not deflate_whole or self._nothing_sent:
                self._pack_again()
            else:
                self._write_settled(self._plain)
        if not self._as_sent:
            self._pack(self._masker.finish())
            self._zip.write(self._packer.flush())
            self._zip.drop_front(self._dropped)
        self._zip.end(self._crc, self._kept)
        redacted = self._masker.count
        return replace(self._part, length=self._plain, sha256=self._sha256.hexdigest(), redacted=redacted)

    def _write_settled(self, settled: int) -> None:
        while self._waiting and self._waiting[0].plain_end <= settled:
            self._zip.write(self._waiting.popleft().deflated)

    def _digest(self, kept: bytes) -> None:
        self._sha256.update(kept)
        self._crc = zlib.crc32(kept, self._crc)
        self._kept += len(kept)

    def _pack(self, masked: bytes) -> None:
        self._digest(masked)
        self._zip.write(self._packer.compress(masked))

    def _pack_again(self) -> None:
        """Begin again behind what is written: inflate it, mask it, pack it."""
        sent = self._zip.written()
        self._as_sent = False
        self._dropped = sent
        self._fresh()
        self._plain = 0
        for plain in self._inflated(sent):
            self._plain += len(plain)
            self._pack(self._masker.feed(plain))
        self._waiting.clear()

    def _inflated(self, sent: int) -> Iterator[bytes]:
        inflate = raw_inflate()
        written = (self._zip.read(at, min(_PIECE, sent - at)) for at in range(0, sent, _PIECE))
        waiting = (piece.deflated for piece in self._waiting)
        try:
            for source in (written, waiting):
                for deflated in source:
                    plain = inflate.decompress(deflated, _PIECE)
                    while plain:
                        yield plain
                        plain = inflate.decompress(inflate.unconsumed_tail, _PIECE)
        except zlib.error:
            return  # broken by the way: what came before is kept


def _open_private(path: Path) -> BinaryIO:
    """A new, empty file that only its owner can read; an old one of the name is taken away first."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
    return os.fdopen(descriptor, "w+b", buffering=256 * 1024)


def _sync_folder(folder: Path) -> None:
    """Make a rename last, where the system lets a folder be synced."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _numbered(name: str) -> Iterator[str]:
    yield name
    number = 2
    while True:
        yield f"{name}~{number}"
        number += 1
