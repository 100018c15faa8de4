"""One login over SSH: Fabric's connection on our transport, and what became known on the way to it."""

from __future__ import annotations

import contextlib
import threading
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, cast

import fabric
import paramiko

from collector.connections.auth import Authentication
from collector.connections.host_keys import HostKeyCheck
from collector.connections.settings import SshSettings
from collector.connections.sockets import PreparedSocket, Stream
from collector.connections.ssh_config import HostConfig

CHANNEL_TIMEOUT_S = 30.0
"""For a server to open a channel, or to forward one."""

_CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com")
_OF_A_CHANNEL, _CHANNEL_CLOSE = range(93, 101), 97
"""Kinds of messages (RFC 4254, 9)."""
_KEX = ("curve25519-sha256@libssh.org", "mlkem768x25519-sha256")


class Login:
    """One authenticated transport, and what became known on the way to it."""

    def __init__(
        self,
        where: str,
        config: HostConfig,
        check: HostKeyCheck,
        gateway: Login | None,
        before: tuple[str, ...] = (),
    ) -> None:
        self.where = where
        self.before = before or (gateway.hops if gateway else ())
        """The jump hosts on the way there, the nearest first."""
        self.config = config
        self.check = check
        self.gateway = gateway
        self.client: Any = None
        self.auth: Authentication | None = None
        self._transport: Transport | None = None

    def make_transport(self, sock: Stream, settings: SshSettings) -> Transport:
        self._transport = Transport(sock, self.config, self.check, settings.banner_timeout_s)
        return self._transport

    @property
    def transport(self) -> Transport:
        assert self._transport is not None  # noqa: S101  # only asked once it is open
        return self._transport

    @property
    def is_alive(self) -> bool:
        return self._transport is not None and self._transport.is_active()

    @property
    def has_banner(self) -> bool:
        return self._transport is not None and bool(self._transport.remote_version)

    @property
    def hops(self) -> tuple[str, ...]:
        """The jump hosts up to and with this one, the nearest first."""
        return (*self.before, f"{self.config.user}@{self.config.hostname}:{self.config.port}")

    @property
    def is_mute(self) -> bool:
        """The server took the connection, and neither greeted nor hung up."""
        return self._transport is not None and not self.has_banner and not self._transport.prepared.has_ended

    @property
    def stage(self) -> str:
        """What was being done, for a failure to tell."""
        if not self.has_banner:
            return "waiting for its SSH banner"
        return "logging in" if self.check.host_key else "exchanging keys"

    def cut(self) -> None:
        """End it at once, from any thread: whoever waits on it is woken."""
        if self._transport is not None:
            self._transport.prepared.close()
        elif self.gateway is not None:
            self.gateway.cut()

    def close(self) -> None:
        """Never raises: what is closed here is given up anyway."""
        with contextlib.suppress(Exception):  # a socket may break in many ways
            if self._transport is not None:
                self._transport.prepared.close()
                self._transport.close()


class Transport(paramiko.Transport):
    """Paramiko's transport on a prepared socket, with our order of algorithms and no wait without an end."""

    def __init__(self, sock: Stream, config: HostConfig, check: HostKeyCheck, seconds: float) -> None:
        self.prepared = PreparedSocket(sock)
        super().__init__(cast(Any, self.prepared))
        self._check = check
        self._seconds = seconds
        self._ended: set[int] = set()
        """Channels, by the server's numbers, whose end has gone out."""
        self.banner_timeout = seconds
        # Paramiko would start a thread for each login to time it; our watchdog times them all.
        cast(Any, self.packetizer).start_handshake = lambda timeout: None
        options = self.get_security_options()
        allowed = config.algorithms
        options.ciphers = _preferred(tuple(options.ciphers), _CIPHERS, allowed.get("ciphers"))
        options.kex = _preferred(tuple(options.kex), _KEX, allowed.get("kex"))
        options.digests = _preferred(tuple(options.digests), (), allowed.get("macs"))

    def _log(self, level: int, msg: Any, *args: Any) -> None:
        """Nobody reads it: what matters comes as an exception."""

    def _parse_debug(self, m: paramiko.Message) -> None:
        """A server's own debugging, which Paramiko would make printable for its log."""

    @property
    def preferred_keys(self) -> tuple[str, ...]:
        """Paramiko offers certificates last, so that a host that has one would never show it."""
        return self._check.preferred_algorithms(tuple(self.get_security_options().key_types))

    def start_client(self, event: threading.Event | None = None, timeout: float | None = None) -> None:
        """Exchange keys.  Paramiko's own returns as if all were well when the time is up."""
        super().start_client(event, timeout or self._seconds)
        if not self.initial_kex_done:
            raise TimeoutError("timed out")
        self.prepared.trust()

    def open_channel(self, *arguments: Any, **options: Any) -> paramiko.Channel:
        """The server may give it the number of one that has ended."""
        channel = super().open_channel(*arguments, **options)
        self._ended.discard(channel.remote_chanid)
        return channel

    def _send_message(self, data: Any) -> None:
        """Nothing of a channel goes out behind its end, which sshd would answer by hanging up on all of them.

        Paramiko sends when it has let go of the channel's lock, so that another thread may end it before.
        What comes here of channels comes one after the other.
        """
        head = bytes(data.packet.getbuffer()[:5])
        if len(head) == 5 and head[0] in _OF_A_CHANNEL:
            channel = int.from_bytes(head[1:], "big")
            if channel in self._ended:
                return
            if head[0] == _CHANNEL_CLOSE:
                self._ended.add(channel)
        cast(Any, super())._send_message(data)


class Client(fabric.Connection):  # type: ignore[misc]  # Fabric has no types
    """Fabric's connection, made safe to share one ``Config`` among threads, and cheap to make.

    Fabric writes what its class does not name into the configuration, which is shared, and looks through all
    layers of it for what was given to it anyway.
    """

    __setattr__ = object.__setattr__
    authentication = SimpleNamespace(strategy_class=None)
    """Ours is among the arguments of ``connect``."""

    def resolve_connect_kwargs(self, connect_kwargs: dict[str, Any]) -> dict[str, Any]:
        """What was given, and nothing else."""
        return connect_kwargs


@lru_cache(maxsize=64)
def _preferred(
    offered: tuple[str, ...], first: tuple[str, ...], allowed: tuple[str, ...] | None
) -> tuple[str, ...]:
    """``offered`` with ``first`` in front, cut to what ssh_config allows; uncut if that leaves nothing."""
    names = (*(name for name in first if name in offered), *(name for name in offered if name not in first))
    return tuple(name for name in names if allowed is None or name in allowed) or names
