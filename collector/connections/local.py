"""This very machine, asked through the same protocol: ``ansible_connection: local``."""

from __future__ import annotations

import contextlib
import getpass
import os
import selectors
import signal
import subprocess
from typing import IO

from collector.connections.base import Deadline, RunResult, Sink
from collector.connections.connector import Way
from collector.connections.handover import Handover, Privileged, patience_with
from collector.errors import ConnectionFailed, FailureKind
from collector.evidence.model import ConnectionFacts
from collector.target import Target, Transport

_CHUNK = 64 * 1024
_LAST_WORDS_S = 2.0


class LocalConnection:
    """A shell on this machine (``collector.connections.base.Connection``)."""

    def __init__(self, target: Target) -> None:
        """Nothing is started yet.

        Raises:
            ConnectionFailed: ``privilege``: the become method is not supported.
        """
        self._privileged = Privileged(target.become, target.name)

    @property
    def privilege(self) -> str:
        """Of the last run: ``root``, ``sudo``, ``sudo-password`` or ``none``; empty before it."""
        return self._privileged.privilege

    @property
    def facts(self) -> ConnectionFacts:
        """Who runs it."""
        return ConnectionFacts(
            transport=Transport.LOCAL, address="", user=getpass.getuser(), notes=self._privileged.notes
        )

    def run(self, script: bytes, sink: Sink, *, deadline: Deadline, max_bytes: int) -> RunResult:
        """See ``Connection.run``.  The script sees how it got its rights in ``SSM_TRIAGE_PRIVILEGE``."""
        return self._privileged.run(_execute, script, sink, deadline=deadline, max_bytes=max_bytes)

    def close(self) -> None:
        """Nothing outlives a run."""


def _execute(command: list[str], handover: Handover, deadline: Deadline) -> int | None:
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=True, bufsize=0,
        )  # fmt: skip
    except OSError as error:
        raise ConnectionFailed(
            FailureKind.SHELL, f"/bin/sh cannot be started here: {error.strerror}", "check this machine"
        ) from None
    try:
        _converse(process, handover, deadline, patience_with(command, deadline))
        return None if handover.is_over else process.wait(min(_LAST_WORDS_S, deadline.remaining()))
    except subprocess.TimeoutExpired:
        return None
    finally:
        _end(process)


def _converse(
    process: subprocess.Popen[bytes], handover: Handover, deadline: Deadline, patience: Deadline
) -> None:
    stdin, stdout, stderr = process.stdin, process.stdout, process.stderr
    assert stdin is not None and stdout is not None and stderr is not None  # noqa: S101, PT018  # they are pipes
    with selectors.DefaultSelector() as selector, stdin, stdout, stderr:
        selector.register(stdout, selectors.EVENT_READ, handover.output)
        selector.register(stderr, selectors.EVENT_READ, handover.error_output)
        _write(stdin, handover.begin(), is_all=True)
        while selector.get_map() and not handover.is_over:
            limit = deadline if handover.privilege else patience
            ready = selector.select(limit.remaining())
            if not limit.remaining():
                raise ConnectionFailed(
                    FailureKind.TIMEOUT, "the collection was not done at its deadline", "allow more time"
                )
            for key, _ in ready:
                data = os.read(key.fd, _CHUNK)
                if not data:
                    selector.unregister(key.fileobj)
                    continue
                _write(stdin, key.data(data), is_all=key.fileobj is stdout)


def _write(stdin: IO[bytes], data: bytes | None, *, is_all: bool) -> None:
    """The reader writes nothing before it has read everything, so this cannot wait for each other."""
    if data is None:
        return
    try:
        view = memoryview(data)
        while view:
            view = view[stdin.write(view) :]
        if is_all:
            stdin.close()
    except BrokenPipeError:
        pass  # its exit code and its words on standard error say why


def _end(process: subprocess.Popen[bytes]) -> None:
    """Take the shell and all it started away."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # it ended by itself, or is root's now
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):  # a process of root's that we may not end
        process.wait(_LAST_WORDS_S)


class LocalConnector:
    """Opens connections to this machine (``collector.connections.connector.Connector``)."""

    def endpoint(self, target: Target) -> None:
        """Nothing to dial."""

    def open(self, target: Target, *, deadline: Deadline, sock: Way | None = None) -> LocalConnection:
        """See ``Connector.open``."""
        return LocalConnection(target)

    def close(self) -> None:
        """Nothing is shared."""
