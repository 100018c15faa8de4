"""Kerberos tickets for WinRM: had with a password or a keytab, kept in a private place, destroyed at the end.

pykerberos knows no password and no cache but the process's.  So ``kinit`` puts the ticket of each principal
into a private collection (``DIR:``), which becomes the process's for the time of the run; of a collection
GSSAPI picks the cache of the principal that is asked for.  A ticket that was there before is copied into it
if it lies in a file.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

from collector.connections.base import Deadline
from collector.connections.winrm_failures import words
from collector.connections.winrm_options import Login, WinrmOptions
from collector.errors import ConnectionFailed, FailureKind

_VARIABLE = "KRB5CCNAME"
_PATIENCE_S = 30.0
_REFUSED = re.compile(r"password incorrect|preauthentication failed|integrity check|revoked|expired", re.I)


class Tickets:
    """The ticket caches of a run."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._folder: Path | None = None
        self._before: str | None = None
        self._had: dict[tuple[str, str], ConnectionFailed | None] = {}

    def obtain(self, options: WinrmOptions, password: str | None, deadline: Deadline) -> None:
        """See to it that there is a ticket for ``options.user``; each is asked for once in a run.

        Raises:
            ConnectionFailed: ``auth``: the KDC refuses; ``timeout``; ``unreachable``: no KDC, no ``kinit``.
        """
        if options.login is not Login.KERBEROS or options.has_ticket:
            return
        key = options.user, options.keytab or password or ""
        with self._lock:
            if key not in self._had:
                self._had[key] = self._kinit(options, password, deadline)
            failure = self._had[key]
        if failure is not None:
            raise ConnectionFailed(failure.kind, f"{options.where}: {failure.detail}", failure.try_next)

    def close(self) -> None:
        """Destroy the tickets."""
        with self._lock:
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)
                self._folder = None
                os.environ.pop(_VARIABLE, None)
                if self._before is not None:
                    os.environ[_VARIABLE] = self._before

    def _kinit(
        self, options: WinrmOptions, password: str | None, deadline: Deadline
    ) -> ConnectionFailed | None:
        self._open_collection()
        command = [*shlex.split(options.kinit), *(["-f"] if options.delegate else [])]
        if options.keytab:
            command += ["-k", "-t", options.keytab]
        try:
            done = subprocess.run(
                [*command, options.user],
                input=f"{password or ''}\n".encode(),
                capture_output=True,
                check=False,
                timeout=min(_PATIENCE_S, deadline.remaining()),
                start_new_session=True,  # else it would ask the terminal
                env={**os.environ, "LC_ALL": "C"},
            )
        except OSError as error:
            return ConnectionFailed(
                FailureKind.AUTH,
                f"{command[0]} cannot be run: {error.strerror}",
                "install it (krb5-user on Debian, krb5-workstation on Amazon Linux), or run kinit elsewhere "
                "and set ansible_winrm_kerberos_mode: manual",
            )
        except subprocess.TimeoutExpired:
            return ConnectionFailed(
                FailureKind.TIMEOUT, "the KDC does not answer", "check /etc/krb5.conf and the way to port 88"
            )
        if done.returncode == 0:
            return None
        said = words(Exception(done.stderr.decode("utf-8", "replace")))
        advice = "check user and password" if _REFUSED.search(said) else "check /etc/krb5.conf and the realm"
        return ConnectionFailed(FailureKind.AUTH, f"no Kerberos ticket for {options.user}: {said}", advice)

    def _open_collection(self) -> None:
        if self._folder is not None:
            return
        self._folder = Path(tempfile.mkdtemp(prefix="ssm-triage-tickets-"))
        (self._folder / "primary").write_text("tkt\n")
        self._before = os.environ.get(_VARIABLE)
        existing = Path((self._before or f"/tmp/krb5cc_{os.getuid()}").removeprefix("FILE:"))  # noqa: S108  # MIT's default
        if existing.is_file():
            shutil.copyfile(existing, self._folder / "tktprevious")
            (self._folder / "tktprevious").chmod(0o600)
        os.environ[_VARIABLE] = f"DIR:{self._folder}"
