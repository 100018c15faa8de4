"""The plain-text form of structured probe output: named records of ``key=value`` lines and a body.

A script in POSIX ``sh`` can print it without any tool, a person can read it in the evidence, and it survives
being cut anywhere::

    [token]
    url=http://169.254.169.254/latest/api/token
    exit=7
    error=curl: (7) Couldn't connect to server
    [v1]
    http=401
    | <?xml version="1.0" encoding="iso-8859-1"?>

A key may come more than once (``address=``).  Lines that fit nothing are ignored: the output is hostile.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(slots=True)
class Record:
    """One named record.  ``fields`` keeps every value of a key, in order."""

    name: str
    fields: dict[str, list[str]] = field(default_factory=dict)
    body: str = ""

    def get(self, key: str, default: str = "") -> str:
        """The first value of ``key``."""
        values = self.fields.get(key)
        return values[0] if values else default

    def all(self, key: str) -> tuple[str, ...]:
        """Every value of ``key``."""
        return tuple(self.fields.get(key, ()))


def parse_records(output: bytes) -> Iterator[Record]:
    """Read records; what stands before the first name belongs to a record named ``""``, if there is any."""
    current = Record("")
    body: list[str] = []
    for line in output.decode("utf-8", "replace").split("\n"):
        line = line.removesuffix("\r")
        if line.startswith("[") and line.endswith("]"):
            yield from _finished(current, body)
            current, body = Record(line[1:-1]), []
        elif line.startswith("| ") or line == "|":
            body.append(line[2:])
        else:
            key, equals, value = line.partition("=")
            if equals and key:
                current.fields.setdefault(key, []).append(value)
    yield from _finished(current, body)


def _finished(record: Record, body: list[str]) -> Iterator[Record]:
    record.body = "\n".join(body)
    if record.name or record.fields or record.body:
        yield record
