"""From the options of the command line to the hosts that are meant, and how each is reached."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from collector.errors import SecretError, UsageError
from collector.inventory import InventoryHost, Overrides, load, resolve
from collector.secrets import PromptSecret, parse_reference
from collector.target import HostKeyChecking, Secret, Target


@dataclass(frozen=True, slots=True)
class Selection:
    """The hosts that ``-i`` and ``-l`` came to, and what the command line says of all of them."""

    hosts: tuple[InventoryHost, ...]
    overrides: Overrides
    root: str | None = None

    def targets(self) -> list[Target]:
        """How each host is reached.

        Raises:
            InventoryError: a host's variables say something that cannot be.
        """
        found = (resolve(host, self.overrides) for host in self.hosts)
        if self.root is None:
            return list(found)
        return [target if target.root else replace(target, root=self.root) for target in found]


def select(options: Mapping[str, Any]) -> Selection:
    """Read the inventory and apply the limit.

    Raises:
        InventoryError: it cannot be read whole, or no host is left.
        UsageError: options contradict each other.
    """
    sources: Sequence[str] = options["sources"]
    limit = options["limit"]
    inventory = load(sources, vault_password_files=options["vault_password_files"])
    for warning in inventory.warnings:
        click.echo(f"warning: {warning}", err=True)
    root = options.get("root")
    if root is not None and not Path(root).is_absolute():
        raise UsageError(f"--root {root}: give the whole path on the host, as in /mnt/rescue")
    return Selection(inventory.select(limit), overrides_of(options), root)


def overrides_of(options: Mapping[str, Any]) -> Overrides:
    """What the command line says of every host."""
    checking = options["host_key_checking"]
    become_password = _secret(options, "ask_become_pass", "become_password_from", "sudo password: ")
    return Overrides(
        user=options["user"],
        port=options["port"],
        connection=options["connection"],
        private_key_file=options["private_key"],
        password=_secret(options, "ask_pass", "password_from", "SSH password: "),
        private_key_passphrase=_asked("SSH key passphrase: ") if options["ask_key_pass"] else None,
        jump=options["jump"],
        ssh_args=_words(options["ssh_common_args"]),
        host_key_checking=HostKeyChecking(checking) if checking else None,
        become=options["become"] or become_password is not None,
        become_method=options["become_method"],
        become_user=options["become_user"],
        become_password=become_password,
    )


def _secret(options: Mapping[str, Any], ask: str, reference: str, label: str) -> Secret | None:
    option = "--" + reference.replace("_", "-")
    if options[ask] and options[reference]:
        raise UsageError(f"--{ask.replace('_', '-')} and {option} contradict each other; give one")
    if options[reference]:
        try:
            return parse_reference(options[reference], label)
        except SecretError as error:
            raise UsageError(f"{option}: {error}") from None
    return _asked(label) if options[ask] else None


def _asked(label: str) -> Secret:
    """Ask now: later there is a progress bar in the way."""
    secret = PromptSecret(label)
    secret.resolve()
    return secret


def _words(text: str | None) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(text or ""))
    except ValueError as error:
        raise UsageError(f"--ssh-common-args: {error}; write it as for a shell") from None
