"""The agent's own configuration: amazon-ssm-agent.json, seelog.xml, identity_config.json."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from xml.parsers import expat

from analyzers.facts.base import MAX_BYTES, Line, decode, lines_of, utc


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
        paths = {
            "agent.region",
            "agent.serviceregion",
            "identity.consumptionorder",
            "profile.path",
            "profile.name",
            "profile.sharecreds",
        }
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
    expires: datetime | None = None
    """Of the credentials that it last had."""


# Reading -------------------------------------------------------------------------------------------------

_TYPOGRAPHIC = re.compile("[\u2018\u2019\u201a\u201c\u201d\u201e\uff02]")
_MAX_SETTINGS = 500


def parse_agent_config(output: bytes, source: str = "probes/agent-config") -> AgentConfig:
    """Of amazon-ssm-agent.json, as strictly as Go's encoding/json reads it."""
    lines = tuple(lines_of(output, source))
    typographic = tuple(line for line in lines if _TYPOGRAPHIC.search(line.text))
    try:
        data = _strict_json(decode(output))
    except json.JSONDecodeError as error:
        at = next((line for line in lines if line.number == error.lineno), lines[-1] if lines else None)
        return AgentConfig(True, f"{error.msg} at line {error.lineno}", at, typographic=typographic)
    except (ValueError, RecursionError):
        return AgentConfig(True, "not JSON", lines[0] if lines else None, typographic=typographic)
    if not isinstance(data, dict):
        return AgentConfig(True, "not a JSON object", lines[0] if lines else None, typographic=typographic)
    found = tuple(itertools.islice(_settings(data, "", lines, Line(source, "")), _MAX_SETTINGS))
    return AgentConfig(True, data=data, settings=found, typographic=typographic)


def _strict_json(text: str) -> Any:
    def refuse(constant: str) -> None:
        raise ValueError(constant)

    return json.loads(text, parse_constant=refuse)


def _settings(data: Mapping[str, Any], prefix: str, lines: tuple[Line, ...], none: Line) -> Iterator[Setting]:
    """Every leaf with its dotted path and the first line that holds its key (and its value, if any does)."""
    for key, value in data.items():
        path = f"{prefix}{key}"
        if isinstance(value, dict):
            if path.count(".") < 8:
                yield from _settings(value, path + ".", lines, none)
        elif value not in (None, "", []):
            text = value if isinstance(value, str) else json.dumps(value)
            holding = [line for line in lines if f'"{key}"' in line.text]
            exact = (line for line in holding if text in line.text)
            yield Setting(next(exact, holding[0] if holding else none), path, text)


_LEVELS = ("trace", "debug", "info", "warn", "error", "critical", "off")


class _Malformed(Exception):
    """seelog.xml holds what no configuration needs (a DTD with entities)."""


def parse_seelog(output: bytes, source: str = "probes/seelog") -> Seelog:
    """Of seelog.xml (github.com/cihub/seelog/wiki): ``minlevel`` or ``levels`` of its root, and its files."""
    lines = tuple(lines_of(output, source))
    attributes: dict[str, str] = {}
    files: list[str] = []

    def start(name: str, found: dict[str, str]) -> None:
        if name == "seelog" and not attributes:
            attributes.update(found)
        if name in ("rollingfile", "file"):
            files.extend(found[key] for key in ("filename", "path") if found.get(key))

    def refuse(*_: object) -> None:
        raise _Malformed("entities")

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(output[:MAX_BYTES], True)
    except expat.ExpatError as error:
        at = next((line for line in lines if line.number == error.lineno), lines[-1] if lines else None)
        return Seelog(True, expat.ErrorString(error.code) or "malformed", at, files=tuple(files))
    except (_Malformed, ValueError) as error:
        return Seelog(True, str(error), lines[0] if lines else None)
    at = next((line for line in lines if "<seelog" in line.text), None)
    return Seelog(True, "", at, _minimum(attributes), tuple(files))


def _minimum(attributes: Mapping[str, str]) -> str:
    if "minlevel" in attributes:
        return attributes["minlevel"].strip().lower()
    named = [level.strip().lower() for level in attributes.get("levels", "").split(",")]
    return next((level for level in _LEVELS if level in named), "")


def parse_identity_config(output: bytes, source: str = "probes/identity-config") -> IdentityConfig:
    """Of runtimeconfig/identity_config.json."""
    at = next(lines_of(output, source), None)
    try:
        data = json.loads(decode(output))
    except (ValueError, RecursionError):
        return IdentityConfig(True, at, "not JSON")
    if not isinstance(data, dict):
        return IdentityConfig(True, at, "not a JSON object")

    def text(key: str) -> str:
        value = data.get(key)
        return value if isinstance(value, str) else ""

    return IdentityConfig(
        True,
        at,
        "",
        text("InstanceId"),
        text("IdentityType"),
        text("Region"),
        text("AvailabilityZone"),
        text("ShareFile"),
        text("CredentialSource"),
        _expiry(text("CredentialsExpiresAt")),
    )


def _expiry(text: str) -> datetime | None:
    """Go's zero time (year 1) means none."""
    moment = utc(re.sub(r"(\.[0-9]{6})[0-9]+", r"\1", text[:64]))
    return moment if moment is not None and moment.year > 1 else None
