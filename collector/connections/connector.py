"""The seam between a sweep and the ways of connecting."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Protocol

from collector.connections.base import Connection, Deadline
from collector.target import Target


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to make a TCP connection on a connector's behalf."""

    host: str
    port: int
    timeout_s: float


class Connector(Protocol):
    """Opens connections of one transport; keeps what they share.  One per run, used by many threads."""

    def endpoint(self, target: Target) -> Endpoint | None:
        """Where to connect for ``target``; ``None``: ``open`` knows a way of its own.

        Raises:
            UsageError: the configuration is not valid.
        """
        ...

    def open(self, target: Target, *, deadline: Deadline, sock: socket.socket | None = None) -> Connection:
        """Connect and log in; ``sock``, if given, is connected to the endpoint, and now the connector's.

        Raises:
            ConnectionFailed: every way in which it can fail.
        """
        ...

    def close(self) -> None:
        """Give back what the connections shared.  Never raises."""
        ...
