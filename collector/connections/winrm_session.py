"""One login by WinRM: the way to the host, and one exchange of messages after the other, each in time."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar, cast
from typing import Protocol as Seam

from collector.connections.base import Deadline
from collector.connections.connector import Tunnel, Way
from collector.connections.failures import out_of_time
from collector.connections.sockets import connect
from collector.connections.watchdog import Watchdog
from collector.connections.winrm_failures import Doing, from_exception
from collector.connections.winrm_http import Wire, make_protocol
from collector.connections.winrm_options import WinrmOptions
from collector.target import Target

if TYPE_CHECKING:
    from winrm.protocol import Protocol

T = TypeVar("T")


class Session:
    """One login: a protocol of pywinrm on a wire of its own."""

    def __init__(
        self,
        options: WinrmOptions,
        password: str | None,
        dialling: Dialling,
        watchdog: Watchdog,
        deadline: Deadline,
    ) -> None:
        self._options = options
        self._binds = options.binds_connection
        self._watchdog = watchdog
        self._until = deadline
        self.wire = Wire(lambda: dialling.dial(self._until), is_single=options.binds_connection)
        self.is_lost = False
        """Whether the login does not stand any more."""
        try:
            self._protocol = make_protocol(options, self.wire, password)
        except Exception as error:  # pywinrm checks its arguments in many ways
            raise from_exception(error, Doing(options, "logging in")) from error

    def ask(self, what: str, deadline: Deadline, ask: Callable[[Protocol], T], *, is_logged_in: bool) -> T:
        """See ``WinrmConnection._ask``."""
        doing = Doing(self._options, what, is_logged_in)
        started = time.monotonic()
        self._until = deadline
        self._set_patience(deadline)
        try:
            with self._watchdog.guard(deadline, self.wire.cut):
                return ask(self._protocol)
        except Exception as error:  # pywinrm, and all beneath it, raise what they like
            self.is_lost = not (_is_answer(error) or (self._binds and _asks_for_no_login(error)))
            if not deadline.remaining():
                raise out_of_time(doing.where, what, time.monotonic() - started) from error
            raise from_exception(error, doing) from error

    @property
    def leaves_open(self) -> bool:
        """Whether a message that failed may have come to the host all the same, and been done."""
        is_there = bool(self.wire.certificate) or not self._options.is_https
        return self.is_lost and is_there and self._protocol.transport.session is not None

    def close(self) -> None:
        """Never raises: what is closed here is given up anyway."""
        with contextlib.suppress(Exception):  # closing may fail in many ways
            self._protocol.transport.close_session()
        self.wire.close()

    def _set_patience(self, deadline: Deadline) -> None:
        """Have the host answer before the deadline, even if it has nothing to tell."""
        self._protocol.operation_timeout_sec = max(
            1, min(self._options.operation_timeout_s, int(deadline.remaining()) - 1)
        )


def _is_answer(error: Exception) -> bool:
    """Whether the host did answer, so that the login still stands."""
    from winrm.exceptions import WinRMOperationTimeoutError, WSManFaultError

    return isinstance(error, WSManFaultError | WinRMOperationTimeoutError)


def _asks_for_no_login(error: Exception) -> bool:
    """Whether a 401 neither asks for a login nor answers one: on a connection that is logged in, the login
    still stands, and nothing needs to be shown to the host for the next message."""
    from winrm.exceptions import InvalidCredentialsError

    response = getattr(error.__context__, "response", None)
    if response is None or not isinstance(error, InvalidCredentialsError):
        return False
    return not response.history and "WWW-Authenticate" not in response.headers


class Forwarder(Seam):
    """Somebody who has logged in to jump hosts (``SshConnector``)."""

    def forward(
        self, target: Target, host: str, port: int, seconds: float, *, deadline: Deadline
    ) -> tuple[socket.socket, tuple[str, ...]]:
        """A connection to ``host`` from the last of the target's jump hosts, and the names of these.

        The jump host has ``seconds`` to connect.
        """
        ...


class Dialling:
    """The way to one host: a socket that is there already, a jump host, or the plain one."""

    def __init__(
        self,
        target: Target,
        options: WinrmOptions,
        sock: Way | None,
        forwarder: Callable[[], Forwarder] | None,
    ) -> None:
        self._target = target
        self._options = options
        self._ready = cast(socket.socket, sock.stream) if isinstance(sock, Tunnel) else sock
        self._forwarder = forwarder if is_behind_jump(target) else None
        self.jump: tuple[str, ...] = sock.hops if isinstance(sock, Tunnel) else ()

    def dial(self, deadline: Deadline) -> socket.socket:
        """A connected socket.

        Raises:
            ConnectionFailed: there is none to be had.
        """
        if self._ready is not None:
            sock, self._ready = self._ready, None
            sock.setblocking(True)
            return sock
        host, port = self._options.host, self._options.port
        seconds = max(0.1, min(self._options.connect_timeout_s, deadline.remaining()))
        if self._forwarder is not None:
            sock, self.jump = self._forwarder().forward(self._target, host, port, seconds, deadline=deadline)
            return sock
        return connect(host, port, seconds)


def is_behind_jump(target: Target) -> bool:
    return target.jump not in (None, "", "none")
