"""The folder that one sweep leaves behind: evidence, diagnoses, reports, and who was not reached."""

from __future__ import annotations

import os
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
        try:
            if folder.path.is_dir() and any(folder.path.iterdir()):
                raise UsageError(f"{where}: the folder is not empty; name a new one with --output")
            folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.evidence.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"{where}: cannot make the run folder: {error.strerror}; name another with --output"
            ) from error
        return folder

    def write_retry(self, names: list[str]) -> None:
        """Keep who was not reached; no file where everybody was."""
        if names:
            descriptor = os.open(self.retry, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as out:
                out.writelines(f"{name}\n" for name in names)


def _unique(where: Path) -> Path:
    """Two runs in one second get two folders."""
    return next(
        path
        for path in (where, *(where.with_name(f"{where.name}-{n}") for n in range(2, 1000)))
        if not path.exists()
    )
