"""How a script is handed to whatever shell a host has, and how it gets its privilege.

The command that sshd runs is read by the *login* shell, which may be sh, bash, zsh, fish or csh.  So it is
one line without single quotes, backslashes or exclamation marks within its quotes: these are all that those
shells do not read alike.  It starts ``/bin/sh``, says so with a mark on standard output, reads the whole
script, and runs it only if its last line has come: half a script never runs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum

PROMPT = "[ssm-triage asks for the sudo password]"
"""What sudo is told to ask with, on standard error, so that it is never taken for anything else."""
INCOMPLETE = 93
"""Exit code: the script did not come whole."""

MARK = b"@@ssm-triage-shell "
"""Begins the line that a shell prints before it reads the script; the privilege's name follows."""

_END = "# ssm-triage: the script ends here"

# $1: how the privilege was had; empty: it was not asked for.  The mark is written in two pieces, so that a
# shell that prints the commands it reads does not print the mark.
_READER = (
    'test -n "$1" || { if test "$(id -u)" = 0; then set -- root; else set -- none; fi; }; '
    "SSM_TRIAGE_PRIVILEGE=$1; export SSM_TRIAGE_PRIVILEGE; "
    'echo "@@ssm-"triage-shell "$1"; '
    "S=$(cat); "
    f'case $S in *"{_END}") ;; *) exit {INCOMPLETE} ;; esac; '
    'set --; eval "$S" </dev/null'
)

# $1: the reader, $2: the user to become, $3: the privilege's name, then sudo's own options.
_BECOME = (
    'r=$1; u=$2; p=$3; shift 3; if test "$(id -un)" = "$u"; then exec /bin/sh -c "$r" ssm-triage; fi; '
    'exec sudo "$@" -u "$u" -- /bin/sh -c "$r" ssm-triage "$p"'
)


_READ_DIFFERENTLY = re.compile(r"['\\!\n\r\0]")


class Privilege(StrEnum):
    """How the script got the rights it runs with; ``SSM_TRIAGE_PRIVILEGE`` in its environment."""

    ROOT = "root"
    SUDO = "sudo"
    SUDO_PASSWORD = "sudo-password"  # noqa: S105  # no password, but the name of a way
    NONE = "none"


def plain_command() -> list[str]:
    """Run as the login user."""
    return ["/bin/sh", "-c", _READER, "ssm-triage"]


def sudo_command(user: str, *, with_password: bool) -> list[str]:
    """Become ``user``, unless the login is that user already.

    With a password, sudo asks for it with ``PROMPT``, and nothing may be written before it does: what comes
    unasked would be read by the script's reader, and what comes too much would be taken for a password.
    """
    privilege = Privilege.SUDO_PASSWORD if with_password else Privilege.SUDO
    options = ["-S", "-p", PROMPT] if with_password else ["-n"]
    return ["/bin/sh", "-c", _BECOME, "ssm-triage", _READER, user, privilege, *options]


def quoted(command: Sequence[str]) -> str:
    """One line that every login shell reads as ``command``.

    Raises:
        ValueError: a word holds a character that the shells do not read alike.
    """
    for word in command:
        if _READ_DIFFERENTLY.search(word):
            raise ValueError(f"{word!r} cannot be quoted for every shell")
    return "exec " + " ".join(f"'{word}'" for word in command)


def whole(script: bytes) -> bytes:
    """The script with the last line that makes it whole."""
    return script.rstrip(b"\n") + b"\n" + _END.encode() + b"\n"
