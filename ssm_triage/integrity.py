"""Whether evidence is whole: every byte of it against the digests that its manifest holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from collector.errors import EvidenceError
from collector.evidence import Manifest, Status
from collector.evidence.read import Source, discover, open_evidence, verify
from reports.clean import one_line


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of one file."""

    line: str
    """For a person: the file, and ``ok`` or what is wrong."""
    whole: bool


def check_all(paths: Iterable[Path]) -> Iterator[Checked]:
    """Check the evidence of every host at ``paths``; what cannot be read is one more result."""
    for path in paths:
        try:
            for source in discover(path):
                yield _check(source)
        except EvidenceError as error:
            yield _damaged(path, error)
        yield from _unfinished(path)


def _check(source: Source) -> Checked:
    try:
        evidence = open_evidence(source)
        verify(evidence)
    except EvidenceError as error:
        return _damaged(source.path, error)
    manifest = evidence.manifest
    line = f"{source.path}: ok: {one_line(manifest.subject.name)}, {_holds(manifest)}"
    if source.logs is None:
        return Checked(f"{line}, sha256 {manifest.digest}", True)
    unread = [log for log in manifest.logs if log.status is not Status.OK]
    if unread:
        return Checked(f"{source.path}: damaged: {one_line(unread[0].note)}", False)
    return Checked(f"{line}; logs that somebody sent carry no digests to compare with", True)


def _holds(manifest: Manifest) -> str:
    probes, logs = len(manifest.probes), len(manifest.logs)
    if manifest.failure is not None and not probes:
        return f"not reached ({manifest.failure.kind})"
    return f"{probes} probe{'s' * (probes != 1)}, {logs} log{'s' * (logs != 1)}"


def _damaged(path: Path, error: EvidenceError) -> Checked:
    why = str(error).removeprefix(f"{path}: ")
    return Checked(f"{path}: damaged: {one_line(why)}", False)


def _unfinished(path: Path) -> Iterator[Checked]:
    """What a sweep that was killed left behind; other verbs pass it over."""
    for part in sorted(path.rglob("*.zip.part")) if path.is_dir() else ():
        yield Checked(f"{part}: damaged: was never finished; collect this host again", False)
