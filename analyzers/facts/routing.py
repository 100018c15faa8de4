"""Where a packet of this host goes: rules, tables, longest prefix and metric, reckoned as the kernel does."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Address, IPv4Network

from analyzers.facts.addresses import Addresses, Interface, InterfaceAddress, Neighbour
from analyzers.facts.base import IPAddress, IPNetwork, Line, integer
from analyzers.facts.routes import Lookup, PolicyRule, Route, RouteAnswer, RouteKind, RouteOutcome

IMDS = IPv4Address("169.254.169.254")
LINK_LOCAL = IPv4Network("169.254.0.0/16")

_NOWHERE = Line("probes/rules", "")
STANDARD_RULES = (
    PolicyRule(_NOWHERE, 0, "local"),
    PolicyRule(_NOWHERE, 32766, "main"),
    PolicyRule(_NOWHERE, 32767, "default"),
)
"""What a kernel has before anyone changes it."""

_REFUSALS = {
    "unreachable": RouteOutcome.UNREACHABLE,
    "prohibit": RouteOutcome.PROHIBIT,
    "blackhole": RouteOutcome.BLACKHOLE,
}


@dataclass(frozen=True)
class Routing:
    """Routes, rules and addresses together."""

    routes: tuple[Route, ...]
    rules: tuple[PolicyRule, ...] = ()
    """Empty: not known; the kernel's standard three are assumed."""
    addresses: Addresses | None = None
    answers: tuple[RouteAnswer, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()

    def answer(self, target: IPAddress) -> RouteAnswer | None:
        """What the kernel itself said of ``target``."""
        return next((answer for answer in self.answers if answer.target == target), None)

    def neighbour(self, target: IPAddress) -> Neighbour | None:
        """What ARP knows of ``target``."""
        return next((item for item in self.neighbours if item.address == target), None)

    # The effective route ---------------------------------------------------------------------------------

    def lookup(self, target: IPAddress) -> Lookup:
        """The effective route to ``target`` for a TCP connection that root opens on the host.

        The kernel looks twice (``ip_route_connect``): once without a source address, and again with the one
        that the first route gave it, so that rules such as ``from 10.0.1.5 lookup 10001`` count.
        """
        first = self._walk(target, None)
        source = self._source(first.route, target)
        return first if source is None else self._walk(target, source)

    def agrees(self, target: IPAddress) -> bool | None:
        """Whether our reckoning and the kernel's answer name the same way; ``None``: no answer to compare."""
        answer = self.answer(target)
        if answer is None or answer.outcome is None:
            return None
        # ``ip route get`` looks once only, without a source.
        ours = self._walk(target, None)
        if ours.outcome is not answer.outcome or ours.route is None:
            return ours.outcome is answer.outcome
        if answer.gateway is None:
            return not ours.route.gateways and (answer.device or "") in (*ours.route.devices, "lo", "")
        return answer.gateway in ours.route.gateways

    def _walk(self, target: IPAddress, source: IPAddress | None) -> Lookup:
        rules = self.rules or STANDARD_RULES
        best: dict[str, Route | None] = {}
        sure = True
        skip_to = -1
        for rule in rules:
            if rule.priority < skip_to:
                continue
            fits = _fits(rule, target, source)
            if fits is None:
                sure = False
                continue
            if not fits or rule.action == "nop":
                continue
            if rule.action == "goto":
                skip_to = max(skip_to, integer(rule.table) or 0)
                continue
            if rule.action in _REFUSALS:
                return Lookup(target, _REFUSALS[rule.action], None, rule, sure)
            if rule.table not in best:
                best[rule.table] = self._best(rule.table, target)
            route = best[rule.table]
            if route is None or route.kind is RouteKind.THROW or _suppressed(rule, route):
                continue
            return Lookup(target, _outcome(route), route, rule, sure)
        return Lookup(target, RouteOutcome.NO_ROUTE, None, None, sure)

    def _best(self, table: str, target: IPAddress) -> Route | None:
        """The longest prefix, then the lowest metric, then the first."""
        fitting = [
            r for r in self.routes if r.table == table and not r.dead and _covers(r.destination, target)
        ]
        return min(fitting, key=lambda r: (-r.destination.prefixlen, r.metric), default=None)

    def _source(self, route: Route | None, target: IPAddress) -> IPAddress | None:
        """The source address that the kernel picks for ``route``."""
        if route is None or route.kind is not RouteKind.UNICAST:
            return None
        if route.source is not None or self.addresses is None:
            return route.source
        devices = route.devices
        own = [a for name in devices[:1] for a in _addresses(self.addresses.named(name), target.version)]
        hop = next(iter(route.gateways), target)
        near = [a for a in own if _covers(a.network, hop)]
        return next((a.ip for a in (*near, *own)), None)

    # What it should be -----------------------------------------------------------------------------------

    @cached_property
    def connected(self) -> tuple[IPNetwork, ...]:
        """The networks that the host reaches without a gateway; loopback and link-local left out.

        They are those of its addresses and of its routes of scope link.
        """
        from_addresses = [
            a.network
            for i in (self.addresses.interfaces if self.addresses else ())
            if i.up and not i.loopback
            for a in i.addresses
        ]
        from_routes = [
            r.destination
            for r in self.routes
            if r.kind is RouteKind.UNICAST and not r.gateways and not r.is_default and r.scope in ("link", "")
        ]
        networks = dict.fromkeys((*from_addresses, *from_routes))
        return tuple(n for n in networks if not n.is_link_local and not n.is_loopback and not n.is_multicast)

    def default_routes(self, version: int = 4) -> tuple[Route, ...]:
        """Default routes of the main table that lead somewhere, the preferred one first."""
        found = [
            r
            for r in self.routes
            if r.is_default and r.table == "main" and r.destination.version == version
            and r.kind is RouteKind.UNICAST and not r.dead
        ]  # fmt: skip
        return tuple(sorted(found, key=lambda r: r.metric))

    def routes_to(self, target: IPAddress) -> tuple[Route, ...]:
        """Every route of every table, but defaults, that covers ``target``; the most specific first."""
        found = [r for r in self.routes if not r.is_default and _covers(r.destination, target)]
        return tuple(sorted(found, key=lambda r: (-r.destination.prefixlen, r.metric)))

    def gateway_outside(self, route: Route) -> IPAddress | None:
        """The gateway of ``route`` that lies outside every connected network, if there is one.

        ``None`` too where no connected network is known.  A link-local IPv6 gateway is never outside; a
        gateway that the host itself calls ``onlink`` is, unless a connected network holds it.
        """
        connected = self.connected
        if not any(n.version == route.destination.version for n in connected):
            return None
        for gateway in route.gateways:
            if not gateway.is_link_local and not any(_covers(n, gateway) for n in connected):
                return gateway
        return None

    @cached_property
    def primary(self) -> Interface | None:
        """The interface of the first ENI, as far as the host can tell: the one of the preferred default route
        that is a real device with an IPv4 address, else the first such interface."""
        if self.addresses is None:
            return None
        real = [i for i in self.addresses.interfaces if not i.virtual and not i.loopback and _addresses(i, 4)]
        by_name = {i.name: i for i in real}
        for route in self.default_routes():
            for device in route.devices:
                if device in by_name:
                    return by_name[device]
        return min(real, key=lambda i: i.index or 0, default=None)

    @cached_property
    def primary_device(self) -> str | None:
        """The name of ``primary``; without addresses, the device of the preferred default route."""
        if self.addresses is not None:
            return self.primary.name if self.primary else None
        return next((device for route in self.default_routes() for device in route.devices), None)

    @cached_property
    def vpc_router(self) -> IPAddress | None:
        """The base of the primary interface's network plus one, where AWS puts the router of every subnet."""
        own = next(iter(_addresses(self.primary, 4)), None)
        if own is None or own.interface.network.prefixlen > 30:
            return None
        return own.interface.network.network_address + 1

    @cached_property
    def expected_gateway(self) -> IPAddress | None:
        """The next hop that 169.254.169.254 should have: the gateway of the default route on the primary
        interface, or, without one, the VPC router."""
        for route in self.default_routes():
            if self.primary_device in route.devices and route.gateways:
                return route.gateways[0]
        return self.vpc_router


def _fits(rule: PolicyRule, target: IPAddress, source: IPAddress | None) -> bool | None:
    """Whether ``rule`` takes a TCP packet of root's, unmarked and unbound; ``None``: cannot tell."""
    answers = [_selects(selector) for selector in rule.selectors]
    if rule.destination is not None:
        answers.append(_covers(rule.destination, target))
    if rule.source is not None:
        answers.append(source is not None and _covers(rule.source, source))
    if False in answers:
        return rule.inverted
    return None if None in answers else not rule.inverted


def _selects(selector: str) -> bool | None:
    """Whether one further selector of ip-rule(8) fits such a packet."""
    key, _, value = selector.partition(" ")
    if key == "iif":
        return value == "lo"  # what the host itself sends comes "from lo"
    if key in ("oif", "tos", "dsfield", "[detached]"):
        return False
    if key == "fwmark":
        mark, _, mask = value.partition("/")
        return _hex(mark) & _hex(mask or "0xffffffff") == 0
    if key == "uidrange":
        return value.partition("-")[0] == "0"
    if key == "ipproto":
        return value in ("tcp", "6")
    return None


def _hex(text: str) -> int:
    try:
        return int(text[:18], 0)
    except ValueError:
        return 0


def _suppressed(rule: PolicyRule, route: Route) -> bool:
    limit = rule.suppress_prefixlength
    return limit is not None and route.destination.prefixlen <= limit


def _outcome(route: Route) -> RouteOutcome:
    if route.kind.rejects:
        return RouteOutcome(route.kind.value)
    return RouteOutcome.LOCAL if route.kind is RouteKind.LOCAL else RouteOutcome.FORWARD


def _covers(prefix: IPNetwork, target: IPAddress) -> bool:
    return prefix.version == target.version and target in prefix


def _addresses(interface: Interface | None, version: int) -> list[InterfaceAddress]:
    return [a for a in (interface.addresses if interface else ()) if a.ip.version == version]
