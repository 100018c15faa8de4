"""Opening what ``ansible-vault`` encrypted, with the passwords of ``--vault-password-file``.

The format is Ansible's vault payload 1.1 and 1.2 (documented under "Ansible Vault payload format"):
hexadecimal text that holds a salt, an HMAC-SHA256 and the data, AES-256 in counter mode, keys by PBKDF2
with SHA-256.
"""

from __future__ import annotations

import os
from binascii import Error as BadHex
from binascii import unhexlify
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from collector.errors import InventoryError, SecretError
from collector.inventory.model import Origin, Vaulted
from collector.secrets import CommandSecret, FileSecret, parse_reference
from collector.target import Secret

HEADER = "$ANSIBLE_VAULT;"
ITERATIONS = 10_000
"""PBKDF2 rounds; fixed by the format."""


@dataclass(frozen=True, slots=True)
class VaultKeys:
    """The vault passwords of this run, by reference."""

    keys: tuple[tuple[str, Secret], ...] = ()
    """``(vault id, password)``; the id is empty where none was given."""

    @classmethod
    def named(cls, sources: Sequence[str]) -> VaultKeys:
        """From ``--vault-password-file`` and ``--vault-id``: ``[ID@]FILE`` or ``[ID@]`` and a reference.

        As with Ansible, an executable file is run and prints the password.
        """
        return cls(tuple(_named(source) for source in sources))

    def open(self, vaulted: Vaulted, key: str | None = None) -> str:
        """The text inside; ``key`` is the variable to name in an error.

        Raises:
            InventoryError: no password was given, none fits, or the text is damaged.
        """
        origin = vaulted.origin
        lines = vaulted.ciphertext.split()
        header = lines[0].removeprefix(HEADER).split(";") if lines else []
        if header[:2] not in (["1.1", "AES256"], ["1.2", "AES256"]):
            raise origin.error("is not a vault of version 1.1 or 1.2 with AES256; encrypt it anew", key)
        if not self.keys:
            raise origin.error("is encrypted by ansible-vault; give --vault-password-file", key)
        label = header[2:]
        salt, digest, data = _parts("".join(lines[1:]), origin, key)
        for _, password in sorted(self.keys, key=lambda key: [key[0]] != label):
            content = _decrypt(_password(password), salt, digest, data)
            if content is not None:
                try:
                    return content.decode()
                except UnicodeDecodeError:
                    raise origin.error("is encrypted by ansible-vault and holds no UTF-8 text", key) from None
        of_label = f" (vault id {label[0]!r})" if label else ""
        raise origin.error(f"is encrypted by ansible-vault and no given password opens it{of_label}", key)


def _named(source: str) -> tuple[str, Secret]:
    label, at, rest = source.partition("@")
    if not at:
        label, rest = "", source
    if rest == "prompt" or rest.partition(":")[0] in ("env", "file", "cmd", "keyring"):
        return label, parse_reference(rest, f"Vault password{f' ({label})' if label else ''}: ")
    path = Path(rest).expanduser()
    if not path.is_file():
        raise InventoryError(f"{rest}: no such vault password file; check --vault-password-file")
    if os.access(path, os.X_OK):
        import shlex

        return label, CommandSecret(shlex.quote(str(path.absolute())))
    return label, FileSecret(str(path))


def _password(secret: Secret) -> bytes:
    try:
        return secret.resolve().strip().encode()
    except SecretError as error:
        raise InventoryError(f"the vault password: {error}") from None


def _parts(payload: str, origin: Origin, key: str | None) -> tuple[bytes, bytes, bytes]:
    try:
        salt, digest, data = (unhexlify(part) for part in unhexlify(payload).split(b"\n"))
    except (BadHex, ValueError):
        raise origin.error("is a damaged vault: its text was cut or changed; encrypt it anew", key) from None
    return salt, digest, data


def _decrypt(password: bytes, salt: bytes, digest: bytes, data: bytes) -> bytes | None:
    """The content, or ``None`` where the password does not fit."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, hmac, padding
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

    keys = PBKDF2HMAC(hashes.SHA256(), length=80, salt=salt, iterations=ITERATIONS).derive(password)
    seal = hmac.HMAC(keys[32:64], hashes.SHA256())
    seal.update(data)
    try:
        seal.verify(digest)
    except InvalidSignature:
        return None
    opener = Cipher(algorithms.AES(keys[:32]), modes.CTR(keys[64:])).decryptor()
    unpadder = padding.PKCS7(128).unpadder()
    return unpadder.update(opener.update(data) + opener.finalize()) + unpadder.finalize()
