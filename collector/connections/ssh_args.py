"""``ansible_ssh_common_args`` and its kin, turned into ssh_config options."""

from __future__ import annotations

from dataclasses import dataclass

from collector.errors import UsageError

_OPTION_OF_FLAG = {
    "-J": "proxyjump",
    "-i": "identityfile",
    "-l": "user",
    "-p": "port",
    "-c": "ciphers",
    "-m": "macs",
}
_FLAGS_WITH_VALUE = frozenset(f"-{letter}" for letter in "BbcDEeFIiJLlmOopQRSWw")
_HARMLESS_FLAGS = frozenset(["-vv", "-vvv", *(f"-{letter}" for letter in "46AaCnqTtvx")])
"""Flags that change nothing about how one script is run and its answer brought home."""


@dataclass(frozen=True, slots=True)
class SshArgs:
    """The arguments, understood.  ``options`` are lower-case ssh_config keys, in order; the first wins."""

    options: tuple[tuple[str, str], ...] = ()
    config_file: str | None = None
    notes: tuple[str, ...] = ()

    def first(self, key: str) -> str | None:
        """The value that counts for ``key``, if the arguments say one."""
        return next((value for name, value in self.options if name == key), None)


def parse_ssh_args(args: tuple[str, ...]) -> SshArgs:
    """Understand arguments of the OpenSSH client (ssh(1)), already split into words.

    What has no meaning here is passed over with a note.

    Raises:
        UsageError: an argument that needs a value has none, or is no option at all.
    """
    options: list[tuple[str, str]] = []
    notes: list[str] = []
    config_file: str | None = None
    words = iter(args)
    for word in words:
        if not word.startswith("-") or word == "-":
            raise UsageError(
                f"ssh arguments: {word!r} is not an option; give options such as -o Key=Value only"
            )
        flag, value = word[:2], word[2:]
        if flag not in _FLAGS_WITH_VALUE:
            if word not in _HARMLESS_FLAGS:
                notes.append(f"ssh argument {word} is not honoured")
            continue
        value = value or next(words, "")
        if not value:
            raise UsageError(f"ssh arguments: {flag} needs a value")
        if flag == "-o":
            options.append(_option(value))
        elif flag == "-F":
            config_file = value
        elif flag in _OPTION_OF_FLAG:
            options.append((_OPTION_OF_FLAG[flag], value))
        else:
            notes.append(f"ssh argument {flag} {value} is not honoured")
    return SshArgs(tuple(options), config_file, tuple(notes))


def _option(text: str) -> tuple[str, str]:
    """``Key=Value`` or ``Key Value``, as ``-o`` takes both."""
    key, separator, value = text.partition("=")
    if not separator or " " in key.strip():
        key, _, value = text.strip().partition(" ")
    if not key.strip() or not value.strip():
        raise UsageError(f"ssh arguments: -o {text} is not of the form Key=Value")
    return key.strip().lower(), value.strip().strip('"')
