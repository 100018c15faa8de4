"""The folder that one sweep leaves behind: evidence, diagnoses, reports, and who was not reached."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from collector.errors import UsageError

DEFAULT_PARENT = "ssm-triage-runs"


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

    @classmethod
    def create(cls, path: Path | None) -> RunFolder:
        """Make the folder: ``path``, or one named after the time in ``ssm-triage-runs``.

        Raises:
            UsageError: it cannot be made, or holds something else already.
        """
        where = path or Path(DEFAULT_PARENT) / datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        folder = cls(_unique(where) if path is None else where)
        new_folder(folder.path)
        new_folder(folder.evidence)
        return folder

    def write_retry(self, names: list[str]) -> None:
        """Keep who was not reached; no file where everybody was."""
        if names:
            _write_private(self.retry, "".join(f"{name}\n" for name in names))


def new_folder(path: Path) -> None:
    """Make a folder for its owner's eyes only.

    Raises:
        UsageError: it cannot be made, or holds something already.
    """
    try:
        if path.is_dir() and any(path.iterdir()):
            raise UsageError(f"{path}: the folder is not empty; name a new one with --output")
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"{path}: cannot make the folder: {error.strerror}; name another with --output"
        ) from error


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
