"""The connectors of a run, made when the first host needs them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, cast

from collector.connections.connector import Connector
from collector.sweep.garbage import look_less_often
from collector.sweep.model import SweepSettings
from collector.target import Target, Transport

if TYPE_CHECKING:
    from collector.connections.ssh import SshConnector


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

            look_less_often()
            return SshConnector(self._settings.ssh)
        if transport is Transport.WINRM:
            from collector.connections.winrm import WinrmConnector

            return WinrmConnector(self._settings.winrm, lambda: cast("SshConnector", self._of(Transport.SSH)))
        from collector.connections.local import LocalConnector

        return LocalConnector()
