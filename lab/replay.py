"""Plays recorded evidence back in the form in which a host's own script would answer."""

from __future__ import annotations

import gzip
import re
import time
from collections.abc import Callable, Iterator, Sequence

from collector.connections.bootstrap import MARK
from collector.evidence import Evidence, LogFile, LogPart

_NONCE = re.compile(rb"^NONCE=([0-9a-f]+)$", re.MULTILINE)
_ASKED = re.compile(rb"\bask ([a-z0-9-]+) probe_")


def replay(evidence: Evidence, script: bytes) -> bytes:
    """The answer to ``script`` of a host on which its probes find what ``evidence`` holds.

    Raises:
        ValueError: this is not the collection script.
    """
    found = _NONCE.search(script)
    if found is None:
        raise ValueError("the script has no nonce")
    asked = [probe.decode() for probe in _ASKED.findall(script)]
    return b"".join(_answer(evidence, found[1], asked))


def _answer(evidence: Evidence, nonce: bytes, asked: Sequence[str]) -> Iterator[bytes]:
    def mark(*words: object) -> bytes:
        return b"\n@@%b %b\n" % (nonce, " ".join(map(str, words)).encode())

    yield MARK + b"root\n"
    yield mark("hello", 1, "gzip", "uid=0", "privilege=root")
    yield mark("local", "gzip")
    frames = []
    for result in evidence.manifest.probes:
        note = [result.note] if result.note else []
        code = 0 if result.exit_code is None else result.exit_code
        frames += [mark("begin", result.probe, "0.00"), result.output]
        frames.append(mark("end", result.probe, result.status, code, "0.01", result.via or "-", *note))
    recorded = {result.probe for result in evidence.manifest.probes}
    for probe in asked:
        if probe not in recorded and probe != "agent-logs":
            frames.append(mark("end", probe, "skipped", 0, "-", "-", "not in the recording"))
    yield gzip.compress(b"".join(frames), 1)
    for log in evidence.manifest.logs:
        for part in log.parts:
            yield _log_head(mark, log, part)
            with evidence.open_log(log, part) as stream:
                yield gzip.compress(stream.read(), 1)
            yield mark("log-end", log.status)
    if "agent-logs" in asked:
        yield mark("end", "agent-logs", "ok", 0, "-", "-")
    yield mark("bye")


def _log_head(mark: Callable[..., bytes], log: LogFile, part: LogPart) -> bytes:
    modified = int(log.modified.timestamp() if log.modified else time.time())
    words = (log.size, modified, part.offset, part.first_line or 0, log.name, log.path)
    return mark("log", "gzip", *words)
