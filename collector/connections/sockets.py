"""Sockets prepared for SSH: no waiting for small packets, few system calls, a bound on what comes unasked."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from typing import Any, Protocol

from collector.connections.base import Deadline
from collector.connections.failures import not_connected, unresolved

Address = tuple[socket.AddressFamily, tuple[Any, ...]]
"""A family and an address of that family, as ``getaddrinfo`` gives them."""

_READ_AHEAD = 256 * 1024
_MAX_BEFORE_KEYS = 256 * 1024
"""Bytes that a server may send before the key exchange is done; a real one needs some 3 KiB."""
_LEAST_TIMEOUT_S = 1.0
_QUICKACK = getattr(socket, "TCP_QUICKACK", None)


class Stream(Protocol):
    """What Paramiko asks of a socket."""

    def send(self, data: bytes, /) -> int: ...
    def recv(self, size: int, /) -> bytes: ...
    def settimeout(self, seconds: float | None, /) -> None: ...
    def close(self) -> None: ...


class PreparedSocket:
    """A connected stream as Paramiko's transport wants it.

    Paramiko never sets TCP_NODELAY and asks for a few bytes at a time.  With Nagle's algorithm at both ends
    and delayed acknowledgements a connection loses 40 ms four times; with this, never.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._buffer = b""
        self._position = 0
        self._allowance: int | None = _MAX_BEFORE_KEYS
        self.has_ended = False
        """The other side has closed; Paramiko tells this and a timeout in the same words."""
        self.send = stream.send
        is_tcp = isinstance(stream, socket.socket) and stream.family != socket.AF_UNIX
        self._tcp: socket.socket | None = None
        if is_tcp and isinstance(stream, socket.socket):
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            self._tcp = stream if _QUICKACK is not None else None

    def recv(self, size: int) -> bytes:
        """At most ``size`` bytes, out of what was read ahead where there is some."""
        position = self._position
        if position >= len(self._buffer):
            if self._tcp is not None and _QUICKACK is not None:
                self._tcp.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)  # Linux forgets it again and again
            self._buffer = self._stream.recv(_READ_AHEAD)
            self.has_ended = not self._buffer
            if self._allowance is not None:
                self._spend(len(self._buffer))
            position = 0
        self._position = position + size
        return self._buffer[position : position + size]

    def settimeout(self, seconds: float | None) -> None:
        """Paramiko asks to be woken ten times a second, to see whether it was closed; ``close`` wakes it."""
        self._stream.settimeout(seconds if seconds is None else max(seconds, _LEAST_TIMEOUT_S))

    def trust(self) -> None:
        """The server has proven who it is: from here on it may send as much as it is asked for.

        Nor is anybody woken to look at the clock any more: a watchdog does, and ``close`` wakes who waits.
        """
        self._allowance = None
        if isinstance(self._stream, socket.socket):
            self._stream.settimeout(None)  # saves a system call for each one that reads or writes

    def close(self) -> None:
        """Close, and wake at once whoever waits in ``recv``."""
        if isinstance(self._stream, socket.socket):
            with contextlib.suppress(OSError):  # the other side was first
                self._stream.shutdown(socket.SHUT_RDWR)
        self._stream.close()

    @property
    def _closed(self) -> bool:
        """Paramiko looks at this private mark of Python's own sockets."""
        return bool(getattr(self._stream, "_closed", False))

    def getpeername(self) -> Any:
        """Paramiko shows it in its own log."""
        return self._stream.getpeername() if isinstance(self._stream, socket.socket) else ("", 0)

    def _spend(self, count: int) -> None:
        assert self._allowance is not None  # noqa: S101
        self._allowance -= count
        if self._allowance < 0:
            raise EOFError("too many bytes before the key exchange")


def resolve(host: str, port: int) -> list[Address]:
    """The addresses to try, in order.

    Raises:
        ConnectionFailed: ``unreachable``: the name is not known.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise unresolved(host, error if isinstance(error, OSError) else OSError(0, str(error))) from None
    return [(family, address) for family, _, _, _, address in found]


def connect(host: str, port: int, seconds: float) -> socket.socket:
    """A TCP connection to the first address that takes it, each given ``seconds``.

    Raises:
        ConnectionFailed: ``unreachable``, ``refused`` or ``timeout``, by the last address tried.
    """
    last: OSError | None = None
    for family, address in resolve(host, port):
        try:
            sock = socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:
            last = error
            continue
        sock.settimeout(seconds)
        try:
            sock.connect(address)
        except OSError as error:
            sock.close()
            last = error
        else:
            return sock
    raise not_connected(f"{host} port {port}", last, seconds)


class ProxyProcess:
    """A ``ProxyCommand`` as a socket.

    Paramiko's own reads through ``select`` and leaves the process behind as a zombie; OpenSSH gives the
    command a socket pair, and so do we.
    """

    def __init__(self, command: str) -> None:
        """Start ``command`` in the user's shell.

        Raises:
            OSError: there is no such shell.
        """
        self._socket, theirs = socket.socketpair()
        try:
            self._process = subprocess.Popen(
                [os.environ.get("SHELL", "/bin/sh"), "-c", f"exec {command}"],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        finally:
            theirs.close()
        self.send = self._socket.send
        self.recv = self._socket.recv
        self.settimeout = self._socket.settimeout

    def close(self) -> None:
        """End the command and wait for its end, for two seconds at most."""
        with contextlib.suppress(OSError):  # it was first
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        give_up = Deadline.after(2.0)
        self._process.terminate()
        while self._process.poll() is None:
            if not give_up.remaining():
                self._process.kill()
                self._process.wait()
                return
            time.sleep(0.01)

    @property
    def _closed(self) -> bool:
        return self._socket.fileno() < 0
