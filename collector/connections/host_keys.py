"""Whether a host is the one that it should be: its key against known_hosts."""

from __future__ import annotations

import shlex
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from collector.connections.host_certificate import CERTIFICATE_SUFFIX, certificate_problem
from collector.connections.known_hosts import KnownHosts, KnownKey, fingerprint, host_name
from collector.connections.ssh_config import HostConfig
from collector.errors import ConnectionFailed, FailureKind
from collector.target import HostKeyChecking

if TYPE_CHECKING:
    from paramiko import PKey

_ALGORITHMS_OF_TYPE = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}


class HostKeyCheck:
    """The check of one host's key; a Paramiko policy for keys that Paramiko does not know, which is all.

    ``SSHClient`` is never given a known_hosts file, so that each key comes here.
    """

    def __init__(self, config: HostConfig, known: KnownHosts) -> None:
        self._config = config
        self._known_hosts = known
        self._host = config.host_key_alias or config.hostname
        self._name = self._host.lower() if config.host_key_alias else host_name(config.hostname, config.port)
        self._lines = known.lookup(self._name)
        if self._name != self._host.lower():
            self._elsewhere = known.lookup(self._host)  # a key known without the port is good too, for ssh
        else:
            self._elsewhere = ()
        self.host_key = ""
        """``ssh-ed25519 SHA256:...`` as the host showed it."""
        self.notes: tuple[str, ...] = ()

    def preferred_algorithms(self, offered: tuple[str, ...]) -> tuple[str, ...]:
        """``offered`` in the order in which a key that is known, or certified, is the likeliest."""
        types = tuple(line.key_type for line in (*self._lines, *self._elsewhere) if not line.marker)
        return _in_order(offered, types, bool(self._authorities), self._config.algorithms.get("hostkeys"))

    def missing_host_key(self, client: Any, hostname: str, key: PKey) -> None:
        """Called by ``SSHClient.connect`` once the host has proven that the key is its own.

        Raises:
            ConnectionFailed: ``host-key``: the key is not the host's, or nobody knows.
        """
        certificate = getattr(key, "public_blob", None)
        blob = key.asbytes()  # of a certificate too, the plain key within
        self.host_key = f"{key.get_name()} {fingerprint(blob)}"
        if self._config.host_key_checking is HostKeyChecking.OFF:
            self.notes = (
                f"HOST KEY NOT CHECKED: any machine could have answered; {self.host_key} was shown",
            )
            return
        self._refuse_revoked(blob)
        problem = None
        if certificate is not None:
            problem = certificate_problem(
                certificate.key_type, certificate.key_blob, self._host, self._authorities
            )
            if problem is None:
                self.host_key += " (certified)"
                return
        lines = [line for line in self._lines if not line.marker]
        if any(line.blob == blob for line in (*lines, *self._elsewhere) if not line.marker):
            return
        if lines:
            raise self._changed(key.get_name(), blob, lines)
        if problem is not None:
            raise self._failed(
                f"{self._name} shows a host certificate that does not hold: {problem}",
                "have the host's certificate signed anew, or add its key to known_hosts",
            )
        self._accept_unknown(key.get_name(), blob)

    @property
    def _authorities(self) -> list[bytes]:
        lines = (*self._lines, *self._elsewhere)
        return [line.blob for line in lines if line.marker == "cert-authority"]

    def _refuse_revoked(self, blob: bytes) -> None:
        for line in (*self._lines, *self._elsewhere):
            if line.marker == "revoked" and line.blob == blob:
                raise self._failed(
                    f"{self._name} shows {self.host_key}, which is revoked at {line.path}:{line.line}",
                    "do not connect; find out who still uses this key, and give the host a new one",
                )

    def _changed(self, key_type: str, blob: bytes, lines: list[KnownKey]) -> ConnectionFailed:
        same_type = [line for line in lines if line.key_type == key_type] or lines
        known = ", ".join(str(line) for line in same_type)
        path = same_type[0].path
        return self._failed(
            f"the host key of {self._name} has changed: it shows {key_type} {fingerprint(blob)}, "
            f"known is {known}",
            "compare the new fingerprint with the host's console output; only if the host was rebuilt: "
            f"ssh-keygen -R {shlex.quote(self._name)} -f {shlex.quote(path)}",
        )

    def _accept_unknown(self, key_type: str, blob: bytes) -> None:
        if self._config.host_key_checking is not HostKeyChecking.ACCEPT_NEW:
            raise self._failed(
                f"the host key of {self._name} is not known: it shows {self.host_key}",
                "compare the fingerprint with the host's console output and add the key to known_hosts, or "
                "run with --host-key-checking accept-new to trust it on first use",
            )
        if not self._config.user_known_hosts:
            self.notes = (
                f"accepted the new host key {self.host_key}; there is no known_hosts file to keep it in",
            )
            return
        path = self._config.user_known_hosts[0]
        try:
            hashed = self._config.hash_known_hosts
            self._known_hosts.add(self._name, key_type, blob, path=path, hashed=hashed)
            self.notes = (f"accepted the new host key {self.host_key} and added it to {path}",)
        except OSError as error:
            self.notes = (
                f"accepted the new host key {self.host_key}, but {path} cannot be written: {error.strerror}",
            )

    def _failed(self, detail: str, try_next: str) -> ConnectionFailed:
        return ConnectionFailed(FailureKind.HOST_KEY, detail, try_next)


@lru_cache(maxsize=64)
def _in_order(
    offered: tuple[str, ...], types: tuple[str, ...], with_authority: bool, allowed: tuple[str, ...] | None
) -> tuple[str, ...]:
    known = [name for key_type in types for name in _ALGORITHMS_OF_TYPE.get(key_type, (key_type,))]
    plain = (
        *(name for name in offered if name in known),
        *(name for name in offered if name not in known),
    )
    with_certificates = tuple(name + CERTIFICATE_SUFFIX for name in offered) if with_authority else ()
    wanted = (*with_certificates, *plain)
    return tuple(name for name in wanted if allowed is None or name in allowed) or plain
