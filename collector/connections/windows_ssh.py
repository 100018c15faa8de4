"""Windows over OpenSSH: the same reader in PowerShell as over WinRM, started through an SSH channel.

The default shell may be cmd.exe, PowerShell or something else: the command line reads the same in all.  SFTP
is not needed, and no pseudo-terminal is asked for, as that would wrap and colour what comes.
"""

from __future__ import annotations

import contextlib

from collector.connections.base import Deadline, RunResult, Sink
from collector.connections.bootstrap import INCOMPLETE
from collector.connections.handover import Handover
from collector.connections.ssh_connection import SshConnection
from collector.connections.windows_bootstrap import WindowsHandover, command_line
from collector.connections.windows_cmd import ARGUMENTS, PROGRAM, Typing
from collector.errors import ConnectionFailed
from collector.evidence.model import ConnectionFacts
from collector.target import Platform

_WINDOWS_SERVERS = ("OpenSSH_for_Windows", "WinSSHD", "FlowSsh")
_OTHER_SERVERS = ("OpenSSH_", "dropbear", "ROSSSH", "libssh")
_SYSTEM = "Windows_NT"
_QUESTION = "echo %OS% $env:OS $OS"
"""Each shell that runs on Windows puts ``Windows_NT`` for one of the three; none of another system does."""
_PATIENCE_S = 15.0
_MAX_ANSWER = 4096


class WindowsSshConnection:
    """A Windows host behind an SSH connection (``collector.connections.base.Connection``)."""

    def __init__(self, connection: SshConnection) -> None:
        """The connection is ours from now on."""
        self._connection = connection

    @property
    def facts(self) -> ConnectionFacts:
        """How the host was reached."""
        return self._connection.facts

    def run(self, script: bytes, sink: Sink, *, deadline: Deadline, max_bytes: int) -> RunResult:
        """See ``Connection.run``."""
        return run_powershell(self._connection, script, sink, deadline=deadline, max_bytes=max_bytes)

    def type_in(self, commands: bytes, sink: Sink, *, deadline: Deadline, max_bytes: int) -> RunResult:
        """See ``Typist.type_in``."""
        typing = Typing(commands, sink, max_bytes)
        exit_code = self._connection.execute(" ".join((PROGRAM, *ARGUMENTS)), typing, deadline)
        return typing.result(exit_code)

    def close(self) -> None:
        """End the connection."""
        self._connection.close()


def run_powershell(
    connection: SshConnection, script: bytes, sink: Sink, *, deadline: Deadline, max_bytes: int
) -> RunResult:
    """Have PowerShell on the other side run ``script``, whichever shell is the default one there.

    A PowerShell that is the default shell may keep lines of standard input for itself, which then are
    missing from the script; it is not run, but handed over once more, with that shell's own ``$input``.

    Raises:
        ConnectionFailed: as ``Connection.run``.
    """
    where = f"{connection.facts.address} port {connection.facts.port}"
    handover = WindowsHandover(script, sink, max_bytes)
    exit_code = connection.execute(command_line(), handover, deadline)
    if exit_code == INCOMPLETE and not handover.received:
        handover = WindowsHandover(script, sink, max_bytes)
        exit_code = connection.execute(f"$input | {command_line()}", handover, deadline)
    return handover.finish(where, exit_code)


def platform_behind(connection: SshConnection, deadline: Deadline) -> Platform:
    """Which kind of host answers: told by its SSH server's own name, or else by its shell.

    Raises:
        ConnectionFailed: ``protocol``: the connection broke.
    """
    server = connection.facts.server
    if any(name in server for name in _WINDOWS_SERVERS):
        return Platform.WINDOWS
    if any(name in server for name in _OTHER_SERVERS):
        return Platform.LINUX
    answer = _Answer()
    with contextlib.suppress(ConnectionFailed):  # a shell that says nothing is told by what runs next
        connection.execute(_QUESTION, answer, deadline.sooner(_PATIENCE_S))
    return Platform.WINDOWS if _SYSTEM in answer.text else Platform.LINUX


class _Answer(Handover):
    """Takes a short answer, and gives nothing."""

    def __init__(self) -> None:
        super().__init__(b"", lambda _: None, 0)
        self._said = bytearray()

    @property
    def text(self) -> str:
        # PowerShell may be set to answer in UTF-16.
        return self._said.replace(b"\0", b"").decode("ascii", "replace")

    def begin(self) -> bytes:
        return b""

    def output(self, data: bytes) -> None:
        self._said += data[: _MAX_ANSWER - len(self._said)]
