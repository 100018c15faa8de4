"""The host's interfaces and addresses (``ip addr``, ``ifconfig``) and its neighbours (``ip neigh``)."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Interface, ip_interface

from analyzers.facts.base import IPAddress, IPNetwork, Line, address, integer, lines_of, network


@dataclass(frozen=True, slots=True)
class InterfaceAddress:
    """One address of an interface."""

    at: Line
    interface: IPv4Interface | IPv6Interface
    scope: str = ""
    peer: IPNetwork | None = None
    """Of a point-to-point link: what is connected instead of the address's own network."""

    @property
    def ip(self) -> IPAddress:
        return self.interface.ip

    @property
    def network(self) -> IPNetwork:
        """What this address makes reachable without a gateway."""
        return self.peer or self.interface.network


@dataclass(frozen=True, slots=True)
class Interface:
    """One network interface."""

    at: Line
    name: str
    index: int | None = None
    up: bool = True
    """Administratively up."""
    carrier: bool = True
    """Has a link."""
    mac: str = ""
    mtu: int | None = None
    addresses: tuple[InterfaceAddress, ...] = ()
    description: str = ""
    """On Windows, what the adapter is: ``Amazon Elastic Network Adapter``."""

    @property
    def loopback(self) -> bool:
        return self.name == "lo" or any(address.ip.is_loopback for address in self.addresses)

    @property
    def virtual(self) -> bool:
        """Whether name or description is that of a bridge, tunnel or container device, not of an ENI."""
        return _VIRTUAL.match(self.name) is not None or _VIRTUAL_ADAPTER.search(self.description) is not None


_VIRTUAL = re.compile(
    r"lo\b|docker|br-|veth|virbr|tun|tap|wg|cni|flannel|cali|vxlan|eni|dummy|ifb|ip6tnl|sit|gre|kube|podman"
    r"|ppp|nordlynx|tailscale|vEthernet"
)
"""Devices of containers, tunnels and bridges."""
_VIRTUAL_ADAPTER = re.compile(
    r"Hyper-V Virtual|Loopback|TAP-|\bTAP\b|Wintun|WireGuard|VPN|WAN Miniport|Tunnel|AnyConnect|Kernel Debug"
)
"""The same on Windows; descriptions of drivers are not translated."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Every interface."""

    interfaces: tuple[Interface, ...] = ()

    @property
    def all(self) -> tuple[InterfaceAddress, ...]:
        return tuple(address for interface in self.interfaces for address in interface.addresses)

    def owner(self, address: IPAddress) -> Interface | None:
        """The interface that has ``address``."""
        return next((i for i in self.interfaces if any(a.ip == address for a in i.addresses)), None)

    def named(self, name: str) -> Interface | None:
        return next((i for i in self.interfaces if i.name == name), None)


@dataclass(frozen=True, slots=True)
class Neighbour:
    """One line of ``ip neigh``."""

    at: Line
    address: IPAddress
    device: str
    mac: str = ""
    state: str = ""
    """``REACHABLE``, ``STALE``, ``FAILED``, ``INCOMPLETE`` ..."""

    @property
    def dead(self) -> bool:
        """Nobody answers ARP for it."""
        return self.state in ("FAILED", "INCOMPLETE")


# Reading -------------------------------------------------------------------------------------------------

_HEADER = re.compile(
    r"(?P<index>[0-9]{1,9}): (?P<name>[^\s:@]{1,64})(@\S+)?: <(?P<flags>[A-Z0-9_,-]*)>(?P<rest>.*)"
)
_IFCONFIG = re.compile(r"(?P<name>[^\s:]{1,64}):?\s+(Link encap|flags=)")


def parse_addresses(output: bytes, source: str = "probes/addresses") -> Addresses | None:
    """Of ``ip addr`` (iproute2 or busybox), or ``ifconfig`` of either kind; ``None`` where it shows no
    interface (every host has ``lo``)."""
    lines = list(lines_of(output, source))
    if any(_IFCONFIG.match(line.text) for line in lines):
        found = tuple(_ifconfig(block) for block in _blocks(lines, _IFCONFIG))
    else:
        found = tuple(_ip_addr(block) for block in _blocks(lines, _HEADER))
    return Addresses(found) if found else None


def _blocks(lines: list[Line], header: re.Pattern[str]) -> Iterator[list[Line]]:
    """The lines of each interface, its header first."""
    block: list[Line] = []
    for line in lines:
        if header.match(line.text):
            if block:
                yield block
            block = [line]
        elif block:
            block.append(line)
    if block:
        yield block


def _ip_addr(block: list[Line]) -> Interface:
    header = _HEADER.match(block[0].text)
    assert header is not None  # noqa: S101  _blocks begins each block with a header
    flags = header["flags"].split(",")
    mtu = re.search(r"\bmtu ([0-9]{1,9})", header["rest"])
    mac = ""
    addresses: list[InterfaceAddress] = []
    for line in block[1:]:
        words = line.text.split()
        if words[0].startswith("link/") and len(words) > 1:
            mac = words[1]
        elif words[0] in ("inet", "inet6") and len(words) > 1:
            addresses += _inet(line, words)
    return Interface(
        block[0],
        header["name"],
        integer(header["index"]),
        "UP" in flags,
        "NO-CARRIER" not in flags and " state DOWN" not in header["rest"],
        mac,
        int(mtu[1]) if mtu else None,
        tuple(addresses),
    )


def _inet(line: Line, words: list[str]) -> Iterator[InterfaceAddress]:
    """``inet 10.0.1.5/24 brd 10.0.1.255 scope global eth0``; ``inet 10.8.0.6 peer 10.8.0.5/32 ...``."""
    own = _interface(words[1])
    if own is None:
        return
    scope = words[words.index("scope") + 1] if "scope" in words[:-1] else ""
    peer = network(words[words.index("peer") + 1]) if "peer" in words[:-1] else None
    yield InterfaceAddress(line, own, scope, peer)


def _ifconfig(block: list[Line]) -> Interface:
    """``inet addr:10.0.1.5  Bcast:... Mask:255.255.255.0`` (busybox) or ``inet 10.0.1.5  netmask ...``."""
    name = block[0].text.split()[0].rstrip(":")
    text = "\n".join(line.text for line in block)
    mac = re.search(r"(?:HWaddr|ether) ([0-9A-Fa-f:]{17})", text)
    mtu = re.search(r"(?:MTU:|mtu )([0-9]{1,9})", text)
    addresses: list[InterfaceAddress] = []
    for line in block:
        v4 = re.search(r"inet (?:addr:)?([0-9.]{7,15})\b.*?(?:Mask:|netmask )([0-9.]{7,15})", line.text)
        v6 = re.search(r"inet6 (?:addr: ?)?([0-9A-Fa-f:]{2,39})(?:/|  ?prefixlen )([0-9]{1,3})", line.text)
        for found in filter(None, (v4, v6)):
            own = _interface(f"{found[1]}/{found[2]}")
            if own is not None:
                addresses.append(InterfaceAddress(line, own))
    up = bool(re.search(r"\bUP\b", text))
    running = bool(re.search(r"\bRUNNING\b", text))
    return Interface(
        block[0], name, None, up, running, mac[1].lower() if mac else "", int(mtu[1]) if mtu else None,
        tuple(addresses),
    )  # fmt: skip


def _interface(text: str) -> IPv4Interface | IPv6Interface | None:
    try:
        return ip_interface(text)
    except ValueError:
        return None


def parse_neighbours(output: bytes, source: str = "probes/neighbours") -> tuple[Neighbour, ...]:
    """Of ``ip neigh`` (``10.0.1.1 dev eth0 lladdr 0a:... REACHABLE``) or ``/proc/net/arp``."""
    found = []
    for line in lines_of(output, source):
        words = line.text.split()
        target = address(words[0])
        if target is None or len(words) < 2:
            continue
        if len(words) == 6 and words[1].startswith("0x"):  # /proc/net/arp: flag 2 is "complete"
            state = "REACHABLE" if words[2] == "0x2" else "INCOMPLETE"
            found.append(Neighbour(line, target, words[5], words[3], state))
            continue
        after = dict(itertools.pairwise(words))
        state = words[-1] if words[-1].isupper() else ""
        found.append(Neighbour(line, target, after.get("dev", ""), after.get("lladdr", ""), state))
    return tuple(found)
