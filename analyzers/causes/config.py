"""The agent's own configuration."""

from __future__ import annotations

import re
from collections.abc import Iterator

from analyzers.causes.case import Case
from analyzers.causes.rule import Exclusion, Finding, Told, rule
from analyzers.causes.tools import CERTAIN, LIKELY, lines, share, shares
from analyzers.causes.values import REGION
from analyzers.diagnosis import Citation
from analyzers.facts.endpoints import EndpointState
from analyzers.facts.imds import ImdsState
from analyzers.logs.model import Leg, Sighting
from analyzers.text import Value, say

_PATH = "/etc/amazon/ssm/amazon-ssm-agent.json"
_WINDOWS_PATH = r"C:\Program Files\Amazon\SSM\amazon-ssm-agent.json"

_ENDPOINT = re.compile(
    r"(?:ssm|ssmmessages|ec2messages)(?P<fips>-fips)?\.(?P<region>[a-z0-9-]+)"
    r"\.(?:amazonaws\.com(?:\.cn)?|api\.aws|c2s\.ic\.gov|sc2s\.sgov\.gov|cloud\.adc-e\.uk|csp\.hci\.ic\.gov|amazonaws\.eu)"
)
"""What the agent makes of a region by itself; any other name can only stand in its configuration."""


def path_of(case: Case) -> str:
    """Where the agent's configuration is."""
    return _WINDOWS_PATH if case.windows else _PATH


@rule("config-corrupt", "agent_config")
def corrupt(case: Case) -> Iterator[Told]:
    """The file does not parse.  Newer agents fall back to their defaults and work."""
    config = case.facts.agent_config.or_none()
    if config is None or not config.error or case.connected:
        return
    logged = shares(case.logs.supporting("config-corrupt"))
    values = {"path": path_of(case), "reason": config.error}
    yield Finding(
        "config-corrupt", CERTAIN if logged else LIKELY, (*lines(config.error_at), *logged), values=values
    )


@rule("config-corrupt", "logs")
def corrupt_by_log(case: Case) -> Iterator[Told]:
    """The start fails on it, in the agent's words."""
    for sighting in case.logs.supporting("config-corrupt"):
        if case.connected:
            yield Exclusion("config-corrupt", say("The agent fell back to its defaults and is connected."))
        else:
            values = {
                "path": path_of(case),
                "reason": sighting.capture("reason") or say("it is not valid JSON"),
            }
            yield Finding(
                "config-corrupt", CERTAIN, (share(sighting),), values=values, since=sighting.first.time
            )


# The region ----------------------------------------------------------------------------------------------


@rule("config-override", "agent_config", "imds")
def other_region(case: Case) -> Iterator[Told]:
    """The region in the file is not the instance's, or none at all."""
    config = case.facts.agent_config.or_none()
    setting = config.region if config is not None else None
    if setting is None or case.connected:
        return
    real = case.imds.region if case.imds is not None and case.imds.state is ImdsState.OK else None
    if not REGION.fullmatch(setting.value) or (
        real is not None and setting.value != real and not case.hybrid
    ):
        values: dict[str, Value] = {
            "path": path_of(case),
            "setting": say("the region"),
            "value": setting.value,
        }
        yield Finding(
            "config-override", CERTAIN, (*lines(setting.at), *_asked(case)), "region", values=values
        )


def _asked(case: Case) -> tuple[Citation, ...]:
    return shares(s for s in case.failures(Leg.ENDPOINT) if s.capture("name") or s.capture("host"))


@rule("config-override", "logs")
def strange_names(case: Case) -> Iterator[Told]:
    """The agent asks for a name that it would not make by itself: of no region, or of no default endpoint."""
    for sighting in case.failures(Leg.ENDPOINT, Leg.SERVICE):
        name = _name(sighting)
        if not name:
            continue
        match = _ENDPOINT.fullmatch(name)
        if match is None and re.match(r"(?:ssm|ssmmessages|ec2messages)\.[^.]+\.amazonaws\.com", name):
            scope, setting, value = "region", say("the region"), name.split(".")[1]
        elif match is None:
            scope, setting, value = "endpoint", say("an endpoint"), name
        elif not REGION.fullmatch(match["region"]):
            scope, setting, value = "region", say("the region"), match["region"]
        elif match["fips"] and sighting.signature == "dns.no-such-host":
            scope, setting, value = "fips", say("the endpoint's kind"), name
        else:
            continue
        sure = CERTAIN if scope == "region" or sighting.signature.startswith("dns.") else LIKELY
        values: dict[str, Value] = {"path": path_of(case), "setting": setting, "value": value, "host": name}
        yield Finding(
            "config-override", sure, (share(sighting),), scope, values=values, since=sighting.first.time
        )


def _name(sighting: Sighting) -> str:
    """The host that the agent wanted to talk to."""
    url = re.match(r"https?://([^/:\"]+)", sighting.capture("url") or "")
    return (
        (sighting.capture("host") or (url[1] if url else "") or sighting.capture("name") or "")
        .lower()
        .rstrip(".")
    )


# Endpoints and identity ----------------------------------------------------------------------------------


@rule("config-override", "agent_config", "endpoints")
def other_endpoint(case: Case) -> Iterator[Told]:
    """An endpoint stands in the file, and does not serve."""
    config = case.facts.agent_config.or_none()
    for service, setting in (config.endpoints if config is not None else {}).items():
        endpoint = case.endpoint(service)
        if service not in ("ssm", "ssmmessages", "ec2messages") or endpoint is None:
            continue
        looked_at = endpoint.host.lower() in setting.value.lower()
        dead = looked_at and endpoint.state not in (EndpointState.OK, EndpointState.UNKNOWN)
        named = [s for s in case.failures(Leg.ENDPOINT) if _name(s) and _name(s) in setting.value.lower()]
        if (dead and not case.connected) or named:
            values: dict[str, Value] = {
                "path": path_of(case),
                "setting": say("the endpoint of {service}", service=service),
                "value": setting.value,
                "host": setting.value,
            }
            cited = (*lines(setting.at, endpoint.shown_by if dead else None), *shares(named))
            yield Finding("config-override", CERTAIN, cited, "endpoint", values=values)
            return


@rule("config-override", "agent_config", "logs")
def other_identity(case: Case) -> Iterator[Told]:
    """The order of identities in the file leaves out the one that this host has."""
    config = case.facts.agent_config.or_none()
    if config is None or case.connected or case.identity is not None:
        return
    order = [s for s in config.settings if s.path.lower().startswith("identity.consumptionorder")]
    wanted = "EC2" if case.imds is not None and case.imds.state is ImdsState.OK else None
    if order and wanted and not any(wanted.lower() in s.value.lower() for s in order):
        values: dict[str, Value] = {
            "path": path_of(case),
            "setting": say("the order of identities"),
            "value": ", ".join(s.value for s in order),
        }
        yield Finding("config-override", CERTAIN, lines(order[0].at), "identity", values=values)
