"""The ssh_config files of this machine: what in them tells one host from another.

So much is read here that an answer of OpenSSH can be shared by hosts that nothing in the files tells apart;
what the keys mean is left to ``ssh -G``.
"""

from __future__ import annotations

import glob
import os
import pwd
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from collector.errors import UsageError

_SYSTEM_CONFIG = Path("/etc/ssh/ssh_config")
TOKENS_OF_HOST = re.compile(r"%[^%diluL]")
"""Tokens of ssh_config(5) whose value is another for another host."""
_UNEXPANDED = frozenset({"identityfile", "certificatefile", "proxycommand", "localcommand", "remotecommand"})
"""Keys whose tokens ``ssh -G`` leaves alone, so that they say nothing about one host."""
_MAX_INCLUDE_DEPTH = 16


@dataclass(frozen=True)
class ConfigFiles:
    """Which ``Host`` patterns the files hold, and whether anything else in them depends on the host."""

    config_file: str | None
    literals: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    wildcards: tuple[re.Pattern[str], ...] = ()
    is_conditional: bool = False
    unsupported: tuple[str, ...] = ()
    """What Paramiko would not honour, as notes."""
    roots: tuple[Path, ...] = ()
    """The files that are not included by others."""

    @classmethod
    def read(cls, config_file: str | None) -> ConfigFiles:
        """``config_file`` and what it includes; ``None``: the user's and the system's; ``none``: no file.

        Raises:
            UsageError: it is not there.
        """
        if config_file == "none":
            return cls(config_file)
        if config_file is not None and not Path(config_file).expanduser().is_file():
            raise UsageError(
                f"{config_file}: no such ssh configuration file; give --ssh-config a file that exists"
            )
        roots = [Path(config_file).expanduser()] if config_file else [_user_config(), _SYSTEM_CONFIG]
        literals: dict[str, list[int]] = {}
        wildcards: list[re.Pattern[str]] = []
        is_conditional = False
        unsupported: dict[str, None] = {}
        lines = [(root, key, value) for root in roots for key, value in _lines_of(root, 0)]
        for number, (root, key, value) in enumerate(lines):
            if key == "host":
                for pattern in value.lower().split():
                    pattern = pattern.strip('"').lstrip("!")
                    if "*" in pattern or "?" in pattern:
                        wildcards.append(glob_pattern(pattern))
                    else:
                        literals.setdefault(pattern, []).append(number)
            is_conditional |= (
                (key == "match" and value.lower() != "all")
                or (key.startswith("canonicalize") and value.lower() not in {"no", "none", ""})
                or names_host(key, value)
            )
            unsupported |= dict.fromkeys(_unsupported_by_paramiko(key, value, root))
        indexes = {name: tuple(numbers) for name, numbers in literals.items()}
        return cls(config_file, indexes, tuple(wildcards), is_conditional, tuple(unsupported), tuple(roots))

    def patterns_matching(self, host: str) -> tuple[object, ...]:
        """A value that is equal for two hosts only where the same ``Host`` lines match them."""
        name = host.lower()
        matching = tuple(index for index, pattern in enumerate(self.wildcards) if pattern.fullmatch(name))
        return self.literals.get(name, ()), matching


def names_host(key: str, value: str) -> bool:
    """Whether a setting is another for another host."""
    return key not in _UNEXPANDED and TOKENS_OF_HOST.search(value.replace("%%", "")) is not None


def _unsupported_by_paramiko(key: str, value: str, path: Path) -> Iterator[str]:
    words = value.lower().split()
    if key == "include":
        yield f"{path}: Include is not honoured, because there is no ssh on this machine to resolve it"
    elif key == "match" and "exec" in words:
        yield f"{path}: Match exec is not honoured, because there is no ssh on this machine to resolve it"
    elif key == "proxyjump" and words == ["none"]:
        yield f"{path}: ProxyJump none may not be honoured, because there is no ssh on this machine"


def _lines_of(path: Path, depth: int) -> Iterator[tuple[str, str]]:
    """Every key and value of a file and of what it includes; a file that is not there has none."""
    try:
        text = path.read_text("utf-8", "surrogateescape")
    except OSError:
        return
    for line in text.splitlines():
        key, value = _split_line(line)
        if not key:
            continue
        yield key, value
        if key == "include" and depth < _MAX_INCLUDE_DEPTH:
            for pattern in value.split():
                for included in sorted(glob.glob(_include_path(pattern.strip('"'), path))):  # noqa: PTH207
                    yield from _lines_of(Path(included), depth + 1)


def _split_line(line: str) -> tuple[str, str]:
    line = line.strip()
    if not line or line.startswith("#"):
        return "", ""
    match = re.match(r'"?([A-Za-z0-9]+)"?(?:\s*=\s*|\s+)(.*)', line)
    return (match[1].lower(), match[2].strip()) if match else (line.lower(), "")


def _include_path(pattern: str, path: Path) -> str:
    expanded = expand(pattern, {})
    base = _SYSTEM_CONFIG.parent if path.is_relative_to(_SYSTEM_CONFIG.parent) else home() / ".ssh"
    return str(base / expanded)


def glob_pattern(pattern: str) -> re.Pattern[str]:
    """OpenSSH's ``*`` and ``?`` (ssh_config(5), PATTERNS); everything else, brackets too, is literal."""
    return re.compile(re.escape(pattern.lower()).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)


def without_exec(path: Path) -> str:
    """A file in which ``Match exec`` matches nothing: Paramiko would run it with our own input and output."""
    try:
        lines = path.read_text("utf-8", "surrogateescape").splitlines()
    except FileNotFoundError:
        return ""
    words = [(line, _split_line(line)) for line in lines]
    return "\n".join(
        "Match host !*" if key == "match" and "exec" in value.lower().split() else line
        for line, (key, value) in words
    )


def expand(path: str, tokens: Mapping[str, str]) -> str:
    """``~``, ``${VARIABLE}`` and the percent tokens of ssh_config(5)."""
    expanded = os.path.expandvars(expand_tokens(path, tokens))
    if expanded == "~" or expanded.startswith("~/"):
        return str(home()) + expanded[1:]
    return str(Path(expanded).expanduser()) if expanded.startswith("~") else expanded


def expand_tokens(text: str, tokens: Mapping[str, str]) -> str:
    return re.sub(r"%(.)", lambda match: tokens.get(match[1], match[0]), text)


def home() -> Path:
    """OpenSSH looks at the user's entry, not at ``$HOME``."""
    return Path(pwd.getpwuid(os.getuid()).pw_dir)


def _user_config() -> Path:
    return home() / ".ssh" / "config"
