"""A lab host that anybody can start: a real SSH server on loopback that plays recorded answers.

It needs no root and no system package.  Connection, host key, authentication and the answer's way home are
real; what a probe found is a recording (``lab/personas``), as the faults cannot be made without root.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

import paramiko

Persona = Callable[[bytes], bytes]
"""From the script that was sent to the answer that the host gives."""


class SshHost:
    """One SSH server on an ephemeral loopback port, for one user and one key."""

    def __init__(self, persona: Persona, user: str, authorized: paramiko.PKey) -> None:
        self._persona = persona
        self._user = user
        self._authorized = authorized
        self.key: paramiko.PKey = paramiko.ECDSAKey.generate()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, name=f"lab-ssh-{self.port}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        transport = paramiko.Transport(client)
        transport.local_version = "SSH-2.0-OpenSSH_lab"
        transport.add_server_key(self.key)
        try:
            transport.start_server(server=_Server(self._user, self._authorized))
            while (channel := transport.accept(30)) is not None:
                self._answer(channel)
        except (EOFError, OSError, paramiko.SSHException):
            return
        finally:
            transport.close()

    def _answer(self, channel: paramiko.Channel) -> None:
        with channel:
            script = b"".join(iter(lambda: channel.recv(65_536), b""))
            channel.sendall(self._persona(script))
            channel.send_exit_status(0)


class _Server(paramiko.ServerInterface):
    """Lets in one user with one key, and takes one command a channel."""

    def __init__(self, user: str, authorized: paramiko.PKey) -> None:
        self._user = user
        self._authorized = authorized

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        known = username == self._user and key == self._authorized
        return paramiko.common.AUTH_SUCCESSFUL if known else paramiko.common.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        if kind == "session":
            return paramiko.common.OPEN_SUCCEEDED
        return paramiko.common.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        return True
