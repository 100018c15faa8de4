"""The agent's own configuration: amazon-ssm-agent.json, seelog.xml, identity_config.json."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from analyzers.facts.base import Line


@dataclass(frozen=True, slots=True)
class Setting:
    """One value of amazon-ssm-agent.json, by its dotted path (``Agent.Region``)."""

    at: Line
    path: str
    value: str


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """amazon-ssm-agent.json; a host without one has the defaults."""

    present: bool
    error: str = ""
    """Why the agent cannot read it (it then falls back to the defaults); empty: it can."""
    error_at: Line | None = None
    data: dict[str, Any] = field(default_factory=dict)
    settings: tuple[Setting, ...] = ()
    """Every string, number and boolean in it that is not empty."""
    typographic: tuple[Line, ...] = ()
    """Lines with typographic quotes, as word processors paste them."""

    def setting(self, path: str) -> Setting | None:
        """By dotted path, without regard to case (as Go's JSON reads it)."""
        return next((item for item in self.settings if item.path.lower() == path.lower()), None)

    @property
    def region(self) -> Setting | None:
        return self.setting("Agent.Region")

    @property
    def endpoints(self) -> dict[str, Setting]:
        """Overridden endpoints, by service."""
        paths = {"ssm": "Ssm.Endpoint", "ssmmessages": "Mgs.Endpoint", "ec2messages": "Mds.Endpoint",
                 "s3": "S3.Endpoint", "kms": "Kms.Endpoint"}  # fmt: skip
        found = {service: self.setting(path) for service, path in paths.items()}
        return {service: item for service, item in found.items() if item is not None}

    @property
    def overrides(self) -> tuple[Setting, ...]:
        """The settings that can lead the agent away from its region's services and identity."""
        paths = (
            "agent.region agent.serviceregion identity.consumptionorder "
            "profile.path profile.name profile.sharecreds"
        ).split()
        return tuple(
            s for s in self.settings if s.path.lower() in paths or s.path.lower().endswith("endpoint")
        )


@dataclass(frozen=True, slots=True)
class Seelog:
    """seelog.xml; a host without one logs by the defaults."""

    present: bool
    error: str = ""
    """Malformed: the agent then logs by the defaults."""
    at: Line | None = None
    minimum_level: str = ""
    """``minlevel`` or the lowest of ``levels``; empty: all."""
    files: tuple[str, ...] = ()
    """Where it logs to."""

    @property
    def silent(self) -> bool:
        """Whether what would show a cause (warnings, errors) is not logged."""
        return self.present and not self.error and self.minimum_level in ("critical", "off")

    @property
    def elsewhere(self) -> tuple[str, ...]:
        """Log files outside the standard folder."""
        return tuple(path for path in self.files if "amazon/ssm" not in path.replace("\\", "/").lower())


@dataclass(frozen=True, slots=True)
class IdentityConfig:
    """identity_config.json: who the agent last thought it was."""

    present: bool
    at: Line | None = None
    error: str = ""
    instance_id: str = ""
    """``i-...`` or ``mi-...``."""
    identity_type: str = ""
    """``EC2``, ``OnPrem``, ``ECS``."""
    region: str = ""
    zone: str = ""
    share_file: str = ""
    credential_source: str = ""
    """``SSM``, ``EC2`` or ``none``; newer agents only."""
    expires: str = ""
