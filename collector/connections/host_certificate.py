"""Whether the certificate that a host shows is good (PROTOCOL.certkeys of OpenSSH).

Paramiko verifies that the host holds the certified key, and nothing else of the certificate.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Collection

from collector.connections.ssh_config_files import glob_pattern

CERTIFICATE_SUFFIX = "-cert-v01@openssh.com"


def certificate_problem(
    key_type: str, blob: bytes, host: str, authorities: Collection[bytes], now: float | None = None
) -> str | None:
    """Why a certificate does not vouch for ``host``; ``None``: it does.

    ``authorities`` are the wire-format keys of the certificate authorities trusted for this host.
    """
    from cryptography.exceptions import InvalidSignature  # heavy
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        PublicFormat,
        SSHCertificate,
        SSHCertificateType,
        load_ssh_public_identity,
    )

    try:
        certificate = load_ssh_public_identity(f"{key_type} {base64.b64encode(blob).decode()}".encode())
        if not isinstance(certificate, SSHCertificate):
            return "the host shows no certificate"
        authority = certificate.signature_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        authority_blob = base64.b64decode(authority.split()[1])
        if authority_blob not in authorities:
            return "the certificate is signed by an authority that known_hosts does not hold for this host"
        certificate.verify_cert_signature()
    except InvalidSignature:
        return "the signature of the certificate is false"
    except Exception as error:  # cryptography raises many kinds for hostile bytes
        return f"the certificate cannot be read ({type(error).__name__})"
    if authority.startswith(b"ssh-rsa") and _is_signed_with_sha1(blob):
        return "the certificate is signed with SHA-1"
    if certificate.type is not SSHCertificateType.HOST:
        return "it is a user's certificate, not a host's"
    return _limits_problem(
        certificate.valid_after,
        certificate.valid_before,
        [name.decode("utf-8", "replace") for name in certificate.valid_principals],
        certificate.critical_options,
        host,
        time.time() if now is None else now,
    )


def _limits_problem(
    after: int, before: int, principals: list[str], options: Collection[bytes], host: str, now: float
) -> str | None:
    if now < after:
        return f"the certificate is not valid before {_moment(after)}"
    if now >= before:
        return f"the certificate expired on {_moment(before)}"
    if options:
        return "the certificate has critical options, which no host's may have"
    if principals and not any(glob_pattern(name).fullmatch(host.lower()) for name in principals):
        return f"the certificate is for {', '.join(principals)}, not for {host}"
    return None


def _is_signed_with_sha1(blob: bytes) -> bool:
    """An RSA signature field ends the certificate: ``string(string(algorithm) string(signature))``."""
    for bytes_of_signature in (128, 256, 384, 512, 1024, 2048):
        tail = blob[-(bytes_of_signature + 4 + 7 + 4) :]
        if tail.startswith(b"\0\0\0\7ssh-rsa" + bytes_of_signature.to_bytes(4, "big")):
            return True
    return False


def _moment(seconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(min(seconds, 253402300799)))
