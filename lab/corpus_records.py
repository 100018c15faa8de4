"""The facts of a case as files, and records as the probes print them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Fields = list[tuple[str, str]]
RecordText = tuple[str, Fields, str]
"""Name, fields in order, body."""


class Facts:
    """The outputs of a case's commands, by file name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        index = folder / "INDEX.json"
        self._index: dict[str, dict[str, Any]] = (
            json.loads(index.read_text("utf-8")) if index.exists() else {}
        )

    def __contains__(self, file: str) -> bool:
        """Whether the command was run, whatever it printed."""
        return file in self._index

    def bytes(self, file: str) -> bytes:
        """What the command printed."""
        path = self._folder / file
        return path.read_bytes() if file in self._index and path.exists() else b""

    def text(self, file: str) -> str:
        return self.bytes(file).decode("utf-8", "replace").replace("\r\n", "\n")

    def exit_code(self, file: str) -> int | None:
        return self._index.get(file, {}).get("rc")

    def command(self, file: str) -> str:
        return str(self._index.get(file, {}).get("command", ""))


def write_records(records: Iterable[RecordText]) -> bytes:
    """The text of records, as ``collector.evidence.records`` reads it."""
    lines: list[str] = []
    for name, fields, body in records:
        lines += [f"[{name}]"] if name else []
        lines += [f"{key}={_one_line(value)}" for key, value in fields]
        lines += [f"| {line}" for line in body.splitlines()]
    return "".join(f"{line}\n" for line in lines).encode()


def _one_line(value: str) -> str:
    return " ".join(value.split())
