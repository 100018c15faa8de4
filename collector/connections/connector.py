"""The seam between a sweep and the ways of connecting."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from collector.connections.base import Connection, Deadline
from collector.connections.sockets import Stream
from collector.target import Target


@dataclass(frozen=True, slots=True)
class Tunnel:
    """A connection that leads through jump hosts to a target's door; nobody has logged in there yet."""

    stream: Stream
    hops: tuple[str, ...]
    """The jump hosts, the nearest first."""

    def close(self) -> None:
        self.stream.close()


Way = socket.socket | Tunnel
"""A connection to a target, made on a connector's behalf before anybody waits for it."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to make a connection on a connector's behalf."""

    host: str
    port: int
    timeout_s: float
    jump: str = ""
    """The last jump host on the way there; empty: the way is straight."""
    tunnel: Callable[[], Tunnel] | None = None
    """Where there is a jump host: makes the connection, within ``timeout_s``; raises ``ConnectionFailed``."""


class Connector(Protocol):
    """Opens connections of one transport; keeps what they share.  One per run, used by many threads."""

    def endpoint(self, target: Target) -> Endpoint | None:
        """Where to connect for ``target``; ``None``: ``open`` knows a way of its own.

        Raises:
            UsageError: the configuration is not valid.
        """
        ...

    def open(self, target: Target, *, deadline: Deadline, sock: Way | None = None) -> Connection:
        """Connect and log in; ``sock``, if given, is connected to the endpoint, and now the connector's.

        Raises:
            ConnectionFailed: every way in which it can fail.
        """
        ...

    def close(self) -> None:
        """Give back what the connections shared.  Never raises."""
        ...
