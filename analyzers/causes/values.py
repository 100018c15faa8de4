"""This host's values for the gaps of the texts: what stands in the lines that a reader copies."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import chain
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from analyzers.causes.catalogue import DIALECTS
from analyzers.facts.proxy import SYSTEMD, ProxyVariable, spared
from analyzers.facts.routes import Route
from analyzers.facts.routing import IMDS

if TYPE_CHECKING:
    from analyzers.causes.case import Case

UNIT = "amazon-ssm-agent.service"
AGENT = "amazon-ssm-agent"
REGION = re.compile(
    r"(?:us|eu|ap|sa|ca|me|af|il|mx|cn|us-gov|us-iso|us-isob|us-isof|eu-isoe|eusc-de)"
    r"-(?:central|north|south|east|west|northeast|northwest|southeast|southwest)-[0-9]{1,2}"
)
"""How AWS names its regions; a name that does not fit is none."""
_ENDPOINT = re.compile(r"(?:ssm|ssmmessages|ec2messages)\.([a-z0-9-]+)\.(amazonaws\.com(?:\.cn)?)")
_ARN = re.compile(r"arn:aws[a-z-]*:[a-z0-9-]+:(?P<region>[a-z0-9-]*):(?P<account>[0-9]{12}):")
_NAMES = ("host", "url", "name", "peer")
"""Captures that hold the name of an endpoint."""

COMMERCIAL = {"partition": "aws", "suffix": "amazonaws.com", "service_prefix": "com.amazonaws"}
"""Of the partition that nearly every account is in."""
_PARTITIONS = {
    "cn-": {"partition": "aws-cn", "suffix": "amazonaws.com.cn", "service_prefix": "cn.com.amazonaws"},
    "us-gov-": {**COMMERCIAL, "partition": "aws-us-gov"},
}


def values_of(case: Case) -> dict[str, str]:
    """By gap; what is not known is left out."""
    region = _region(case)
    found = {
        "name": case.manifest.subject.name,
        "version": str(case.version) if case.version else None,
        "region": region,
        **partition(region or ""),
        "instance": _instance(case),
        "role": case.imds.role if case.imds else None,
        "account": _account(case),
        **_service(case),
        **_package(case),
        **_network(case),
        **_proxy(case),
        **_limits(case),
    }
    ssm = case.endpoint("ssm")
    if ssm is not None or region:
        found["host"] = ssm.host if ssm is not None else f"ssm.{region}.{found['suffix']}"
    return {key: value for key, value in found.items() if value}


def partition(region: str) -> dict[str, str]:
    """How AWS names things where the region is."""
    return next((names for start, names in _PARTITIONS.items() if region.startswith(start)), COMMERCIAL)


# Who it is -----------------------------------------------------------------------------------------------


def _region(case: Case) -> str | None:
    kept = case.facts.identity_config.or_none()
    return (
        case.manifest.subject.region
        or (case.imds.region if case.imds else None)
        or (kept.region if kept else None)
        or next((endpoint.region for endpoint in case.endpoints.values() if endpoint.region), None)
        or _region_named(case)
    )


def _region_named(case: Case) -> str | None:
    """The region that the log names, in endpoints or in ARNs, if there is such a region."""
    told = (v for s in case.logs.sightings for k in _NAMES for v in s.captures.get(k, ()))
    regions = [match[1] for text in told for match in _ENDPOINT.finditer(text)]
    arns = (match for s in case.logs.sightings for match in _ARN.finditer(s.last.message))
    regions += [match["region"] for match in arns if match["region"]]
    return next((region for region in regions if REGION.fullmatch(region)), None)


def _account(case: Case) -> str | None:
    """As IMDS tells it, else as AWS named it in a refusal."""
    if case.imds is not None and case.imds.account:
        return case.imds.account
    told = (s.capture("account") for s in case.logs.sightings)
    arns = (match["account"] for s in case.logs.sightings for match in _ARN.finditer(s.last.message))
    return next((account for account in chain(told, arns) if account), None)


def _instance(case: Case) -> str | None:
    machine = case.facts.virtualization.or_none()
    kept = case.facts.identity_config.or_none()
    known = (
        case.manifest.subject.instance_id,
        case.imds.instance_id if case.imds else None,
        machine.instance_id if machine else None,
        kept.instance_id if kept else None,
        case.logs.identity,
    )
    return next((found for found in known if found and found.startswith("i-")), None)


# What it runs on -----------------------------------------------------------------------------------------

_MANAGERS = {"upstart": "upstart", "sysv": "sysv", "openrc": "sysv"}
"""The dialect of each service manager that is not systemd."""


def _service(case: Case) -> dict[str, str | None]:
    unit = case.unit
    name = unit.name if unit is not None and unit.exists else UNIT
    dialect = "windows" if case.windows else _MANAGERS.get(unit.manager) if unit is not None else None
    administrator = "LocalSystem" if case.windows else "root"
    return {"unit": name, "administrator": administrator, **({dialect: "yes"} if dialect else {})}


_FAMILIES = {
    "rpm": ("amzn", "rhel", "fedora", "centos", "rocky", "almalinux", "ol", "sles", "suse", "opensuse"),
    "snap": ("ubuntu",),
    "deb": ("debian",),
}
"""In which package the agent comes on a system, by ``ID`` and ``ID_LIKE``."""
_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64", "i686": "386"}


def _package(case: Case) -> dict[str, str | None]:
    uname = case.facts.uname.or_none()
    kinds = _installed(case) or _usual(case) or tuple(_FAMILIES)
    snap = "snap" in kinds and len(kinds) == 1
    return {
        "arch": _ARCHITECTURES.get(uname.machine) if uname is not None else None,
        "agent": f"/snap/{AGENT}/current/{AGENT}" if snap else AGENT,
        **dict.fromkeys(kinds, "yes"),
    }


def _installed(case: Case) -> tuple[str, ...]:
    packages = case.facts.packages.or_none()
    return tuple({package.kind for package in packages.installed} & set(_FAMILIES)) if packages else ()


def _usual(case: Case) -> tuple[str, ...]:
    """The kind that AWS ships for this system."""
    system = case.facts.os.or_none()
    names = (system.id, *system.like) if system is not None else ()
    return next(((kind,) for name in names for kind, some in _FAMILIES.items() if name in some), ())


# How it is connected -------------------------------------------------------------------------------------


def _network(case: Case) -> dict[str, str | None]:
    routing = case.routing
    if routing is None:
        return {}
    gateway = routing.expected_gateway
    answer = routing.answer(IMDS)
    device = routing.primary_device or (answer.device if answer else None)
    defaults = (
        route for route in routing.routes if route.is_default and route.table == "main" and route.gateway
    )
    default = min(defaults, key=lambda route: (route.destination.version, route.metric), default=None)
    return {
        "gateway": str(gateway) if gateway else None,
        "interface": device,
        "default_route": default.at.text if default is not None else None,
    }


def spelled(route: Route) -> str:
    """A route as ``ip route del`` wants it."""
    kind = f"{route.kind.value} " if route.kind.rejects else ""
    via = f" via {route.gateway}" if route.gateway else ""
    device = f" dev {route.device}" if route.device else ""
    table = f" table {route.table}" if route.table not in ("", "main") else ""
    return f"{kind}{route.destination}{via}{device}{table}"


def _proxy(case: Case) -> dict[str, str | None]:
    """What ``no_proxy`` should be, and where the agent's service can be told.

    Variables of an ``EnvironmentFile=`` outweigh those of every drop-in (systemd.exec(5)).
    """
    layers, own = case.facts.proxy.or_none(), case.proxy
    if layers is None and own is None:
        return {}
    seen = [own] if own is not None and own.any else [own, layers.system, layers.login] if layers else []
    spares = sparing_imds(layer.no_proxy for layer in seen if layer is not None)
    in_unit = layers.unit.variable("no_proxy") if layers is not None and layers.unit is not None else None
    file = in_unit.origin if in_unit is not None and _outweighs(case, in_unit) else None
    return {
        "no_proxy": for_unit(case, spares),
        "environment_file": file,
        "drop_in": None if file else _drop_in(case),
    }


def sparing_imds(lists: Iterable[str]) -> str:
    """Lists of ``no_proxy`` in one, with the metadata service in it."""
    entries = dict.fromkeys(entry.strip() for text in lists for entry in text.split(",") if entry.strip())
    told = ",".join(entries)
    return told if spared(told, str(IMDS), 80) else ",".join((*entries, str(IMDS)))


def for_unit(case: Case, value: str) -> str:
    """A value between the quotation marks of ``Environment=`` in a unit of systemd, where there is one."""
    if not DIALECTS.isdisjoint(_service(case)):
        return value
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")


def _outweighs(case: Case, variable: ProxyVariable) -> bool:
    """Whether a variable of the unit comes from a file of variables."""
    files = case.facts.unit_files.or_none()
    return variable.origin != SYSTEMD and (files is None or variable.origin not in files.paths)


def _drop_in(case: Case) -> str:
    """A file of our own that is read behind every drop-in that is there."""
    files, unit = case.facts.unit_files.or_none(), case.unit
    paths = (*(files.paths if files is not None else ()), *(unit.drop_ins if unit is not None else ()))
    name = "zz-proxy.conf"
    while any(PurePosixPath(path).name >= name for path in paths if path.endswith(".conf")):
        name = f"z{name}"
        if len(name) > _LONGEST_NAME:
            break
    return f"/etc/systemd/system/{_service(case)['unit']}.d/{name}"


_LONGEST_NAME = 40
"""A host that names its files to sort behind any of ours has its way."""


def _limits(case: Case) -> dict[str, str | None]:
    """Limits of inotify that are above what the host has."""
    has = case.facts.inotify.or_none()
    if has is None:
        return {}
    watches, instances = has.max_user_watches, has.max_user_instances
    return {
        "more_watches": str(max(524_288, 2 * watches)) if watches is not None else None,
        "more_instances": str(max(512, 2 * instances)) if instances is not None else None,
    }
