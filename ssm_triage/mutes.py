"""``--mute FILE``: causes that somebody knows of, and that shall not count for the exit code.

A file is a list of entries; what a cause is called, ``ssm-triage explain`` tells::

    - slug: proxy-no-noproxy-imds     # or a pattern: proxy-*
      hosts: web*                     # one pattern or a list of them; all hosts where left out
      reason: proxy change CHG-4711
      until: 2026-12-31               # the last day; for good where left out

Reports tell a muted cause like any other: it is still there.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from analyzers.diagnosis import Diagnosis, RootCause, Verdict
from collector.errors import UsageError

_KEYS = ("slug", "hosts", "reason", "until")


@dataclass(frozen=True, slots=True)
class Mute:
    """One entry."""

    slug: str
    hosts: tuple[str, ...]
    reason: str
    until: date | None
    origin: str
    """``mutes.yaml, entry 2``."""

    def covers(self, host: str, cause: RootCause) -> bool:
        """Whether it speaks of this cause on this host."""
        return fnmatchcase(cause.slug, self.slug) and any(fnmatchcase(host, glob) for glob in self.hosts)


@dataclass(frozen=True, slots=True)
class Mutes:
    """The entries that hold today, and those that have run out."""

    active: tuple[Mute, ...] = ()
    expired: tuple[Mute, ...] = ()

    def of(self, diagnosis: Diagnosis) -> list[tuple[RootCause, Mute]]:
        """The muted causes of one host, each with the entry that mutes it."""
        return [
            (cause, mute)
            for cause in diagnosis.causes
            for mute in [next((m for m in self.active if m.covers(diagnosis.subject.name, cause)), None)]
            if mute is not None
        ]

    def counted(self, diagnosis: Diagnosis) -> Verdict:
        """The verdict as the exit code counts it: a host whose causes are all muted is as good as healthy."""
        if diagnosis.causes and len(self.of(diagnosis)) == len(diagnosis.causes):
            return Verdict.HEALTHY
        return diagnosis.verdict


def load_mutes(paths: Iterable[Path], today: date) -> Mutes:
    """Read the files of ``--mute``.

    Raises:
        UsageError: a file cannot be read, or an entry says something that cannot be.
    """
    mutes = [mute for path in paths for mute in _file(path)]
    expired = tuple(mute for mute in mutes if mute.until is not None and mute.until < today)
    return Mutes(tuple(mute for mute in mutes if mute not in expired), expired)


def _file(path: Path) -> Sequence[Mute]:
    import yaml

    try:
        entries = yaml.safe_load(path.read_bytes())
    except OSError as error:
        raise UsageError(f"--mute {path}: cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark else ""
        raise UsageError(f"--mute {path}: is not YAML{where}") from None
    if not isinstance(entries, list):
        raise UsageError(f"--mute {path}: must be a list of entries with slug and reason")
    return [_entry(entry, f"{path}, entry {number}") for number, entry in enumerate(entries, 1)]


def _entry(entry: Any, where: str) -> Mute:
    if not isinstance(entry, dict):
        raise UsageError(f"--mute {where}: is not a mapping of {', '.join(_KEYS)}")
    for key in entry:
        if key not in _KEYS:
            raise UsageError(f"--mute {where}: unknown key {key!r}; there is: {', '.join(_KEYS)}")
    reason = entry.get("reason")
    if not isinstance(reason, str) or not reason.strip():
        raise UsageError(f"--mute {where}: has no reason; say in words why the cause may stay")
    return Mute(_slug(entry.get("slug"), where), _hosts(entry, where), reason, _until(entry, where), where)


def _slug(slug: Any, where: str) -> str:
    from analyzers.explain import texts

    known = [text.slug for text in texts()]
    if not isinstance(slug, str) or not slug:
        raise UsageError(f"--mute {where}: has no slug; `ssm-triage explain` lists them")
    if not any(fnmatchcase(one, slug) for one in known):
        near = difflib.get_close_matches(slug, known, 3)
        hint = f"did you mean {', '.join(near)}?" if near else "`ssm-triage explain` lists them"
        raise UsageError(f"--mute {where}: {slug}: there is no cause of that name; {hint}")
    return slug


def _hosts(entry: dict[str, Any], where: str) -> tuple[str, ...]:
    hosts = entry.get("hosts", "*")
    globs = hosts if isinstance(hosts, list) else [hosts]
    if not globs or not all(isinstance(glob, str) and glob for glob in globs):
        raise UsageError(f"--mute {where}: hosts must be a pattern such as 'web*', or a list of them")
    return tuple(globs)


def _until(entry: dict[str, Any], where: str) -> date | None:
    until = entry.get("until")
    if isinstance(until, datetime):
        return until.date()
    if until is None or isinstance(until, date):
        return until
    raise UsageError(f"--mute {where}: until must be a day, as in 2026-12-31")
