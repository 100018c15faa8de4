"""Which rule of the host's own firewall stops or diverts a packet of the agent."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from analyzers.facts.base import IPAddress, Line


class Fate(StrEnum):
    """What becomes of a packet that root sends."""

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
    """The rule or the chain's policy; ``None`` where nothing stops it."""
    chain: str = ""
    """``filter OUTPUT``, ``inet filter output``."""
    target: str = ""
    """Of a redirection: ``127.0.0.1:8080``."""
    doubts: tuple[Line, ...] = ()
    """Of ``unknown``: the rules that could not be judged."""

    @property
    def blocks(self) -> bool:
        return self.fate in (Fate.DROP, Fate.REJECT)


@dataclass(frozen=True, slots=True)
class Firewall:
    """iptables, ip6tables and nftables together."""

    iptables: bytes | None = None
    """``None``: not seen."""
    ip6tables: bytes | None = None
    nft: bytes | None = None

    def judge(self, target: IPAddress, port: int, *, uid: int = 0, device: str | None = None) -> Judgement:
        """The fate of a new TCP connection from this host to ``target:port``, sent by ``uid``."""
        raise NotImplementedError

    @property
    def seen(self) -> bool:
        """Whether any of them could be looked at."""
        return any(part is not None for part in (self.iptables, self.ip6tables, self.nft))
