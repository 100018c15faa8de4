"""Finds and opens evidence: an evidence file, the folder of a run, or logs that somebody sent."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from collector.errors import EvidenceError
from collector.evidence.log_folder import HostLogs, SingleLog, hosts_in, open_host
from collector.evidence.manifest import from_json
from collector.evidence.masked import MaskedStream
from collector.evidence.memory import not_asked
from collector.evidence.model import Clock, Evidence, LogFile, LogPart, Manifest, ProbeResult
from collector.evidence.store import MANIFEST, SUFFIX
from collector.evidence.trees import (
    Tree,
    ZipTree,
    altered,
    checked,
    looks_like_archive,
    open_tree,
    printable,
    reading,
)

MAX_MANIFEST = 32 << 20
MAX_OUTPUTS = 256 << 20
"""Bytes of all probes' outputs together; they are held in memory."""

_NOTHING = hashlib.sha256(b"").hexdigest()
_OF_EVIDENCE = re.compile(r"manifest\.json|script\.\w+|probes/.*|logs/.*")


@dataclass(frozen=True, slots=True)
class Source:
    """Where the evidence of one host lies; picklable, so that another process may open it."""

    path: Path
    logs: HostLogs | None = None
    """Of logs that somebody sent: which files are this host's.  ``None``: ``path`` is an evidence file."""


def discover(path: Path) -> Iterator[Source]:
    """The evidence of every host at ``path``: an evidence file, a run folder, or logs that somebody sent.

    Files that end in ``.part`` were never finished and are passed over.  A damaged file is found all the
    same, and says so when it is opened.

    Raises:
        EvidenceError: nothing is there, it cannot be read, or it holds neither evidence nor logs.
    """
    found = False
    for source in _sources(path):
        found = True
        yield source
    if not found:
        raise EvidenceError(
            f"{path}: neither evidence nor agent logs are in it; name an evidence file, a run folder, or a"
            " folder with amazon-ssm-agent.log"
        )


def open_evidence(path: Path | Source) -> Evidence:
    """Open the evidence of one host.  Digests of probes are checked now, those of logs as they are read.

    Raises:
        EvidenceError: it is damaged, altered, too large, of a newer schema, or of more than one host.
    """
    if isinstance(path, Path):
        sources = list(discover(path))
        if len(sources) > 1:
            raise EvidenceError(f"{path}: holds {len(sources)} hosts; open them one by one")
        path = sources[0]
    if path.logs is None:
        return _open_file(path.path)
    evidence = open_host(_tree(path.path), path.logs)
    return replace(evidence, manifest=replace(evidence.manifest, digest=_digest(path.path)))


@dataclass(frozen=True)
class StoredEvidence:
    """Evidence in an evidence file.  The file is opened for each log and not kept open."""

    tree: ZipTree
    manifest: Manifest

    def probe(self, probe: str) -> ProbeResult:
        return next((result for result in self.manifest.probes if result.probe == probe), not_asked(probe))

    def open_log(self, log: LogFile, part: LogPart) -> BinaryIO:
        """What the host packed is looked through for secrets here: see ``log_parts``."""
        stream = self.tree.open(part.member)
        if not part.packed_sha256:
            return checked(stream, self.tree.path, part.member, sha256=part.sha256)
        if self.tree.packed_sha256(part.member) != part.packed_sha256:
            stream.close()
            raise altered(self.tree.path, part.member)
        return MaskedStream(stream)


def clock_of(source: Source) -> Clock | None:
    """When a host's evidence was collected: from its manifest alone, without looking at the rest of it.

    ``None`` where it does not say, or cannot be read: opening it will tell why.
    """
    if source.logs is not None:
        return None
    try:
        with ZipTree(source.path).open(MANIFEST) as stream:
            return from_json(stream.read(MAX_MANIFEST), str(source.path)).clock
    except EvidenceError:
        return None


def verify(evidence: Evidence) -> None:
    """Read every byte of every log once, so that what digests show is shown now.

    Raises:
        EvidenceError: something in it is damaged or altered.
    """
    for log in evidence.manifest.logs:
        for part in log.parts:
            with evidence.open_log(log, part) as stream:
                while stream.read(1 << 20):
                    pass


def answered(path: Path) -> int:
    """How many bytes a host has said, by its evidence file; 0 where there is none, or a damaged one."""
    try:
        return open_evidence(Source(path)).manifest.answered
    except EvidenceError:
        return 0


def _sources(path: Path) -> Iterator[Source]:
    with reading(path):
        is_file = path.is_file()
    tree = _tree(path)
    if is_file:
        if isinstance(tree, ZipTree) and _is_evidence(tree):
            yield Source(path)
        else:
            yield from (Source(path, logs) for logs in hosts_in(tree))
        return
    for entry in tree.entries():
        if looks_like_archive(entry.name):
            yield from _archive_within(path / entry.name)
    yield from (Source(path, logs) for logs in hosts_in(tree))
    yield from (Source(folder) for folder in sorted(path.glob(f"evidence/*{SUFFIX}")) if folder.is_dir())


def _archive_within(path: Path) -> Iterator[Source]:
    """The hosts in an archive that lies in a folder; a damaged one counts as one host."""
    try:
        sources = list(_sources(path))
    except EvidenceError:
        sources = [Source(path)]
    yield from sources


def _is_evidence(tree: ZipTree) -> bool:
    names = [entry.name for entry in tree.entries()]
    return MANIFEST in names and all(_OF_EVIDENCE.fullmatch(name) for name in names)


def _tree(path: Path) -> Tree:
    with reading(path):
        if path.is_file() and not looks_like_archive(path.name):
            with path.open("rb") as file:
                if not file.read(4).startswith(b"PK"):
                    return SingleLog(path)
    return open_tree(path)


def _open_file(path: Path) -> StoredEvidence:
    tree = ZipTree(path)
    sizes = {entry.name: entry.size for entry in tree.entries()}
    if MANIFEST not in sizes:
        raise EvidenceError(f"{path}: has no {MANIFEST}; it is damaged or not evidence")
    if sizes[MANIFEST] > MAX_MANIFEST:
        raise EvidenceError(f"{path}: {MANIFEST} has {sizes[MANIFEST]} bytes; not read")
    if sum(size for name, size in sizes.items() if name.startswith("probes/")) > MAX_OUTPUTS:
        raise EvidenceError(
            f"{path}: the outputs of its probes are larger than {MAX_OUTPUTS} bytes; not read"
        )
    manifest = from_json(tree.contents([MANIFEST])[MANIFEST], str(path))
    probes = _with_outputs(tree, manifest.probes)
    for part in (part for log in manifest.logs for part in log.parts):
        if part.member not in sizes:
            raise EvidenceError(
                f"{path}: {printable(part.member)} is missing; the file was damaged or altered"
            )
    return StoredEvidence(tree, replace(manifest, probes=probes, digest=_digest(path)))


def _with_outputs(tree: ZipTree, probes: Sequence[ProbeResult]) -> tuple[ProbeResult, ...]:
    outputs = tree.contents(_output_of(result) for result in probes if result.sha256 != _NOTHING)
    for result in probes:
        output = outputs.get(_output_of(result))
        if output is not None and hashlib.sha256(output).hexdigest() != result.sha256:
            raise altered(tree.path, _output_of(result))
    return tuple(replace(result, output=outputs.get(_output_of(result), b"")) for result in probes)


def _output_of(result: ProbeResult) -> str:
    return f"probes/{result.probe}.txt"


def _digest(path: Path) -> str:
    """SHA-256 of a file, in hex; of a folder there is none."""
    with reading(path):
        if path.is_dir():
            return ""
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
