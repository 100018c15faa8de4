"""Writes the evidence of one host to one zip, as it comes.

The file grows as ``<name>.zip.part``; only when it is whole and on the disk does it get its name.  A writer
that ends early (disk full, killed, an exception) leaves no ``<name>.zip``: after an error the ``.part`` is
removed, after ``kill -9`` it stays behind, is passed over by every reader, and the next run writes over it.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from collector.errors import EvidenceError
from collector.evidence.log_parts import PackedPart, PartWriter, PlainPart
from collector.evidence.manifest import to_json
from collector.evidence.memory import SCHEMA
from collector.evidence.model import LogFile, LogHead, LogPart, Manifest, ProbeResult, Status
from collector.evidence.secrets_scan import mask_secrets
from collector.evidence.zip_writer import ZipWriter

MANIFEST = "manifest.json"
SUFFIX = ".zip"
MAX_LOGS = 1 << 30
"""Bytes of logs, unpacked, that one host may send; more is a bomb."""

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
        self._log: PartWriter | None = None
        self._left = MAX_LOGS
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

    def log_begin(self, head: LogHead) -> None:
        """A part of a log file begins: see ``FrameSink``."""
        self._join_or_add(LogFile(head.name, head.path, Status.OK, head.size, head.modified), head.offset)
        member = self._member(f"logs/{self.logs[-1].name}" + (f"@{head.offset}" if head.offset else ""))
        with self._guarded():
            self._zip.begin(member)
        part = LogPart(head.offset, 0, head.first_line, member)
        if head.packed:
            self._log = PackedPart(self._zip, part, head.size - head.offset, self._left)
        else:
            self._log = PlainPart(self._zip, part)

    def log_data(self, data: bytes) -> None:
        """The next bytes of the part, as they were sent."""
        with self._guarded():
            self._open_part().data(data)

    def log_end(self, status: Status, note: str = "") -> None:
        """The part has ended."""
        with self._guarded():
            part, is_whole = self._open_part().end()
            self._log = None
            if status is Status.OK and not is_whole:
                status, note = Status.TRUNCATED, "it was damaged on the way"
            if part.length > self._left:
                part, status, note = replace(part, length=0), Status.TRUNCATED, "it is more than one may send"
            self._left -= part.length
            if not part.length and status is not Status.OK:
                self._zip.cancel()
        log = self.logs[-1]
        if log.status is Status.OK:
            log = replace(log, status=status, note=note)
        if part.length or status is Status.OK:
            log = replace(log, parts=(*log.parts, part))
        self.logs[-1] = log

    def finish(self, manifest: Manifest, *, lasts: bool = True, least: int = 0) -> Path:
        """Write the manifest, with the probes and logs that came, and give the file its name.

        A part of a log that is still open is closed as ``truncated``.  Without ``lasts`` nobody waits for
        the disk: after a loss of power the file may be damaged.  Where the host has said fewer than
        ``least`` bytes, what has the name already keeps it.
        """
        if self._log is not None:
            self.log_end(Status.TRUNCATED, "the connection ended within this file")
        whole = replace(manifest, schema=SCHEMA, probes=tuple(self.probes), logs=tuple(self.logs))
        if whole.answered < least:
            self.abort()
            return self.path
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

    def _open_part(self) -> PartWriter:
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
        member, folded = plain, plain.casefold()
        if folded in self._members:
            names = ((name, name.casefold()) for name in _numbered(plain))
            member, folded = next(pair for pair in names if pair[1] not in self._members)
        self._members.add(folded)
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
