"""Whatever pywinrm and all beneath it raise, brought to the closed set of failures.

They share no family: besides pywinrm's own there come exceptions of Requests, urllib3, pyspnego, pykerberos
and requests-credssp, and bare ones where an answer is not what the library expects.  The codes are
Microsoft's (MS-WSMV, winerror.h).
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass

from collector.connections.failures import not_connected, out_of_time
from collector.connections.winrm_options import Login, WinrmOptions
from collector.errors import ConnectionFailed, FailureKind

BUSY = 170
"""ERROR_BUSY: the host says of a message that it did not take it, and may be asked again."""
_ACCESS_DENIED = 5
_NO_SUCH_SHELL = 2150858843
_CHECK_LISTENER = (
    "check that WinRM runs there and listens on this port (winrm enumerate winrm/config/listener)"
)
_CHECK_ACCOUNT = {
    Login.NTLM: r"check user (HOST\user, DOMAIN\user or user@domain), password, and that the account is not "
    "locked; a domain's policy may also forbid NTLM",
    Login.KERBEROS: "check the ticket (klist), the host's name and SPN, and both clocks",
    Login.CREDSSP: "check user and password, and that CredSSP is enabled on the host (winrm get "
    "winrm/config/service/auth)",
    Login.BASIC: "check user and password; Basic takes local accounts only and must be enabled on the host",
    Login.CERTIFICATE: "check that the host maps this certificate to an account (winrm enumerate "
    "winrm/config/service/certmapping) and trusts its issuer",
}
_TLS = (
    (
        r"hostname mismatch|doesn't match|IP address mismatch|not valid for",
        "its certificate is for another name",
        "connect by the name in the certificate, or give the host one for this name",
    ),
    (r"has expired", "its certificate has expired", "renew the certificate of the WinRM listener"),
    (
        r"not yet valid",
        "its certificate is not valid yet",
        "compare the clocks of host and bastion",
    ),
    (
        r"self[- ]signed|unable to get (local )?issuer|unknown ca",
        "its certificate is signed by nobody we trust",
        "give the authority with ansible_winrm_ca_trust_path, or, knowing the risk, "
        "ansible_winrm_server_cert_validation: ignore",
    ),
    (
        r"WRONG_VERSION_NUMBER|record layer failure|HTTP_REQUEST",
        "it does not speak TLS on this port",
        "port 5985 is plain HTTP: set ansible_winrm_scheme: http with ntlm, or give the HTTPS port",
    ),
    (
        r"handshake failure|NO_SHARED_CIPHER|UNSUPPORTED_PROTOCOL|protocol version|DH_KEY_TOO_SMALL",
        "no TLS version or cipher in common",
        "update the host's SChannel settings: TLS 1.2 is the least we speak",
    ),
    (
        r"certificate required|bad certificate|alert unknown",
        "it refused our client certificate",
        _CHECK_ACCOUNT[Login.CERTIFICATE],
    ),
)
_KERBEROS = (
    (r"clock skew", "the clocks differ by more than 5 minutes", "set the clock of the host or the bastion"),
    (
        r"not found in kerberos database|server.*not found|unknown principal",
        "the KDC does not know the host's SPN",
        "connect by the host's full name, or give ansible_winrm_kerberos_hostname_override",
    ),
    (
        r"no (kerberos )?credentials|credentials cache|ticket expired|no credential",
        "there is no valid ticket",
        "give a password or keytab, or run kinit before",
    ),
    (
        r"cannot (find|contact|resolve)|cannot locate kdc",
        "no KDC answers",
        "check /etc/krb5.conf and the way to the KDC (port 88)",
    ),
)
_STATUSES = {
    403: (FailureKind.AUTH, "forbids the login", "check the IP filter and the rights of the account"),
    404: (FailureKind.PROTOCOL, "serves no WinRM at this path", "check the port and ansible_winrm_path"),
    405: (FailureKind.PROTOCOL, "serves no WinRM at this path", "check the port and ansible_winrm_path"),
    407: (FailureKind.UNREACHABLE, "is behind a proxy that asks who we are", "check ansible_winrm_proxy"),
    413: (
        FailureKind.QUOTA,
        "takes only smaller messages",
        "raise MaxEnvelopeSizekb (winrm get winrm/config; the default is 500)",
    ),
    502: (FailureKind.UNREACHABLE, "is behind a proxy that cannot reach it", "check the proxy"),
    503: (FailureKind.QUOTA, "has its WinRM service stopped or overloaded", "try again, or restart WinRM"),
}


class ConnectionLost(OSError):
    """The TCP connection that the login belongs to has ended; a new one would not be logged in."""


@dataclass(frozen=True, slots=True)
class Doing:
    """What was being done, and to whom, when it failed."""

    options: WinrmOptions
    what: str
    """As in "while reading the answer"."""
    is_logged_in: bool = False

    @property
    def where(self) -> str:
        return self.options.where


def from_exception(error: BaseException, doing: Doing) -> ConnectionFailed:
    """What ``error`` means to the operator.  Carries no secret, and of an answer no more than its reason."""
    import requests
    from winrm import exceptions as winrm

    if isinstance(error, ConnectionFailed):
        return error
    if isinstance(error, winrm.WSManFaultError):
        return _fault(error, doing)
    if isinstance(error, winrm.AuthenticationError):
        return _rejected(doing)
    if isinstance(error, winrm.WinRMOperationTimeoutError | requests.Timeout | TimeoutError):
        return out_of_time(doing.where, doing.what, doing.options.read_timeout_s)
    if isinstance(error, winrm.WinRMTransportError):
        return _status(error.code, doing)
    if isinstance(error, requests.exceptions.SSLError):
        return _tls(str(error), doing)
    if isinstance(error, requests.exceptions.ProxyError):
        return _failed(FailureKind.UNREACHABLE, doing, "the proxy gave no connection", "check the proxy")
    if (login := _login_failure(error, doing)) is not None:
        return login
    if isinstance(error, requests.ConnectionError | requests.exceptions.ChunkedEncodingError | OSError):
        return _broken(error, doing)
    return _failed(
        FailureKind.PROTOCOL,
        doing,
        f"gave no answer of WinRM's while {doing.what} ({type(error).__name__}: {words(error)})",
        "check the port: something else than WinRM may listen there",
    )


def is_rejection(failure: ConnectionFailed) -> bool:
    """Whether the host looked at the credentials and would not have them."""
    return failure.kind is FailureKind.AUTH


def words(error: BaseException) -> str:
    """One printable line of bounded length out of whatever an exception says."""
    text = " ".join(str(error).split())
    return "".join(c if c.isprintable() else " " for c in text)[:200]


def _failed(kind: FailureKind, doing: Doing, what: str, try_next: str) -> ConnectionFailed:
    return ConnectionFailed(kind, f"{doing.where} {what}", try_next)


def _rejected(doing: Doing) -> ConnectionFailed:
    options = doing.options
    who = f"the {options.login} login of {options.user!r}" if options.user else f"the {options.login} login"
    return _failed(
        FailureKind.AUTH, doing, f"rejected {who}; it is not tried again", _CHECK_ACCOUNT[options.login]
    )


def _fault(error: object, doing: Doing) -> ConnectionFailed:
    """A SOAP fault: the service itself says what is wrong."""
    code = getattr(error, "wsman_fault_code", None)
    subcode = str(getattr(error, "fault_subcode", "") or "")
    reason = words(Exception(getattr(error, "reason", "") or "no reason given"))
    if subcode.endswith(":QuotaLimit"):
        return _failed(
            FailureKind.QUOTA,
            doing,
            f"is at one of its limits: {reason}",
            "wait for other sessions of this account to end, or raise the quota (MaxShellsPerUser, "
            "MaxConcurrentUsers in winrm get winrm/config/winrs)",
        )
    if code == _ACCESS_DENIED or subcode.endswith(":AccessDenied"):
        return _failed(
            FailureKind.PRIVILEGE,
            doing,
            "knows the account, but denies it WinRM",
            "make it a member of Administrators or Remote Management Users; a local administrator may also "
            "need LocalAccountTokenFilterPolicy",
        )
    if code == _NO_SUCH_SHELL:
        return _failed(
            FailureKind.PROTOCOL,
            doing,
            f"has ended our shell, while {doing.what}",
            "its WinRM service may have been restarted, or the shell was idle too long; try again",
        )
    if code == BUSY or subcode.endswith(":TimedOut"):
        return out_of_time(doing.where, doing.what, doing.options.read_timeout_s)
    return _failed(
        FailureKind.PROTOCOL,
        doing,
        f"answered with fault {code or subcode or 'without a code'} while {doing.what}: {reason}",
        "look the code up in the event log Microsoft-Windows-WinRM/Operational of the host",
    )


def _status(status: int, doing: Doing) -> ConnectionFailed:
    kind, what, try_next = _STATUSES.get(
        status,
        (
            FailureKind.PROTOCOL,
            f"broke off while {doing.what} (HTTP {status})",
            "look at the event log Microsoft-Windows-WinRM/Operational of the host, then try again",
        ),
    )
    return _failed(kind, doing, what, try_next)


def _tls(text: str, doing: Doing) -> ConnectionFailed:
    for pattern, what, try_next in _TLS:
        if re.search(pattern, text, re.IGNORECASE):
            return ConnectionFailed(FailureKind.TLS, f"{doing.where}: {what}", try_next)
    if "EOF" in text:
        return _broken(ConnectionResetError(), doing)
    return ConnectionFailed(
        FailureKind.TLS,
        f"{doing.where}: TLS failed: {text}",
        "look at the host's certificate and SChannel log",
    )


def _login_failure(error: BaseException, doing: Doing) -> ConnectionFailed | None:
    """What the libraries of the logins raise, by the module they come from: they may not be installed."""
    kind, module = type(error).__name__, type(error).__module__
    if "requests_kerberos" in module or module.startswith(("kerberos", "gssapi", "krb5")):
        return _kerberos(words(error), doing)
    if module.startswith(("requests_credssp", "spnego")) or (
        isinstance(error, PermissionError) and error.errno is None
    ):
        if doing.is_logged_in:
            return _broken(ConnectionResetError(), doing)
        return _rejected(doing)
    if isinstance(error, KeyError) and "authenticate" in str(error):
        return _failed(
            FailureKind.AUTH,
            doing,
            f"broke off the {doing.options.login} login",
            "the host or a proxy between does not offer Negotiate; give another ansible_winrm_transport",
        )
    if kind == "WinRMError" and "Encrypted length" in str(error):
        return _failed(
            FailureKind.PROTOCOL,
            doing,
            "sent a message that was changed on its way",
            "look for a proxy or an inspecting firewall between",
        )
    return None


def _kerberos(text: str, doing: Doing) -> ConnectionFailed:
    for pattern, what, try_next in _KERBEROS:
        if re.search(pattern, text, re.IGNORECASE):
            return ConnectionFailed(FailureKind.AUTH, f"{doing.where}: Kerberos: {what}", try_next)
    return ConnectionFailed(
        FailureKind.AUTH, f"{doing.where}: Kerberos failed: {text}", _CHECK_ACCOUNT[Login.KERBEROS]
    )


def _broken(error: BaseException, doing: Doing) -> ConnectionFailed:
    """A connection that did not come about or did not last."""
    for cause in _causes(error):
        if isinstance(cause, ConnectionFailed):
            return cause
        if isinstance(cause, ConnectionRefusedError):
            return ConnectionFailed(
                FailureKind.REFUSED, f"{doing.where} refused the connection", _CHECK_LISTENER
            )
        if isinstance(cause, socket.gaierror):
            return not_connected(doing.where, cause)
    return ConnectionFailed(
        FailureKind.PROTOCOL,
        f"{doing.where} closed the connection while {doing.what}",
        "look at the host (a restart, a crash of WinRM, a firewall that ends connections), then try again",
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and those it was made of: Requests wraps urllib3, urllib3 wraps sockets."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        found = waiting.pop()
        if not isinstance(found, BaseException) or id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        waiting += [*found.args, found.__cause__, found.__context__, getattr(found, "reason", None)]
