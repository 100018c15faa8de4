"""WinRM: pywinrm's ``Protocol`` for the messages; the loop, the time and the tidying up are ours.

One host has one login on one TCP connection (NTLM, Kerberos and CredSSP prove a connection, not a message),
and in it one shell, which is deleted whatever happens: a shell left open lives on for two hours and counts
against the account's quota.  Where the connection is lost, a new login deletes the shell.  Nothing is ever
sent twice but what the host itself said it did not take; rejected credentials are never shown again.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar, cast
from typing import Protocol as Seam

from collector.connections.base import Deadline, RunResult, Sink
from collector.connections.connector import Endpoint, Tunnel, Way
from collector.connections.failures import out_of_time
from collector.connections.handover import Handover
from collector.connections.settings import WinrmSettings
from collector.connections.sockets import connect
from collector.connections.watchdog import Watchdog
from collector.connections.windows_bootstrap import ARGUMENTS, WindowsHandover
from collector.connections.windows_cmd import ARGUMENTS as CMD_ARGUMENTS
from collector.connections.windows_cmd import PROGRAM, Typing
from collector.connections.winrm_accounts import Accounts
from collector.connections.winrm_failures import BUSY, Doing, from_exception
from collector.connections.winrm_http import Wire, make_protocol
from collector.connections.winrm_options import Login, WinrmOptions, winrm_options
from collector.connections.winrm_tickets import Tickets
from collector.errors import ConnectionFailed, FailureKind, SecretError
from collector.evidence.model import ConnectionFacts
from collector.target import Target, Transport

if TYPE_CHECKING:
    from winrm.protocol import Protocol

T = TypeVar("T")

_UTF8 = 65001
_IDLE = "PT180S"
"""When the host itself deletes a shell that nobody uses, such as one whose id never reached us."""
_MAX_SEND = 90_000
"""Bytes of standard input in one message: with base64 and envelope below the 150 KiB of older hosts."""
_BUSY_WAIT_S = 0.5
_PAUSE_S = 0.1
"""Before a host is asked again that had nothing to tell, which may be at once."""
_TIDY_S = 5.0
"""What a host is given to end a command and delete a shell."""
_RESERVE = 0.1
"""The part of the time for a run that is kept, at most ``_TIDY_S``, to end what is overdue."""


class Forwarder(Seam):
    """Somebody who has logged in to jump hosts (``SshConnector``)."""

    def forward(
        self, target: Target, host: str, port: int, seconds: float, *, deadline: Deadline
    ) -> tuple[socket.socket, tuple[str, ...]]:
        """A connection to ``host`` from the last of the target's jump hosts, and the names of these.

        The jump host has ``seconds`` to connect.
        """
        ...


class WinrmConnector:
    """Opens WinRM connections (``collector.connections.connector.Connector``)."""

    def __init__(self, settings: WinrmSettings, forwarder: Callable[[], Forwarder] | None = None) -> None:
        """``forwarder`` is asked for the first time a host lies behind a jump host."""
        self._settings = settings
        self._forwarder = forwarder
        self._watchdog = Watchdog()
        self._accounts = Accounts()
        self._tickets = Tickets()
        # Without a handler Python prints what these log, tracebacks and all, between our own lines.
        for name in ("winrm", "spnego", "urllib3", "requests_credssp"):
            logging.getLogger(name).addHandler(logging.NullHandler())

    def endpoint(self, target: Target) -> Endpoint | None:
        """Where to connect; ``None``: a proxy leads there.

        Raises:
            UsageError: a variable of the host cannot be used.
            ConnectionFailed: ``auth``: what is asked for would give the password away.
        """
        options = winrm_options(target, self._settings)
        if options.proxy is not None:
            return None
        where = (options.host, options.port, options.connect_timeout_s)
        if self._forwarder is None or not _is_behind_jump(target):
            return Endpoint(*where)
        forwarder, last = self._forwarder, (target.jump or "").rpartition(",")[2].strip()

        def tunnel() -> Tunnel:
            patience = Deadline.after(self._settings.login_timeout_s)
            return Tunnel(*forwarder().forward(target, *where, deadline=patience))

        return Endpoint(*where, jump=last, tunnel=tunnel)

    def open(self, target: Target, *, deadline: Deadline, sock: Way | None = None) -> WinrmConnection:
        """See ``Connector.open``; a shell is opened with the login."""
        options = winrm_options(target, self._settings)
        try:
            _check_installed(options)
            password = _password(options)
            limit = deadline.sooner(self._settings.login_timeout_s)
            self._tickets.obtain(options, password, limit)
            dialling = _Dialling(target, options, sock, self._forwarder)
            connection = WinrmConnection(options, password, dialling, self._watchdog)
            with self._accounts.login(options, password, limit):
                connection.open(limit)
        except BaseException:
            if sock is not None:
                sock.close()
            raise
        return connection

    def close(self) -> None:
        """Destroy the tickets, end the watchdog."""
        self._tickets.close()
        self._watchdog.close()


class WinrmConnection:
    """One host, logged in to, with one shell (``collector.connections.base.Connection``)."""

    def __init__(
        self, options: WinrmOptions, password: str | None, dialling: _Dialling, watchdog: Watchdog
    ) -> None:
        self._options = options
        self._password = password
        self._dialling = dialling
        self._watchdog = watchdog
        self._session: _Session | None = None
        self._shell = ""
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
            self._shell = self._ask("logging in", deadline, _open_shell)
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
        if self._shell and not self._quietly(self._delete, deadline) and self._may_log_in:
            with contextlib.suppress(ConnectionFailed):  # what the host will not let us tidy up stays
                self._hang_up()
                self._session = self._log_in(deadline)
                self._quietly(self._delete, deadline)
        self._shell = ""
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
        session = _Session(plain, self._password, self._dialling, self._watchdog, deadline)
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

    def _delete(self, protocol: Protocol) -> None:
        protocol.close_shell(self._shell, close_session=False)

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

    def _log_in(self, deadline: Deadline) -> _Session:
        return _Session(self._options, self._password, self._dialling, self._watchdog, deadline)

    def _hang_up(self) -> None:
        if self._session is not None:
            self._session.close()


def _open_shell(protocol: Protocol) -> str:
    return protocol.open_shell(noprofile=True, codepage=_UTF8, idle_timeout=_IDLE)


_GET_SETTINGS = """\
<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" \
xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" \
xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"><s:Header><a:To>{url}</a:To>\
<a:ReplyTo><a:Address>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:Address></a:ReplyTo>\
<w:ResourceURI s:mustUnderstand="true">http://schemas.microsoft.com/wbem/wsman/1/config</w:ResourceURI>\
<a:Action s:mustUnderstand="true">http://schemas.xmlsoap.org/ws/2004/09/transfer/Get</a:Action>\
<a:MessageID>uuid:{message}</a:MessageID></s:Header><s:Body/></s:Envelope>"""
"""Asks WinRM for its own settings; it only reads."""


class _Session:
    """One login: a protocol of pywinrm on a wire of its own."""

    def __init__(
        self,
        options: WinrmOptions,
        password: str | None,
        dialling: _Dialling,
        watchdog: Watchdog,
        deadline: Deadline,
    ) -> None:
        self._options = options
        self._watchdog = watchdog
        self._until = deadline
        self.wire = Wire(lambda: dialling.dial(self._until), is_single=options.binds_connection)
        self.is_lost = False
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
            self.is_lost = not _is_answer(error)
            if not deadline.remaining():
                raise out_of_time(doing.where, what, time.monotonic() - started) from error
            raise from_exception(error, doing) from error

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


class _Dialling:
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
        self._forwarder = forwarder if _is_behind_jump(target) else None
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


def _is_behind_jump(target: Target) -> bool:
    return target.jump not in (None, "", "none")


def _password(options: WinrmOptions) -> str | None:
    """The password, had at the last moment.

    Raises:
        ConnectionFailed: ``auth``: there is no user or no password, where the login needs one.
    """
    if options.login is Login.CERTIFICATE:
        return None
    if not options.user:
        raise _missing(options, "no user is given", "set ansible_user, or give --user")
    if options.password is None and options.login is not Login.KERBEROS:
        raise _missing(
            options, f"no password is given for {options.user!r}", "set ansible_password, or give --ask-pass"
        )
    try:
        return options.password.resolve() if options.password is not None else None
    except SecretError as error:
        raise _missing(
            options, f"the password cannot be had ({error})", "check where it is to come from"
        ) from None


def _check_installed(options: WinrmOptions) -> None:
    from winrm import transport

    if options.login is Login.KERBEROS and not transport.HAVE_KERBEROS:
        raise _missing(
            options,
            "Kerberos needs pykerberos, which is not installed",
            "pip install 'ssm-triage[winrm-kerberos]', which needs a C compiler and libkrb5-dev",
        )
    if options.login is Login.CREDSSP and not transport.HAVE_CREDSSP:
        raise _missing(
            options,
            "CredSSP needs requests-credssp, which is not installed",
            "pip install 'ssm-triage[winrm-credssp]', or use ansible_winrm_transport: ntlm",
        )


def _missing(options: WinrmOptions, what: str, try_next: str) -> ConnectionFailed:
    return ConnectionFailed(FailureKind.AUTH, f"{options.where}: {what}", try_next)
