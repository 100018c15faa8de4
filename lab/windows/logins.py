"""Logging in to the lab's Windows host: real NTLM, Kerberos, CredSSP, Basic and certificates, of pyspnego.

What is proven holds for one TCP connection, as on Windows.  The passwords of NTLM and CredSSP come from the
file that ``NTLM_USER_FILE`` names (see ``ntlm_users``), the host's Kerberos key from ``KRB5_KTNAME``.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import spnego
from spnego.channel_bindings import GssChannelBindings
from spnego.exceptions import SpnegoError

_MUTUAL = "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual"
_BOUNDARY = b"--Encrypted Boundary"
_OCTETS = b"\tContent-Type: application/octet-stream\r\n"
_LENGTH = re.compile(rb"Length=(\d+)")
_KERBEROS = bytes.fromhex("06092a864886f712010202")
_MOST_AT_ONCE = 16 * 1024
"""Bytes of one part that CredSSP seals, a record of TLS."""


@dataclass(frozen=True)
class Policy:
    """What a host accepts."""

    users: Mapping[str, str]
    """Passwords by user; for Basic alone, see above."""
    kinds: frozenset[str] = frozenset({"Negotiate", "Kerberos", "CredSSP", "Basic", "Certificate"})
    allow_unencrypted: bool = False
    certificate_users: Mapping[bytes, str] = field(default_factory=dict)
    """Accounts by the client certificates (DER) that are mapped to them."""
    channel_binding: bytes = b""
    """What a login over TLS has to be bound to; empty: to nothing."""


class Login:
    """The login of one TCP connection."""

    def __init__(self, policy: Policy, *, is_tls: bool) -> None:
        self._policy = policy
        self._is_tls = is_tls
        self._context: spnego.ContextProxy | None = None
        self.user = ""
        """Who it is; empty until it is proven."""
        self.kind = ""

    def offers(self) -> list[str]:
        """The headers of an answer to somebody unknown."""
        kinds: list[str] = [k for k in ("Negotiate", "Kerberos", "CredSSP") if k in self._policy.kinds]
        if "Basic" in self._policy.kinds and (self._is_tls or self._policy.allow_unencrypted):
            kinds.append('Basic realm="WSMAN"')
        return kinds

    def prove(self, authorization: str, certificate: bytes | None) -> str | None:
        """Take an ``Authorization`` header; gives the token for the answer, ``None``: it is refused."""
        scheme, _, text = authorization.partition(" ")
        if authorization == _MUTUAL:
            return self._take("Certificate", self._policy.certificate_users.get(certificate or b"", ""))
        if scheme not in self._policy.kinds:
            return None
        try:
            token = base64.b64decode(text, validate=True)
        except binascii.Error:
            return None
        return self._basic(token) if scheme == "Basic" else self._exchange(scheme, token)

    def _take(self, kind: str, user: str) -> str | None:
        self.kind, self.user = kind, user
        return "" if user else None

    def _basic(self, token: bytes) -> str | None:
        if not self._is_tls and not self._policy.allow_unencrypted:
            return None
        user, _, password = token.decode("utf-8", "replace").partition(":")
        return self._take("Basic", user if self._policy.users.get(user) == password else "")

    def _exchange(self, scheme: str, token: bytes) -> str | None:
        if self._context is None or self._context.complete:
            self._context, self.user = self._server(scheme, token), ""
        try:
            reply = self._context.step(token) or b""
            if self._context.complete:
                self._take(scheme, str(self._context.client_principal or "unknown"))
        except SpnegoError:
            self._context = None
            return None
        return f"{scheme} {base64.b64encode(reply).decode()}" if reply else ""

    def _server(self, scheme: str, token: bytes) -> spnego.ContextProxy:
        protocol = "credssp" if scheme == "CredSSP" else "negotiate"
        if token.startswith(b"NTLMSSP\0"):
            protocol = "ntlm"
        elif token[:1] == b"\x60" and _KERBEROS in token[:24]:
            protocol = "kerberos"
        binding = self._policy.channel_binding if self._is_tls and protocol != "credssp" else b""
        bindings = GssChannelBindings(application_data=binding) if binding else None
        return spnego.server(protocol=protocol, channel_bindings=bindings)

    # --- Messages sealed within HTTP -------------------------------------------------------------------

    def unseal(self, body: bytes) -> bytes:
        """The message in a sealed body.

        Raises:
            ValueError: it was sealed for another login, or changed on its way.
        """
        if self._context is None or not self._context.complete:
            raise ValueError("nobody has logged in on this connection")
        parts = [part for part in body.split(_BOUNDARY) if part.strip() not in (b"", b"--")]
        message = b""
        try:
            for header, payload in zip(parts[::2], parts[1::2], strict=True):
                data = payload.removeprefix(b"\r\n").removeprefix(_OCTETS)
                (length,) = struct.unpack("<i", data[:4])
                plain = self._context.unwrap_winrm(data[4 : 4 + length], data[4 + length :])
                said = _LENGTH.search(header)
                if said is None or int(said[1]) != len(plain):
                    raise ValueError("the length is not what the header says")
                message += plain
        except (SpnegoError, struct.error) as error:
            raise ValueError(str(error)) from None
        return message

    def seal(self, message: bytes) -> tuple[str, bytes]:
        """Content type and body for ``message``."""
        assert self._context is not None
        name = "CredSSP" if self.kind == "CredSSP" else "SPNEGO"
        protocol = f"application/HTTP-{name}-session-encrypted"
        size = _MOST_AT_ONCE if name == "CredSSP" else max(1, len(message))
        pieces = [message[at : at + size] for at in range(0, len(message), size)]
        body = b"".join(self._sealed(piece, protocol.encode()) for piece in pieces)
        kind = "x-multi-encrypted" if len(pieces) > 1 else "encrypted"
        content_type = f'multipart/{kind};protocol="{protocol}";boundary="Encrypted Boundary"'
        return content_type, body + _BOUNDARY + b"--\r\n"

    def _sealed(self, piece: bytes, protocol: bytes) -> bytes:
        assert self._context is not None
        header, data, padding = self._context.wrap_winrm(piece)
        length = str(len(piece) + padding).encode()
        return (
            _BOUNDARY + b"\r\n\tContent-Type: " + protocol + b"\r\n"
            b"\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length=" + length + b"\r\n"
            + _BOUNDARY + b"\r\n" + _OCTETS + struct.pack("<i", len(header)) + header + data
        )  # fmt: skip


def ntlm_users(path: Path, users: Mapping[str, str], domains: Iterable[str] = ()) -> Path:
    """Write the file for ``NTLM_USER_FILE``: every form in which a client may name each user."""
    lines = []
    for user, password in users.items():
        domain, backslash, name = user.rpartition("\\")
        lines.append(f"{domain}:{name}:{password}")
        if not backslash:
            lines += [f"{other}:{user}:{password}" for other in domains]
    path.write_text("".join(f"{line}\n" for line in lines))
    path.chmod(0o600)
    return path
