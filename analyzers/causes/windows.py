"""What befalls only Windows hosts: routes that came with an image, virtual switches, set-up, the start."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from analyzers.causes.case import Case
from analyzers.causes.imds import UNANSWERED, failing, way
from analyzers.causes.rule import Finding, Told, rule
from analyzers.causes.tools import CERTAIN, LIKELY, lines, shares
from analyzers.diagnosis import Citation
from analyzers.facts.addresses import Interface, InterfaceAddress
from analyzers.facts.base import IPAddress, Line
from analyzers.facts.routes import Route, RouteOutcome
from analyzers.facts.routing import IMDS, Routing
from analyzers.facts.service import ServiceState
from analyzers.facts.windows import WindowsHost
from analyzers.facts.windows.network import KeptRoute
from analyzers.facts.windows.service import Event
from analyzers.text import Message, Value, listed, ready, say

SISTERS = ("253", "250", "251", "123", "249")
"""Last numbers of the other services at 169.254.169: DNS, two of activation, time, GPU licences."""
_ACTIVE = say("active store")
_STORES = {
    "persistent": say("persistent store"),
    "persisted": say("persistent store"),
    "registry": say("registry"),
}
_START_FAILED, _START_TIMEOUT, _START_TYPE_CHANGED = 7000, 7009, 7040
"""Numbers of the service control manager's events."""


def windows(case: Case) -> WindowsHost | None:
    return case.facts.windows.or_none()


# Routes --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Home:
    """Where packets of this host leave it, by its default route: what the way to IMDS should be."""

    route: Route
    interface: Interface | None

    @property
    def gateway(self) -> IPAddress | None:
        return self.route.gateway

    @property
    def switched(self) -> bool:
        """Whether it is the host's port on a virtual switch."""
        name = self.interface.name if self.interface else self.route.device or ""
        description = self.interface.description if self.interface else ""
        return name.startswith("vEthernet") or description.startswith("Hyper-V Virtual Ethernet")


def home(routing: Routing) -> Home | None:
    """The default route that Windows prefers, on an adapter that is up."""
    for route in routing.default_routes():
        interface = _interface(routing, route)
        if route.gateway is not None and (interface is None or interface.up):
            return Home(route, interface)
    return None


def way_to_imds(routing: Routing) -> Route | None:
    """The route that carries IMDS; where Windows itself said which, that one."""
    answer = routing.answer(IMDS)
    candidates = [route for route in routing.routes_to(IMDS) if not route.destination.is_multicast]
    for route in candidates:
        same = answer is not None and (answer.gateway, answer.device) == (route.gateway, route.device)
        if same:
            return route
    if answer is not None and answer.outcome is not None:
        return None  # a default route, by Windows' own word
    lookup = routing.lookup(IMDS).route
    return lookup if lookup is not None and not lookup.is_default else None


def _interface(routing: Routing, route: Route) -> Interface | None:
    return routing.addresses.named(route.device or "") if routing.addresses is not None else None


def wrong(routing: Routing, route: Route) -> str:
    """Why a route to IMDS cannot work, in a word; empty: nothing shows that it cannot."""
    if routing.gateway_outside(route) is not None:
        return "outside"
    interface = _interface(routing, route)
    if routing.addresses is not None and routing.addresses.interfaces:
        if interface is None:
            return "vanished"
        if not interface.up:
            return "down"
    at_home = home(routing)
    if at_home is not None and route.gateway is not None and route.gateway != at_home.gateway:
        return "other"
    away = interface is not None and at_home is not None and interface != at_home.interface
    return "virtual" if away and interface is not None and interface.virtual else ""


@rule("win-stale-imds-route", "imds", "routing")
def stale_route(case: Case) -> Iterator[Told]:
    """A host route to IMDS leads elsewhere than to the router of this host's subnet: with its arithmetic."""
    imds = failing(case, *UNANSWERED)
    host, routing = windows(case), case.routing
    if imds is None or host is None or routing is None:
        return
    route, at_home = way_to_imds(routing), home(routing)
    defect = wrong(routing, route) if route is not None else ""
    if route is None or not defect or (at_home is not None and at_home.switched and defect != "outside"):
        return
    kept = [k for k in host.kept_routes or () if _same(k, route)]
    sisters = dict(_sisters(routing, route))
    better = next((r for r in routing.routes_to(IMDS) if not wrong(routing, r) and _exact(r)), None)
    values = {
        **_here(routing, at_home),
        "wrong_gateway": str(route.gateway or route.device or "") or say("nowhere"),
        "wrong_interface": route.device or say("none"),
        "bad_metric": str(route.metric),
        "store": _stores(kept),
        "sisters": ", ".join(f".{number}" for number in sisters),
        "stale_addresses": " ".join(f"169.254.169.{number}" for number in ("254", *sisters)),
        **_launched(host),
        **_origin(route, defect),
    }
    shown = lines(
        route.at,
        *(k.at for k in kept[:2]),
        better.at if better is not None else None,
        at_home.route.at if at_home is not None else None,
        *(a.at for a in _addresses(at_home)[:1]),
        *(r.at for r in sisters.values()),
        imds.at,
    )
    yield Finding(
        "win-stale-imds-route",
        CERTAIN if defect in ("outside", "vanished", "down") else LIKELY,
        (*shown, *_corroborating(host, route), *shares(case.logs.supporting("win-stale-imds-route"))),
        sentence=_stale_sentence(defect, better, values),
        values=values,
    )


def _addresses(at_home: Home | None) -> tuple[InterfaceAddress, ...]:
    found = at_home.interface.addresses if at_home is not None and at_home.interface is not None else ()
    return tuple(a for a in found if a.ip.version == 4)


def _exact(route: Route) -> bool:
    return route.destination.prefixlen == route.destination.max_prefixlen


def _same(kept: KeptRoute, route: Route) -> bool:
    return kept.destination == route.destination and kept.gateway == route.gateway


def _stores(kept: list[KeptRoute]) -> Message:
    """Where the wrong route stands: an active one that is kept comes back with every boot."""
    names = {str(name): name for k in kept for name in (_STORES.get(k.store) or ready(k.store),)}
    return listed((_ACTIVE, *names.values()), ", ")


def _sisters(routing: Routing, route: Route) -> Iterator[tuple[str, Route]]:
    """The routes to the other link-local services that go the same wrong way."""
    for number in SISTERS:
        target = IPv4Address(f"169.254.169.{number}")
        for other in routing.routes_to(target):
            if _exact(other) and (other.gateway, other.device) == (route.gateway, route.device):
                yield number, other
                break


def _here(routing: Routing, at_home: Home | None) -> dict[str, str]:
    """This host's own values: its subnets, router and interface."""
    subnets = [str(n) for n in routing.connected if n.version == 4 and n.prefixlen < 31]
    found = {"subnets": ", ".join(dict.fromkeys(subnets))}
    if at_home is not None:
        found["gateway"] = str(at_home.gateway)
        found["interface"] = at_home.route.device or ""
        index = at_home.interface.index if at_home.interface is not None else None
        found["interface_index"] = str(index) if index is not None else ""
    return {key: value for key, value in found.items() if value}


def _launched(host: WindowsHost) -> dict[str, str]:
    """Which EC2Launch the host has, and whether routes made by hand should be kept over a boot.

    Version 2 makes its own at each start; a kept one would be the next image's stale one.
    """
    names = {agent.name for agent in host.launch_agents}
    if "EC2Launch v2" in names:
        return {"ec2launch_v2": "yes", "made_at_each_start": "yes"}
    first = {"ec2launch_v1": "yes"} if "EC2Launch v1" in names else {}
    return {**first, "kept_by_launch_agent": "yes"}


def _origin(route: Route, defect: str) -> dict[str, str]:
    """The subnet that the route was made in: its router is the base plus one."""
    hop = route.gateway
    return {"origin": str(hop - 1)} if defect == "outside" and isinstance(hop, IPv4Address) else {}


def _stale_sentence(defect: str, better: Route | None, values: Mapping[str, Value]) -> Message:
    known = {key: values.get(key) or say("not known") for key in _NEEDED}
    if defect == "outside" and better is not None:
        return say(
            "Of two routes to 169.254.169.254 the one with the lower metric {bad_metric} wins, and it leads "
            "to {wrong_gateway} ({store}), outside of this host's subnet {subnets}; the other, "
            "via {gateway}, is right.",
            **known,
        )
    if defect == "outside" and str(values["store"]) == str(_ACTIVE):
        return say(
            "The route to 169.254.169.254 leads to {wrong_gateway} (it is not kept over a boot), outside of "
            "this host's subnet {subnets}, whose router is {gateway} on interface {interface_index}.",
            **known,
        )
    if defect == "outside":
        return say(
            "The route to 169.254.169.254 leads to {wrong_gateway} ({store}), the router of a subnet that "
            "begins at {origin}, where the image was made; this host is in {subnets}, and its router is "
            "{gateway} on interface {interface_index}.",
            **known,
        )
    if defect in ("vanished", "down"):
        return say(
            "The route to 169.254.169.254 ({store}) leads through interface {wrong_interface}, which is gone "
            "or has no link; this host's network is on interface {interface_index}, and its router is "
            "{gateway}.",
            **known,
        )
    return say(
        "The route to 169.254.169.254 ({store}) leads to {wrong_gateway} on {wrong_interface} and not to "
        "this subnet's router {gateway} on interface {interface_index}.",
        **known,
    )


_NEEDED = ("bad_metric", "wrong_gateway", "wrong_interface", "store", "subnets", "gateway", "origin",
           "interface_index")  # fmt: skip


def _corroborating(host: WindowsHost, route: Route) -> tuple[Citation, ...]:
    """What else speaks for it: Windows that cannot be activated, as its servers at .250 and .251 are behind
    the same wrong router; and what the launch agent logged of the routes that it made."""
    failed = [event for event in host.events if event.id in (8198, 12288) and event.log == "Application"]
    return lines(*(event.at for event in failed[:1]), *_launch_lines(host, route))


def _launch_lines(host: WindowsHost, route: Route | None = None) -> list[Line]:
    """Of each launch agent's log the last line that names the route's gateway, and the last of a route that
    failed."""
    found: list[Line] = []
    for agent in host.launch_agents:
        named = agent.lines(str(route.gateway)) if route is not None and route.gateway is not None else ()
        failed = [line for line in agent.lines("route") if _FAILED.search(line.text)]
        found += (*named[-1:], *failed[-1:])
    return list(dict.fromkeys(found))


_FAILED = re.compile(r"\b(error|fail|unable|could not|cannot)", re.IGNORECASE)


@rule("imds-no-route", "imds", "routing", "windows")
def launch_failed(case: Case) -> Iterator[Told]:
    """No way to IMDS, and the launch agent, whose task it is to make the routes, logged that it failed."""
    imds, host = failing(case, *UNANSWERED), windows(case)
    outcome, _, _ = way(case)
    if imds is None or host is None or outcome in (None, RouteOutcome.FORWARD, RouteOutcome.LOCAL):
        return
    told = _launch_lines(host)
    if told:
        yield Finding("imds-no-route", LIKELY, lines(imds.at, *told))


@rule("win-container-vswitch", "imds", "routing")
def virtual_switch(case: Case) -> Iterator[Told]:
    """The host's address is on a virtual switch, and the route to IMDS is not."""
    imds = failing(case, *UNANSWERED)
    routing = case.routing
    host = windows(case)
    if imds is None or routing is None or host is None:
        return
    at_home = home(routing)
    if at_home is None or not at_home.switched:
        return
    route = way_to_imds(routing)
    followed = route is not None and _exact(route) and route.device == at_home.route.device
    if followed:
        return
    through = (route.device if route else None) or say("none")
    values = {**_here(routing, at_home), **_launched(host), "wrong_interface": through}
    own = _addresses(at_home)[:1]
    cited = lines(at_home.route.at, *(a.at for a in own), route.at if route is not None else None, imds.at)
    logged = shares(case.logs.supporting("win-container-vswitch"))
    yield Finding("win-container-vswitch", CERTAIN if own else LIKELY, (*cited, *logged), values=values)


# The agent's start ---------------------------------------------------------------------------------------


def since_boot(case: Case, host: WindowsHost, number: int, *, of_agent: bool = True) -> list[Event]:
    """Events of the agent's (or of any), newest first; those before the last boot are history."""
    clock = case.facts.clock.or_none()
    boot = clock.boot if clock is not None else None
    found = [event for event in host.events if event.id == number and (event.of_agent or not of_agent)]
    return [e for e in found if boot is None or e.time is None or e.time >= boot]


def down(case: Case) -> bool:
    """Whether the agent's service is there and not up."""
    return case.unit is not None and case.unit.state not in (ServiceState.RUNNING, ServiceState.ABSENT)


@rule("win-service-start-timeout", "windows")
def start_timeout(case: Case) -> Iterator[Told]:
    """The service control manager gave up waiting for the service at this boot."""
    host, unit = windows(case), case.unit
    if host is None or unit is None or not down(case) or unit.state is ServiceState.DISABLED:
        return
    gave_up = since_boot(case, host, _START_TIMEOUT)
    failed = since_boot(case, host, _START_FAILED)
    if gave_up:
        newest = gave_up[0]
        waited = next((value for value in newest.values if value.isdecimal()), "30000")
        yield Finding(
            "win-service-start-timeout",
            CERTAIN if failed else LIKELY,
            lines(newest.at, *(e.at for e in failed[:1]), unit.at),
            values={"seconds": str(int(waited[:9]) // 1000)},
            since=newest.time,
        )


@rule("update-left-service-disabled", "windows", "update")
def disabled_by_update(case: Case) -> Iterator[Told]:
    """Disabled; the event log has the change of its start type, and the agent's own updater was at work."""
    host, unit, update = windows(case), case.unit, case.facts.update.or_none()
    if host is None or unit is None or unit.state is not ServiceState.DISABLED:
        return
    changed = [e for e in host.events if e.id == _START_TYPE_CHANGED and e.of_agent]
    told = update.containing("update") if update is not None else ()
    if changed and told:
        cited = lines(unit.at, changed[0].at, told[-1])
        yield Finding("update-left-service-disabled", CERTAIN, cited, since=changed[0].time)


@rule("sysprep-incomplete", "windows")
def sysprep(case: Case) -> Iterator[Told]:
    """Windows set-up is not at its end, for which the agent waits."""
    host = windows(case)
    image = host.image if host is not None else None
    if image is None or not image.state or image.complete or case.connected:
        return
    logged = shares(case.logs.supporting("sysprep-incomplete"))
    at = case.unit.at if case.unit is not None else None
    values = {"image_state": image.state}
    yield Finding("sysprep-incomplete", CERTAIN, (*lines(image.at, at), *logged), values=values)


@rule("disk-full", "disk")
def disk_full(case: Case) -> Iterator[Told]:
    """No room on the disk of the agent's data, which is the system's."""
    disk = case.facts.disk.or_none()
    if windows(case) is None or disk is None:
        return
    for usage in disk.usages:
        if usage.full and usage.mount.upper() == "C:":
            values: dict[str, Value] = {
                "path": usage.mount,
                "mount": usage.mount,
                "detail": say("no space left"),
            }
            logged = shares(case.logs.supporting("disk-full"))
            yield Finding("disk-full", CERTAIN, (*lines(usage.at), *logged), "space", values=values)
