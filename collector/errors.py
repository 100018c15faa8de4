"""The one family of exceptions: whatever a user can cause ends in one clear line."""

from __future__ import annotations

from enum import StrEnum


class TriageError(Exception):
    """Base of every error that ssm-triage raises on purpose.

    ``str(error)`` is one line for a human: it names the file, host or key, what is wrong and what to do.
    """


class UsageError(TriageError):
    """The command was called in a way that cannot work."""


class InventoryError(TriageError):
    """An inventory cannot be read whole."""


class SecretError(TriageError):
    """A secret that is given by reference cannot be had.  Never carries the secret."""


class EvidenceError(TriageError):
    """An evidence file, a run folder or a folder of logs cannot be read or written."""


class SignatureError(TriageError):
    """A signature file is not valid."""


class FailureKind(StrEnum):
    """Every way in which a connection can fail.  The set is closed."""

    AUTH = "auth"
    HOST_KEY = "host-key"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    TLS = "tls"
    TIMEOUT = "timeout"
    QUOTA = "quota"
    PROTOCOL = "protocol"
    PRIVILEGE = "privilege"
    SHELL = "shell"


class ConnectionFailed(TriageError):
    """A host could not be asked.  This is a result with a report of its own, never the end of a sweep.

    ``detail`` says what happened, ``try_next`` what the operator can do about it.
    """

    def __init__(self, kind: FailureKind, detail: str, try_next: str) -> None:
        super().__init__(f"{kind}: {detail}; {try_next}")
        self.kind = kind
        self.detail = detail
        self.try_next = try_next

    def __reduce__(self) -> tuple[type[ConnectionFailed], tuple[FailureKind, str, str]]:
        return type(self), (self.kind, self.detail, self.try_next)

    def bare(self) -> ConnectionFailed:
        """The same without what caused it, fit to go to another process: libraries such as ``tblib`` (which
        comes with Dask) pickle an exception's whole chain, down to sockets and ciphers."""
        return ConnectionFailed(self.kind, self.detail, self.try_next)
