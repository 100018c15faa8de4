"""What a host of the inventory comes down to: where it is, how to get in, as whom."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


class Platform(StrEnum):
    """Which kind of host answers; ``AUTO`` is found out on the connection."""

    AUTO = "auto"
    LINUX = "linux"
    WINDOWS = "windows"


class Transport(StrEnum):
    """The connection of DESIGN: how a host is reached."""

    SSH = "ssh"
    WINRM = "winrm"
    LOCAL = "local"


class HostKeyChecking(StrEnum):
    """What to do about a host key that no known_hosts file holds."""

    STRICT = "strict"
    ACCEPT_NEW = "accept-new"
    OFF = "off"


class Secret(Protocol):
    """A secret by reference.  ``repr`` and ``str`` never show its value; it pickles as the reference."""

    def resolve(self) -> str:
        """The value, had at the last moment.

        Raises:
            SecretError: the reference leads nowhere.
        """
        ...


@dataclass(frozen=True, slots=True)
class Become:
    """How to become another user on the host (``ansible_become*``)."""

    method: str = "sudo"
    user: str = "root"
    password: Secret | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Target:
    """One host, resolved from the inventory and the command line; picklable.

    ``None`` means "not said": for SSH, ssh_config and its defaults then decide.
    """

    name: str
    address: str
    transport: Transport = Transport.SSH
    platform: Platform = Platform.AUTO
    port: int | None = None
    user: str | None = None
    password: Secret | None = field(default=None, repr=False)
    private_key_file: str | None = None
    private_key_passphrase: Secret | None = field(default=None, repr=False)
    jump: str | None = None
    """``-J`` syntax: ``[user@]host[:port][,...]``; ``"none"`` overrides ssh_config."""
    ssh_args: tuple[str, ...] = ()
    """``ansible_ssh_common_args`` and its kin, split as a shell splits."""
    host_key_checking: HostKeyChecking | None = None
    shell_type: str | None = None
    become: Become | None = None
    groups: tuple[str, ...] = ()
    instance_id: str | None = None
    region: str | None = None
    zone: str | None = None
    """Which bastion can reach this host (``triage_zone``)."""
    root: str = ""
    """A mounted volume to look at instead of the running system (``triage_root``); empty: the system."""
    options: tuple[tuple[str, str], ...] = ()
    """Further ``ansible_winrm_*`` and ``ansible_psrp_*`` settings, by name."""
    origins: tuple[tuple[str, str], ...] = ()
    """Where each of the values above came from: ``(field, "inventory.yaml:12 (group web)")``."""
