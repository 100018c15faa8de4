"""SSH: Fabric for configuration, gateways and authentication, a Paramiko channel for the data.

``fabric.Connection`` opens each connection (its cost, 0.3 ms of CPU with the arguments given here, is a
fifteenth of the key exchange), through the seams that Fabric and Paramiko have for it: our prepared socket,
our transport, our policy for host keys, our strategy of authentication.  Fabric's ``run`` is never used: its
``in_stream`` moves a hundred bytes a second, and its capture is quadratic.  Neither is its default policy,
which trusts any host.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, cast

import fabric
import paramiko

from collector.connections import failures
from collector.connections.auth import Authentication
from collector.connections.base import Deadline, RunResult, Sink
from collector.connections.bootstrap import quoted
from collector.connections.connector import Endpoint, Tunnel, Way
from collector.connections.forwarding import as_socket
from collector.connections.handover import Handover, Privileged, patience_with
from collector.connections.host_keys import HostKeyCheck
from collector.connections.keys import KeyRing
from collector.connections.known_hosts import KnownHosts
from collector.connections.settings import SshSettings
from collector.connections.sockets import PreparedSocket, ProxyProcess, Stream, connect
from collector.connections.ssh_config import ConfigResolver, HostConfig
from collector.connections.watchdog import Watchdog
from collector.errors import ConnectionFailed, FailureKind
from collector.evidence.model import ConnectionFacts
from collector.target import Target, Transport

_CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com")
_KEX = ("curve25519-sha256@libssh.org", "mlkem768x25519-sha256")
_CHUNK = 256 * 1024
_EXIT_STATUS_WAIT_S = 5.0
_CHANNEL_TIMEOUT_S = 30.0
_FAILED_JUMP_MEMORY_S = 60.0
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
        self._jumps: dict[tuple[str, ...], _Jump] = {}
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
        return as_socket(_forwarded(gateway, host, port, min(seconds, deadline.remaining()))), gateway.hops

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
    ) -> _Login:
        where = f"{config.hostname} port {config.port}"
        gateway: _Login | None = None
        hops = way.hops if isinstance(way, Tunnel) else ()
        sock: Stream | None = way.stream if isinstance(way, Tunnel) else way
        if config.proxy_jump and sock is None:
            gateway = self._jump_to(target, config, deadline, depth)
        elif sock is None:
            sock = self._dial(config, deadline)
        login = _Login(where, config, HostKeyCheck(config, self._known_hosts(config)), gateway, hops)
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

    def _client(self, target: Target, login: _Login, sock: Stream | None) -> _Client:
        config = login.config
        auth = Authentication(config, self._keys, target.password, target.private_key_passphrase)
        kwargs: dict[str, Any] = {
            "transport_factory": lambda sock, **_: login.make_transport(sock, self._settings),
            "auth_strategy": auth,
            "banner_timeout": self._settings.banner_timeout_s,
            "auth_timeout": self._settings.auth_timeout_s,
            "channel_timeout": _CHANNEL_TIMEOUT_S,
        }
        if sock is not None:
            kwargs["sock"] = sock
        # Every argument that is given here is one that Fabric need not look for in four layers of settings.
        client = _Client(
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

    def _failure(self, error: Exception, login: _Login) -> ConnectionFailed:
        if str(error) == _BANNER_UNREAD and login.is_mute:
            return failures.out_of_time(login.where, "its SSH greeting", self._settings.banner_timeout_s)
        if isinstance(error, paramiko.ChannelException) and login.gateway is not None:
            return _jump_refused(login.gateway.where, login.where, error)
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
        channel = _forwarded(gateway, config.hostname, config.port, config.connect_timeout_s)
        return Tunnel(cast(Stream, channel), gateway.hops)

    def _jump_to(self, target: Target, config: HostConfig, deadline: Deadline, depth: int) -> _Login:
        """The shared login on the last hop before the host; hops before it are its own jumps."""
        if depth >= _MAX_JUMPS:
            raise ConnectionFailed(
                FailureKind.UNREACHABLE,
                f"{target.name}: more than {_MAX_JUMPS} jump hosts ({', '.join(config.proxy_jump)})",
                "look for a ProxyJump that leads back to itself: ssh -G " + config.hostname,
            )
        *before, last = config.proxy_jump
        hop = _hop_target(last, before, target)
        hop_config = self._resolver.resolve(hop)
        if _is_same(hop_config, config):
            raise ConnectionFailed(
                FailureKind.UNREACHABLE,
                f"{target.name} is its own jump host",
                "set ProxyJump none for it in ssh_config",
            )
        if hop_config.proxy_jump and not before and last in hop_config.proxy_jump:
            hop_config = replace(hop_config, proxy_jump=())  # "Host *" gave the bastion itself a ProxyJump
        key = (hop_config.user, hop_config.hostname, str(hop_config.port), *hop_config.proxy_jump)
        with self._lock:
            jump = self._jumps.setdefault(key, _Jump())
        return jump.get(deadline, lambda: self._open(hop, hop_config, deadline, None, depth + 1))


class _Client(fabric.Connection):  # type: ignore[misc]  # Fabric has no types
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


class _Jump:
    """One jump host, logged in to once for all the hosts behind it."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a chain that leads back to itself is to fail, not to hang
        self._login: _Login | None = None
        self._failure: tuple[float, ConnectionFailed] | None = None

    def get(self, deadline: Deadline, open_login: Callable[[], _Login]) -> _Login:
        """The login, which ``open_login`` makes if there is none yet; others wait for it meanwhile."""
        if not self._lock.acquire(timeout=deadline.remaining()):
            raise ConnectionFailed(
                FailureKind.TIMEOUT, "jump host: the login of another host took too long", "try again"
            )
        try:
            if self._login is not None and self._login.is_alive:
                return self._login
            if self._failure is not None and time.monotonic() - self._failure[0] < _FAILED_JUMP_MEMORY_S:
                raise self._failure[1]
            self.close()
            try:
                self._login = open_login()
            except ConnectionFailed as failure:
                detail = "jump host: " + failure.detail.removeprefix("jump host: ")
                told = ConnectionFailed(failure.kind, detail, failure.try_next)
                if failure.kind is not FailureKind.QUOTA:  # it is only busy, and will be asked again
                    self._failure = time.monotonic(), told
                raise told from None
            return self._login
        finally:
            self._lock.release()

    def close(self) -> None:
        if self._login is not None:
            self._login.close()
            self._login = None


def _hop_target(hop: str, before: list[str], target: Target) -> Target:
    """A hop is configured by ssh_config alone: the host's own key and password are none of its business."""
    user, _, place = hop.rpartition("@")
    host, _, port = place.rpartition(":") if place.count(":") == 1 or "]:" in place else (place, "", "")
    args = target.ssh_args
    files = tuple(word for i, word in enumerate(args) if word == "-F" or (i and args[i - 1] == "-F"))
    return Target(
        name=hop,
        address=host.strip("[]"),
        port=int(port) if port.isdigit() else None,
        user=user or None,
        jump=",".join(before) if before else None,
        ssh_args=files,
        host_key_checking=target.host_key_checking,
    )


def _is_same(one: HostConfig, other: HostConfig) -> bool:
    return (one.hostname, one.port, one.user) == (other.hostname, other.port, other.user)


def _forwarded(gateway: _Login, host: str, port: int, seconds: float) -> paramiko.Channel:
    """A channel that the jump host connects to a port, within ``seconds``."""
    where = f"{host} port {port}"
    limit = min(_CHANNEL_TIMEOUT_S, seconds)
    started = time.monotonic()
    try:
        return gateway.transport.open_channel("direct-tcpip", (host, port), ("127.0.0.1", 0), timeout=limit)
    except paramiko.ChannelException as error:
        raise _jump_refused(gateway.where, where, error) from None
    except (paramiko.SSHException, OSError, EOFError) as error:
        if gateway.is_alive and time.monotonic() - started >= limit:
            raise _jump_waited(gateway.where, where, limit) from None
        raise failures.from_exception(error, gateway.where, f"it was to forward to {where}") from None


def _jump_waited(jump: str, where: str, seconds: float) -> ConnectionFailed:
    return ConnectionFailed(
        FailureKind.TIMEOUT,
        f"{where} did not answer jump host {jump} within {seconds:g} s",
        "from the jump host, check the address, the route, security groups and network ACLs, and that the "
        "host is up",
    )


def _jump_refused(jump: str, where: str, error: paramiko.ChannelException) -> ConnectionFailed:
    if error.code == 1:
        return ConnectionFailed(
            FailureKind.PROTOCOL,
            f"jump host {jump} does not forward to {where}",
            "set AllowTcpForwarding yes (and PermitOpen) in the jump host's sshd_config",
        )
    return ConnectionFailed(
        FailureKind.UNREACHABLE,
        f"jump host {jump} could not connect to {where}",
        "from the jump host, check the address, the port, security groups and that sshd runs there",
    )


class _Login:
    """One authenticated transport, and what became known on the way to it."""

    def __init__(
        self,
        where: str,
        config: HostConfig,
        check: HostKeyCheck,
        gateway: _Login | None,
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
        self._transport: _Transport | None = None

    def make_transport(self, sock: Stream, settings: SshSettings) -> _Transport:
        self._transport = _Transport(sock, self.config, self.check, settings.banner_timeout_s)
        return self._transport

    @property
    def transport(self) -> _Transport:
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


class _Transport(paramiko.Transport):
    """Paramiko's transport on a prepared socket, with our order of algorithms and no wait without an end."""

    def __init__(self, sock: Stream, config: HostConfig, check: HostKeyCheck, seconds: float) -> None:
        self.prepared = PreparedSocket(sock)
        super().__init__(cast(Any, self.prepared))
        self._check = check
        self._seconds = seconds
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


@lru_cache(maxsize=64)
def _preferred(
    offered: tuple[str, ...], first: tuple[str, ...], allowed: tuple[str, ...] | None
) -> tuple[str, ...]:
    """``offered`` with ``first`` in front, cut to what ssh_config allows; uncut if that leaves nothing."""
    names = (*(name for name in first if name in offered), *(name for name in offered if name not in first))
    return tuple(name for name in names if allowed is None or name in allowed) or names


class SshConnection:
    """One host, logged in to (``collector.connections.base.Connection``)."""

    def __init__(self, target: Target, login: _Login, watchdog: Watchdog, privileged: Privileged) -> None:
        self._target = target
        self._login = login
        self._watchdog = watchdog
        self._privileged = privileged

    @property
    def privilege(self) -> str:
        """Of the last run: ``root``, ``sudo``, ``sudo-password`` or ``none``; empty before it."""
        return self._privileged.privilege

    @property
    def facts(self) -> ConnectionFacts:
        """How the host was reached.  The notes of a run are in it once the run is over."""
        login = self._login
        return ConnectionFacts(
            transport=Transport.SSH,
            address=login.config.hostname,
            port=login.config.port,
            user=login.config.user,
            auth_method=login.auth.method if login.auth else "",
            host_key=login.check.host_key,
            host_key_checking=login.config.host_key_checking,
            jump=login.before,
            server=login.transport.remote_version,
            notes=(*login.config.notes, *login.check.notes, *self._privileged.notes),
        )

    def run(self, script: bytes, sink: Sink, *, deadline: Deadline, max_bytes: int) -> RunResult:
        """See ``Connection.run``.  The script sees how it got its rights in ``SSM_TRIAGE_PRIVILEGE``."""
        return self._privileged.run(self._execute, script, sink, deadline=deadline, max_bytes=max_bytes)

    def close(self) -> None:
        """End the connection; jump hosts stay for the others."""
        self._login.close()

    def execute(
        self, line: str, handover: Handover, deadline: Deadline, patience: Deadline | None = None
    ) -> int | None:
        """Have the login shell read ``line``, and lead the conversation with what it starts to its end.

        Gives the exit code if the host said one.  What starts has until ``patience`` to show itself.

        Raises:
            ConnectionFailed: ``timeout`` at the deadline; ``protocol`` where the connection broke.
        """
        started = time.monotonic()
        with self._watchdog.guard(deadline, self._login.cut), self._channel(deadline) as channel:
            try:
                bell = _Doorbell(channel)
                channel.exec_command(line)
                _write(channel, handover.begin())
                self._converse(channel, bell, handover, deadline, patience or deadline)
            except (paramiko.SSHException, OSError, EOFError) as error:
                raise self._broken(error, deadline, started) from None
            if handover.is_over:
                return None
            if not channel.eof_received and not self._login.is_alive:
                raise self._broken(EOFError(), deadline, started)
            channel.status_event.wait(min(_EXIT_STATUS_WAIT_S, deadline.remaining()))
            return channel.exit_status if channel.exit_status >= 0 else None

    def _execute(self, command: list[str], handover: Handover, deadline: Deadline) -> int | None:
        return self.execute(quoted(command), handover, deadline, patience_with(command, deadline))

    def _converse(
        self,
        channel: paramiko.Channel,
        bell: _Doorbell,
        handover: Handover,
        deadline: Deadline,
        patience: Deadline,
    ) -> None:
        """Until the host has no more to say, or nobody wants to hear it."""
        while not handover.is_over:
            bell.clear_before_looking()
            is_last = channel.eof_received or channel.closed
            quiet = True
            if channel.recv_ready():
                quiet = False
                _write(channel, handover.output(channel.recv(_CHUNK)))
            if channel.recv_stderr_ready():
                quiet = False
                _write(channel, handover.error_output(channel.recv_stderr(_CHUNK)), is_all=False)
            if quiet and is_last:
                return
            limit = deadline if handover.privilege else patience
            if not limit.remaining():
                raise TimeoutError("timed out")
            if quiet:
                bell.wait(limit.remaining())

    @contextmanager
    def _channel(self, deadline: Deadline) -> Iterator[paramiko.Channel]:
        started = time.monotonic()
        try:
            channel = self._login.transport.open_session(
                timeout=min(_CHANNEL_TIMEOUT_S, deadline.remaining())
            )
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise self._broken(error, deadline, started) from None
        try:
            channel.settimeout(max(deadline.remaining(), 0.1))
            yield channel
        finally:
            with contextlib.suppress(Exception):  # the connection may have broken under it
                channel.close()

    def _broken(self, error: BaseException, deadline: Deadline, started: float) -> ConnectionFailed:
        where = self._login.where
        if not deadline.remaining() or isinstance(error, TimeoutError):
            return failures.out_of_time(where, "the collection", time.monotonic() - started)
        return failures.from_exception(error, where, "the collection was running")


class _Doorbell:
    """Rings when either of a channel's two streams has something, or ends.

    Paramiko can wait for one of them; the other then fills its window, and the host waits for ever.  It
    clears the event as soon as one stream is empty, so only we do.
    """

    def __init__(self, channel: Any) -> None:
        self._event = threading.Event()
        channel.in_buffer.set_event(self)
        channel.in_stderr_buffer.set_event(self)

    def set(self) -> None:
        """Called by Paramiko's thread."""
        self._event.set()

    def clear(self) -> None:
        """Called by Paramiko when one stream is empty, which says nothing of the other."""

    def clear_before_looking(self) -> None:
        self._event.clear()

    def wait(self, seconds: float) -> None:
        self._event.wait(seconds)


def _write(channel: paramiko.Channel, data: bytes | None, *, is_all: bool = True) -> None:
    """Send ``data``.  That the other side is gone shows once all has been read that it said before."""
    if data is None:
        return
    try:
        channel.sendall(data)
        if is_all:
            channel.shutdown_write()
    except (paramiko.SSHException, OSError, EOFError):
        if not channel.closed and channel.get_transport().is_active():
            raise


def open_ssh(target: Target, settings: SshSettings, *, deadline: Deadline) -> SshConnection:
    """One connection on its own.  For many hosts keep one ``SshConnector``: it reads files once."""
    connector = SshConnector(settings)
    return connector.open(target, deadline=deadline)
