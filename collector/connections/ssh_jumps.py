"""Jump hosts: one login to each for all the hosts behind it, and what they forward to."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import paramiko

from collector.connections import failures
from collector.connections.base import Deadline
from collector.connections.ssh_config import HostConfig
from collector.connections.ssh_login import CHANNEL_TIMEOUT_S, Login
from collector.errors import ConnectionFailed, FailureKind
from collector.target import Target

_FAILED_JUMP_MEMORY_S = 60.0


class Jump:
    """One jump host, logged in to once for all the hosts behind it."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a chain that leads back to itself is to fail, not to hang
        self._login: Login | None = None
        self._failure: tuple[float, ConnectionFailed] | None = None

    def get(self, deadline: Deadline, open_login: Callable[[], Login]) -> Login:
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


def hop_target(hop: str, before: list[str], target: Target) -> Target:
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


def is_same(one: HostConfig, other: HostConfig) -> bool:
    return (one.hostname, one.port, one.user) == (other.hostname, other.port, other.user)


def forwarded(gateway: Login, host: str, port: int, seconds: float) -> paramiko.Channel:
    """A channel that the jump host connects to a port, within ``seconds``."""
    where = f"{host} port {port}"
    limit = min(CHANNEL_TIMEOUT_S, seconds)
    started = time.monotonic()
    try:
        return gateway.transport.open_channel("direct-tcpip", (host, port), ("127.0.0.1", 0), timeout=limit)
    except paramiko.ChannelException as error:
        raise jump_refused(gateway.where, where, error) from None
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


def jump_refused(jump: str, where: str, error: paramiko.ChannelException) -> ConnectionFailed:
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
