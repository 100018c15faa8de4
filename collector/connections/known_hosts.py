"""known_hosts files (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT), read once per run.

Paramiko's ``HostKeys.load`` compares every line with every line before it: ten thousand lines take it
fifteen seconds, and ``SSHClient`` does that for each connection.  Here one pass fills one dictionary.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import hashlib
import hmac
import os
import re
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from collector.connections.ssh_config_files import glob_pattern

_MARKERS = {"@cert-authority": "cert-authority", "@revoked": "revoked"}


@dataclass(frozen=True, slots=True)
class KnownKey:
    """One line's key, and where it stands."""

    key_type: str
    base64: str
    path: str
    line: int
    marker: str = ""
    """``cert-authority``, ``revoked`` or empty."""

    @property
    def blob(self) -> bytes:
        """The key in wire format; empty where the line is damaged."""
        try:
            return base64.b64decode(self.base64, validate=True)
        except binascii.Error:
            return b""

    def __str__(self) -> str:
        return f"{self.key_type} {fingerprint(self.blob)} ({self.path}:{self.line})"


def fingerprint(blob: bytes) -> str:
    """``SHA256:...`` as ``ssh-keygen -l`` prints it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def host_name(host: str, port: int) -> str:
    """A host as known_hosts names it: ``host``, or ``[host]:port`` where the port is not 22."""
    return host.lower() if port == 22 else f"[{host.lower()}]:{port}"


@dataclass(frozen=True, slots=True)
class _Pattern:
    """The hosts of a line that holds wildcards or exceptions."""

    wanted: tuple[re.Pattern[str], ...]
    unwanted: tuple[re.Pattern[str], ...]

    @classmethod
    def parse(cls, names: Sequence[str]) -> _Pattern:
        wanted = tuple(glob_pattern(name) for name in names if not name.startswith("!"))
        return cls(wanted, tuple(glob_pattern(name[1:]) for name in names if name.startswith("!")))

    def matches(self, name: str) -> bool:
        if any(pattern.fullmatch(name) for pattern in self.unwanted):
            return False
        return any(pattern.fullmatch(name) for pattern in self.wanted)


class KnownHosts:
    """The keys of all hosts, from several files; safe to use from many threads."""

    def __init__(self, paths: Iterable[str]) -> None:
        """Read ``paths``.  A file that is not there or cannot be read holds no keys, as for ssh."""
        self._plain: dict[str, list[KnownKey]] = {}
        self._hashed: list[tuple[bytes, bytes, KnownKey]] = []
        self._patterns: list[tuple[_Pattern, KnownKey]] = []
        self._found: dict[str, tuple[KnownKey, ...]] = {}
        self._lock = threading.Lock()
        for path in paths:
            self._read(path)

    def lookup(self, name: str) -> tuple[KnownKey, ...]:
        """All lines that hold for ``name`` (see ``host_name``), whatever their marker, in order of files."""
        name = name.lower()
        with self._lock:
            if name not in self._found:
                text = name.encode("utf-8", "surrogateescape")
                self._found[name] = (
                    *self._plain.get(name, ()),
                    *(key for salt, digest, key in self._hashed if hmac.digest(salt, text, "sha1") == digest),
                    *(key for pattern, key in self._patterns if pattern.matches(name)),
                )
            return self._found[name]

    def add(self, name: str, key_type: str, blob: bytes, *, path: str, hashed: bool) -> None:
        """Remember a new key, here and at the end of the file ``path``.

        Raises:
            OSError: the file cannot be written; the key is remembered for this run all the same.
        """
        with self._lock:
            encoded = base64.b64encode(blob).decode()
            same_name = self._plain.setdefault(name.lower(), [])
            if any(key.base64 == encoded and key.path == path for key in same_name):
                return
            same_name.append(KnownKey(key_type, encoded, path, 0))
            self._found.pop(name.lower(), None)
            _append(Path(path), f"{_hash(name) if hashed else name} {key_type} {encoded}")

    def _read(self, path: str) -> None:
        try:
            text = Path(path).read_text("utf-8", "surrogateescape")
        except OSError:
            return
        plain = self._plain
        for number, line in enumerate(text.split("\n"), 1):
            fields = line.split(None, 4)
            if len(fields) < 3 or fields[0][0] == "#":
                continue
            marker = ""
            if fields[0][0] == "@":
                marker = _MARKERS.get(fields[0], "unknown")
                del fields[0]
                if len(fields) < 3 or marker == "unknown":
                    continue
            key = KnownKey(fields[1], fields[2], path, number, marker)
            names = fields[0]
            if names[0] == "|":
                self._add_hashed(names, key)
            elif "*" in names or "?" in names or "!" in names:
                self._patterns.append((_Pattern.parse(names.split(",")), key))
            else:
                for name in names.split(","):
                    plain.setdefault(name.lower(), []).append(key)

    def _add_hashed(self, text: str, key: KnownKey) -> None:
        """``|1|salt|digest``: HMAC-SHA1 of the name, keyed with the salt."""
        try:
            _, version, salt, digest = text.split("|")
            if version == "1":
                self._hashed.append((base64.b64decode(salt), base64.b64decode(digest), key))
        except ValueError:
            return  # ssh passes over a damaged line too


def _hash(name: str) -> str:
    salt = os.urandom(20)
    digest = hmac.digest(salt, name.encode(), "sha1")
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


def _append(path: Path, line: str) -> None:
    """Add a line under an exclusive lock, on a line of its own even where the last one was not ended."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        size = file.seek(0, os.SEEK_END)
        if size:
            file.seek(size - 1)
            line = line if file.read(1) == b"\n" else "\n" + line
        file.write(line.encode() + b"\n")
