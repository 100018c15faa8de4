"""``ssm-cli get-diagnostics``: the agent's own checks, as a second opinion."""

from __future__ import annotations

import json
from dataclasses import dataclass

from analyzers.facts.base import Line, decode, lines_of


@dataclass(frozen=True, slots=True)
class Check:
    """One row.  ``Skipped`` is not a pass."""

    at: Line
    name: str
    status: str
    """``Success``, ``Failed``, ``Skipped``."""
    note: str = ""

    @property
    def failed(self) -> bool:
        return self.status == "Failed"

    @property
    def passed(self) -> bool:
        return self.status == "Success"


@dataclass(frozen=True, slots=True)
class Diagnostics:
    checks: tuple[Check, ...] = ()

    def check(self, name: str) -> Check | None:
        """By its name: ``EC2 IMDS``, ``AWS Credentials``, ``Connectivity to ssm endpoint`` ..."""
        return next((check for check in self.checks if check.name == name), None)


# Reading -------------------------------------------------------------------------------------------------


def parse_diagnostics(output: bytes, source: str = "probes/ssm-cli") -> Diagnostics | None:
    """Of ``ssm-cli get-diagnostics --output json``; ``None`` where it printed no such document."""
    text = decode(output)
    try:
        data = json.loads(text[text.index("{") :])
        rows = data["DiagnosticsOutput"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    numbers = {line.text.strip(): line.number for line in reversed(tuple(lines_of(output, source)))}
    checks = []
    for row in rows if isinstance(rows, list) else ():
        name, status, note = (
            (str(row.get(k, "")) for k in ("Check", "Status", "Note")) if _is_row(row) else ("",) * 3
        )
        if name:
            at = Line(source, f"{name}: {status}: {note}", numbers.get(f'"Check": {json.dumps(name)},'))
            checks.append(Check(at, name, status, note))
    return Diagnostics(tuple(checks))


def _is_row(row: object) -> bool:
    return isinstance(row, dict)
