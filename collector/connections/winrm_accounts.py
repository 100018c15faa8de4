"""One wrong password must not lock a domain account by being shown to a thousand hosts.

A domain counts failed logins wherever they happen, and locks the account after a few.  So the first login of
each domain account is made alone, while the others wait; once a host has taken it, all are free, and once two
hosts have refused it, it is shown to no more.  Local accounts are each host's own.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from collector.connections.base import Deadline
from collector.connections.winrm_failures import is_rejection
from collector.connections.winrm_options import Login, WinrmOptions
from collector.errors import ConnectionFailed, FailureKind

_ENOUGH = 2


@dataclass(slots=True)
class _Account:
    alone: threading.Lock = field(default_factory=threading.Lock)
    is_good: bool = False
    refused_by: list[str] = field(default_factory=list)

    @contextmanager
    def judged(self, options: WinrmOptions) -> Iterator[None]:
        """Around a login that is made alone: learn from how it goes."""
        if len(self.refused_by) >= _ENOUGH and not self.is_good:
            raise ConnectionFailed(
                FailureKind.AUTH,
                f"{options.where} was not shown the password of {options.user!r}: "
                f"{' and '.join(self.refused_by)} refused it, and more refusals might lock the account",
                "check user and password on one host (--limit), then run again",
            )
        try:
            yield
        except ConnectionFailed as failure:
            if is_rejection(failure):
                self.refused_by.append(options.host)
            raise
        self.is_good = True


class Accounts:
    """What became of each account so far.  One per run, for many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._accounts: dict[tuple[str, str], _Account] = {}

    @contextmanager
    def login(self, options: WinrmOptions, password: str | None, deadline: Deadline) -> Iterator[None]:
        """Around one login of ``options.user``.

        Raises:
            ConnectionFailed: ``auth``: other hosts have refused it; ``timeout``: others are still at it.
        """
        if not _is_shared(options):
            yield
            return
        with self._lock:
            account = self._accounts.setdefault((options.user.lower(), password or ""), _Account())
        if account.is_good:
            yield
            return
        if not account.alone.acquire(timeout=deadline.remaining()):
            raise ConnectionFailed(
                FailureKind.TIMEOUT,
                f"{options.where}: another host is still busy with the first login of {options.user!r}",
                "try again; domain accounts are tried on one host first, so that they are not locked",
            )
        try:
            with account.judged(options):
                yield
        finally:
            account.alone.release()


def _is_shared(options: WinrmOptions) -> bool:
    """Whether the account is a domain's: ``DOMAIN\\user`` or ``user@domain``, proven by its password."""
    domain, backslash, _ = options.user.partition("\\")
    names_domain = (bool(backslash) and domain not in ("", ".")) or "@" in options.user
    return names_domain and options.login in (Login.NTLM, Login.CREDSSP)
