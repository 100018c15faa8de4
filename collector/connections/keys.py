"""Private keys, certificates and the agent: whatever can prove who we are, read once per run."""

from __future__ import annotations

import copy
import io
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from collector.connections.host_certificate import CERTIFICATE_SUFFIX
from collector.errors import TriageError

if TYPE_CHECKING:
    from paramiko import PKey

_AGENT_TIMEOUT_S = 20.0
_MAX_KEY_FILE_BYTES = 1 << 20

_T = TypeVar("_T")


class KeyProblem(TriageError):
    """A key that cannot be used; the message names the file and says why, never what is in it."""


@dataclass(frozen=True)
class Identity:
    """One key to offer."""

    key: PKey
    origin: str
    """A path, or ``agent (comment)``."""

    @property
    def key_type(self) -> str:
        """The type offered: that of the certificate where there is one."""
        certificate = getattr(self.key, "public_blob", None)
        return str(certificate.key_type if certificate else self.key.get_name())

    @cached_property
    def blob(self) -> bytes:
        """The plain public key in wire format; Paramiko makes it anew each time."""
        return bytes(self.key.asbytes())


class KeyRing:
    """Keys by file and agents by socket, each read once; safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cache: dict[tuple[str, ...], Any] = {}

    def private_key(self, path: str, passphrase: str | None) -> Identity | None:
        """The key in ``path``; ``None`` where there is no such file.

        Raises:
            KeyProblem: it is encrypted and the passphrase is missing or wrong, or it is no private key.
        """
        return self._once(("key", path, passphrase or ""), lambda: _read_private_key(path, passphrase))

    def public_key(self, path: str) -> bytes | None:
        """The public half of the key in ``path`` as ``path.pub`` has it, in wire format; ``None`` if unknown.

        It picks the agent's key that belongs to an identity file whose private half is not here.
        """
        return self._once(("public", path), lambda: _read_public_key(path))

    def certificate(self, path: str) -> Any:
        """The certificate in ``path`` as Paramiko's ``PublicBlob``; ``None`` where there is none."""
        return self._once(("certificate", path), lambda: _read_certificate(path))

    def agent_identities(self, socket_path: str) -> tuple[Identity, ...]:
        """What the agent at ``socket_path`` holds; nothing where it does not answer."""
        return self._once(("agent", socket_path), lambda: _ask_agent(socket_path))

    def close(self) -> None:
        """Let go of the agents."""
        with self._lock:
            for (kind, *_), found in self._cache.items():
                if kind == "agent" and isinstance(found, tuple) and found:
                    found[0].key.agent.close()
            self._cache.clear()

    def _once(self, name: tuple[str, ...], read: Callable[[], _T]) -> _T:
        with self._lock:  # a passphrase takes bcrypt a tenth of a second: once, not once per thread
            if name not in self._cache:
                try:
                    self._cache[name] = read()
                except KeyProblem as problem:
                    self._cache[name] = problem
            found = self._cache[name]
        if isinstance(found, KeyProblem):
            raise found
        return found  # type: ignore[no-any-return]  # a name is always read by the same reader


def with_certificate(identity: Identity, certificate: Any, origin: str) -> Identity:
    """The same key, offered with a certificate; the key itself stays as it is, others use it too."""
    certified = copy.copy(identity.key)
    certified.public_blob = certificate
    return Identity(certified, origin)


def certifies(certificate: Any, identity: Identity) -> bool:
    """Whether ``certificate`` was made for this key."""
    from paramiko import Message, PKey  # heavy
    from paramiko.pkey import UnknownKeyType

    base = certificate.key_type.removesuffix(CERTIFICATE_SUFFIX)
    if base.replace("rsa-sha2-512", "ssh-rsa").replace("rsa-sha2-256", "ssh-rsa") != identity.key.get_name():
        return False
    try:
        held = PKey.from_type_string(identity.key.get_name(), certificate.key_blob)
    except (UnknownKeyType, ValueError):
        return False
    return (
        held.asbytes() == identity.blob and Message(certificate.key_blob).get_text() == certificate.key_type
    )


def _read_private_key(path: str, passphrase: str | None) -> Identity | None:
    from cryptography.exceptions import UnsupportedAlgorithm  # heavy

    try:
        with Path(path).open("rb") as file:
            data = file.read(_MAX_KEY_FILE_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise KeyProblem(f"{path} cannot be read: {error.strerror}") from None
    if b"PRIVATE KEY" not in data:
        if Path(path).suffix == ".pub" or data.startswith((b"ssh-", b"ecdsa-", b"sk-")):
            return None  # an IdentityFile may name the public half of an agent's key
        raise KeyProblem(f"{path} is not a private key")
    try:
        return Identity(_load(data, passphrase.encode() if passphrase else None), path)
    except (ValueError, TypeError) as error:
        if "password" in str(error).lower() and passphrase is None:
            raise KeyProblem(f"{path} is encrypted, and no passphrase was given") from None
        if passphrase is not None:
            if "not encrypted" in str(error):
                return Identity(_load(data, None), path)
            raise KeyProblem(
                f"{path} cannot be decrypted: the passphrase is wrong, or the file damaged"
            ) from None
        raise KeyProblem(f"{path} cannot be read as a private key; it may be damaged") from None
    except UnsupportedAlgorithm:
        raise KeyProblem(f"{path} is of a kind that is not supported; use ed25519, ecdsa or rsa") from None


def _load(data: bytes, passphrase: bytes | None) -> PKey:
    """Any private key file: OpenSSH's own format, PEM or PKCS#8.

    Paramiko's ``PKey.from_path`` takes the passphrase as bytes for one of its two parsers and as text for the
    other, and knows no PKCS#8, so the key is read by ``cryptography`` and handed over.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from paramiko import ECDSAKey, Ed25519Key, RSAKey

    is_openssh = b"BEGIN OPENSSH PRIVATE KEY" in data
    load = serialization.load_ssh_private_key if is_openssh else serialization.load_pem_private_key
    key = load(data, passphrase)
    if isinstance(key, rsa.RSAPrivateKey):
        return RSAKey(key=key)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return ECDSAKey(vals=(key, key.public_key()))
    if isinstance(key, ed25519.Ed25519PrivateKey):
        text = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        )
        return Ed25519Key(file_obj=io.StringIO(text.decode()))
    raise KeyProblem("the key is of a kind that is not supported; use ed25519, ecdsa or rsa")


def _read_public_key(path: str) -> bytes | None:
    from paramiko.pkey import PublicBlob

    for candidate in (f"{path}.pub", path):
        try:
            return bytes(PublicBlob.from_file(candidate).key_blob)
        except (OSError, ValueError, UnicodeDecodeError):
            continue
    return None


def _read_certificate(path: str) -> Any:
    from paramiko.pkey import PublicBlob

    try:
        blob = PublicBlob.from_file(path)
    except (OSError, ValueError, UnicodeDecodeError):
        return None
    return blob if blob.key_type.endswith(CERTIFICATE_SUFFIX) else None


def _ask_agent(socket_path: str) -> tuple[Identity, ...]:
    from paramiko import SSHException

    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(_AGENT_TIMEOUT_S)
    try:
        connection.connect(socket_path)
        keys = _shared_agent(connection).get_keys()
    except (OSError, SSHException):
        connection.close()
        return ()
    return tuple(Identity(key, f"agent ({key.comment})") for key in keys)


def _shared_agent(connection: socket.socket) -> Any:
    """An agent that many threads may ask: Paramiko's own mixes up their questions and answers."""
    from paramiko.agent import AgentSSH

    base: Any = AgentSSH  # what it connects with is not among its public names

    class SharedAgent(base):  # type: ignore[misc]  # for the same reason
        def __init__(self) -> None:
            super().__init__()
            self._turn = threading.Lock()
            self._connect(connection)

        def _send_message(self, msg: Any) -> Any:
            with self._turn:
                return super()._send_message(msg)

        def close(self) -> None:
            self._close()

    return SharedAgent()
