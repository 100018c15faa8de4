"""A hybrid registration, and credentials that lie where the agent could pick them up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from analyzers.facts.base import Line, epoch, record_line, records_of


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


# Reading -------------------------------------------------------------------------------------------------


def parse_registration(output: bytes, source: str = "probes/registration") -> Registration:
    """Of the ``registration`` probe; without a record of that name there is no registration."""
    records = {record.name: record for record in records_of(output)}
    vault = records["vault"].all("file") if "vault" in records else ()
    record = records.get("registration")
    if record is None:
        return Registration(None, vault=vault)
    return Registration(
        record_line(record, source),
        record.get("instance"),
        record.get("region"),
        record.get("path"),
        epoch(record.get("modified")),
        vault,
    )


def parse_stray_credentials(
    output: bytes, source: str = "probes/stray-credentials"
) -> tuple[StrayCredentials, ...]:
    """Of the ``stray-credentials`` probe: one record per file, and ``[environment]``."""
    return tuple(
        StrayCredentials(
            record_line(record, source),
            record.name,
            record.all("profile"),
            record.all("name"),
            epoch(record.get("modified")),
            record.get("mode"),
        )
        for record in records_of(output)
        if record.name and record.fields
    )
