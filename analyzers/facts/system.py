"""What kind of host it is: system, machine, security modules, and as whom we looked."""

from __future__ import annotations

from dataclasses import dataclass, field

from analyzers.facts.base import Line


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
