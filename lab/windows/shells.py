"""The shells of a host and the commands in them: what WinRM keeps between messages."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from lab.windows.envelopes import (
    CMD,
    NO_SUCH_COMMAND,
    QUOTA,
    SHELL,
    TIMED_OUT,
    Request,
    find,
    find_text,
    new_id,
    seconds,
)
from lab.windows.powershell import Answer, Shell, UnknownScript

PIECE = 4353
"""Bytes of one ``Stream`` element, as recorded for the output of cmd.exe."""
_ROOM = 8192
"""Of an envelope, for what is not output."""


@dataclass
class Command:
    """One command, from its line to its last output."""

    line: str
    takes_input: bool
    codepage: int
    stdin: bytearray = field(default_factory=bytearray)
    has_all_input: bool = False
    ready_at: float | None = None
    """When it will have ended, on the monotonic clock; ``None``: it waits for input."""
    exit_code: int = 0
    pieces: Iterator[tuple[str, bytes]] = field(default_factory=lambda: iter(()))
    held: list[tuple[str, bytes]] = field(default_factory=list)
    early: bytes = b""
    """Output that came before the command ended, and was not asked for yet."""


@dataclass
class OpenShell:
    """One shell, until it is deleted or idle for too long."""

    owner: str
    codepage: int
    used_at: float
    idle_timeout_s: float
    """As the client asked, or the host's own."""
    name: str = ""
    commands: dict[str, Command] = field(default_factory=dict)


@dataclass
class Shells:
    """All shells of one host; safe for many threads."""

    behaviour: Shell
    max_per_user: int = 30
    idle_timeout_s: float = 7200.0
    piece: int = PIECE
    complain: Callable[[str], None] = lambda text: None
    open: dict[str, OpenShell] = field(default_factory=dict)
    made: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock)

    def create(self, request: Request, owner: str) -> str:
        """A new shell's id; ``SoapFault`` if the user has too many."""
        with self.lock:
            self._expire()
            if sum(shell.owner == owner for shell in self.open.values()) >= self.max_per_user:
                raise QUOTA
            shell_id = new_id()
            codepage = int(request.options.get("WINRS_CODEPAGE", "437"))
            idle_s = self.idle_timeout(request)
            name = find_text(request, "rsp:Shell/rsp:Name")
            self.open[shell_id] = OpenShell(owner, codepage, time.monotonic(), idle_s, name)
            self.made += 1
            return shell_id

    def idle_timeout(self, request: Request) -> float:
        """How long a shell that ``request`` makes may be idle, in seconds."""
        return seconds(find_text(request, "rsp:Shell/rsp:IdleTimeOut"), self.idle_timeout_s)

    def listed(self) -> list[tuple[str, OpenShell]]:
        """All shells, with their ids, as an administrator sees them."""
        with self.lock:
            self._expire()
            return list(self.open.items())

    def start(self, request: Request) -> str:
        """A new command's id."""
        with self.lock:
            shell = self._shell(request)
            line = " ".join(
                filter(
                    None,
                    (find_text(request, f"rsp:CommandLine/rsp:{part}") for part in ("Command", "Arguments")),
                )
            )
            command = Command(line, self.behaviour.takes_input(line), shell.codepage)
            command_id = new_id()
            shell.commands[command_id] = command
            if not command.takes_input:
                self._finish(command)
            return command_id

    def send(self, request: Request) -> None:
        """Take standard input."""
        with self.lock:
            stream = find(request, "rsp:Send/rsp:Stream")
            command = self._command(request, stream.get("CommandId", "") if stream is not None else "")
            if stream is None or command.has_all_input:
                raise NO_SUCH_COMMAND
            command.stdin += base64.b64decode(stream.text or "")
            if stream.get("End", "").lower() == "true":
                command.has_all_input = True
                self._finish(command)

    def receive(self, request: Request) -> str:
        """The body of the next answer with output; waits for it as long as the client will."""
        stream = find(request, "rsp:Receive/rsp:DesiredStream")
        command_id = stream.get("CommandId", "") if stream is not None else ""
        give_up = time.monotonic() + request.timeout_s
        while True:
            with self.lock:
                command = self._command(request, command_id)
                is_done = command.ready_at is not None and command.ready_at <= time.monotonic()
                if is_done or command.early:
                    return self._output(request, command_id, command, is_done=is_done)
            left = give_up - time.monotonic()
            if left <= 0:
                raise TIMED_OUT
            time.sleep(min(left, 0.02))

    def signal(self, request: Request) -> None:
        """End a command.  One that has ended already is no fault."""
        with self.lock:
            node = find(request, "rsp:Signal")
            self._shell(request).commands.pop(node.get("CommandId", "") if node is not None else "", None)

    def delete(self, request: Request) -> None:
        """Delete a shell and all in it."""
        with self.lock:
            self._shell(request)
            del self.open[request.shell_id]

    def _finish(self, command: Command) -> None:
        try:
            answer = self.behaviour.run(command.line, bytes(command.stdin))
        except UnknownScript as unknown:
            self.complain(str(unknown))
            answer = Answer(stderr=f"lab: {unknown}\r\n", exit_code=255)
        command.exit_code = answer.exit_code
        command.ready_at = time.monotonic() + answer.delay_s
        command.early = answer.early
        command.pieces = self._pieces(command, answer)

    def _pieces(self, command: Command, answer: Answer) -> Iterator[tuple[str, bytes]]:
        for name, output in (("stdout", answer.stdout), ("stderr", answer.stderr)):
            data = output if isinstance(output, bytes) else encoded(output, command.codepage)
            for at in range(0, len(data), self.piece):
                yield name, data[at : at + self.piece]

    def _output(self, request: Request, command_id: str, command: Command, *, is_done: bool = True) -> str:
        count = max(1, (request.max_envelope - _ROOM) // (self.piece * 4 // 3 + 200))
        early = [
            ("stdout", command.early[at : at + self.piece]) for at in range(0, len(command.early), self.piece)
        ]
        command.early = b""
        rest = islice(command.pieces, count + 1) if is_done else ()
        pieces = [*command.held, *early, *rest]
        command.held = pieces[count:]
        body = [
            f'<rsp:Stream Name="{name}" CommandId="{command_id}">{base64.b64encode(data).decode()}'
            "</rsp:Stream>"
            for name, data in pieces[:count]
        ]
        state = "Running"
        ended = ""
        if is_done and not command.held:
            state, ended = "Done", f"<rsp:ExitCode>{command.exit_code}</rsp:ExitCode>"
            body += [
                f'<rsp:Stream Name="{name}" CommandId="{command_id}" End="true"></rsp:Stream>'
                for name in ("stdout", "stderr")
            ]
        uri = f"{SHELL}/CommandState/{state}"
        tail = f'<rsp:CommandState CommandId="{command_id}" State="{uri}"' + (
            f">{ended}</rsp:CommandState>" if ended else "/>"
        )
        return f"<rsp:ReceiveResponse>{''.join(body)}{tail}</rsp:ReceiveResponse>"

    def _shell(self, request: Request) -> OpenShell:
        self._expire()
        shell = self.open.get(request.shell_id.upper())
        if shell is None or request.resource != CMD:
            raise NO_SUCH_COMMAND
        shell.used_at = time.monotonic()
        return shell

    def _command(self, request: Request, command_id: str) -> Command:
        command = self._shell(request).commands.get(command_id.upper())
        if command is None:
            raise NO_SUCH_COMMAND
        return command

    def _expire(self) -> None:
        now = time.monotonic()
        for shell_id in [k for k, shell in self.open.items() if shell.used_at + shell.idle_timeout_s < now]:
            del self.open[shell_id]


def encoded(text: str, codepage: int) -> bytes:
    """Text as a console program writes it: what the code page lacks becomes a question mark."""
    return text.encode("utf-8" if codepage == 65001 else f"cp{codepage}", "replace")
