"""What the collecting script puts out, made from a persona's probes and logs."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

_WIDTH = 76


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
        path = "C:\\ProgramData\\Amazon\\SSM\\Logs\\" + name.replace("/", "\\")
        told = {"name": name, "path": path, "size": len(body), "modified": 1795415900, "offset": 0, "line": 1}
        parts.append(frame(nonce, {"log": told}, body))
        parts.append(frame(nonce, {"log_end": "ok"}))
    return b"".join((*parts, frame(nonce, {"bye": True})))
