"""A hybrid registration, and credentials that lie where the agent could pick them up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from analyzers.facts.base import Line


@dataclass(frozen=True, slots=True)
class Registration:
    """The ``registration`` file and the vault (names only)."""

    at: Line | None
    """``None``: there is no registration."""
    instance_id: str = ""
    """``mi-...`` of a hybrid activation; ``i-...`` of an EC2 registration since 3.2."""
    region: str = ""
    path: str = ""
    modified: datetime | None = None
    vault: tuple[str, ...] = ()

    @property
    def hybrid(self) -> bool:
        return self.instance_id.startswith("mi-")


@dataclass(frozen=True, slots=True)
class StrayCredentials:
    """One place that holds AWS credentials beside the instance's role; never their content."""

    at: Line
    path: str
    """``/root/.aws/credentials`` ...; ``environment`` for variables of the unit."""
    profiles: tuple[str, ...] = ()
    """Profile names of a file."""
    names: tuple[str, ...] = ()
    """Variable names of the environment."""
    modified: datetime | None = None
    mode: str = ""

    @property
    def read_by_agent(self) -> bool:
        """Whether the SDK would use it unasked: root's default profile, or key variables."""
        return "default" in self.profiles or "AWS_ACCESS_KEY_ID" in self.names
