"""Agent logs that somebody sent, in a folder or an archive: which files they are, and of which host.

Nothing but logs is known of such a host: every fact is unknown, the verdict comes from the logs alone.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, cast

from collector.errors import EvidenceError
from collector.evidence.memory import SCHEMA, not_asked
from collector.evidence.model import LogFile, LogPart, Manifest, ProbeResult, Status, Subject
from collector.evidence.secrets_scan import Masker, mask_secrets
from collector.evidence.trees import Entry, Tree, checked, looks_like_archive, reading, unpacked
from collector.target import Platform

Folder = tuple[str, ...]

MAX_JOURNAL = 1 << 20
"""How much of the end of a journal is kept, in bytes."""

_PIECE = 256 * 1024
_AGENT_LOG = re.compile(
    r"(?P<host>.+?[-_.])??"
    r"(?P<log>(?:amazon-ssm-agent|ssm-(?:agent|document|session)-worker|errors|hibernate)\.log"
    r"(?:\.\d{1,3}|[-._]\d{8}(?:[-_.]?\d{4,6})?)?)"
    r"(?:\.txt|\.log)?(?:\.gz|\.bz2|\.xz)?",
    re.IGNORECASE,
)
_AUDIT = re.compile(
    r"(?P<log>amazon-ssm-agent-audit-\d{4}-\d\d-\d\d)(?:\.txt)?(?:\.gz|\.bz2|\.xz)?", re.IGNORECASE
)
_JOURNAL = re.compile(r"(?:.*[-_.])?(?:journal|journalctl|syslog|messages)(?:[-_.][\w.-]*)?", re.IGNORECASE)
_NOT_TEXT = (".journal", ".json", ".html", ".png", ".pdf", ".evtx", ".zip", ".tar", ".tgz")
_TIMED_LINE = re.compile(rb"(?m)^.{0,4}\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d")
_OF_ALL_PROGRAMS = re.compile(r"syslog|messages", re.IGNORECASE)
_AGENT_LINE = re.compile(rb"amazon-ssm-agent|ssm-agent-worker|amazon\.ssm")
_COMMON_FOLDERS = {"amazon", "audits", "log", "logs", "private", "programdata", "ssm", "var", "c", "c:", ""}
_INSTANCE = re.compile(r"m?i-[0-9a-f]{8,17}")


class Kind(Enum):
    """What a file in a folder of logs is."""

    MAIN = "main"
    """A log that shows where a host's log folder is."""
    SIDE = "side"
    """A log that other programs may name alike (``errors.log``), or an audit file."""
    JOURNAL = "journal"


@dataclass(frozen=True, slots=True)
class FoundLog:
    """One file worth reading."""

    kind: Kind
    folder: Folder
    """Where it lies; a host's name before the file's name counts as a folder."""
    log: str
    """The agent's own name for it."""
    entry: Entry


@dataclass(frozen=True, slots=True)
class HostLogs:
    """The logs of one host."""

    host: str
    root: Folder
    """The host's log folder."""
    found: tuple[FoundLog, ...]


@dataclass(frozen=True, slots=True)
class SingleLog:
    """A tree of one log file, which the user has named: its own name need not say what it is."""

    path: Path

    def entries(self) -> Iterator[Entry]:
        with reading(self.path), self.path.open("rb") as file:
            found = self.path.stat()
            head = file.read(64 * 1024)
        name = self.path.name
        if recognise(Entry(name, 0, None)) is None:
            if not _TIMED_LINE.search(head.replace(b"\0", b"")):
                raise EvidenceError(f"{self.path}: neither evidence, nor an archive, nor a log of the agent")
            name = "amazon-ssm-agent.log"
        yield Entry(name, found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))

    def open(self, name: str) -> BufferedReader:
        with reading(self.path):
            return self.path.open("rb")


def recognise(entry: Entry) -> FoundLog | None:
    """What a file is, by its name; ``None``: nothing of the agent's."""
    *folders, name = entry.name.replace("\\", "/").split("/")
    folder = tuple(folders)
    if match := _AGENT_LOG.fullmatch(name):
        log = match["log"].lower()
        host = (match["host"] or "").rstrip("-_.")
        kind = Kind.SIDE if log.startswith("errors") else Kind.MAIN
        return FoundLog(kind, (*folder, host) if host else folder, log, entry)
    if match := _AUDIT.fullmatch(name):
        return FoundLog(Kind.SIDE, folder, match["log"].lower(), entry)
    if _JOURNAL.fullmatch(name) and not name.lower().endswith(_NOT_TEXT):
        return FoundLog(Kind.JOURNAL, folder, name, entry)
    return None


def hosts_in(tree: Tree) -> list[HostLogs]:
    """The hosts whose logs are in a tree; one folder with logs is one host.

    Raises:
        EvidenceError: the tree cannot be read.
    """
    found = [log for log in map(recognise, tree.entries()) if log]
    anchors = {log.folder for log in found if log.kind is Kind.MAIN}
    anchors = anchors or {log.folder for log in found if log.log.startswith("errors")}
    roots = sorted(root for root in anchors if not any(root[:depth] in anchors for depth in range(len(root))))
    branches = _branches(roots)
    common = _common_prefix(list(branches.values())) if len(roots) > 1 else ()
    return [
        HostLogs(
            "/".join(branch[len(common) :]) or _host_name(tree.path, root),
            root,
            tuple(log for log in found if _belongs(log, root, branch)),
        )
        for root, branch in branches.items()
    ]


def open_host(tree: Tree, logs: HostLogs) -> LogFolderEvidence:
    """The evidence of one host's logs.  A file that cannot be read is noted, and the others are.

    Raises:
        EvidenceError: the tree itself cannot be read.
    """
    files: list[LogFile] = []
    probes: list[ProbeResult] = []
    for log in logs.found:
        if log.kind is Kind.JOURNAL:
            probes.append(_journal(tree, log))
        else:
            files.append(_log_file(tree, log, logs.root, {file.name for file in files}))
    windows = any(file.name.startswith("ssm-agent-worker.log") for file in files)
    instance = _INSTANCE.search(logs.host)
    subject = Subject(
        logs.host,
        platform=Platform.WINDOWS if windows else Platform.AUTO,
        instance_id=instance[0] if instance else None,
    )
    manifest = Manifest(SCHEMA, "", "log-folder", subject, probes=_newest(probes), logs=tuple(files))
    return LogFolderEvidence(tree, manifest)


@dataclass(frozen=True)
class LogFolderEvidence:
    """The logs of one host in a folder or an archive.  Secrets in them are masked as they are read."""

    tree: Tree
    manifest: Manifest

    def probe(self, probe: str) -> ProbeResult:
        return next((result for result in self.manifest.probes if result.probe == probe), not_asked(probe))

    def open_log(self, log: LogFile, part: LogPart) -> BinaryIO:
        plain = unpacked(self.tree.open(log.path), log.size, f"{self.tree.path}: {log.path}")
        masked = cast(BinaryIO, _Masked(plain, part.length))
        return checked(masked, self.tree.path, log.path)


def _log_file(tree: Tree, log: FoundLog, root: Folder, taken: set[str]) -> LogFile:
    folder = log.folder[len(root) :]
    if "-audit-" in log.log and folder[-1:] != ("audits",):
        folder = (*folder, "audits")
    name = "/".join((*folder, log.log))
    if name in taken:
        name = f"{name}~{log.entry.name.rsplit('/', 1)[-1]}"
    file = LogFile(name, log.entry.name, Status.OK, log.entry.size, log.entry.modified)
    size, damage = _measure(tree, log)
    if damage:
        file = replace(file, status=Status.TRUNCATED if size else Status.ERROR, note=damage)
    return replace(file, size=size, parts=(LogPart(0, size),) if size or not damage else ())


def _measure(tree: Tree, log: FoundLog) -> tuple[int, str]:
    """How many plain bytes a log has, and what is wrong with it."""
    size = 0
    try:
        plain = unpacked(tree.open(log.entry.name), log.entry.size, log.entry.name)
        with closing(checked(plain, tree.path, log.entry.name)) as stream:
            while data := stream.read1(_PIECE):
                size += len(data)
    except EvidenceError as error:
        return size, str(error)
    return size, ""


def _journal(tree: Tree, log: FoundLog) -> ProbeResult:
    """The end of a journal; of one that all programs write to, the agent's lines."""
    lines: deque[bytes] = deque()
    kept = 0
    only_agent = bool(_OF_ALL_PROGRAMS.search(log.log))
    status, note = Status.OK, ""
    try:
        plain = unpacked(tree.open(log.entry.name), log.entry.size, log.entry.name)
        with closing(checked(plain, tree.path, log.entry.name)) as stream:
            while line := stream.readline(64 * 1024):
                if only_agent and not _AGENT_LINE.search(line):
                    continue
                lines.append(line)
                kept += len(line)
                while kept > MAX_JOURNAL:
                    kept -= len(lines.popleft())
    except EvidenceError as error:
        status, note = (Status.TRUNCATED if lines else Status.ERROR), str(error)
    output, redacted = mask_secrets(b"".join(lines))
    return ProbeResult("journal", status, output, via=log.entry.name, note=note, redacted=redacted)


def _newest(journals: list[ProbeResult]) -> tuple[ProbeResult, ...]:
    """One journal: all that was found, in the order of names, as one."""
    told = [journal for journal in journals if journal.output]
    if not told:
        return tuple(journals[:1])
    output = b"".join(journal.output for journal in told)[-MAX_JOURNAL:]
    return (replace(told[0], output=output, via=", ".join(journal.via for journal in told)),)


class _Masked:
    """The first ``length`` bytes of a file, with their secrets masked."""

    def __init__(self, file: BinaryIO, length: int) -> None:
        self._file, self._left = file, length
        self._masker = Masker()
        self._ready = b""

    def read(self, size: int) -> bytes:
        while not self._ready and self._left:
            data = self._file.read(min(_PIECE, self._left))
            self._left -= len(data)
            self._ready = self._masker.feed(data)
            if not data or not self._left:
                self._left = 0
                self._ready += self._masker.finish()
        piece, self._ready = self._ready[:size], self._ready[size:]
        return piece

    def close(self) -> None:
        self._file.close()


def _branches(roots: list[Folder]) -> dict[Folder, Folder]:
    """Of each host's log folder, the topmost folder above it that no other host is beneath."""
    if len(roots) == 1:
        return {roots[0]: ()}
    beneath = Counter(root[:depth] for root in roots for depth in range(len(root) + 1))
    return {
        root: next(root[:depth] for depth in range(len(root) + 1) if beneath[root[:depth]] == 1)
        for root in roots
    }


def _belongs(log: FoundLog, root: Folder, branch: Folder) -> bool:
    home = branch if log.kind is Kind.JOURNAL else root
    return log.folder[: len(home)] == home


def _common_prefix(folders: Iterable[Folder]) -> Folder:
    common: list[str] = []
    for level in zip(*(folder[:-1] for folder in folders), strict=False):
        if len(set(level)) > 1:
            break
        common.append(level[0])
    return tuple(common)


def _host_name(path: Path, root: Folder) -> str:
    """What to call the only host of a tree: the nearest name above its logs that says something."""
    for name in _names_above(path, root):
        if name.lower() not in _COMMON_FOLDERS:
            return name
    return "host"


def _names_above(path: Path, root: Folder) -> Iterator[str]:
    yield from reversed(root)
    top = path.resolve()
    if looks_like_archive(top.name):
        yield re.sub(r"(\.tar)?\.\w+$", "", top.name)
    else:
        yield from (folder.name for folder in (top, *top.parents))
