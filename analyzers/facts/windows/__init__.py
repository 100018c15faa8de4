"""The facts of a Windows host: readers of its probes that give the same values as those of any other host.

Where a probe prints the same form on every platform (docs/evidence.md), its one reader is used; the others
are here, by probe.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from analyzers.facts.windows import network, service
from analyzers.facts.windows.host import WindowsHost, parse_disks, read_windows

__all__ = ["READERS", "WindowsHost", "read_windows"]

READERS: Mapping[str, Callable[[bytes, str], Any]] = {
    "service": service.parse_service,
    "processes": service.parse_processes,
    "sockets": network.parse_sockets,
    "routes": network.parse_routes,
    "route-get": network.parse_ways,
    "addresses": network.parse_addresses,
    "neighbours": network.parse_neighbours,
    "resolv-conf": network.parse_resolvers,
    "disk-space": parse_disks,
}
"""By probe: what reads it on Windows instead."""
