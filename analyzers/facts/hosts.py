"""The hosts file, resolv.conf and nsswitch.conf: how this host turns names into addresses."""

from __future__ import annotations

import re
from dataclasses import dataclass

from analyzers.facts.base import IPAddress, Line, address, lines_of


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


# Reading -------------------------------------------------------------------------------------------------


def parse_hosts(output: bytes, source: str = "probes/hosts-file") -> HostsFile:
    """Of ``/etc/hosts``: an address and its names on each line, comments behind ``#``."""
    entries = []
    for line in lines_of(output, source):
        words = line.text.partition("#")[0].split()
        target = address(words[0]) if words else None
        if target is not None and len(words) > 1:
            entries.append(HostsEntry(line, target, tuple(word.rstrip(".").lower() for word in words[1:])))
    return HostsFile(tuple(entries))


def parse_resolvers(output: bytes, source: str = "probes/resolv-conf") -> Resolvers:
    """Of ``/etc/resolv.conf`` (resolv.conf(5)): the last ``search`` or ``domain`` counts."""
    nameservers: list[Nameserver] = []
    search: tuple[str, ...] = ()
    options: list[str] = []
    lines = list(lines_of(output, source))
    for line in lines:
        words = line.text.split()
        if words[0] == "nameserver" and len(words) > 1:
            target = address(words[1])
            if target is not None:
                nameservers.append(Nameserver(line, target))
        elif words[0] in ("search", "domain"):
            search = tuple(words[1:])
        elif words[0] == "options":
            options += words[1:]
    head = "\n".join(line.text for line in lines[:4])
    return Resolvers(tuple(nameservers), search, tuple(options), head)


def parse_name_switch(output: bytes, source: str = "probes/nsswitch-conf") -> NameSwitch | None:
    """Of ``/etc/nsswitch.conf``: its ``hosts:`` line, if there is one."""
    for line in lines_of(output, source):
        key, colon, rest = line.text.partition("#")[0].partition(":")
        if colon and key.strip() == "hosts":
            return NameSwitch(line, tuple(re.findall(r"\[[^\]]*\]|\S+", rest)))
    return None
