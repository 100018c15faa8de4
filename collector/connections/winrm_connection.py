"""One host by WinRM, logged in to, with one shell: the conversation in it, the time, and the tidying up.

One host has one login on one TCP connection (NTLM, Kerberos and CredSSP prove a connection, not a message),
and in it one shell, which is deleted whatever happens: a shell left open lives on and counts against the
account's quota.  Where the connection is lost, a new login deletes the shell, by its name if its id never
came.  Nothing is ever sent twice but what the host itself said it did not take; rejected credentials are
never shown again.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from collector.connections import winrm_shells
from collector.connections.base import Deadline, RunResult, Sink
from collector.connections.failures import out_of_time
from collector.connections.handover import Handover
from collector.connections.watchdog import Watchdog
from collector.connections.windows_bootstrap import ARGUMENTS, WindowsHandover
from collector.connections.windows_cmd import ARGUMENTS as CMD_ARGUMENTS
from collector.connections.windows_cmd import PROGRAM, Typing
from collector.connections.winrm_failures import BUSY
from collector.connections.winrm_options import WinrmOptions
from collector.connections.winrm_session import Dialling, Session
from collector.errors import ConnectionFailed, FailureKind
from collector.evidence.model import ConnectionFacts
from collector.target import Transport

if TYPE_CHECKING:
    from winrm.protocol import Protocol

T = TypeVar("T")

_MAX_SEND = 90_000
"""Bytes of standard input in one message: with base64 and envelope below the 150 KiB of older hosts."""
_BUSY_WAIT_S = 0.5
_PAUSE_S = 0.1
"""Before a host is asked again that had nothing to tell, which may be at once."""
_TIDY_S = 5.0
"""What a host is given to end a command and delete a shell."""
_RESERVE = 0.1
"""The part of the time for a run that is kept, at most ``_TIDY_S``, to end what is overdue."""


class WinrmConnection:
    """One host, logged in to, with one shell (``collector.connections.base.Connection``)."""

    def __init__(
        self, options: WinrmOptions, password: str | None, dialling: Dialling, watchdog: Watchdog
    ) -> None:
        self._options = options
        self._password = password
        self._dialling = dialling
        self._watchdog = watchdog
        self._session: Session | None = None
        self._name = ""
        """Of the shell, from when it was asked for until it is known to be gone."""
        self._shell = ""
        """Its id; empty until it came."""
        self._may_log_in = True

    @property
    def facts(self) -> ConnectionFacts:
        """How the host was reached."""
        options, wire = self._options, self._session.wire if self._session else None
        notes = options.notes
        if options.is_https and not options.validate:
            notes += ("the host's certificate was not checked",)
        sealed = ", messages encrypted" if options.is_sealed else ""
        return ConnectionFacts(
            transport=Transport.WINRM,
            address=options.host,
            port=options.port,
            user=options.user,
            auth_method=f"{options.login} over {'HTTPS' if options.is_https else 'HTTP'}{sealed}",
            host_key=wire.certificate if wire else "",
            jump=self._dialling.jump,
            server=wire.server if wire else "",
            notes=notes,
        )

    def open(self, deadline: Deadline) -> None:
        """Log in and open the shell.

        Raises:
            ConnectionFailed: every way in which it can fail; nothing is left open.
        """
        try:
            self._session = self._log_in(deadline)
            self._shell = self._open_shell(deadline)
        except BaseException:
            self.close()
            raise

    def run(self, script: bytes, sink: Sink, *, deadline: Deadline, max_bytes: int) -> RunResult:
        """See ``Connection.run``."""
        handover = WindowsHandover(script, sink, max_bytes)
        refusal, exit_code = self._converse("powershell.exe", ARGUMENTS, handover, deadline)
        if refusal is not None and not handover.language_mode and not handover.words:
            raise refusal
        return handover.finish(self._options.where, exit_code)

    def _converse(
        self, program: str, arguments: tuple[str, ...], handover: Handover, deadline: Deadline
    ) -> tuple[ConnectionFailed | None, int | None]:
        """Start a program, hand over its input, take its output; what stood against the input, and how it
        ended."""
        working = Deadline(deadline.at - min(_TIDY_S, deadline.remaining() * _RESERVE))
        started = time.monotonic()
        command = self._ask(
            f"starting {program}",
            working,
            lambda protocol: protocol.run_command(self._shell, program, arguments, console_mode_stdin=False),
        )
        try:
            refusal = self._send(command, handover.begin() or b"", working)
            exit_code = self._receive(command, handover, working, started)
        finally:
            self._quietly(lambda protocol: protocol.cleanup_command(self._shell, command), deadline)
        return refusal, exit_code

    def type_in(self, commands: bytes, sink: Sink, *, deadline: Deadline, max_bytes: int) -> RunResult:
        """See ``Typist.type_in``."""
        typing = Typing(commands, sink, max_bytes)
        refusal, exit_code = self._converse(PROGRAM, CMD_ARGUMENTS, typing, deadline)
        if refusal is not None and not typing.received:
            raise refusal
        return typing.result(exit_code)

    def close(self) -> None:
        """Delete the shell, by a new login if the one there was is lost; end the connection."""
        deadline = Deadline.after(_TIDY_S)
        if self._name and not self._quietly(self._delete, deadline):
            with contextlib.suppress(ConnectionFailed):  # what the host will not let us tidy up stays
                self._delete_again(deadline)
        self._name = self._shell = ""
        self._hang_up()

    def answer_unsealed(self, deadline: Deadline) -> str | None:
        """How the host refuses a message that is not encrypted: a question for its own settings, by a login
        of its own.  Empty: it does not refuse it; ``None``: over HTTPS there is nothing to refuse.

        Raises:
            ConnectionFailed: there was no login, or no answer.
        """
        if self._options.is_https or not self._options.is_sealed:
            return None
        plain = replace(self._options, is_sealed=False)
        session = Session(plain, self._password, self._dialling, self._watchdog, deadline)
        try:
            message = _GET_SETTINGS.format(url=plain.url, message=uuid.uuid4())
            session.ask(
                "asking without encryption", deadline, lambda p: p.send_message(message), is_logged_in=False
            )
        except ConnectionFailed as failure:
            if failure.kind is FailureKind.TIMEOUT:
                raise
            return f"{type(failure.__cause__).__name__}: {failure.__cause__}"
        finally:
            session.close()
        return ""

    # --- One conversation ------------------------------------------------------------------------------

    def _send(self, command: str, data: bytes, deadline: Deadline) -> ConnectionFailed | None:
        """Send ``data``; what stands against it, if PowerShell is gone already and its own words say why."""
        from winrm.exceptions import WSManFaultError

        for at in range(0, len(data), _MAX_SEND):
            piece, is_last = data[at : at + _MAX_SEND], at + _MAX_SEND >= len(data)
            try:
                self._send_piece(command, piece, is_last, deadline)
            except ConnectionFailed as failure:
                if isinstance(failure.__cause__, WSManFaultError) and deadline.remaining():
                    return failure
                raise
        return None

    def _send_piece(self, command: str, piece: bytes, is_last: bool, deadline: Deadline) -> None:
        """Once, and again only where the host says that it was busy and did not take it."""
        while True:
            try:
                self._ask(
                    "sending the script",
                    deadline,
                    lambda protocol: protocol.send_command_input(self._shell, command, piece, end=is_last),
                )
            except ConnectionFailed as failure:
                is_busy = getattr(failure.__cause__, "wsman_fault_code", None) == BUSY
                if not is_busy or deadline.remaining() <= _BUSY_WAIT_S:
                    raise
                time.sleep(_BUSY_WAIT_S)
            else:
                return

    def _receive(self, command: str, handover: Handover, deadline: Deadline, started: float) -> int | None:
        """Until the command is done, or nobody wants to hear more of it; gives its exit code."""
        from winrm.exceptions import WinRMOperationTimeoutError

        while not handover.is_over:
            if deadline.remaining() < 1:
                raise out_of_time(self._options.where, "the collection", time.monotonic() - started)
            try:
                output, errors, code, is_done = self._ask(
                    "reading the answer",
                    deadline,
                    lambda protocol: protocol.get_command_output_raw(self._shell, command),
                )
            except ConnectionFailed as failure:
                if not isinstance(failure.__cause__, WinRMOperationTimeoutError):
                    raise
                output, errors, code, is_done = b"", b"", -1, False  # there is nothing to tell yet
            handover.error_output(errors)
            handover.output(output)
            if is_done:
                return code
            if not output and not errors:
                time.sleep(_PAUSE_S)
        return None

    # --- The shell -------------------------------------------------------------------------------------

    def _open_shell(self, deadline: Deadline) -> str:
        self._name = f"ssm-triage {uuid.uuid4()}"
        try:
            return self._ask("logging in", deadline, lambda p: winrm_shells.open_shell(p, self._name))
        except ConnectionFailed:
            if self._session is None or not self._session.leaves_open:
                self._name = ""  # the host did not make it, or never heard of it
            raise

    def _delete_again(self, deadline: Deadline) -> None:
        """Where the login still stands, with it; else with a new one, unless it was refused."""
        if self._session is None or self._session.is_lost:
            if not self._may_log_in:
                return
            self._hang_up()
            self._session = self._log_in(deadline)
        self._quietly(self._delete, deadline)

    def _delete(self, protocol: Protocol) -> None:
        found = [self._shell] if self._shell else winrm_shells.find_shells(protocol, self._name)
        for shell in found:
            protocol.close_shell(shell, close_session=False)

    # --- One message -----------------------------------------------------------------------------------

    def _ask(self, what: str, deadline: Deadline, ask: Callable[[Protocol], T]) -> T:
        """One exchange with the host, over at the deadline.

        Raises:
            ConnectionFailed: with pywinrm's own exception as its cause.
        """
        if self._session is None:
            raise ConnectionFailed(
                FailureKind.PROTOCOL, f"{self._options.where}: the connection is closed", "open it again"
            )
        try:
            return self._session.ask(what, deadline, ask, is_logged_in=bool(self._shell))
        except ConnectionFailed as failure:
            if failure.kind is FailureKind.AUTH:
                self._may_log_in = False
            raise

    def _quietly(self, ask: Callable[[Protocol], object], deadline: Deadline) -> bool:
        """Tidy up if it can be done in time; whether it was."""
        if self._session is None or self._session.is_lost:
            return False
        try:
            self._ask("tidying up", deadline.sooner(_TIDY_S), ask)
        except ConnectionFailed:
            return False
        return True

    def _log_in(self, deadline: Deadline) -> Session:
        return Session(self._options, self._password, self._dialling, self._watchdog, deadline)

    def _hang_up(self) -> None:
        if self._session is not None:
            self._session.close()


_GET_SETTINGS = """\
<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" \
xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" \
xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"><s:Header><a:To>{url}</a:To>\
<a:ReplyTo><a:Address>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:Address></a:ReplyTo>\
<w:ResourceURI s:mustUnderstand="true">http://schemas.microsoft.com/wbem/wsman/1/config</w:ResourceURI>\
<a:Action s:mustUnderstand="true">http://schemas.xmlsoap.org/ws/2004/09/transfer/Get</a:Action>\
<a:MessageID>uuid:{message}</a:MessageID></s:Header><s:Body/></s:Envelope>"""
"""Asks WinRM for its own settings; it only reads."""
