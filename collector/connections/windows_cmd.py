"""The second way into a Windows host: cmd.exe, where PowerShell may not run or not in its full language.

The commands are typed, as it were: they come on standard input, so that nothing touches the disk, no rule on
scripts applies, and the command line is the same in every shell.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from collector.connections.base import Deadline, RunResult, Sink
from collector.connections.handover import Handover

PROGRAM = "cmd.exe"
ARGUMENTS = ("/d", "/q")
"""No AutoRun of the registry; nothing that is read is said again."""


@runtime_checkable
class Typist(Protocol):
    """A connection that can type at cmd.exe, too."""

    def type_in(self, commands: bytes, sink: Sink, *, deadline: Deadline, max_bytes: int) -> RunResult:
        """Have cmd.exe read ``commands``, a line each, and hand what it prints to ``sink``.

        Raises:
            ConnectionFailed: as ``Connection.run``.
        """
        ...


class Typing(Handover):
    """One conversation with cmd.exe: all that it prints is the answer."""

    def begin(self) -> bytes:
        return self._script

    def __init__(self, commands: bytes, sink: Sink, max_bytes: int) -> None:
        super().__init__(commands, sink, max_bytes)
        self._script = commands.replace(b"\n", b"\r\n")

    def output(self, data: bytes) -> None:
        self._deliver(data)
