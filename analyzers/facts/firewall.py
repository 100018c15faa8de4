"""Which rule of the host's own firewall stops or diverts a packet of the agent."""

from __future__ import annotations

from dataclasses import dataclass

from analyzers.facts.base import IPAddress
from analyzers.facts.iptables import judge_iptables, parse_iptables
from analyzers.facts.nftables import judge_nft, parse_nft
from analyzers.facts.packet import PASSED, Fate, Judgement, Packet, together

__all__ = ["Fate", "Firewall", "Judgement", "Packet"]


@dataclass(frozen=True, slots=True)
class Firewall:
    """iptables, ip6tables and nftables together, each as it was listed; ``None``: not seen."""

    iptables: bytes | None = None
    ip6tables: bytes | None = None
    nft: bytes | None = None

    def judge(
        self,
        target: IPAddress,
        port: int,
        *,
        uid: int = 0,
        device: str | None = None,
        sources: tuple[IPAddress, ...] = (),
    ) -> Judgement:
        """The fate of a new TCP connection from this host to ``target:port``, opened by ``uid``.

        ``device`` and ``sources`` (where it leaves, and the host's addresses) settle rules that ask for them.
        """
        packet = Packet(target, port, uid, device, sources)
        name, saved = ("ip6tables", self.ip6tables) if target.version == 6 else ("iptables", self.iptables)
        by_iptables = None
        if saved is not None:
            by_iptables = together(judge_iptables(parse_iptables(saved, f"probes/{name}"), packet))
        if self.nft is None:
            return by_iptables or PASSED
        tables = parse_nft(self.nft)
        if by_iptables is None or (by_iptables.fate is Fate.UNKNOWN and any(t.managed for t in tables)):
            return together(judge_nft(tables, packet))  # the whole of it, where iptables-save shows a part
        own = [table for table in tables if not table.managed]
        return together((by_iptables, *judge_nft(own, packet)))

    @property
    def seen(self) -> bool:
        """Whether any of them could be looked at."""
        return any(part is not None for part in (self.iptables, self.ip6tables, self.nft))
