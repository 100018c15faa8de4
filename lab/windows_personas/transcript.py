"""A host played back from the transcript of its self-test (``ssm-triage selftest``).

The transcript holds what the host said to each script, names and addresses replaced; see docs/windows.md for
its form.  A script that was not part of the self-test has no answer here either.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from collector.probes.model import Lane, Probe
from collector.windows_selftest.beliefs import beliefs
from lab.windows.powershell import Answer
from lab.windows_personas.asked import asked_by
from lab.windows_personas.frames import frame


@dataclass(frozen=True)
class TranscriptPersona:
    """One host that somebody asked once (``lab.windows.powershell.Persona``)."""

    scripts: Mapping[str, Mapping[str, Any]] = field(repr=False)
    """By the SHA-256 of a script."""
    host: Mapping[str, Any] = field(repr=False)
    """What the collecting script gave: ``hello``, ``probes``, ``logs``."""

    @classmethod
    def read(cls, path: Path) -> TranscriptPersona:
        """Of a transcript's file; ``ValueError`` where it is none."""
        document = json.loads(path.read_text("utf-8"))
        if document.get("transcript") != 1:
            raise ValueError(f"{path}: not the transcript of a self-test")
        return cls(document["scripts"], document["host"] or {})

    def __call__(self, script: bytes) -> bytes | Answer:
        """What the host would say to ``script``; ``UnknownScript`` where nobody asked it."""
        said = self.scripts.get(hashlib.sha256(script).hexdigest())
        if said is not None:
            return Answer(_stdout(said), _as_clixml(said["stderr"]), said["exit_code"] or 0)
        asked = asked_by(script)
        return b"".join(self._frames(asked.nonce, asked.probes))

    def _frames(self, nonce: str, asked: Sequence[Probe]) -> list[bytes]:
        probes: Mapping[str, Any] = self.host["probes"]
        parts = [frame(nonce, {"hello": self.host["hello"]})]
        for probe in asked:
            told = dict(probes.get(probe.id, {"status": "absent", "output": ""}))
            output = told.pop("output").encode("utf-8", "surrogateescape")
            logs = self.host["logs"] if probe.lane is Lane.LOG else []
            for log in logs:
                head = {key: log[key] for key in ("name", "path", "size", "modified", "offset", "line")}
                parts.append(frame(nonce, {"log": head}, log["text"].encode("utf-8", "surrogateescape")))
                parts.append(frame(nonce, {"log_end": log["status"], "note": log["note"]}))
            parts.append(frame(nonce, {"probe": probe.id, **told}, output))
        return [*parts, frame(nonce, {"bye": True})]


def _stdout(said: Mapping[str, Any]) -> bytes:
    if said.get("as_believed"):
        return next(b.expected or b"" for b in beliefs() if b.name == said["check"])
    if "stdout_base64" in said:
        return base64.b64decode(said["stdout_base64"])
    return str(said["stdout"]).encode("utf-8")


def _as_clixml(words: str) -> str:
    """Words on standard error, as PowerShell wraps them."""
    return f'<Objs><S S="Error">{escape(words)}</S></Objs>' if words else ""
