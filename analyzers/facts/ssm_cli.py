"""``ssm-cli get-diagnostics``: the agent's own checks, as a second opinion."""

from __future__ import annotations

from dataclasses import dataclass

from analyzers.facts.base import Line


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
