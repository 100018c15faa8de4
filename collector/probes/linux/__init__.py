"""Everything that is looked at on a Linux host, in the order in which it is asked."""

from __future__ import annotations

from collector.probes.linux import (
    config,
    endpoints,
    identity,
    imds,
    limits,
    logs,
    proxy,
    routes,
    service,
    storage,
)
from collector.probes.model import Probe

LINUX: tuple[Probe, ...] = (
    *identity.PROBES,
    *service.PROBES,
    *routes.PROBES,
    *imds.PROBES,
    *endpoints.PROBES,
    *proxy.PROBES,
    *config.PROBES,
    *storage.PROBES,
    *limits.PROBES,
    *logs.PROBES,
)

SHELL_FILES = ("core", "http", "agent", "net", "imds", "system", "logs")
"""What the probes share, in ``shell/*.sh``; ``main`` closes the script."""
