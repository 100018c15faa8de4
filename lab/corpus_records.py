"""The facts of a case as files, and records as the probes print them."""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterable, Iterator
from pathlib import Path
from typing import Any

Fields = list[tuple[str, str]]
RecordText = tuple[str, Fields, str]
"""Name, fields in order, body."""


class Facts:
    """The outputs of a case's commands, by file name.

    ``INDEX.json`` says of a command that printed nothing that it is ``empty``; a file that is listed and not
    there was lost, and is as good as never collected.  Where the index itself is lost, what is there counts.
    """

    def __init__(self, folder: Path, without: Container[str] = ()) -> None:
        """``without``: files to leave out, as if they had been lost."""
        self._folder = folder
        self._index = {
            name: about for name, about in _index(folder).items() if name not in without
        }  # fmt: skip

    def __contains__(self, file: str) -> bool:
        """Whether the command was run and its output kept, whatever it printed."""
        about = self._index.get(file)
        return about is not None and (bool(about.get("empty")) or (self._folder / file).is_file())

    def __iter__(self) -> Iterator[str]:
        return (file for file in self._index if file in self)

    def bytes(self, file: str) -> bytes:
        """What the command printed."""
        path = self._folder / file
        return path.read_bytes() if file in self and path.is_file() else b""

    def text(self, file: str) -> str:
        return self.bytes(file).decode("utf-8", "replace").replace("\r\n", "\n")

    def exit_code(self, file: str) -> int | None:
        """As it was kept; where that was lost, as the command's own complaint tells it."""
        code = self._index.get(file, {}).get("rc")
        return code if isinstance(code, int) else _told_exit(self.text(file))

    def command(self, file: str) -> str:
        return str(self._index.get(file, {}).get("command", ""))

    def commands(self) -> Iterator[str]:
        """Every command that was run."""
        return (str(about.get("command", "")) for about in self._index.values())

    def host_of(self, service: str, files: Iterable[str]) -> str:
        """The name of a service's endpoint, as these commands asked for it, or as they printed it."""
        name = re.compile(rf"(?<![\w.-]){service}\.[\w-]+(?:\.[\w-]+)*\.[a-z]+\b")
        told = (text for file in files for text in (self.command(file), self.text(file)))
        return next((match[0] for text in told if (match := name.search(text))), "")


def _told_exit(text: str) -> int | None:
    if complaint := re.search(r"(?m)^curl: \((\d+)\) ", text):
        return int(complaint[1])
    return 1 if re.match(r"(?:cat|tail|ls|grep): [^\n]*No such file", text) else None


def _index(folder: Path) -> dict[str, dict[str, Any]]:
    try:
        found = json.loads((folder / "INDEX.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {path.name: {} for path in sorted(folder.glob("*")) if path.name != "INDEX.json"}
    listed = found if isinstance(found, dict) else {}
    return {name: about for name, about in listed.items() if isinstance(about, dict)}


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
