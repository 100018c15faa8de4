"""From a host of the inventory and the command line's wishes to a :class:`~collector.target.Target`.

The variables are Ansible's (docs: the ``ssh``, ``winrm`` and ``psrp`` connections, the ``sudo`` become
plugin) and keep their meaning; ours begin with ``triage_`` and are the closed set :data:`TRIAGE_KEYS`.
As in Ansible, what the inventory says beats ``-u``, ``-c`` and their kin, and of two names for one thing
the later in a row wins.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar

from collector.errors import InventoryError, SecretError
from collector.inventory.builder import HIGHEST_PORT
from collector.inventory.model import InventoryHost, Origin
from collector.inventory.templates import lookup_reference, render
from collector.secrets import Literal
from collector.target import Become, HostKeyChecking, Platform, Secret, Target, Transport

TRIAGE_KEYS = (
    "triage_instance_id",
    "triage_region",
    "triage_zone",
    "triage_root",
    "triage_platform",
    "triage_jump",
    "triage_host_key_checking",
    "triage_password",
    "triage_become_password",
    "triage_private_key_passphrase",
)

CONNECTIONS = {
    "ssh": Transport.SSH,
    "smart": Transport.SSH,
    "paramiko": Transport.SSH,
    "paramiko_ssh": Transport.SSH,
    "winrm": Transport.WINRM,
    "psrp": Transport.WINRM,
    "local": Transport.LOCAL,
}
BECOME_METHODS = ("sudo", "runas")

_INSTANCE_ID = re.compile(r"(i-[0-9a-f]{8}|i-[0-9a-f]{17}|mi-[0-9a-f]{17})")
_REGION = re.compile(r"[a-z]{2,}(-[a-z]+)+-[0-9]+")
_OPTION = re.compile(r"ansible_(winrm|psrp)_(?!(host|port|user|pass|password)$)")
_T = TypeVar("_T")
_TRUE = {"true", "yes", "on", "1", "y", "t"}
_FALSE = {"false", "no", "off", "0", "n", "f"}


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the command line says of every host; a host's own variables come first.  ``None``: not said."""

    user: str | None = None
    port: int | None = None
    connection: str | None = None
    private_key_file: str | None = None
    private_key_passphrase: Secret | None = field(default=None, repr=False)
    password: Secret | None = field(default=None, repr=False)
    jump: str | None = None
    ssh_args: tuple[str, ...] = ()
    host_key_checking: HostKeyChecking | None = None
    become: bool = False
    become_method: str | None = None
    become_user: str | None = None
    become_password: Secret | None = field(default=None, repr=False)


def resolve(host: InventoryHost, overrides: Overrides | None = None) -> Target:
    """How to get into ``host``.

    Raises:
        InventoryError: one line with file, line and key for a value that cannot be used.
    """
    given = overrides or Overrides()
    said = _Said(host)
    transport = said.connection(given)
    winrm = transport is Transport.WINRM
    target = Target(
        name=host.name,
        address=said.word("address", "ansible_host", "ansible_ssh_host", *_synonyms("host", winrm))
        or said.own_name(),
        transport=transport,
        platform=said.platform(transport),
        port=said.port("ansible_port", "ansible_ssh_port", *_synonyms("port", winrm))
        or said.override("port", given.port, "--port"),
        user=said.text("user", "ansible_user", "ansible_ssh_user", *_synonyms("user", winrm))
        or said.override("user", given.user, "--user"),
        password=said.secret("password", "ansible_password", *_password_names(winrm), "triage_password")
        or said.override("password", given.password, "--ask-pass"),
        private_key_file=said.key_file()
        or said.override("private_key_file", given.private_key_file, "--private-key"),
        private_key_passphrase=said.secret(
            "private_key_passphrase",
            "ansible_private_key_passphrase",
            "ansible_ssh_private_key_passphrase",
            "triage_private_key_passphrase",
        )
        or said.override("private_key_passphrase", given.private_key_passphrase, "--ask-key-pass"),
        jump=said.jump() or said.override("jump", given.jump, "--jump"),
        ssh_args=said.ssh_args(given),
        host_key_checking=said.host_key_checking()
        or said.override("host_key_checking", given.host_key_checking, "--host-key-checking"),
        shell_type=said.word("shell_type", "ansible_shell_type"),
        become=said.become(given),
        groups=host.groups,
        instance_id=said.shaped("instance_id", "triage_instance_id", _INSTANCE_ID, "i-0123456789abcdef0"),
        region=said.shaped("region", "triage_region", _REGION, "ap-northeast-2"),
        zone=said.text("zone", "triage_zone"),
        root=said.root(),
        options=said.options() if winrm else (),
        origins=(),
    )
    return said.signed(target)


def _synonyms(name: str, winrm: bool) -> tuple[str, ...]:
    return (f"ansible_winrm_{name}", f"ansible_psrp_{name}") if winrm else ()


def _password_names(winrm: bool) -> tuple[str, ...]:
    if winrm:
        return ("ansible_winrm_pass", "ansible_winrm_password", "ansible_psrp_password")
    return ("ansible_ssh_pass", "ansible_ssh_password")


class _Said:
    """What one host's variables say, field by field, noting where each came from."""

    def __init__(self, host: InventoryHost) -> None:
        self._host = host
        self._origins: dict[str, str] = {}

    def signed(self, target: Target) -> Target:
        return replace(target, origins=tuple(self._origins.items()))

    # -- where a value comes from ------------------------------------------------------------------------

    def default(self, field_name: str, value: _T, why: str) -> _T:
        self._origins[field_name] = why
        return value

    def override(self, field_name: str, value: _T | None, option: str) -> _T | None:
        if value is not None:
            self._origins[field_name] = f"command line ({option})"
        return value

    def _value(self, field_name: str, *names: str) -> _Value | None:
        """The last of several names for one thing that says something; null and empty text do not."""
        for name in reversed(names):
            var = self._host.vars.get(name)
            if var is None or var.value is None or var.value == "":
                continue
            value = render(self._host, name, var)
            if value is not None and value != "":
                self._origins[field_name] = str(var.origin)
                return _Value(value, name, var.origin, self._host)
        return None

    def own_name(self) -> str:
        """The host's name, where it has no other address."""
        name = self._host.name
        if " " in name or name.startswith("-"):
            raise InventoryError(f"{name!r} is not an address; give the host an ansible_host")
        return self.default("address", name, "the host's name")

    # -- what shape it has -------------------------------------------------------------------------------

    def text(self, field_name: str, *names: str) -> str | None:
        """One line that no program could take for an option."""
        value = self._value(field_name, *names)
        return value.text() if value else None

    def word(self, field_name: str, *names: str) -> str | None:
        value = self._value(field_name, *names)
        if value and " " in value.text():
            raise value.error("cannot hold a space")
        return value.text() if value else None

    def shaped(self, field_name: str, name: str, shape: re.Pattern[str], example: str) -> str | None:
        value = self._value(field_name, name)
        if value and not shape.fullmatch(value.text()):
            raise value.error(f"{value.text()!r} has not the shape of {example}")
        return value.text() if value else None

    def choice(self, field_name: str, name: str, choices: Iterable[str]) -> str | None:
        value = self._value(field_name, name)
        return value.one_of(choices) if value else None

    def port(self, *names: str) -> int | None:
        value = self._value("port", *names)
        if value is None:
            return None
        text = value.text()
        number = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(HIGHEST_PORT)) else 0
        if not 0 < number <= HIGHEST_PORT:
            raise value.error(f"{text!r} is not a port; give a number from 1 to {HIGHEST_PORT}")
        return number

    def secret(self, field_name: str, *names: str) -> Secret | None:
        """A ``triage_`` secret is a reference; an ``ansible_`` one is the value, or a lookup of it."""
        for name in reversed(names):
            var = self._host.vars.get(name)
            if var is not None and (reference := lookup_reference(var.value)):
                self._origins[field_name] = str(var.origin)
                return reference
            value = self._value(field_name, name)
            if value is not None:
                return value.reference() if name.startswith("triage_") else value.literal()
        return None

    # -- the fields that need more than a shape ----------------------------------------------------------

    def connection(self, given: Overrides) -> Transport:
        value = self._value("transport", "ansible_connection")
        if value is None:
            kind = self.override("transport", given.connection, "--connection")
            if kind is None:
                return self.default("transport", Transport.SSH, "default")
            value = _Value(kind, "--connection", Origin("command line"), self._host)
        name = value.text().rpartition("ansible.builtin.")[2]
        if name.endswith("aws_ssm"):
            raise value.error(
                "aws_ssm goes through the SSM Agent, which is what is broken; give ssh or winrm"
            )
        if name not in CONNECTIONS:
            raise value.error(
                f"{name!r} is not a connection of ssm-triage{_among(name, ('ssh', 'winrm', 'psrp', 'local'))}"
            )
        return CONNECTIONS[name]

    def platform(self, transport: Transport) -> Platform:
        choice = self.choice("platform", "triage_platform", Platform)
        windows_shell = self.word("shell_type", "ansible_shell_type") in ("powershell", "cmd")
        if choice:
            return Platform(choice)
        return Platform.WINDOWS if transport is Transport.WINRM or windows_shell else Platform.AUTO

    def key_file(self) -> str | None:
        for name in ("ansible_private_key", "ansible_ssh_private_key"):
            if value := self._value("private_key_file", name):
                raise value.error(
                    "a key inside the inventory is not taken; put it in a file, ansible_ssh_private_key_file"
                )
        path = self.text("private_key_file", "ansible_private_key_file", "ansible_ssh_private_key_file")
        return str(Path(path).expanduser()) if path else None

    def jump(self) -> str | None:
        value = self._value("jump", "triage_jump")
        if value is None:
            return None
        for hop in value.text().split(","):
            if not hop or hop.startswith("-") or " " in hop:
                raise value.error(f"{value.text()!r} is not a way; write [user@]host[:port][,...] or none")
        return value.text()

    def ssh_args(self, given: Overrides) -> tuple[str, ...]:
        """``ansible_ssh_args``, then the common, then the extra ones: Ansible's order."""
        args: list[str] = []
        for name in ("ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args"):
            if value := self._value("ssh_args", name):
                try:
                    args += shlex.split(str(value.value))
                except ValueError as error:
                    raise value.error(f"cannot be split: {str(error).lower()}") from None
        if args or not given.ssh_args:
            return tuple(args)
        return self.default("ssh_args", given.ssh_args, "command line (--ssh-common-args)")

    def host_key_checking(self) -> HostKeyChecking | None:
        value = self._value(
            "host_key_checking",
            "ansible_host_key_checking",
            "ansible_ssh_host_key_checking",
            "triage_host_key_checking",
        )
        if value is None:
            return None
        if str(value.value).lower() in _TRUE | _FALSE:  # YAML reads a bare `off` as a boolean
            return HostKeyChecking.STRICT if value.boolean() else HostKeyChecking.OFF
        return HostKeyChecking(value.one_of(HostKeyChecking))

    def become(self, given: Overrides) -> Become | None:
        value = self._value("become", "ansible_become")
        wanted = value.boolean() if value else self.override("become", given.become or None, "--become")
        if not wanted:
            return None
        method = self.choice("become.method", "ansible_become_method", BECOME_METHODS)
        user = self.text("become.user", "ansible_become_user", "ansible_sudo_user")
        password = self.secret(
            "become.password",
            "ansible_become_password",
            "ansible_become_pass",
            "ansible_sudo_pass",
            "triage_become_password",
        )
        return Become(
            method=method or self.override("become.method", given.become_method, "--become-method") or "sudo",
            user=user or self.override("become.user", given.become_user, "--become-user") or "root",
            password=password or self.override("become.password", given.become_password, "--ask-become-pass"),
        )

    def root(self) -> str:
        value = self._value("root", "triage_root")
        if value and not value.text().startswith("/"):
            raise value.error(f"{value.text()!r} is not an absolute path on the host, such as /mnt/rescue")
        return value.text() if value else ""

    def options(self) -> tuple[tuple[str, str], ...]:
        values = ((name, self._value(name, name)) for name in sorted(self._host.vars) if _OPTION.match(name))
        return tuple((name, value.option()) for name, value in values if value)


@dataclass(frozen=True, slots=True)
class _Value:
    """A rendered value and whom to blame for it."""

    value: object = field(repr=False)
    name: str
    origin: Origin
    host: InventoryHost

    def error(self, what: str) -> InventoryError:
        return self.host.error(what, self.name, self.origin)

    def text(self) -> str:
        if isinstance(self.value, list | dict):
            raise self.error("must be text, not a list or mapping")
        try:
            text = str(self.value).strip()
        except ValueError:  # Python refuses to print an integer of thousands of digits
            raise self.error("is a number beyond all use") from None
        if not text.isprintable() or text.startswith("-"):
            raise self.error(f"{text!r} must be one line that does not begin with a dash")
        return text

    def boolean(self) -> bool:
        text = str(self.value).strip().lower()
        if text not in _TRUE | _FALSE:
            raise self.error(f"{text!r} is neither true nor false")
        return text in _TRUE

    def one_of(self, choices: Iterable[str]) -> str:
        text, names = self.text().lower(), [str(choice) for choice in choices]
        if text not in names:
            raise self.error(f"{text!r} is not known{_among(text, names)}")
        return text

    def option(self) -> str:
        if isinstance(self.value, list):
            return ",".join(map(str, self.value))
        return str(self.value).lower() if isinstance(self.value, bool) else str(self.value)

    def literal(self) -> Secret:
        if not isinstance(self.value, str) and (
            isinstance(self.value, bool) or not isinstance(self.value, int)
        ):
            raise self.error("is not text; put the password in quotes")
        return Literal(str(self.value))

    def reference(self) -> Secret:
        try:
            return self.host.home.secret(str(self.value), self.origin, self.name)
        except SecretError as error:
            raise self.error(str(error)) from None


def _among(text: str, choices: Sequence[str]) -> str:
    close = get_close_matches(text, choices, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(choices)}"
