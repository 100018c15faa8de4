"""Where a packet of this host goes: rules, tables, longest prefix and metric, reckoned as the kernel does."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from analyzers.facts.addresses import Addresses, Neighbour
from analyzers.facts.base import IPAddress, IPNetwork
from analyzers.facts.routes import Lookup, PolicyRule, Route, RouteAnswer

IMDS = IPv4Address("169.254.169.254")
LINK_LOCAL = IPv4Network("169.254.0.0/16")


@dataclass(frozen=True, slots=True)
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

    def lookup(self, target: IPAddress) -> Lookup:
        """The effective route to ``target`` for a packet that the host itself sends."""
        raise NotImplementedError

    def agrees(self, target: IPAddress) -> bool | None:
        """Whether our reckoning and the kernel's answer name the same way; ``None``: no answer to compare."""
        raise NotImplementedError

    @property
    def connected(self) -> tuple[IPNetwork, ...]:
        """The networks that the host reaches without a gateway, loopback and link-local IPv6 left out."""
        raise NotImplementedError

    def default_routes(self, version: int = 4) -> tuple[Route, ...]:
        """Usable default routes of the main table, the preferred one first."""
        raise NotImplementedError

    def routes_to(self, target: IPAddress) -> tuple[Route, ...]:
        """Every route of every table, but defaults, that covers ``target``; the most specific first."""
        raise NotImplementedError

    def gateway_outside(self, route: Route) -> IPAddress | None:
        """The gateway of ``route`` that lies outside every connected network, if there is one.

        ``None`` too where the route is ``onlink`` or the connected networks are not known.
        """
        raise NotImplementedError

    @property
    def expected_gateway(self) -> IPAddress | None:
        """The next hop that 169.254.169.254 should have: the default route's gateway on the primary
        interface, or, without one, the VPC router (the base of the primary subnet plus one)."""
        raise NotImplementedError

    @property
    def primary_device(self) -> str | None:
        """The interface of the ENI with index 0, as far as the host can tell."""
        raise NotImplementedError

    def neighbour(self, target: IPAddress) -> Neighbour | None:
        """What ARP knows of ``target``."""
        return next((item for item in self.neighbours if item.address == target), None)
