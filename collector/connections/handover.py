"""The conversation in which a host takes a script: the same over a channel and over pipes.

Nothing here reads or writes.  Whoever does feeds what came and writes what is given back.
"""

from __future__ import annotations

from collections.abc import Callable

from collector.connections.base import Deadline, RunResult, Sink
from collector.connections.bootstrap import INCOMPLETE, MARK, PROMPT, plain_command, sudo_command, whole
from collector.errors import ConnectionFailed, FailureKind, SecretError
from collector.target import Become

_MAX_STDERR = 64 * 1024
_MAX_NOISE = 256 * 1024
_SUDO_PATIENCE_S = 30.0


class Handover:
    """One attempt to have one shell run one script."""

    def __init__(self, script: bytes, sink: Sink, max_bytes: int, password: str | None = None) -> None:
        self._script = whole(script)
        self._sink = sink
        self._left = max_bytes
        self._password = password
        self._asked = 0
        self._noise = bytearray()
        self._stderr = bytearray()
        self.received = 0
        self.truncated = False
        self.privilege = ""
        """What the shell said it runs with; empty until it has said anything."""
        self.is_over = False
        """There is nothing more to wait for: the limit is reached, or the password was refused."""

    def begin(self) -> bytes | None:
        """What to write at once; ``None``: nothing, until something comes."""
        return self._script if self._password is None else None

    def output(self, data: bytes) -> bytes | None:
        """Take standard output; give what to write now, the script, after which the input is to be closed."""
        if self.privilege:
            self._deliver(data)
            return None
        self._noise += data
        at = self._noise.find(MARK)
        end = self._noise.find(b"\n", at) if at >= 0 else -1
        if end < 0:
            del self._noise[:-_MAX_NOISE]
            return None
        self.privilege = self._noise[at + len(MARK) : end].decode("ascii", "replace").strip() or "none"
        rest = bytes(self._noise[end + 1 :])
        del self._noise[at:]
        if rest:
            self._deliver(rest)
        return self._script if self._password is not None else None

    def error_output(self, data: bytes) -> bytes | None:
        """Take standard error; give the password if sudo has asked for it, once and no more."""
        if len(self._stderr) < _MAX_STDERR:
            self._stderr += data[: _MAX_STDERR - len(self._stderr)]
        if self._password is None or self.privilege:
            return None
        asked = self._stderr.count(PROMPT.encode())
        if asked > 1:
            self.is_over = True
        elif asked > self._asked:
            self._asked = asked
            return self._password.encode() + b"\n"
        return None

    def result(self, exit_code: int | None) -> RunResult:
        """How it ended."""
        return RunResult(exit_code, self.received, bytes(self._stderr), self.truncated)

    @property
    def why_not(self) -> str:
        """Why no shell took the script, in the host's own words."""
        if self._asked and self.is_over:
            return "the password was not accepted"
        words = bytes(self._stderr).replace(PROMPT.encode(), b"").strip() or bytes(self._noise).strip()
        line = words.split(b"\n")[-1].decode("utf-8", "replace")
        return "".join(c if c.isprintable() else " " for c in line)[:200].strip()

    def _deliver(self, data: bytes) -> None:
        if len(data) > self._left:
            data = data[: self._left]
            self.truncated = self.is_over = True
        self._left -= len(data)
        self.received += len(data)
        if data:
            self._sink(data)


Execute = Callable[[list[str], Handover, Deadline], int | None]
"""Runs a command and leads the conversation with it to its end; gives the exit code if the host said one.

At the deadline it raises ``ConnectionFailed`` (``timeout``), but before the shell has shown itself."""


class Privileged:
    """Runs scripts with the privilege that the inventory asks for, or with none and a note."""

    def __init__(self, become: Become | None, where: str) -> None:
        """``where`` names the host in failures.

        Raises:
            ConnectionFailed: ``privilege``: the method is not supported.
        """
        if become is not None and become.method not in {"sudo", "ansible.builtin.sudo"}:
            raise ConnectionFailed(
                FailureKind.PRIVILEGE,
                f"{where}: become method {become.method!r} is not supported",
                "use ansible_become_method: sudo, or log in as root",
            )
        self._become = become
        self._where = where
        self.privilege = ""
        """Of the last run: ``root``, ``sudo``, ``sudo-password`` or ``none``."""
        self.notes: tuple[str, ...] = ()

    def run(
        self, execute: Execute, script: bytes, sink: Sink, *, deadline: Deadline, max_bytes: int
    ) -> RunResult:
        """Run ``script`` through sudo if it lets us, else as the login user.

        Raises:
            ConnectionFailed: what ``execute`` raises; ``shell``: nothing took the script.
        """
        if self._become is not None:
            result = self._run_with_sudo(self._become, execute, script, sink, deadline, max_bytes)
            if result is not None:
                return result
        handover = Handover(script, sink, max_bytes)
        return self._finish(handover, execute(plain_command(), handover, deadline))

    def _run_with_sudo(
        self, become: Become, execute: Execute, script: bytes, sink: Sink, deadline: Deadline, max_bytes: int
    ) -> RunResult | None:
        try:
            password = become.password.resolve() if become.password is not None else None
        except SecretError as error:
            self._note(f"the sudo password cannot be had ({error})")
            return None
        handover = Handover(script, sink, max_bytes, password)
        try:
            command = sudo_command(become.user, with_password=password is not None)
            exit_code = execute(command, handover, deadline)
        except ConnectionFailed as failure:
            if handover.privilege or not deadline.remaining() or failure.kind is not FailureKind.TIMEOUT:
                raise
            exit_code = None
        if handover.privilege:
            return self._finish(handover, exit_code)
        self._note(f"sudo refused: {handover.why_not or 'it gave no answer'}")
        return None

    def _note(self, text: str) -> None:
        note = f"{text}; collected without privilege"
        if note not in self.notes:
            self.notes += (note,)

    def _finish(self, handover: Handover, exit_code: int | None) -> RunResult:
        self.privilege = handover.privilege
        if not handover.privilege:
            said = f" and said: {handover.why_not}" if handover.why_not else ""
            raise ConnectionFailed(
                FailureKind.SHELL,
                f"{self._where}: the login shell ended (exit code {exit_code}) and took no script{said}",
                "the account needs a shell that runs commands: check its entry in /etc/passwd, its rc files "
                "and ForceCommand in sshd_config",
            )
        if exit_code == INCOMPLETE and not handover.received:
            raise ConnectionFailed(
                FailureKind.PROTOCOL,
                f"{self._where}: the script did not reach the shell whole, so none of it was run",
                "try again; look for an rc file that reads standard input",
            )
        return handover.result(exit_code)


def patience_with(command: list[str], deadline: Deadline) -> Deadline:
    """How long to wait for the shell to show itself: sudo may hang where the login does not."""
    return deadline.sooner(_SUDO_PATIENCE_S) if len(command) > len(plain_command()) else deadline
