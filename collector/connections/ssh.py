"""SSH: Fabric for configuration, gateways and authentication, a Paramiko channel for the data.

``fabric.Connection`` opens each connection (its cost, 0.05 ms of CPU as ``Client`` makes it, is a hundredth
of the key exchange), through the seams that Fabric and Paramiko have for it: our prepared socket,
our transport, our policy for host keys, our strategy of authentication.  Fabric's ``run`` is never used: its
``in_stream`` moves a hundred bytes a second, and its capture is quadratic.  Neither is its default policy,
which trusts any host.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from dataclasses import replace
from typing import Any, cast

import fabric
import paramiko

from collector.connections import failures
from collector.connections.auth import Authentication
from collector.connections.base import Deadline
from collector.connections.connector import Endpoint, Tunnel, Way
from collector.connections.forwarding import as_socket
from collector.connections.handover import Privileged
from collector.connections.host_keys import HostKeyCheck
from collector.connections.keys import KeyRing
from collector.connections.known_hosts import KnownHosts
from collector.connections.settings import SshSettings
from collector.connections.sockets import ProxyProcess, Stream, connect
from collector.connections.ssh_config import ConfigResolver, HostConfig
from collector.connections.ssh_connection import SshConnection
from collector.connections.ssh_jumps import (
    Jump,
    forwarded,
    hop_target,
    is_same,
    jump_refused,
)
from collector.connections.ssh_login import CHANNEL_TIMEOUT_S, Client, Login
from collector.connections.watchdog import Watchdog
from collector.errors import ConnectionFailed, FailureKind
from collector.target import Target

_MAX_JUMPS = 10
_BANNER_UNREAD = "Error reading SSH protocol banner"
"""Paramiko's words, both where the time was up and where the server hung up."""


class SshConnector:
    """Opens connections to many hosts; what they share is read once.  One per run, for many threads."""

    def __init__(self, settings: SshSettings) -> None:
        self._settings = settings
        self._resolver = ConfigResolver(settings)
        self._keys = KeyRing()
        self._watchdog = Watchdog()
        self._lock = threading.Lock()
        self._known: dict[tuple[str, ...], KnownHosts] = {}
        self._jumps: dict[tuple[str, ...], Jump] = {}
        self._fabric = fabric.Config(ssh_config=paramiko.SSHConfig())
        # Without a handler Python prints what Paramiko logs, tracebacks and all, between our own lines.
        logging.getLogger("paramiko").addHandler(logging.NullHandler())

    def endpoint(self, target: Target) -> Endpoint | None:
        """Where to connect for ``target``; ``None``: a command leads there.

        Raises:
            UsageError: the configuration is not valid.
        """
        config = self._resolver.resolve(target)
        if config.proxy_command is not None:
            return None
        where = (config.hostname, config.port, config.connect_timeout_s)
        if not config.proxy_jump:
            return Endpoint(*where)
        return Endpoint(*where, jump=config.proxy_jump[-1], tunnel=lambda: self._tunnel(target, config))

    def open(self, target: Target, *, deadline: Deadline, sock: Way | None = None) -> SshConnection:
        """Connect and log in.  ``sock``, if given, is connected to the endpoint, and ours from now on.

        Raises:
            ConnectionFailed: every way in which it can fail.
            UsageError: the configuration is not valid.
        """
        try:
            privileged = Privileged(target.become, target.name)
        except ConnectionFailed:
            if sock is not None:
                sock.close()
            raise
        login = self._open(target, self._resolver.resolve(target), deadline, sock, depth=0)
        return SshConnection(target, login, self._watchdog, privileged)

    def forward(
        self, target: Target, host: str, port: int, seconds: float, *, deadline: Deadline
    ) -> tuple[socket.socket, tuple[str, ...]]:
        """A connection to ``host`` from the last jump host of ``target``, and the names of its jump hosts.

        It is for another protocol than SSH: ssh_config has no say but in the jump hosts themselves.  The
        jump host has ``seconds`` to connect.

        Raises:
            ConnectionFailed: every way in which it can fail.
            UsageError: the configuration is not valid.
        """
        hops = tuple(hop.strip() for hop in (target.jump or "").split(","))
        gateway = self._jump_to(target, HostConfig(host, port, "", proxy_jump=hops), deadline, depth=0)
        return as_socket(forwarded(gateway, host, port, min(seconds, deadline.remaining()))), gateway.hops

    def close(self) -> None:
        """Close what connections share: jump hosts, agents, the watchdog."""
        with self._lock:
            jumps, self._jumps = list(self._jumps.values()), {}
        for jump in reversed(jumps):
            jump.close()
        self._keys.close()
        self._watchdog.close()

    # --- One login -------------------------------------------------------------------------------------

    def _open(
        self, target: Target, config: HostConfig, deadline: Deadline, way: Way | None, depth: int
    ) -> Login:
        where = f"{config.hostname} port {config.port}"
        gateway: Login | None = None
        hops = way.hops if isinstance(way, Tunnel) else ()
        sock: Stream | None = way.stream if isinstance(way, Tunnel) else way
        if config.proxy_jump and sock is None:
            gateway = self._jump_to(target, config, deadline, depth)
        elif sock is None:
            sock = self._dial(config, deadline)
        login = Login(where, config, HostKeyCheck(config, self._known_hosts(config)), gateway, hops)
        client = self._client(target, login, sock)
        limit = deadline.sooner(self._settings.banner_timeout_s + self._settings.auth_timeout_s)
        started = time.monotonic()
        try:
            with self._watchdog.guard(limit, login.cut):
                client.open()
        except Exception as error:
            login.close()
            if sock is not None:
                sock.close()
            if not limit.remaining():
                raise failures.out_of_time(where, "the login", time.monotonic() - started) from None
            raise self._failure(error, login) from None
        return login

    def _client(self, target: Target, login: Login, sock: Stream | None) -> Client:
        config = login.config
        auth = Authentication(config, self._keys, target.password, target.private_key_passphrase)
        kwargs: dict[str, Any] = {
            "transport_factory": lambda sock, **_: login.make_transport(sock, self._settings),
            "auth_strategy": auth,
            "banner_timeout": self._settings.banner_timeout_s,
            "auth_timeout": self._settings.auth_timeout_s,
            "channel_timeout": CHANNEL_TIMEOUT_S,
        }
        if sock is not None:
            kwargs["sock"] = sock
        # Every argument that is given here is one that Fabric need not look for in four layers of settings.
        client = Client(
            config.hostname, user=config.user, port=config.port, config=self._fabric,
            gateway=login.gateway.client if login.gateway else False,
            forward_agent=False, connect_timeout=0, connect_kwargs=kwargs, inline_ssh_env=False,
        )  # fmt: skip
        client.client.set_missing_host_key_policy(login.check)
        login.client, login.auth = client, auth
        return client

    def _dial(self, config: HostConfig, deadline: Deadline) -> Stream:
        if config.proxy_command is not None:
            return ProxyProcess(config.proxy_command)
        return connect(config.hostname, config.port, min(config.connect_timeout_s, deadline.remaining()))

    def _known_hosts(self, config: HostConfig) -> KnownHosts:
        paths = (*config.user_known_hosts, *config.global_known_hosts)
        with self._lock:
            if paths not in self._known:
                self._known[paths] = KnownHosts(paths)
            return self._known[paths]

    def _failure(self, error: Exception, login: Login) -> ConnectionFailed:
        if str(error) == _BANNER_UNREAD and login.is_mute:
            return failures.out_of_time(login.where, "its SSH greeting", self._settings.banner_timeout_s)
        if isinstance(error, paramiko.ChannelException) and login.gateway is not None:
            return jump_refused(login.gateway.where, login.where, error)
        if (
            login.config.proxy_command is not None
            and not login.has_banner
            and not isinstance(error, ConnectionFailed)
        ):
            return ConnectionFailed(
                FailureKind.UNREACHABLE,
                f"the ProxyCommand for {login.where} gave no SSH server: {login.config.proxy_command}",
                "run the command by hand and look at what it says",
            )
        return failures.from_exception(error, login.where, login.stage)

    # --- Jump hosts ------------------------------------------------------------------------------------

    def _tunnel(self, target: Target, config: HostConfig) -> Tunnel:
        """The way to a host behind a jump host, as far as its door."""
        patience = Deadline.after(self._settings.banner_timeout_s + self._settings.auth_timeout_s)
        gateway = self._jump_to(target, config, patience, depth=0)
        channel = forwarded(gateway, config.hostname, config.port, config.connect_timeout_s)
        return Tunnel(cast(Stream, channel), gateway.hops)

    def _jump_to(self, target: Target, config: HostConfig, deadline: Deadline, depth: int) -> Login:
        """The shared login on the last hop before the host; hops before it are its own jumps."""
        if depth >= _MAX_JUMPS:
            raise ConnectionFailed(
                FailureKind.UNREACHABLE,
                f"{target.name}: more than {_MAX_JUMPS} jump hosts ({', '.join(config.proxy_jump)})",
                "look for a ProxyJump that leads back to itself: ssh -G " + config.hostname,
            )
        *before, last = config.proxy_jump
        hop = hop_target(last, before, target)
        hop_config = self._resolver.resolve(hop)
        if is_same(hop_config, config):
            raise ConnectionFailed(
                FailureKind.UNREACHABLE,
                f"{target.name} is its own jump host",
                "set ProxyJump none for it in ssh_config",
            )
        if hop_config.proxy_jump and not before and last in hop_config.proxy_jump:
            hop_config = replace(hop_config, proxy_jump=())  # "Host *" gave the bastion itself a ProxyJump
        key = (hop_config.user, hop_config.hostname, str(hop_config.port), *hop_config.proxy_jump)
        with self._lock:
            jump = self._jumps.setdefault(key, Jump())
        return jump.get(deadline, lambda: self._open(hop, hop_config, deadline, None, depth + 1))


def open_ssh(target: Target, settings: SshSettings, *, deadline: Deadline) -> SshConnection:
    """One connection on its own.  For many hosts keep one ``SshConnector``: it reads files once."""
    connector = SshConnector(settings)
    return connector.open(target, deadline=deadline)
