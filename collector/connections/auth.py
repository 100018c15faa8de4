"""Authentication in the order of OpenSSH's client, each credential offered once and never again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from collector.connections.keys import (
    Identity,
    KeyProblem,
    KeyRing,
    certifies,
    with_certificate,
)
from collector.connections.known_hosts import fingerprint
from collector.connections.ssh_config import HostConfig
from collector.errors import ConnectionFailed, FailureKind, SecretError
from collector.target import Secret

if TYPE_CHECKING:
    from paramiko import Transport

_CERTIFICATE_SUFFIX = "-cert-v01@openssh.com"


@dataclass
class Authentication:
    """Everything that can be offered to one host.  Fabric hands it to Paramiko as its auth strategy."""

    config: HostConfig
    keys: KeyRing
    password: Secret | None = field(default=None, repr=False)
    passphrase: Secret | None = field(default=None, repr=False)
    method: str = ""
    """What the host took in the end: ``publickey ssh-ed25519 SHA256:...``, ``password``."""

    def authenticate(self, transport: Transport) -> None:
        """Offer one credential after the other until the host is content.

        Raises:
            ConnectionFailed: ``auth``: the host took none of them, or there is none to offer.
            paramiko.SSHException: the connection broke.
        """
        from paramiko import AuthenticationException, BadAuthenticationType

        taken: list[str] = []
        tried: list[str] = []
        allowed: set[str] | None = None
        attempts = self._attempts(transport, tried)
        for attempt in attempts:
            if allowed is not None and attempt.method not in allowed:
                continue
            if not transport.is_active():
                break
            tried.append(attempt.label)
            try:
                further = attempt.offer()
            except BadAuthenticationType as refusal:
                allowed = set(refusal.allowed_types)
                continue
            except AuthenticationException as refusal:
                if "timeout" in str(refusal).lower():
                    raise
                continue
            taken.append(attempt.label)
            if not further:
                self.method = " + ".join(taken)
                return
            allowed = set(further)
        raise self._refused(transport, tried, allowed)

    def _attempts(self, transport: Transport, tried: list[str]) -> Iterator[_Attempt]:
        for method in self.config.authentications:
            if method == "publickey":
                yield from (self._publickey(transport, identity) for identity in self._identities())
            elif method == "password" and self.password is not None:
                yield self._password(transport)
            elif method == "keyboard-interactive" and self.password is not None:
                yield self._keyboard_interactive(transport)

    def _publickey(self, transport: Transport, identity: Identity) -> _Attempt:
        label = f"publickey {identity.key_type} {fingerprint(identity.blob)}"
        if identity.origin.startswith("agent"):
            label += " from the agent"
        user = self.config.user
        return _Attempt("publickey", label, lambda: transport.auth_publickey(user, identity.key))

    def _password(self, transport: Transport) -> _Attempt:
        def offer() -> list[str]:
            return transport.auth_password(self.config.user, self._secret(), fallback=False)

        return _Attempt("password", "password", offer)

    def _keyboard_interactive(self, transport: Transport) -> _Attempt:
        """Answer one hidden prompt, once; anything else would be a guess."""
        answered = False

        def answer(title: str, instructions: str, prompts: list[tuple[str, bool]]) -> list[str]:
            nonlocal answered
            if not prompts:
                return []
            if answered or len(prompts) != 1 or prompts[0][1]:
                return [""] * len(prompts)
            answered = True
            return [self._secret()]

        def offer() -> list[str]:
            return transport.auth_interactive(self.config.user, answer)

        return _Attempt("keyboard-interactive", "keyboard-interactive", offer)

    def _secret(self) -> str:
        assert self.password is not None  # noqa: S101  # only offered where there is one
        try:
            return self.password.resolve()
        except SecretError as error:
            raise ConnectionFailed(
                FailureKind.AUTH, str(error), "check the inventory's reference to it"
            ) from None

    # --- Keys, in the order of OpenSSH's sshconnect2.c -------------------------------------------------

    def _identities(self) -> Iterator[Identity]:
        """Certificates first; then keys of the agent that files name, its others, and the files' own."""
        from_files = self._file_identities()
        from_agent = self._agent_identities()
        accepted = self.config.algorithms.get("pubkeys")
        seen: set[tuple[str, bytes]] = set()
        for identity in (*self._certified([*from_agent, *from_files]), *from_agent, *from_files):
            mark = identity.key_type, identity.blob
            if mark not in seen and _is_accepted(identity.key_type, accepted):
                seen.add(mark)
                yield identity

    def _file_identities(self) -> list[Identity]:
        found: list[Identity] = []
        for path in self.config.identity_files:
            try:
                identity = self.keys.private_key(path, None)
            except KeyProblem as problem:
                identity = self._decrypted(path) if "passphrase" in str(problem) else None
            if identity is not None:
                found.append(identity)
        return found

    def _decrypted(self, path: str) -> Identity | None:
        try:
            return self.keys.private_key(path, self.passphrase.resolve()) if self.passphrase else None
        except (KeyProblem, SecretError):
            return None  # told by _key_problems, if nothing else gets us in

    def _agent_identities(self) -> list[Identity]:
        if self.config.identity_agent is None:
            return []
        held = self.keys.agent_identities(self.config.identity_agent)
        named = [self.keys.public_key(path) for path in self.config.identity_files]
        named += [identity.blob for identity in self._file_identities()]
        named += [blob for path in self.config.certificate_files if (blob := self.keys.public_key(path))]
        first = [identity for identity in held if identity.blob in named]
        if self.config.identities_only:
            return first
        return first + [identity for identity in held if identity not in first]

    def _certified(self, identities: list[Identity]) -> Iterator[Identity]:
        beside = [f"{path}-cert.pub" for path in self.config.identity_files]
        for path in (*self.config.certificate_files, *beside):
            certificate = self.keys.certificate(path)
            if certificate is None:
                continue
            for identity in identities:
                if certifies(certificate, identity):
                    yield with_certificate(identity, certificate, f"{identity.origin} with {path}")
                    break

    # --- When nothing was taken ------------------------------------------------------------------------

    def _refused(self, transport: Transport, tried: list[str], allowed: set[str] | None) -> ConnectionFailed:
        who = f"{self.config.user}@{self.config.hostname}"
        problems = "".join(f"; {problem}" for problem in self._key_problems())
        takes = f"; it takes {', '.join(sorted(allowed))}" if allowed else ""
        if not tried:
            return ConnectionFailed(
                FailureKind.AUTH,
                f"there is nothing to log in with as {who}: no key, no agent, no password{problems}",
                "name a key (ansible_ssh_private_key_file), start an ssh-agent, or give a password (-k)",
            )
        if not transport.is_active() and len(tried) > 1:
            return ConnectionFailed(
                FailureKind.AUTH,
                f"the server hung up after it refused {len(tried)} credentials of {who} "
                f"({'; '.join(tried)}){problems}",
                "offer fewer: set IdentitiesOnly yes and one IdentityFile for this host in ssh_config",
            )
        return ConnectionFailed(
            FailureKind.AUTH,
            f"the server took none of the credentials of {who} ({'; '.join(tried)}){takes}{problems}",
            f"check the user name and that the host's authorized_keys holds this key; compare: ssh -v {who}",
        )

    def _key_problems(self) -> Iterator[str]:
        for path in self.config.identity_files:
            try:
                identity = self.keys.private_key(path, None)
                if identity is None and path in self.config.wanted_identities and not Path(path).exists():
                    yield f"{path} does not exist"
            except KeyProblem as problem:
                try:
                    if self.passphrase is None or "passphrase" not in str(problem):
                        yield str(problem)
                    else:
                        self.keys.private_key(path, self.passphrase.resolve())
                except (KeyProblem, SecretError) as further:
                    yield str(further)


@dataclass(frozen=True)
class _Attempt:
    method: str
    label: str
    offer: Callable[[], list[str]]
    """Offers it; returns what the host wants besides, empty: nothing more."""


def _is_accepted(key_type: str, accepted: tuple[str, ...] | None) -> bool:
    if accepted is None:
        return True
    return key_type in accepted or any(
        name in accepted
        for name in (
            key_type.replace("ssh-rsa", "rsa-sha2-512"),
            key_type.replace("ssh-rsa", "rsa-sha2-256"),
        )
    )
