"""A Paramiko channel as a real socket, for libraries that insist on one (TLS does).

A socket pair instead of a listening port: nobody else on this machine can use the way through the jump host.
"""

from __future__ import annotations

import contextlib
import socket
import threading

import paramiko

_CHUNK = 64 * 1024


def as_socket(channel: paramiko.Channel) -> socket.socket:
    """Our end of a pair whose other end is the channel.  Closing it closes the channel, and so back."""
    ours, theirs = socket.socketpair()
    for name, pump in (("out", _from_socket), ("in", _from_channel)):
        threading.Thread(target=pump, args=(theirs, channel), name=f"forward-{name}", daemon=True).start()
    return ours


def _from_socket(sock: socket.socket, channel: paramiko.Channel) -> None:
    with contextlib.suppress(OSError, EOFError), sock, channel:  # either side may be gone
        while data := sock.recv(_CHUNK):
            channel.sendall(data)


def _from_channel(sock: socket.socket, channel: paramiko.Channel) -> None:
    with contextlib.suppress(OSError, EOFError):
        while data := channel.recv(_CHUNK):
            sock.sendall(data)
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)  # wakes the other thread, which closes both
