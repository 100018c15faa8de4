"""Windows Firewall: which of its outbound rules stops a connection of the agent.

A rule is kept as ``v2.31|Action=Block|Active=TRUE|Dir=Out|Protocol=6|RPort=80|RA4=169.254.169.254|Name=...``
([MS-GPFAS] 2.2.2.19).  Every part that is there narrows it; a part that comes more than once is a list.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from analyzers.facts.base import IPAddress, Line, address, network
from analyzers.facts.packet import PASSED, Fate, Judgement
from analyzers.facts.windows.objects import Thing, things_of

_TCP = "6"
_AGENT = ("amazon-ssm-agent.exe", "ssm-agent-worker.exe")
_BLOCKED_BY_DEFAULT = 1


@dataclass(frozen=True, slots=True)
class FirewallRule:
    """One outbound rule that is active."""

    at: Line
    name: str
    """By which ``Get-NetFirewallRule -Name`` knows it."""
    blocks: bool
    parts: tuple[tuple[str, str], ...]

    def all(self, key: str) -> tuple[str, ...]:
        return tuple(value for name, value in self.parts if name == key)

    def fits(self, target: IPAddress, port: int) -> bool:
        """Whether it takes a TCP connection of the agent to ``target:port``."""
        remote = self.all("RA4") + self.all("RA6") + self.all("RA42") + self.all("RA62")
        ports = self.all("RPort") + self.all("RPort2_10")
        apps, services = self.all("App"), self.all("Svc")
        return (
            self.all("Protocol") in ((), (_TCP,))
            and (not remote or any(_holds(text, target) for text in remote))
            and (not ports or any(_port_in(text, port) for text in ports))
            and (not apps or any(app.lower().endswith(_AGENT) or app.lower() == "system" for app in apps))
            and (not services or "AmazonSSMAgent" in services or "*" in services)
        )


@dataclass(frozen=True, slots=True)
class WindowsFirewall:
    """The rules that matter, and what becomes of what none of them takes."""

    rules: tuple[FirewallRule, ...] = ()
    blocks_by_default: Line | None = None
    """A profile that is on and blocks outbound; which profile an adapter has is not known."""

    def judge(
        self,
        target: IPAddress,
        port: int,
        *,
        uid: int = 0,
        device: str | None = None,
        sources: tuple[IPAddress, ...] = (),
    ) -> Judgement:
        """The fate of a TCP connection of the agent.  A rule that blocks outweighs those that allow.

        ``uid``, ``device`` and ``sources`` are there for ``Firewall``'s sake; no rule is judged by them.
        """
        fitting = [rule for rule in self.rules if rule.fits(target, port)]
        blocking = next((rule for rule in fitting if rule.blocks), None)
        if blocking is not None:
            return Judgement(Fate.DROP, blocking.at, chain=blocking.name)
        if self.blocks_by_default is not None and not fitting:
            return Judgement(Fate.UNKNOWN, self.blocks_by_default)
        return PASSED

    @property
    def seen(self) -> bool:
        return True


def parse_firewall(output: bytes, source: str = "probes/firewall") -> WindowsFirewall | None:
    """Of the ``firewall`` probe; ``None`` where it shows not even a profile."""
    things = list(things_of(output, source, "profile", "rule"))
    if not any(thing.kind == "profile" for thing in things):
        return None
    default = next(
        (
            t.at
            for t in things
            if t.kind == "profile" and t.flag("enabled") and t.number("outbound") == _BLOCKED_BY_DEFAULT
        ),
        None,
    )
    return WindowsFirewall(tuple(_rules(thing for thing in things if thing.kind == "rule")), default)


def _rules(things: Iterable[Thing]) -> Iterable[FirewallRule]:
    for thing in things:
        pairs = [part.partition("=") for part in thing.text("rule").split("|")]
        parts = tuple((name, value) for name, equals, value in pairs if equals)
        wanted = {("Active", "TRUE"), ("Dir", "Out")}
        if wanted.issubset(parts):
            yield FirewallRule(thing.at, thing.text("name"), ("Action", "Block") in parts, parts)


def _holds(text: str, target: IPAddress) -> bool:
    """``169.254.169.254``, ``10.0.0.0/255.0.0.0``, ``10.0.0.0/8``, ``10.0.0.1-10.0.0.9``; words such as
    ``LocalSubnet`` hold no address that is asked for here."""
    low, dash, high = text.partition("-")
    if dash:
        first, last = address(low), address(high)
        if first is None or last is None or {first.version, last.version} != {target.version}:
            return False
        return int(first) <= int(target) <= int(last)
    found = network(text)
    return found is not None and found.version == target.version and target in found


def _port_in(text: str, port: int) -> bool:
    for part in text.split(","):
        low, _, high = part.strip().partition("-")
        if low.isdecimal() and len(low) < 6 and int(low) <= port <= int(high if high.isdecimal() else low):
            return True
    return False
