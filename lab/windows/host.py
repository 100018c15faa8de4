"""The lab's Windows host: a WinRM listener on an ephemeral loopback port, with threads of its own."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self

from lab.windows import certificates, envelopes
from lab.windows.envelopes import CMD, CONFIG, ENUMERATION, SHELL, TRANSFER, NotWsman, Request, SoapFault
from lab.windows.faults import Fault, Faults, Trouble
from lab.windows.logins import Login, Policy
from lab.windows.powershell import Line, Persona, Shell, UnknownScript
from lab.windows.shells import PIECE, Shells

_SOAP = "application/soap+xml;charset=UTF-8"
_FAULTS = {
    Trouble.BUSY: envelopes.BUSY,
    Trouble.TIMED_OUT: envelopes.TIMED_OUT,
    Trouble.DENIED: envelopes.ACCESS_DENIED,
    Trouble.QUOTA: envelopes.QUOTA,
}
_STATUSES = {Trouble.UNAVAILABLE: 503, Trouble.UNAUTHORIZED: 401}
_HANG_S = 60.0


@dataclass(frozen=True)
class Setup:
    """How a host is configured; the defaults are those of Windows."""

    users: Mapping[str, str] = field(default_factory=dict)
    kinds: frozenset[str] = frozenset({"Negotiate", "Kerberos", "CredSSP", "Basic", "Certificate"})
    allow_unencrypted: bool = False
    certificate: Path | None = None
    """PEM; with it the listener speaks TLS."""
    client_authority: Path | None = None
    client_certificates: Mapping[Path, str] = field(default_factory=dict)
    require_channel_binding: bool = False
    max_envelope: int = 500 * 1024
    max_shells_per_user: int = 30
    idle_timeout_s: float = 7200.0
    piece: int = PIECE
    language_mode: str = "FullLanguage"
    has_powershell: bool = True
    activity: bool = True
    """Whether answers bear an ``ActivityId``, as those of Windows 10 and Server 2016 on do."""
    address: str = "127.0.0.1"
    machine: str = "WINSIM"


class WindowsHost:
    """One host, up while the ``with`` block lasts; a script without an answer fails the block."""

    def __init__(
        self,
        persona: Persona,
        setup: Setup,
        *,
        lines: Mapping[str, Line] | None = None,
        faults: Iterable[Fault] = (),
    ) -> None:
        self.setup = setup
        self.faults = Faults.of(faults)
        self.unknown: list[str] = []
        self.connections = 0
        self.logins = 0
        """How many TCP connections have logged in."""
        self.rejected = 0
        """How many logins were refused at their last step."""
        behaviour = Shell(persona, lines or {}, setup.language_mode, setup.has_powershell)
        self.shells = Shells(
            behaviour, setup.max_shells_per_user, setup.idle_timeout_s, setup.piece, self.unknown.append
        )
        self.policy = _policy(setup)
        self._server = _Server(self)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name=f"lab-winrm-{self.port}", daemon=True
        )

    @property
    def url(self) -> str:
        """Where its WinRM is."""
        host = f"[{self.setup.address}]" if ":" in self.setup.address else self.setup.address
        return f"{'https' if self.setup.certificate else 'http'}://{host}:{self.port}/wsman"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        if self.unknown and kind is None:
            raise UnknownScript(self.unknown[0].encode())


def _policy(setup: Setup) -> Policy:
    binding = b""
    if setup.certificate and setup.require_channel_binding:
        binding = b"tls-server-end-point:" + hashlib.sha256(certificates.der(setup.certificate)).digest()
    mapped = {certificates.der(path): user for path, user in setup.client_certificates.items()}
    return Policy(setup.users, setup.kinds, setup.allow_unencrypted, mapped, binding)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, host: WindowsHost) -> None:
        self.host = host
        self.address_family = socket.AF_INET6 if ":" in host.setup.address else socket.AF_INET
        self._tls = _tls(host.setup)
        super().__init__((host.setup.address, 0), _Handler)

    def server_bind(self) -> None:
        self.socket.bind(self.server_address)  # HTTPServer's own looks the name up
        self.server_address = self.socket.getsockname()

    def finish_request(self, request: object, client_address: object) -> None:
        """In the connection's own thread: the TLS handshake of one client holds up no other."""
        assert isinstance(request, socket.socket)
        self.host.connections += 1
        with contextlib.suppress(OSError):  # a client that goes away, or does not like our certificate
            request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                request.settimeout(_HANG_S)
                request = self._tls.wrap_socket(request, server_side=True)
            try:
                super().finish_request(request, client_address)
            finally:
                request.close()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client may go away at any time."""


def _tls(setup: Setup) -> ssl.SSLContext | None:
    if setup.certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(setup.certificate)
    if setup.client_authority is not None:
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(setup.client_authority)
    return context


class _Handler(BaseHTTPRequestHandler):
    """One TCP connection."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.host = self.server.host
        self.is_tls = isinstance(self.connection, ssl.SSLSocket)
        self.login = Login(self.host.policy, is_tls=self.is_tls)

    def version_string(self) -> str:
        return "Microsoft-HTTPAPI/2.0"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is the base's
        """Say nothing."""

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", "0"))
        body = self.rfile.read(length)
        if self.path != "/wsman":
            self._reply(404)
        elif "WSMANIDENTIFY" in self.headers:
            self._reply(200, envelopes.IDENTITY, _SOAP)
        elif length > self.host.setup.max_envelope:
            self._reply(413)
        elif self._is_logged_in():
            self._take(body)

    def _is_logged_in(self) -> bool:
        authorization = self.headers.get("Authorization", "")
        self._proof: str = ""
        if authorization:
            certificate = (
                self.connection.getpeercert(binary_form=True)
                if isinstance(self.connection, ssl.SSLSocket)
                else None
            )
            was = self.login.user
            token = self.login.prove(authorization, certificate)
            if token is None:
                self.host.rejected += 1
            elif self.login.user:
                self.host.logins += not was
                self._proof = token
            else:
                self._reply(401, headers=[("WWW-Authenticate", token)])
                return False
        if not self.login.user:
            self._reply(401, headers=[("WWW-Authenticate", kind) for kind in self.login.offers()])
        return bool(self.login.user)

    def _take(self, body: bytes) -> None:
        is_sealed = "encrypted" in self.headers.get("Content-Type", "")
        if not body:
            self._reply(200)
            return
        try:
            message = self.login.unseal(body) if is_sealed else body
            request = envelopes.parse(message)
        except (ValueError, NotWsman):
            self._reply(400)
            return
        if not is_sealed and not self.is_tls and not self.host.setup.allow_unencrypted:
            self._reply(400)  # what Windows answers was never recorded
            return
        self._serve(request, is_sealed)

    def _serve(self, request: Request, is_sealed: bool) -> None:
        trouble = self.host.faults.next(request.action)
        if trouble in (Trouble.DROP_UNSEEN, Trouble.HANG):
            self._hang_up(_HANG_S if trouble is Trouble.HANG else 0)
            return
        if trouble in _STATUSES:
            self._reply(_STATUSES[trouble])
            return
        if trouble is Trouble.LOGGED_OUT:
            self.login = Login(self.host.policy, is_tls=self.is_tls)
            self._reply(401, headers=[("WWW-Authenticate", kind) for kind in self.login.offers()])
            return
        status, answer = 200, b"@@ not XML" if trouble is Trouble.GARBAGE else b"<nothing/>"
        if trouble not in (Trouble.GARBAGE, Trouble.STRANGE):
            status, answer = self._answer(request, _FAULTS.get(trouble) if trouble else None)
        if trouble is Trouble.DROP_UNANSWERED:
            self._hang_up()
            return
        content_type, sealed = self.login.seal(answer) if is_sealed else (_SOAP, answer)
        if trouble is Trouble.FLOOD:
            self._flood()
            return
        self._reply(status, sealed, content_type, cut=trouble is Trouble.CUT_ANSWER)
        if trouble is Trouble.DROP_ANSWERED:
            self._hang_up()

    def _answer(self, request: Request, ordered: SoapFault | None) -> tuple[int, bytes]:
        setup = self.host.setup
        try:
            if ordered is not None:
                raise ordered
            action, body = self._do(request)
        except SoapFault as soap:
            return 500, envelopes.fault(request.message_id, soap, setup.machine, activity=setup.activity)
        return 200, envelopes.answer(request, action, body, activity=setup.activity)

    def _do(self, request: Request) -> tuple[str, str]:
        """The action and the body of the answer."""
        shells, name = self.host.shells, request.action
        if name == "Create":
            shell_id = shells.create(request, self.login.user)
            client = str(self.client_address[0])
            idle_s = shells.idle_timeout(request)
            body = envelopes.created(request, self.host.url, shell_id, self.login.user, client, idle_s)
            return f"{TRANSFER}/CreateResponse", body
        if name == "Delete":
            shells.delete(request)
            return f"{TRANSFER}/DeleteResponse", ""
        if name == "Enumerate" and request.resource == SHELL:
            shown = ((shell_id, shell.name, shell.owner) for shell_id, shell in shells.listed())
            return f"{ENUMERATION}/EnumerateResponse", envelopes.enumerated(shown)
        if name == "Get" and request.resource == CONFIG:
            size = f"<cfg:MaxEnvelopeSizekb>{self.host.setup.max_envelope // 1024}</cfg:MaxEnvelopeSizekb>"
            return f"{TRANSFER}/GetResponse", f'<cfg:Config xmlns:cfg="{CONFIG}">{size}</cfg:Config>'
        if name == "Command":
            command = f"<rsp:CommandId>{shells.start(request)}</rsp:CommandId>"
            body = f"<rsp:CommandResponse>{command}</rsp:CommandResponse>"
        elif name == "Receive":
            body = shells.receive(request)
        elif name in ("Send", "Signal"):
            (shells.send if name == "Send" else shells.signal)(request)
            body = f"<rsp:{name}Response/>"
        else:
            raise SoapFault(True, "a:ActionNotSupported", 2150858817, f"{name} on {CMD} is not supported. ")
        return f"{SHELL}/{name}Response", body

    # --- HTTP ------------------------------------------------------------------------------------------

    def _reply(
        self,
        status: int,
        body: bytes = b"",
        content_type: str = "",
        headers: Iterable[tuple[str, str]] = (),
        *,
        cut: bool = False,
    ) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if getattr(self, "_proof", ""):
            self.send_header("WWW-Authenticate", self._proof)
            self._proof = ""
        if content_type:
            self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        self.wfile.flush()
        if cut:
            self._hang_up()

    def _flood(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", _SOAP)
        self.end_headers()
        self.close_connection = True
        with contextlib.suppress(OSError):  # the client has had enough
            while True:
                self.wfile.write(b" " * 65536)

    def _hang_up(self, after_s: float = 0.0) -> None:
        """End the connection, after a while in which nothing comes."""
        self.close_connection = True
        give_up = time.monotonic() + after_s
        self.connection.settimeout(0.2)
        while time.monotonic() < give_up:
            try:
                if not self.connection.recv(1):
                    break
            except TimeoutError:
                continue
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
