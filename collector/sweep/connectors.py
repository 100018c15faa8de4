"""The connectors of a run, made when the first host needs them."""

from __future__ import annotations

import gc
import threading
from typing import TYPE_CHECKING, cast

from collector.connections.connector import Connector
from collector.sweep.model import SweepSettings
from collector.target import Target, Transport

if TYPE_CHECKING:
    from collector.connections.ssh import SshConnector

_GARBAGE = 20_000
"""Objects after which Python looks for cycles among them: a connection leaves some hundreds, and to look for
them as often as usual took a twentieth of a sweep."""


class Connectors:
    """One connector per transport, for many threads: known_hosts is read once, jump hosts are shared."""

    def __init__(self, settings: SweepSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._made: dict[Transport, Connector] = {}

    def of(self, target: Target) -> Connector:
        """The connector for the transport of ``target``."""
        return self._of(target.transport)

    def close(self) -> None:
        """Close them all."""
        with self._lock:
            for connector in self._made.values():
                connector.close()
            self._made.clear()

    def _of(self, transport: Transport) -> Connector:
        with self._lock:
            if transport not in self._made:
                self._made[transport] = self._make(transport)
            return self._made[transport]

    def _make(self, transport: Transport) -> Connector:
        if transport is Transport.SSH:
            from collector.connections.ssh import SshConnector  # paramiko and fabric: heavy

            gc.freeze()  # what was imported stays; to look through it again and again took a tenth of a sweep
            gc.set_threshold(_GARBAGE)
            return SshConnector(self._settings.ssh)
        if transport is Transport.WINRM:
            from collector.connections.winrm import WinrmConnector

            return WinrmConnector(self._settings.winrm, lambda: cast("SshConnector", self._of(Transport.SSH)))
        from collector.connections.local import LocalConnector

        return LocalConnector()
