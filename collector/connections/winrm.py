"""WinRM: who is to be reached, how, and with which proof of who we are.

What comes of it, one host with one shell, is a ``WinrmConnection``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from collector.connections.base import Deadline
from collector.connections.connector import Endpoint, Tunnel, Way
from collector.connections.settings import WinrmSettings
from collector.connections.watchdog import Watchdog
from collector.connections.winrm_accounts import Accounts
from collector.connections.winrm_connection import WinrmConnection
from collector.connections.winrm_options import Login, WinrmOptions, winrm_options
from collector.connections.winrm_session import Dialling, Forwarder, is_behind_jump
from collector.connections.winrm_tickets import Tickets
from collector.errors import ConnectionFailed, FailureKind, SecretError
from collector.target import Target


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
        if self._forwarder is None or not is_behind_jump(target):
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
            dialling = Dialling(target, options, sock, self._forwarder)
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
