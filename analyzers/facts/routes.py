"""The kernel's routes and policy rules, as ``ip route``, ``ip rule`` and ``/proc/net/route`` print them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from analyzers.facts.base import IPAddress, IPNetwork, Line


class RouteKind(StrEnum):
    """``type`` of ip-route(8)."""

    UNICAST = "unicast"
    LOCAL = "local"
    BROADCAST = "broadcast"
    MULTICAST = "multicast"
    ANYCAST = "anycast"
    THROW = "throw"
    UNREACHABLE = "unreachable"
    PROHIBIT = "prohibit"
    BLACKHOLE = "blackhole"
    NAT = "nat"

    @property
    def rejects(self) -> bool:
        """Whether the kernel refuses to send by such a route."""
        return self in (RouteKind.UNREACHABLE, RouteKind.PROHIBIT, RouteKind.BLACKHOLE)


@dataclass(frozen=True, slots=True)
class NextHop:
    """One way of a route with several."""

    gateway: IPAddress | None
    device: str | None
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Route:
    """One route."""

    at: Line
    kind: RouteKind
    destination: IPNetwork
    gateway: IPAddress | None = None
    device: str | None = None
    """An interface's name; on Windows its index or alias."""
    table: str = "main"
    source: IPAddress | None = None
    metric: int = 0
    scope: str = ""
    protocol: str = ""
    onlink: bool = False
    """The gateway need not be in a connected network."""
    dead: bool = False
    """The kernel marks it ``dead`` or ``linkdown``."""
    nexthops: tuple[NextHop, ...] = ()

    @property
    def is_default(self) -> bool:
        return self.destination.prefixlen == 0

    @property
    def gateways(self) -> tuple[IPAddress, ...]:
        """Every next hop that is an address."""
        hops = (self.gateway, *(hop.gateway for hop in self.nexthops))
        return tuple(hop for hop in hops if hop is not None)

    @property
    def devices(self) -> tuple[str, ...]:
        names = (self.device, *(hop.device for hop in self.nexthops))
        return tuple(name for name in names if name)


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """One line of ``ip rule``."""

    at: Line
    priority: int
    table: str = ""
    """Where the rule looks; empty where it is an action."""
    action: str = "lookup"
    """``lookup``, ``blackhole``, ``unreachable``, ``prohibit``, ``goto``, ``nop`` ..."""
    source: IPNetwork | None = None
    """``None``: from all."""
    destination: IPNetwork | None = None
    inverted: bool = False
    selectors: tuple[str, ...] = ()
    """What else must fit (``fwmark 0x1``, ``iif eth1``, ``uidrange 0-0``), which only the kernel can tell."""
    suppress_prefixlength: int | None = None


class RouteOutcome(StrEnum):
    """What becomes of a packet by the host's own tables."""

    FORWARD = "forward"
    LOCAL = "local"
    """Delivered to the host itself."""
    NO_ROUTE = "no-route"
    UNREACHABLE = "unreachable"
    PROHIBIT = "prohibit"
    BLACKHOLE = "blackhole"


@dataclass(frozen=True, slots=True)
class RouteAnswer:
    """What the kernel said of one address (``ip route get``)."""

    at: Line
    target: IPAddress
    service: str
    """``imds`` for 169.254.169.254, else the endpoint's service."""
    outcome: RouteOutcome | None
    """``None``: the answer could not be read."""
    gateway: IPAddress | None = None
    device: str | None = None
    source: IPAddress | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Lookup:
    """Our own reckoning of one address: the rule that led to a table, and the route found there."""

    target: IPAddress
    outcome: RouteOutcome
    route: Route | None = None
    rule: PolicyRule | None = None
    sure: bool = True
    """``False`` where a rule passed over could have fitted (a mark, an interface) and leads elsewhere."""
