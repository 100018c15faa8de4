"""Routes, ways, adapters, neighbours, name servers and connections of a Windows host."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv4Network, IPv6Interface, ip_interface

from analyzers.facts.addresses import Addresses, Interface, InterfaceAddress, Neighbour
from analyzers.facts.base import IPAddress, IPNetwork, Line, address, network
from analyzers.facts.hosts import Nameserver, Resolvers
from analyzers.facts.processes import Socket, Sockets
from analyzers.facts.routes import Route, RouteAnswer, RouteKind, RouteOutcome
from analyzers.facts.windows.objects import Thing, things_of

_ANYWHERE = ("0.0.0.0", "::")  # noqa: S104  a next hop that is none: the destination is on the link
_IF_OPER_UP = 1
"""ifOperStatus of RFC 2863, as MSFT_NetAdapter gives it."""


SERVICES = {
    "169.254.169.254": "imds",
    "fd00:ec2::254": "imds",
    "169.254.169.253": "amazon-dns",
    "169.254.169.250": "activation",
    "169.254.169.251": "activation",
    "169.254.169.123": "time",
    "169.254.169.249": "gpu-licences",
    "8.8.8.8": "internet",
}
"""What stands behind the addresses to which the way is asked (EC2 User Guide, "Link-local addresses")."""


def device_name(thing: Thing) -> str | None:
    """An interface as routes name it: its alias, or ``#12`` by its index where it has none (any more)."""
    index = thing.number("if_index")
    return thing.text("if_alias") or (f"#{index}" if index is not None else None)


def parse_routes(output: bytes, source: str = "probes/routes") -> tuple[Route, ...]:
    """The routes in force.  A route's metric is its own and its interface's together, as Windows reckons.

    ``Win32_IP4RouteTable`` gives that sum already.
    """
    return tuple(
        route for thing in things_of(output, source, "route") if (route := _route(thing)) is not None
    )


def _route(thing: Thing) -> Route | None:
    destination = network(thing.text("prefix"))
    if destination is None:
        return None
    hop = None if thing.text("next_hop") in _ANYWHERE else address(thing.text("next_hop"))
    kind = RouteKind.UNICAST
    if destination.is_multicast:
        kind = RouteKind.MULTICAST
    elif destination == IPv4Network("255.255.255.255/32"):
        kind = RouteKind.BROADCAST
    return Route(
        thing.at,
        kind,
        destination,
        hop,
        device_name(thing),
        metric=(thing.number("metric") or 0) + (thing.number("if_metric") or 0),
        scope="" if hop is not None else "link",
        protocol=str(thing.number("protocol") or ""),
    )


@dataclass(frozen=True, slots=True)
class KeptRoute:
    """A route that survives a boot."""

    at: Line
    store: str
    """``persistent`` (the store of New-NetRoute), ``persisted`` (the class of ``route -p``), ``registry``."""
    destination: IPNetwork
    gateway: IPAddress | None
    index: int | None = None
    """Of the interface, where the store keeps one."""


def parse_kept_routes(output: bytes, source: str = "probes/persistent-routes") -> tuple[KeptRoute, ...]:
    """Of the three places where Windows keeps routes; a route may stand in several."""
    found: list[KeptRoute] = []
    for thing in things_of(output, source, "route", "value"):
        if thing.kind == "value":  # 169.254.169.254,255.255.255.255,172.31.48.1,-1
            words = thing.text("value").split(",")
            prefix, hop = (f"{words[0]}/{words[1]}", words[2]) if len(words) > 2 else ("", "")
        else:
            prefix, hop = thing.text("prefix"), thing.text("next_hop")
        destination = network(prefix)
        if destination is not None:
            gateway = None if hop in _ANYWHERE else address(hop)
            found.append(
                KeptRoute(thing.at, thing.text("store"), destination, gateway, thing.number("if_index"))
            )
    return tuple(found)


def parse_ways(output: bytes, source: str = "probes/route-get") -> tuple[RouteAnswer, ...]:
    """What ``Find-NetRoute`` said of each address; one that it could not find is not judged."""
    found = []
    for thing in things_of(output, source, "way"):
        target = thing.address("target")
        if target is None:
            continue
        hop = None if thing.text("next_hop") in _ANYWHERE else thing.address("next_hop")
        outcome = RouteOutcome.FORWARD if thing.text("prefix") else None
        service = SERVICES.get(thing.text("target"), "")
        found.append(
            RouteAnswer(
                thing.at, target, service, outcome, hop, device_name(thing), thing.address("source"),
                thing.text("error"),
            )
        )  # fmt: skip
    return tuple(found)


_Key = int | str
"""An interface by its index or, where that was not told, by its name."""


def parse_addresses(output: bytes, source: str = "probes/addresses") -> Addresses | None:
    """The adapters with their addresses; ``None`` where there is no adapter (every host has one)."""
    things = list(things_of(output, source))
    by_key: dict[_Key, list[InterfaceAddress]] = {}
    for thing in things:
        own = _own_address(thing) if thing.kind == "address" else None
        if own is not None:
            by_key.setdefault(_key(thing), []).append(InterfaceAddress(thing.at, own))
    interfaces = [_interface(t, by_key.pop(_key(t), [])) for t in things if t.kind == "adapter"]
    rest = _without_adapter(things, by_key)
    return Addresses((*interfaces, *rest)) if interfaces or rest else None


def _key(thing: Thing) -> _Key:
    index = thing.number("if_index")
    return index if index is not None else thing.text("if_alias") or thing.text("name")


def _interface(thing: Thing, addresses: Iterable[InterfaceAddress]) -> Interface:
    status, index = thing.number("status"), thing.number("if_index")
    return Interface(
        thing.at,
        thing.text("name") or f"#{index}",
        index,
        up=status in (None, _IF_OPER_UP),
        carrier=status in (None, _IF_OPER_UP),
        mac=thing.text("mac").replace("-", ":").lower(),
        mtu=thing.number("mtu"),
        addresses=tuple(addresses),
        description=thing.text("description"),
    )


def _without_adapter(things: Iterable[Thing], by_key: dict[_Key, list[InterfaceAddress]]) -> list[Interface]:
    """Interfaces that have addresses and are no adapter: the loopback pseudo-interface, tunnels."""
    aliases = {_key(t): t.text("if_alias") for t in things if t.kind in ("address", "interface")}
    return [
        Interface(
            own[0].at,
            aliases.get(key) or f"#{key}",
            key if isinstance(key, int) else None,
            addresses=tuple(own),
        )
        for key, own in by_key.items()
    ]


def _own_address(thing: Thing) -> IPv4Interface | IPv6Interface | None:
    length = thing.text("mask") or str(thing.number("prefix_length") or "")
    try:
        return ip_interface(f"{thing.text('address').partition('%')[0]}/{length}" if length else "")
    except ValueError:
        return None


_NEIGHBOUR_STATES: dict[int | None, str] = {0: "FAILED", 1: "INCOMPLETE", 2: "PROBE", 3: "DELAY", 4: "STALE",
                     5: "REACHABLE", 6: "PERMANENT"}  # fmt: skip
"""MSFT_NetNeighbor.State; "unreachable" is the kernel's own word for one that answers no ARP."""


def parse_neighbours(output: bytes, source: str = "probes/neighbours") -> tuple[Neighbour, ...]:
    """Of ``Get-NetNeighbor``."""
    return tuple(
        Neighbour(
            thing.at, target, device_name(thing) or "", thing.text("mac").replace("-", ":").lower(),
            _NEIGHBOUR_STATES.get(thing.number("state"), ""),
        )
        for thing in things_of(output, source, "neighbour")
        if (target := thing.address("address")) is not None
    )  # fmt: skip


def parse_resolvers(output: bytes, source: str = "probes/resolv-conf") -> Resolvers:
    """The adapters' name servers, without the site-local ones that Windows lists where IPv6 has none."""
    servers: dict[IPAddress, Nameserver] = {}
    search: tuple[str, ...] = ()
    head = ""
    for thing in things_of(output, source, "servers", "search"):
        head = head or thing.at.text
        for text in thing.texts("servers"):
            found = address(text)
            if found is not None and not text.lower().startswith("fec0:"):
                servers.setdefault(found, Nameserver(thing.at, found))
        if thing.kind == "search":
            words = (thing.text("list") or thing.text("domain") or thing.text("dhcp_domain")).split(",")
            search = tuple(word.strip() for word in words if word.strip())
    return Resolvers(tuple(servers.values()), search, (), head)


_TCP_STATES = {2: "LISTEN", 3: "SYN-SENT", 4: "SYN-RECV", 5: "ESTAB", 6: "FIN-WAIT-1", 7: "FIN-WAIT-2",
               8: "CLOSE-WAIT", 9: "CLOSING", 10: "LAST-ACK", 11: "TIME-WAIT"}  # fmt: skip
"""MIB_TCP_STATE of iphlpapi."""


def parse_sockets(output: bytes, source: str = "probes/sockets") -> Sockets:
    """The agent's TCP connections."""
    return Sockets(
        tuple(
            Socket(
                thing.at, _TCP_STATES.get(thing.number("state") or 0, ""), thing.address("local"),
                thing.address("peer"), thing.number("peer_port"), thing.text("process").removesuffix(".exe"),
                thing.number("pid"),
            )
            for thing in things_of(output, source, "socket")
        )
    )  # fmt: skip
