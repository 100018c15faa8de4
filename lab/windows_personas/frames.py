"""What the collecting script puts out, made from a persona's probes and logs."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_WIDTH = 76
_BLOCK = 1 << 18
"""Bytes of a log in one frame."""


def frame(nonce: str, head: Mapping[str, Any], body: bytes = b"") -> bytes:
    """One frame, as ``collector/probes/windows_frame.py`` has it."""
    packed = gzip.compress(json.dumps(head).encode("ascii") + b"\n" + body, mtime=0)
    text = base64.b64encode(packed).decode("ascii")
    lines = "\r\n".join(text[at : at + _WIDTH] for at in range(0, len(text), _WIDTH))
    digest = hashlib.sha256(packed).hexdigest()
    return f"\n@@BEGIN {nonce} {len(packed)} {digest}\n{lines}\n@@END {nonce} 0\n".encode("ascii")


def answer(
    nonce: str,
    asked: Sequence[str],
    probes: Mapping[str, tuple[str, bytes]],
    logs: Mapping[str, bytes],
    user: str,
    log_budget: int | None = None,
) -> bytes:
    """The whole answer: a probe that the persona says nothing of is ``absent``."""
    hello = {
        "version": "1",
        "user": user,
        "privilege": "administrator",
        "powershell": "5.1",
        "language": "FullLanguage",
    }
    parts = [frame(nonce, {"hello": hello})]
    for probe in asked:
        status, output = probes.get(probe, ("absent", b""))
        head = {"probe": probe, "status": status, "ms": 20, "via": "", "note": "", "ran_as": user}
        parts.append(frame(nonce, head, output))
    for name, body in logs.items():
        parts += _log(nonce, name, body, log_budget)
    return b"".join((*parts, frame(nonce, {"bye": True})))


def _log(nonce: str, name: str, body: bytes, budget: int | None) -> Iterator[bytes]:
    """The runs of one log, each in blocks, as ``logs.ps1`` sends them."""
    path = "C:\\ProgramData\\Amazon\\SSM\\Logs\\" + name.replace("/", "\\")
    for start, end in _runs(body, budget):
        line = None if start else 1
        told = {"name": name, "path": path, "size": len(body), "modified": 1795415900, "offset": start}
        head: dict[str, Any] = {"log": {**told, "line": line}}
        for at in range(start, max(end, start + 1), _BLOCK):
            yield frame(nonce, head, body[at : min(at + _BLOCK, end)])
            head = {"more": True}
        yield frame(nonce, {"log_end": "ok"})


def _runs(body: bytes, budget: int | None) -> Iterator[tuple[int, int]]:
    """Which bytes are sent: all, or the head of the last start and the tail."""
    share = len(body) if budget is None else budget * 3 // 4
    if len(body) <= share:
        yield 0, len(body)
        return
    tail = body.index(b"\n", len(body) - share * 3 // 4) + 1
    start = body.rfind(b"\n", 0, max(0, body.rfind(b"Proxy environment variables:"))) + 1
    if 0 < start < tail:
        yield start, min(tail, start + share // 4)
    yield tail, len(body)
