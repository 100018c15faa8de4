"""The hosts file, resolv.conf and nsswitch.conf: how this host turns names into addresses."""

from __future__ import annotations

from dataclasses import dataclass

from analyzers.facts.base import IPAddress, Line


@dataclass(frozen=True, slots=True)
class HostsEntry:
    """One line of the hosts file."""

    at: Line
    address: IPAddress
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HostsFile:
    entries: tuple[HostsEntry, ...] = ()

    def overrides(self, host: str) -> tuple[HostsEntry, ...]:
        """The entries for ``host``."""
        wanted = host.rstrip(".").lower()
        return tuple(entry for entry in self.entries if wanted in entry.names)


@dataclass(frozen=True, slots=True)
class Nameserver:
    at: Line
    address: IPAddress

    @property
    def stub(self) -> bool:
        """A local forwarder (systemd-resolved, dnsmasq), not the resolver itself."""
        return self.address.is_loopback


@dataclass(frozen=True, slots=True)
class Resolvers:
    """resolv.conf."""

    nameservers: tuple[Nameserver, ...] = ()
    """libc uses the first three; with none, it asks 127.0.0.1."""
    search: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    head: str = ""
    """Its first lines, to quote where there is no nameserver."""


@dataclass(frozen=True, slots=True)
class NameSwitch:
    """The ``hosts:`` line of nsswitch.conf."""

    at: Line
    hosts: tuple[str, ...]
    """``files``, ``dns``, ``resolve`` ... with actions such as ``[NOTFOUND=return]``."""

    @property
    def uses_dns(self) -> bool:
        return any(word in ("dns", "resolve") for word in self.hosts)
