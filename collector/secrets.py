"""Secrets by reference: named in an inventory or on a command line, had only at the moment of use.

A reference is ``env:NAME``, ``file:PATH``, ``cmd:COMMAND`` (run without a shell),
``keyring:SERVICE/USER`` or ``prompt``.  References compare, print and pickle as what they are: names.  A
value that has no reference, typed at a prompt or written in an inventory, is a :class:`Literal`: it
never prints, and it refuses to leave the process in a pickle.  Only ``for_child`` takes it along, through a
pipe in memory, to a process of ours on this machine.
"""

from __future__ import annotations

import io
import os
import pickle
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, Self

from collector.errors import SecretError
from collector.target import Secret

FORMS = "env:NAME, file:PATH, cmd:COMMAND, keyring:SERVICE/USER or prompt"
COMMAND_SECONDS = 60
"""How long a ``cmd:`` may take; a password manager may have to ask its owner first."""
MAX_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class EnvSecret:
    """An environment variable (``env:NAME``)."""

    name: str

    def resolve(self) -> str:
        value = os.environ.get(self.name)
        if value is None:
            raise SecretError(f"env:{self.name}: the environment has no such variable; export it first")
        return _not_empty(value, f"env:{self.name}")


@dataclass(frozen=True, slots=True)
class FileSecret:
    """The content of a file without its last line end (``file:PATH``; ``~`` is the home folder)."""

    path: str

    def resolve(self) -> str:
        where = f"file:{self.path}"
        try:
            with Path(self.path).expanduser().open("rb") as file:
                content = file.read(MAX_BYTES + 1)
        except (OSError, RuntimeError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise SecretError(f"{where}: cannot be read: {reason}") from None
        return _decoded(content, where)


class CommandSecret:
    """What a command prints (``cmd:COMMAND``), run once per process, whoever asks, and without a shell.

    Its standard error stays the terminal's, so that a password manager can say what it wants.
    """

    __slots__ = ("_lock", "_value", "command")

    def __init__(self, command: str) -> None:
        self.command = command
        self._lock = threading.Lock()
        self._value: str | None = None

    def resolve(self) -> str:
        with self._lock:
            if self._value is None:
                self._value = self._run()
            return self._value

    def _run(self) -> str:
        argv = _command_words(self.command)
        where = f"cmd:{argv[0]}"
        try:
            done = subprocess.run(
                argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=COMMAND_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            raise SecretError(f"{where}: gave no answer within {COMMAND_SECONDS} seconds") from None
        except OSError as error:
            raise SecretError(f"{where}: cannot be run: {error.strerror}") from None
        if done.returncode != 0:
            raise SecretError(f"{where}: ended with exit code {done.returncode}; run it by hand to see why")
        return _decoded(done.stdout, where)

    def __repr__(self) -> str:
        return f"CommandSecret({self.command.split()[:1]})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CommandSecret) and other.command == self.command

    def __hash__(self) -> int:
        return hash((CommandSecret, self.command))

    def __reduce__(self) -> tuple[type[Self], tuple[str]]:
        return type(self), (self.command,)


@dataclass(frozen=True, slots=True)
class KeyringSecret:
    """An entry of the operator's keyring (``keyring:SERVICE/USER``; extra ``keyring``)."""

    service: str
    user: str

    def resolve(self) -> str:
        where = f"keyring:{self.service}/{self.user}"
        try:
            import keyring
            import keyring.errors
        except ImportError:
            raise SecretError(
                f"{where}: needs the keyring library: pip install 'ssm-triage[keyring]'"
            ) from None
        try:
            value = keyring.get_password(self.service, self.user)
        except keyring.errors.KeyringError as error:
            raise SecretError(f"{where}: the keyring cannot be opened ({type(error).__name__})") from None
        if value is None:
            raise SecretError(
                f"{where}: the keyring has no such entry; add it with: keyring set SERVICE USER"
            )
        return _not_empty(str(value), where)


class _Unspeakable:
    """A value that lives in this process alone: no repr, no pickle; a copy is the thing itself."""

    __slots__ = ()

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise SecretError(
            "a password that was typed in or is written in the inventory does not leave this process; "
            f"give it by reference: {FORMS.removesuffix(' or prompt')}"
        )


class Literal(_Unspeakable):
    """A value with no reference behind it: kept, never shown, never pickled."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def resolve(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Literal(***)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Literal) and other._value == self._value

    def __hash__(self) -> int:
        return hash((Literal, self._value))


class PromptSecret(_Unspeakable):
    """A value that the operator types, once per process, when it is first wanted."""

    __slots__ = ("_ask", "_lock", "_value", "label")

    def __init__(self, label: str = "Password: ", ask: Callable[[str], str] | None = None) -> None:
        self.label = label
        self._ask = ask or _ask_terminal
        self._lock = threading.Lock()
        self._value: str | None = None

    def resolve(self) -> str:
        with self._lock:
            if self._value is None:
                self._value = _not_empty(self._ask(self.label), "prompt")
            return self._value

    def __repr__(self) -> str:
        return f"PromptSecret({self.label!r})"


def for_child(thing: object) -> bytes:
    """``thing`` pickled with the secrets in it, for a pipe to a process of ours on this machine.

    What was typed, or costs its owner a touch of a key, is had here, once for all processes; what can be
    looked up there is sent as the reference that it is.

    Raises:
        SecretError: a secret that only this process can have cannot be had.
    """
    stream = io.BytesIO()
    _WithSecrets(stream).dump(thing)
    return stream.getvalue()


class _WithSecrets(pickle.Pickler):
    def reducer_override(self, thing: Any) -> Any:
        """Secrets that refuse a plain pickle, as values."""
        if isinstance(thing, Literal | PromptSecret):
            return Literal, (thing.resolve(),)
        if isinstance(thing, CommandSecret):
            try:
                return Literal, (thing.resolve(),)
            except SecretError:
                return NotImplemented  # it fails there just as it does here, as a failure of its host
        return NotImplemented


def parse_reference(text: str, label: str = "Password: ") -> Secret:
    """The secret that ``text`` refers to; ``label`` is what a prompt would say.

    Raises:
        SecretError: ``text`` is no reference.  It is never quoted: it may be a password.
    """
    scheme, _, rest = text.partition(":")
    if text == "prompt":
        return PromptSecret(label)
    if scheme == "env" and rest:
        return EnvSecret(rest)
    if scheme == "file" and rest:
        return FileSecret(rest)
    if scheme == "cmd" and rest.strip():
        _command_words(rest)
        return CommandSecret(rest)
    if scheme == "keyring":
        service, _, user = rest.rpartition("/")
        if service and user:
            return KeyringSecret(service, user)
    raise SecretError(f"is not a reference to a secret; give {FORMS}")


def _command_words(command: str) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError:
        words = []
    if not words:
        raise SecretError("cmd: the command has an open quote; write it as for a shell")
    return words


def _decoded(content: bytes, where: str) -> str:
    if len(content) > MAX_BYTES:
        raise SecretError(f"{where}: is larger than a secret can be ({MAX_BYTES} bytes)")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise SecretError(f"{where}: is not UTF-8 text") from None
    return _not_empty(text.removesuffix("\n").removesuffix("\r"), where)


def _not_empty(value: str, where: str) -> str:
    if not value:
        raise SecretError(f"{where}: is empty")
    return value


def _ask_terminal(label: str) -> str:
    if not sys.stdin.isatty():
        raise SecretError(f"prompt: there is no terminal to ask on; give a reference: {FORMS}")
    import getpass

    try:
        return getpass.getpass(label)
    except EOFError:
        raise SecretError("prompt: the terminal closed before an answer came") from None
