"""The host's interfaces and addresses (``ip addr``, ``ifconfig``) and its neighbours (``ip neigh``)."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Interface

from analyzers.facts.base import IPAddress, IPNetwork, Line


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

    @property
    def loopback(self) -> bool:
        return self.name == "lo" or any(address.ip.is_loopback for address in self.addresses)

    @property
    def virtual(self) -> bool:
        """Whether its name is that of a bridge, tunnel or container device, not of an ENI."""
        return self.name.startswith(tuple(_VIRTUAL))


_VIRTUAL = (
    "lo docker br- veth virbr tun tap wg cni flannel cali vxlan eni dummy ifb ip6tnl sit gre kube podman ppp "
    "nordlynx tailscale"
).split()


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
