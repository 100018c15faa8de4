"""pywinrm's protocol on a connection of our making, bounded in time and in bytes.

pywinrm leaves sockets, proxies and reconnecting to Requests.  Here one protocol has one login on one TCP
connection, which may be dialled by somebody else, lead through a jump host, and be cut from any thread.
A connection that has ended is not replaced behind pywinrm's back: messages sealed for the old one mean
nothing on a new one, and a new one is not logged in.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any, cast

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from winrm.protocol import Protocol
from winrm.transport import Transport

from collector.connections.winrm_failures import ConnectionLost
from collector.connections.winrm_options import WinrmOptions

_MAX_ANSWER = 16 << 20
"""Bytes of one HTTP answer.  WinRM's are held to the envelope that we ask for, 150 KiB; a proxy's are not."""

Dial = Callable[[], socket.socket]
"""Gives a connected socket, or raises ``ConnectionFailed``."""


class Wire:
    """The TCP connections of one login: made by ``dial``, counted, and cut when time is up."""

    def __init__(self, dial: Dial, *, is_single: bool) -> None:
        """``is_single``: there is to be no second one."""
        self._dial = dial
        self._is_single = is_single
        self._lock = threading.Lock()
        self._lifelines: list[socket.socket] = []
        self._is_cut = False
        self.certificate = ""
        """The fingerprint of what the host showed."""
        self.server = ""
        """How the host's HTTP server calls itself; hostile text."""

    def connect(self, timeout: float | None) -> socket.socket:
        """A connected socket.

        Raises:
            ConnectionLost: there was one already.
            ConnectionFailed: there is no way.
        """
        with self._lock:
            if self._is_cut or (self._is_single and self._lifelines):
                raise ConnectionLost("the connection has ended")
        return self.adopt(self._dial(), timeout)

    def adopt(self, sock: socket.socket, timeout: float | None) -> socket.socket:
        """``sock``, ready to be used, and to be cut."""
        sock.settimeout(timeout)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        with self._lock:
            self._lifelines.append(sock.dup())  # TLS takes the first descriptor over
        return sock

    def cut(self) -> None:
        """End all at once, from any thread: whoever waits on one is woken."""
        with self._lock:
            self._is_cut = True
            for sock in self._lifelines:
                with contextlib.suppress(OSError):  # the other side was first
                    sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Cut, and give the descriptors back."""
        self.cut()
        with self._lock:
            for sock in self._lifelines:
                sock.close()
            self._lifelines.clear()


class WireAdapter(HTTPAdapter):
    """Requests' transport over one ``Wire``."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _pools(self._wire)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = _pools(self._wire, through_proxy=True)
        return manager

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """As Requests does, but never more than a bounded answer, and note who answers."""
        response = super().send(request, *args, **kwargs)
        self._wire.server = self._wire.server or response.headers.get("Server", "")[:200]
        response.iter_content = _bounded(response.iter_content)  # type: ignore[method-assign]  # reads the body
        return response


def _bounded(read: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    """``read``, which gives a body piece by piece, until it is too much."""

    def read_some(*args: Any, **kwargs: Any) -> Iterator[Any]:
        length = 0
        for chunk in read(*args, **kwargs):
            length += len(chunk)
            if length > _MAX_ANSWER:
                raise ValueError(f"an answer of more than {_MAX_ANSWER >> 20} MiB")
            yield chunk

    return read_some


def _pools(wire: Wire, *, through_proxy: bool = False) -> dict[str, type[urllib3.HTTPConnectionPool]]:
    """urllib3's pools with connections that come from ``wire``; a proxy is dialled by urllib3 itself."""

    def connect(connection: HTTPConnection, dial: Dial) -> socket.socket:
        timeout = cast("float", connection.timeout)
        return wire.adopt(dial(), timeout) if through_proxy else wire.connect(timeout)

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return connect(self, super()._new_conn)

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return connect(self, super()._new_conn)

        def connect(self) -> None:
            super().connect()
            if isinstance(self.sock, ssl.SSLSocket) and (shown := self.sock.getpeercert(binary_form=True)):
                digest = base64.b64encode(hashlib.sha256(shown).digest()).decode().rstrip("=")
                wire.certificate = f"x509 SHA256:{digest}"

    class PlainPool(urllib3.HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(urllib3.HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


class _Transport(Transport):
    """pywinrm's transport, which builds its session late and logs in while it does."""

    def __init__(self, wire: Wire, *, from_environment: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._wire = wire
        self._from_environment = from_environment

    def build_session(self) -> requests.Session:
        try:
            session = super().build_session()
        except BaseException:
            # pywinrm keeps a session whose login failed, and would send its next message unsealed.
            self.close_session()
            raise
        self._prepare(session)
        return session

    def setup_encryption(self, session: requests.Session) -> None:
        self._prepare(session)
        super().setup_encryption(session)

    def _prepare(self, session: requests.Session) -> None:
        if not isinstance(session.get_adapter(self.endpoint), WireAdapter):
            session.trust_env = self._from_environment  # else .netrc and proxies of this machine
            session.max_redirects = 0
            session.mount(self.endpoint, WireAdapter(self._wire))


def make_protocol(options: WinrmOptions, wire: Wire, password: str | None) -> Protocol:
    """pywinrm's protocol for one login on one wire; nothing is sent yet.

    Raises:
        winrm.exceptions.WinRMError: what is asked for cannot be had.
    """
    certificate, key = options.certificate or (None, None)
    common: dict[str, Any] = {
        "username": options.user or None,
        "password": password or "",
        "read_timeout_sec": options.read_timeout_s,
    }
    protocol = Protocol(
        options.url,
        transport=options.login.value,
        operation_timeout_sec=options.operation_timeout_s,
        cert_pem=certificate,
        cert_key_pem=key,
        **common,
    )
    protocol.transport = _Transport(
        wire,
        from_environment=options.proxy == "environment",
        endpoint=options.url,
        auth_method=options.login.value,
        service=options.spn_service,
        ca_trust_path=options.ca,
        cert_pem=certificate,
        cert_key_pem=key,
        server_cert_validation="validate" if options.validate else "ignore",
        kerberos_delegation=options.delegate,
        kerberos_hostname_override=options.spn_host,
        message_encryption="always" if options.is_sealed else "never",
        send_cbt=options.channel_binding,
        proxy="legacy_requests" if options.proxy == "environment" else options.proxy,
        **common,
    )
    return protocol
