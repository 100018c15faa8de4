"""The folder that one sweep leaves behind: evidence, diagnoses, reports, and who was not reached."""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from collector.errors import EvidenceError, UsageError

if TYPE_CHECKING:
    from collector.evidence.model import Manifest

DEFAULT_PARENT = "ssm-triage-runs"
_LOCK, _PART = ".lock", ".part"
_NO_LOCKS_HERE = {errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL}
"""What file systems say that know no locks."""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The places within one run's folder.  Everything in it is for its owner's eyes only."""

    path: Path

    @property
    def evidence(self) -> Path:
        return self.path / "evidence"

    @property
    def report(self) -> Path:
        return self.path / "report"

    @property
    def diagnosis(self) -> Path:
        """All diagnoses, for programs."""
        return self.report / "diagnosis.json"

    @property
    def retry(self) -> Path:
        """Hosts not reached, one a line: ``-l @FILE`` asks them again."""
        return self.path / "unreached.retry"

    @property
    def call(self) -> Path:
        """How the sweep was called, for ``--resume``."""
        return self.path / "run.json"

    @classmethod
    def create(cls, path: Path | None) -> RunFolder:
        """Make the folder: ``path``, or one named after the time in ``ssm-triage-runs``.

        Raises:
            UsageError: it cannot be made, or holds something else already.
        """
        where = path or Path(DEFAULT_PARENT) / datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        folder = cls(_unique(where) if path is None else where)
        if not folder._is_still_born():
            new_folder(folder.path)
        new_folder(folder.evidence)
        return folder

    def _is_still_born(self) -> bool:
        """A run that was killed before it had written down how it was called: no host had been asked."""
        with suppress(OSError):
            names = {entry.name for entry in self.path.iterdir()}
            return bool(names) and names <= {_LOCK, self.evidence.name, self.call.name + _PART}
        return False

    @classmethod
    def reopen(cls, path: Path) -> RunFolder:
        """The folder of a run that was begun before.

        Raises:
            UsageError: it is none.
        """
        folder = cls(path)
        if not folder.evidence.is_dir():
            raise UsageError(f"--resume {path}: is no run folder; name the one that `ssm-triage run` made")
        return folder

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else writes here meanwhile; the lock goes with the process, however that ends.

        Raises:
            UsageError: somebody does.
        """
        try:
            descriptor = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise UsageError(f"{self.path}: cannot be written to: {error.strerror}") from None
        try:
            _lock(descriptor, self.path)
            yield
        finally:
            os.close(descriptor)

    def kept(self) -> dict[str, Path]:
        """Evidence that is there already and need not be collected again, by host.

        What is damaged, in whatever byte, is not; nor is a host that gave no answer, or broke off in it.
        """
        whole = {path: whole_manifest(path) for path in sorted(self.evidence.glob("*.zip"))}
        return {
            manifest.subject.name: path
            for path, manifest in whole.items()
            if manifest is not None and manifest.failure is None
        }

    def clear_unfinished(self) -> None:
        """Take away what a killed run was in the middle of."""
        for path in (
            *self.path.glob("*.part"),
            *self.evidence.glob("*.part"),
            *self.report.rglob(".writing-*"),
        ):
            with suppress(OSError):  # somebody looked after it already
                path.unlink()

    def write_retry(self, names: list[str]) -> None:
        """Keep who was not reached, or broke off; no file where nobody did.

        Raises:
            EvidenceError: it cannot be written.
        """
        if names:
            write_whole(self.retry, "".join(f"{pattern_of(name)}\n" for name in sorted(names)))
        else:
            with suppress(OSError):  # a folder that cannot be written to has been told of before
                self.retry.unlink(missing_ok=True)


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(descriptor, 32).decode("ascii", "replace").strip()
        who = f" (process {holder})" if holder.isdigit() else ""
        raise UsageError(
            f"{path}: another ssm-triage{who} works in this folder; wait for its end, or choose another"
        ) from None
    except OSError as error:
        if error.errno not in _NO_LOCKS_HERE:
            raise UsageError(f"{path}: cannot be locked: {error.strerror}") from None
    with suppress(OSError):  # a full disk: only the name of the holder is lost
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)


def whole_manifest(path: Path) -> Manifest | None:
    """What an evidence file says of itself, once every byte of it has been read; ``None``: it is damaged."""
    from collector.evidence.read import Source, open_evidence, verify

    try:
        evidence = open_evidence(Source(path))
        verify(evidence)
    except EvidenceError:
        return None
    return evidence.manifest


def pattern_of(name: str) -> str:
    """A line of a file for ``-l @FILE`` that means this host alone, whatever its name is made of."""
    if name.isprintable() and name == name.strip() and name[:1] not in {"&", "!", "#", "@"}:
        return name
    return "~^" + "".join(f"\\U{ord(letter):08x}" for letter in name) + r"\Z"


def new_folder(path: Path) -> None:
    """Make a folder for its owner's eyes only.

    Raises:
        UsageError: it cannot be made, or holds something already.
    """
    try:
        if path.is_dir() and any(path.iterdir()):
            raise UsageError(
                f"{path}: the folder is not empty; name a new one with --output, or go on with --resume"
            )
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"{path}: cannot make the folder: {error.strerror}; name another with --output"
        ) from error


def write_whole(path: Path, text: str) -> None:
    """Write a file of a run folder: it stands there whole, on the disk, or not at all.

    Raises:
        EvidenceError: it cannot be written.
    """
    part = path.with_name(path.name + _PART)
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        part.replace(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise EvidenceError(
            f"{path}: cannot be written: {error.strerror}; free some space or choose another output folder"
        ) from None


def write_key_map(path: Path, used: Mapping[str, Mapping[str, str]]) -> None:
    """Keep what stands for what: by kind, the value and its stand-in.

    Raises:
        UsageError: it cannot be written.
    """
    write_private(path, json.dumps(used, indent=1, sort_keys=True) + "\n", option="--map")


def write_private(path: Path, text: str, *, option: str) -> None:
    """Write a file for its owner's eyes only; ``option`` is what named it.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        _write_private(path, text)
    except OSError as error:
        raise UsageError(f"{option} {path}: cannot be written: {error.strerror}") from error


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        os.fchmod(out.fileno(), 0o600)
        out.write(text)


def _unique(where: Path) -> Path:
    """Two runs in one second get two folders."""
    return next(
        path
        for path in (where, *(where.with_name(f"{where.name}-{n}") for n in range(2, 1000)))
        if not path.exists()
    )
