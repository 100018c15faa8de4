"""One host, logged in to over SSH: a script goes in, and what it prints comes out, over one channel."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import paramiko

from collector.connections import failures
from collector.connections.base import Deadline, RunResult, Sink
from collector.connections.bootstrap import quoted
from collector.connections.handover import Handover, Privileged, patience_with
from collector.connections.ssh_login import CHANNEL_TIMEOUT_S, Login
from collector.connections.watchdog import Watchdog
from collector.errors import ConnectionFailed
from collector.evidence.model import ConnectionFacts
from collector.target import Target, Transport

_CHUNK = 256 * 1024
_EXIT_STATUS_WAIT_S = 5.0


class SshConnection:
    """One host, logged in to (``collector.connections.base.Connection``)."""

    def __init__(self, target: Target, login: Login, watchdog: Watchdog, privileged: Privileged) -> None:
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
            channel = self._login.transport.open_session(timeout=min(CHANNEL_TIMEOUT_S, deadline.remaining()))
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
