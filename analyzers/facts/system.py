"""What kind of host it is: system, machine, security modules, and as whom we looked."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from analyzers.facts.base import Line, integer, lines_of, record_line, records_of


@dataclass(frozen=True, slots=True)
class OsRelease:
    """/etc/os-release."""

    at: Line
    id: str = ""
    """``amzn``, ``ubuntu``, ``rhel``, ``alpine`` ..."""
    version: str = ""
    name: str = ""
    """``PRETTY_NAME``."""
    like: tuple[str, ...] = ()
    values: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Whoami:
    """As whom the probes ran."""

    at: Line
    uid: int | None
    user: str = ""
    login: str = ""
    privilege: str = ""

    @property
    def root(self) -> bool:
        return self.uid == 0


@dataclass(frozen=True, slots=True)
class Virtualization:
    """The machine, by DMI and hypervisor."""

    at: Line
    vendor: str = ""
    product: str = ""
    uuid: str = ""
    asset_tag: str = ""
    """The instance id, on Nitro."""
    hypervisor: str = ""
    container: str = ""

    @property
    def ec2(self) -> bool | None:
        """Whether this is an EC2 instance; ``None``: nothing tells."""
        words = f"{self.vendor} {self.product} {self.asset_tag}".lower()
        if "amazon ec2" in words or self.asset_tag.startswith("i-") or self.uuid.lower().startswith("ec2"):
            return True
        if self.vendor or self.product:
            return "amazon" in words
        return None

    @property
    def instance_id(self) -> str | None:
        return self.asset_tag if self.asset_tag.startswith("i-") else None


@dataclass(frozen=True, slots=True)
class Security:
    """Security modules."""

    at: Line
    selinux: str = ""
    """``Enforcing``, ``Permissive``, ``Disabled``; empty: none."""
    apparmor: str = ""
    fapolicyd: str = ""
    denials: tuple[Line, ...] = ()
    """AVC lines that name the agent."""


@dataclass(frozen=True, slots=True)
class Uname:
    at: Line
    kernel: str = ""
    machine: str = ""


# Reading -------------------------------------------------------------------------------------------------


def parse_os_release(output: bytes, source: str = "probes/os-release") -> OsRelease | None:
    """Of os-release(5); ``None`` where it names no system."""
    values: dict[str, str] = {}
    lines: dict[str, Line] = {}
    for line in lines_of(output, source):
        key, equals, value = line.text.partition("=")
        if equals and re.fullmatch(r"[A-Z0-9_]{1,64}", key):
            values[key] = value.strip().strip("\"'")
            lines[key] = line
    at = lines.get("PRETTY_NAME") or lines.get("NAME") or lines.get("ID")
    if at is None:
        return None
    return OsRelease(
        at,
        values.get("ID", ""),
        values.get("VERSION_ID", ""),
        values.get("PRETTY_NAME") or values.get("NAME", ""),
        tuple(values.get("ID_LIKE", "").split()),
        values,
    )


def parse_uname(output: bytes, source: str = "probes/uname") -> Uname | None:
    """Of ``uname -a``: ``Linux ip-10-0-1-5 6.1.112-124.190.amzn2023.x86_64 #1 SMP ... GNU/Linux``."""
    line = next(lines_of(output, source), None)
    if line is None:
        return None
    words = line.text.split()
    machine = next((word for word in words[3:] if word in _MACHINES), "")
    return Uname(line, words[2] if len(words) > 2 else "", machine)


_MACHINES = ("x86_64", "aarch64", "i686", "i386", "armv7l", "amd64", "arm64")


def parse_whoami(output: bytes, source: str = "probes/whoami") -> Whoami | None:
    """Of the ``whoami`` probe."""
    record = next(records_of(output), None)
    if record is None:
        return None
    user, login, privilege = (record.get(key) for key in ("user", "login", "privilege"))
    return Whoami(record_line(record, source), integer(record.get("uid")), user, login, privilege)


def parse_virtualization(output: bytes, source: str = "probes/virtualization") -> Virtualization | None:
    """Of the ``virtualization`` probe."""
    record = next(records_of(output), None)
    if record is None:
        return None
    keys = ("vendor", "product", "uuid", "asset_tag", "hypervisor", "container")
    return Virtualization(record_line(record, source), *(record.get(key).strip() for key in keys))


def parse_security(output: bytes, source: str = "probes/security") -> Security | None:
    """Of the ``security`` probe."""
    record = next(records_of(output), None)
    if record is None:
        return None
    modules = ("selinux", "apparmor", "fapolicyd")
    selinux, apparmor, fapolicyd = (record.get(key) for key in modules)
    denials = tuple(Line(source, text) for text in record.all("avc"))
    return Security(record_line(record, source, *modules), selinux, apparmor, fapolicyd, denials)
