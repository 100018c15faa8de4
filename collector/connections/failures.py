"""Whatever Paramiko, Fabric or a socket raises, brought to the closed set of failures."""

from __future__ import annotations

import errno
import socket

from collector.errors import ConnectionFailed, FailureKind

_CHECK_NETWORK = (
    "check the address, the route from here, security groups and network ACLs, and that the host is up"
)
_CHECK_SERVICE = "check that sshd or WinRM runs there and listens on this port, and the port in the inventory"


def unresolved(host: str, error: OSError) -> ConnectionFailed:
    """A name that no resolver knows."""
    return ConnectionFailed(
        FailureKind.UNREACHABLE,
        f"{host} has no address: {error.strerror or error}",
        "check the name, or give the address as ansible_host",
    )


def not_connected(where: str, error: OSError | None, seconds: float | None = None) -> ConnectionFailed:
    """A TCP connection that did not come about; ``where`` is ``host port N``."""
    number = error.errno if error is not None else errno.ETIMEDOUT
    if number == errno.ECONNREFUSED:
        return ConnectionFailed(FailureKind.REFUSED, f"{where} refused the connection", _CHECK_SERVICE)
    if number == errno.ETIMEDOUT or isinstance(error, TimeoutError):
        after = f" within {seconds:g} s" if seconds is not None else ""
        return ConnectionFailed(
            FailureKind.TIMEOUT, f"{where} did not answer the connection attempt{after}", _CHECK_NETWORK
        )
    if number in {errno.EMFILE, errno.ENFILE}:
        return ConnectionFailed(
            FailureKind.QUOTA,
            f"{where} was not asked: this machine has no file descriptor left",
            "raise the limit of open files here (ulimit -n), or lower --forks; the host is not to blame",
        )
    words = error.strerror if error is not None and error.strerror else str(error)
    return ConnectionFailed(FailureKind.UNREACHABLE, f"{where} cannot be reached: {words}", _CHECK_NETWORK)


def out_of_time(where: str, doing: str, seconds: float) -> ConnectionFailed:
    """A deadline has passed; ``doing`` names what took so long."""
    return ConnectionFailed(
        FailureKind.TIMEOUT,
        f"{where} accepted the connection, but did not finish {doing} within {seconds:.0f} s",
        "the host may hang or be overloaded; look at its console, or allow more time",
    )


def from_exception(error: BaseException, where: str, doing: str) -> ConnectionFailed:
    """What an exception of the libraries means to the operator.

    ``where`` is ``host port N``, ``doing`` what was being done, as in "while reading the answer".
    """
    import paramiko  # heavy

    if isinstance(error, ConnectionFailed):
        return error
    words = (
        "".join(c if c.isprintable() else " " for c in " ".join(str(error).split())) or type(error).__name__
    )
    if isinstance(error, paramiko.ssh_exception.IncompatiblePeer):
        return ConnectionFailed(
            FailureKind.PROTOCOL,
            f"{where} and we have no algorithm in common: {words}",
            "update the host's OpenSSH, or widen the algorithms in its sshd_config or your ssh_config",
        )
    if isinstance(error, paramiko.ChannelException):
        kind = FailureKind.QUOTA if error.code in {1, 4} else FailureKind.PROTOCOL
        return ConnectionFailed(
            kind,
            f"{where} opened no channel: {words}",
            "check MaxSessions and AllowTcpForwarding of its sshd",
        )
    if isinstance(error, socket.timeout) or "timeout" in words.lower() or "timed out" in words.lower():
        return ConnectionFailed(
            FailureKind.TIMEOUT,
            f"{where} stopped answering while {doing}",
            "the host may hang or be overloaded; look at its console, or allow more time",
        )
    if isinstance(error, paramiko.AuthenticationException):
        return ConnectionFailed(FailureKind.AUTH, f"{where}: {words}", "check the user name and the key")
    if "protocol banner" in words or "protocol version" in words or "SSH banner" in words:
        return _no_banner(where, words)
    if isinstance(error, EOFError | ConnectionError | BrokenPipeError) or "session" in words or not words:
        return ConnectionFailed(
            FailureKind.PROTOCOL,
            f"{where} closed the connection while {doing}",
            "look at sshd's log on the host (MaxStartups, a crash, an intrusion guard), then try again",
        )
    return ConnectionFailed(
        FailureKind.PROTOCOL,
        f"{where}: {words} (while {doing})",
        "look at sshd's log on the host, then try again",
    )


def _no_banner(where: str, words: str) -> ConnectionFailed:
    if "Indecipherable" in words or "Incompatible" in words:
        return ConnectionFailed(
            FailureKind.PROTOCOL,
            f"{where} does not speak SSH: {words[:200]!r}",
            "check the port: something else than sshd listens there",
        )
    return ConnectionFailed(
        FailureKind.QUOTA,
        f"{where} closed the connection before it said anything",
        "sshd may be at its limit (MaxStartups, PerSourcePenalties) or forbid this address (tcp wrappers); "
        "wait, lower --forks, look at its log",
    )
