"""The packet whose fate is judged, and what a firewall's rules make of it, with three values of truth."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from analyzers.facts.base import IPAddress, IPNetwork, Line, network

Truth = bool | None
"""``None``: cannot be told from here."""


class Fate(StrEnum):
    """What becomes of a packet."""

    PASS = "pass"  # noqa: S105  a fate's name
    DROP = "drop"
    REJECT = "reject"
    REDIRECT = "redirect"
    """DNAT or REDIRECT: it goes somewhere else."""
    UNKNOWN = "unknown"
    """A rule that cannot be judged from here could decide it."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The fate of one packet, and the rule that settles it."""

    fate: Fate
    at: Line | None = None
    """The rule, or the chain whose policy it is; ``None`` where nothing stops it."""
    chain: str = ""
    """``filter OUTPUT``, ``inet filter output``; of Windows Firewall the rule's own name."""
    target: str = ""
    """Of a redirection: ``127.0.0.1:8080``."""
    doubts: tuple[Line, ...] = ()
    """Of ``unknown``: the rules that could not be judged."""

    @property
    def blocks(self) -> bool:
        return self.fate in (Fate.DROP, Fate.REJECT)


PASSED = Judgement(Fate.PASS)


@dataclass(frozen=True, slots=True)
class Packet:
    """The first packet of a TCP connection that a process of this host opens."""

    target: IPAddress
    port: int
    uid: int = 0
    device: str | None = None
    """Where it leaves, if known."""
    sources: tuple[IPAddress, ...] = ()
    """The addresses that it can come from; empty: not known."""


def any_of(answers: Iterable[Truth]) -> Truth:
    """True if one is, else unknown if one is, else false."""
    answers = tuple(answers)
    return True if True in answers else (None if None in answers else False)


def all_of(answers: Iterable[Truth]) -> Truth:
    """False if one is, else unknown if one is, else true."""
    answers = tuple(answers)
    return False if False in answers else (None if None in answers else True)


def negated(answer: Truth) -> Truth:
    return None if answer is None else not answer


def within(address: IPAddress, text: str) -> Truth:
    """Whether ``address`` is in a network, an address, or a range ``a-b``; ``None``: cannot be read."""
    first, dash, last = text.partition("-")
    start, end = network(first), network(last if dash else first)
    if start is None or end is None:
        return None
    if start.version != address.version or end.version != address.version:
        return False
    return int(start.network_address) <= int(address) <= int(end.broadcast_address)


def source_within(packet: Packet, text: str) -> Truth:
    """Whether the packet's source is in ``text``; unknown where its addresses lie on both sides."""
    wanted: IPNetwork | None = network(text)
    if wanted is not None and wanted.prefixlen == 0:
        return True
    sources = [within(s, text) for s in packet.sources if s.version == packet.target.version]
    return sources[0] if sources and all(answer == sources[0] for answer in sources) else None


_PORTS = {"http": 80, "https": 443, "domain": 53, "ssh": 22, "ntp": 123, "http-alt": 8080}


def port_within(port: int, text: str) -> Truth:
    """Whether ``port`` is in ``443``, ``https``, ``1:1024`` or ``1-1024``."""
    first, colon, last = text.replace("-", ":", 1).partition(":") if text not in _PORTS else (text, "", "")
    low = _port(first or "0")
    high = _port(last or "65535") if colon else low
    return None if low is None or high is None else low <= port <= high


def _port(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else _PORTS.get(text)


def user_within(uid: int, text: str) -> Truth:
    """Whether ``uid`` is ``0``, ``root`` or in ``0-999``; of other names only that they are not root."""
    if text == "root":
        return uid == 0
    first, dash, last = text.replace(":", "-").partition("-")
    if first.isascii() and first.isdigit() and len(first) < 11:
        return (
            int(first) <= uid <= int(last)
            if dash and last.isdigit() and len(last) < 11
            else uid == int(first)
        )
    return False if uid == 0 else None


@dataclass(slots=True)
class Doubts:
    """Rules that may fit, with the fate that they would bring."""

    found: list[tuple[Fate, Line]] = field(default_factory=list)

    def add(self, fate: Fate, line: Line) -> None:
        if len(self.found) < 100:
            self.found.append((fate, line))

    def settle(self, judgement: Judgement) -> Judgement:
        """The judgement, unless a doubtful rule before it would have brought another fate."""
        others = tuple(line for fate, line in self.found if fate is not judgement.fate)
        return Judgement(Fate.UNKNOWN, judgement.at, judgement.chain, doubts=others) if others else judgement


def together(judgements: Iterable[Judgement]) -> Judgement:
    """Of several chains that a packet passes one after the other: what stops it for sure wins, then doubt."""
    judgements = tuple(judgements)
    for fates in ((Fate.DROP, Fate.REJECT, Fate.REDIRECT), (Fate.UNKNOWN,)):
        for judgement in judgements:
            if judgement.fate in fates:
                return judgement
    return PASSED
