"""The kernel's routes and policy rules, as ``ip route``, ``ip rule`` and ``/proc/net/route`` print them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from ipaddress import IPv4Address

from analyzers.facts.base import IPAddress, IPNetwork, Line, address, integer, lines_of, network, sections_of


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
    """The kernel does not use it: its interface is down."""
    linkdown: bool = False
    """Its interface has no link; the kernel uses it all the same, unless told otherwise."""
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
    """``imds`` for 169.254.169.254, else the endpoint's service; on Windows, of its sister addresses, too."""
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


# Reading routes ------------------------------------------------------------------------------------------

_TABLES = {"255": "local", "254": "main", "253": "default"}
_KINDS = frozenset(RouteKind)
_FLAGS = frozenset(
    (
        "onlink",
        "dead",
        "linkdown",
        "pervasive",
        "offload",
        "trap",
        "notify",
        "rt_offload",
        "rt_trap",
        "unresolved",
    )
)


def parse_routes(output: bytes, source: str = "probes/routes") -> tuple[Route, ...]:
    """Of ``ip route show table all`` (iproute2, old or new, or busybox), of ``/proc/net/route``, or of
    ``route -n`` / ``netstat -rn``."""
    lines = list(lines_of(output, source))
    if lines and lines[0].text.split()[:2] == ["Iface", "Destination"]:
        return tuple(route for line in lines[1:] for route in _proc_route(line))
    if any(line.text.split()[:2] == ["Destination", "Gateway"] for line in lines[:3]):
        return tuple(route for line in lines for route in _netstat_route(line))
    return _ip_routes(lines)


def _ip_routes(lines: list[Line]) -> tuple[Route, ...]:
    found: list[Route] = []
    version = 4  # ip prints the routes of IPv4 before those of IPv6, and "default" for both
    for line in lines:
        words = line.text.split()
        if words[0] == "nexthop":
            if found:
                found[-1] = replace(found[-1], nexthops=(*found[-1].nexthops, _nexthop(words)))
            continue
        route = _ip_route(line, words, version)
        if route is not None:
            found.append(route)
            version = route.destination.version
    return tuple(found)


def _ip_route(line: Line, words: list[str], version: int) -> Route | None:
    """``[type] destination [via gateway] [dev name] [table t] [proto p] [metric n] ...``."""
    kind = RouteKind(words.pop(0)) if words[0] in _KINDS else RouteKind.UNICAST
    if not words:
        return None
    first = words.pop(0)
    pairs, flags = _pairs(words)
    gateway = address(pairs.get("via"))
    if first == "default":
        destination = network("::/0" if _family(pairs, gateway, version) == 6 else "0.0.0.0/0")
    else:
        destination = network(_padded(first))
    if destination is None:
        return None
    table = pairs.get("table", "main")
    return Route(
        line,
        kind,
        destination,
        gateway,
        pairs.get("dev"),
        _TABLES.get(table, table),
        address(pairs.get("src")),
        integer(pairs.get("metric")) or 0,
        pairs.get("scope", ""),
        pairs.get("proto", ""),
        "onlink" in flags,
        "dead" in flags,
        "linkdown" in flags,
    )


def _pairs(words: list[str]) -> tuple[dict[str, str], set[str]]:
    """``key value`` pairs and lone flags; ``via inet6 ADDRESS`` counts as ``via`` with ``family``."""
    pairs: dict[str, str] = {}
    flags: set[str] = set()
    rest = iter(words)
    for word in rest:
        if word in _FLAGS:
            flags.add(word)
            continue
        value = next(rest, "")
        if word == "via" and value in ("inet", "inet6"):
            pairs["family"] = value
            value = next(rest, "")
        pairs.setdefault(word, value)
    return pairs, flags


def _family(pairs: dict[str, str], gateway: IPAddress | None, version: int) -> int:
    """Of a ``default``, which ip prints alike for both families."""
    if "family" in pairs:  # only said where the gateway's family is not the route's
        return 4 if pairs["family"] == "inet6" else 6
    if gateway is not None:
        return gateway.version
    return 6 if "pref" in pairs or "hoplimit" in pairs else version


def _padded(text: str) -> str:
    """``10/8`` and ``169.254/16`` of old tools as four octets."""
    base, slash, length = text.partition("/")
    if slash and re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3}){0,2}", base):
        base += ".0" * (3 - base.count("."))
    return base + slash + length


def _nexthop(words: list[str]) -> NextHop:
    pairs, _ = _pairs(words[1:])
    return NextHop(address(pairs.get("via")), pairs.get("dev"), integer(pairs.get("weight")) or 1)


_RTF_UP, _RTF_GATEWAY, _RTF_REJECT = 0x1, 0x2, 0x200


def _proc_route(line: Line) -> Iterator[Route]:
    """``eth0 00000000 0101000A 0003 0 0 512 00000000 ...``: hexadecimal, little-endian as the host is.

    The kernel writes ``*`` for a route without a device: with ``RTF_REJECT`` it is unreachable or prohibit,
    without it a blackhole (net/ipv4/fib_trie.c).
    """
    words = line.text.split()
    if len(words) < 8 or not all(re.fullmatch(r"[0-9A-Fa-f]{1,8}", words[i]) for i in (1, 2, 3, 7)):
        return
    destination, gateway, mask = (_little_endian(words[i]) for i in (1, 2, 7))
    flags = int(words[3], 16)
    target = network(f"{destination}/{mask}")
    if target is None:
        return
    kind = RouteKind.UNICAST
    if flags & _RTF_REJECT:
        kind = RouteKind.UNREACHABLE
    elif words[0] == "*":
        kind = RouteKind.BLACKHOLE
    yield Route(
        line,
        kind,
        target,
        gateway if flags & _RTF_GATEWAY else None,
        None if words[0] == "*" else words[0],
        metric=integer(words[6]) or 0,
        scope="" if flags & _RTF_GATEWAY else "link",
        dead=not flags & _RTF_UP,
    )


def _little_endian(text: str) -> IPv4Address:
    return IPv4Address(int(text, 16).to_bytes(4, "little"))


def _netstat_route(line: Line) -> Iterator[Route]:
    """``0.0.0.0  10.0.1.1  0.0.0.0  UG  512 0 0 eth0``; the flag ``!`` is a rejecting route."""
    words = line.text.split()
    if len(words) < 8:
        return
    target, gateway = network(f"{words[0]}/{words[2]}"), address(words[1])
    if target is None or not re.fullmatch("[A-Za-z!]+", words[3]):
        return
    yield Route(
        line,
        RouteKind.UNREACHABLE if "!" in words[3] else RouteKind.UNICAST,
        target,
        gateway if "G" in words[3] else None,
        None if words[7] in ("-", "*") else words[7],
        metric=integer(words[4]) or 0,
        scope="" if "G" in words[3] else "link",
    )


# Reading rules -------------------------------------------------------------------------------------------

_ACTIONS = frozenset(("blackhole", "unreachable", "prohibit", "nop", "masquerade"))
_RULE = re.compile(r"\s*(?P<priority>[0-9]{1,10}):\s+(?P<rest>\S.*)")


def parse_rules(output: bytes, source: str = "probes/rules") -> tuple[PolicyRule, ...]:
    """Of ``ip rule``, in order of priority."""
    found = []
    for line in lines_of(output, source):
        match = _RULE.fullmatch(line.text)
        if match:
            found.append(_rule(line, int(match["priority"]), match["rest"].split()))
    return tuple(sorted(found, key=lambda rule: rule.priority))


def _rule(line: Line, priority: int, words: list[str]) -> PolicyRule:
    rule = PolicyRule(line, priority)
    selectors: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == "not":
            rule = replace(rule, inverted=True)
        elif word in _ACTIONS:
            rule = replace(rule, action=word)
        elif word.startswith("["):  # [detached], [unresolved]
            selectors.append(word)
        else:
            rule = _pair(rule, word, next(rest, ""), selectors)
    return replace(rule, selectors=tuple(selectors))


def _pair(rule: PolicyRule, key: str, value: str, selectors: list[str]) -> PolicyRule:
    if key in ("from", "to"):
        prefix = None if value == "all" else network(_padded(value))
        return replace(rule, source=prefix) if key == "from" else replace(rule, destination=prefix)
    if key in ("lookup", "table"):
        return replace(rule, table=_TABLES.get(value, value))
    if key == "goto":
        return replace(rule, action="goto", table=value)
    if key == "suppress_prefixlength":
        return replace(rule, suppress_prefixlength=integer(value))
    if key not in ("proto", "protocol"):
        selectors.append(f"{key} {value}")
    return rule


# Reading answers -----------------------------------------------------------------------------------------

_ERRORS = (
    # What libc says of the kernel's refusal, glibc's words and musl's: rtnetlink(7), fib_props in the kernel.
    (re.compile(r"network (is )?unreachable", re.IGNORECASE), RouteOutcome.NO_ROUTE),
    (re.compile(r"no route to host|host is unreachable", re.IGNORECASE), RouteOutcome.UNREACHABLE),
    (re.compile(r"permission denied", re.IGNORECASE), RouteOutcome.PROHIBIT),
    (re.compile(r"invalid argument", re.IGNORECASE), RouteOutcome.BLACKHOLE),
)
_ERRNO = {"-101": RouteOutcome.NO_ROUTE, "-113": RouteOutcome.UNREACHABLE,
          "-13": RouteOutcome.PROHIBIT, "-22": RouteOutcome.BLACKHOLE}  # fmt: skip


def parse_route_answers(output: bytes, source: str = "probes/route-get") -> tuple[RouteAnswer, ...]:
    """Of ``ip route get`` for several targets, each in its section."""
    found = []
    for section in sections_of(output, source):
        words = section.name.split()
        target = address(words[0]) if words else None
        if target is None:
            continue
        service = words[1] if len(words) > 1 else ("imds" if words[0] == "169.254.169.254" else "")
        line = section.lines[0] if section.lines else section.at
        found.append(_answer(line, target, service))
    return tuple(found)


def _answer(line: Line, target: IPAddress, service: str) -> RouteAnswer:
    words = line.text.split()
    kind = RouteKind(words.pop(0)) if words[0] in _KINDS else RouteKind.UNICAST
    if not words or address(words[0]) != target:
        outcome = next((outcome for pattern, outcome in _ERRORS if pattern.search(line.text)), None)
        return RouteAnswer(line, target, service, outcome, error=line.text.strip())
    pairs, _ = _pairs(words[1:])
    outcome = {
        RouteKind.UNICAST: RouteOutcome.FORWARD,
        RouteKind.LOCAL: RouteOutcome.LOCAL,
        RouteKind.UNREACHABLE: RouteOutcome.UNREACHABLE,
        RouteKind.PROHIBIT: RouteOutcome.PROHIBIT,
        RouteKind.BLACKHOLE: RouteOutcome.BLACKHOLE,
    }.get(kind)
    if "error" in pairs:
        outcome = _ERRNO.get(pairs["error"], outcome)
    return RouteAnswer(
        line, target, service, outcome, address(pairs.get("via")), pairs.get("dev"), address(pairs.get("src"))
    )
