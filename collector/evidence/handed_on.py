"""Evidence for others: looked through once more, as a large log was only by the host (``log_parts.py``)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from collector.errors import EvidenceError
from collector.evidence.masked import MaskedStream
from collector.evidence.model import Evidence, LogFile, LogHead, LogPart
from collector.evidence.read import open_evidence
from collector.evidence.store import EvidenceWriter

_PIECE = 1 << 20


def fit_to_hand_on(path: Path, folder: Path) -> Path:
    """An evidence file without secrets: ``path`` itself where it holds none, else a copy in ``folder``.

    A file that cannot be read is no evidence of anything, and stays as it is.

    Raises:
        EvidenceError: the copy cannot be written.
    """
    try:
        evidence = open_evidence(path)
        has_secrets = any(_has_secrets(evidence, log, part) for log, part in _as_sent(evidence))
    except EvidenceError:
        return path
    return _copied(evidence, folder) if has_secrets else path


def _as_sent(evidence: Evidence) -> list[tuple[LogFile, LogPart]]:
    return [(log, part) for log in evidence.manifest.logs for part in log.parts if part.packed_sha256]


def _has_secrets(evidence: Evidence, log: LogFile, part: LogPart) -> bool:
    with evidence.open_log(log, part) as stream:
        while stream.read(_PIECE):
            pass
        return isinstance(stream, MaskedStream) and stream.count > 0


def _copied(evidence: Evidence, folder: Path) -> Path:
    manifest = evidence.manifest
    with EvidenceWriter(folder, manifest.subject.name) as writer:
        for result in manifest.probes:
            writer.probe(result)
        for log in manifest.logs:
            if log.parts:
                _copy_log(evidence, log, writer)
            else:
                writer.logs.append(log)
        return writer.finish(manifest)


def _copy_log(evidence: Evidence, log: LogFile, writer: EvidenceWriter) -> None:
    for part in log.parts:
        writer.log_begin(
            LogHead(log.name, log.path, log.size, log.modified, part.offset, part.first_line, packed=False)
        )
        with evidence.open_log(log, part) as stream:
            while piece := stream.read(_PIECE):
                writer.log_data(piece)
            masked = stream.count if isinstance(stream, MaskedStream) else part.redacted
        writer.log_end(log.status, log.note)
        written = writer.logs[-1]
        counted = replace(written.parts[-1], redacted=masked)
        writer.logs[-1] = replace(written, parts=(*written.parts[:-1], counted))
