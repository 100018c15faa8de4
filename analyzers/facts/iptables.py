"""iptables-save: what the OUTPUT chains do to a packet (iptables(8), iptables-extensions(8))."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field

from analyzers.facts.base import Line, lines_of
from analyzers.facts.packet import (
    PASSED,
    Doubts,
    Fate,
    Judgement,
    Packet,
    Truth,
    all_of,
    any_of,
    negated,
    port_within,
    source_within,
    user_within,
    within,
)

_PATH = (
    ("raw", "OUTPUT"),
    ("mangle", "OUTPUT"),
    ("nat", "OUTPUT"),
    ("filter", "OUTPUT"),
    ("security", "OUTPUT"),
    ("mangle", "POSTROUTING"),
)
"""The chains that a packet of the host's own passes, in order."""

MAX_DEPTH = 16
MAX_STEPS = 20_000


@dataclass(slots=True)
class Chain:
    policy: str = "-"
    at: Line | None = None
    rules: list[Rule] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Rule:
    at: Line
    matches: tuple[tuple[bool, str, tuple[str, ...]], ...]
    """``(inverted, option, values)``."""
    target: str = ""
    goto: bool = False
    options: tuple[str, ...] = ()
    """What follows the target."""


Tables = dict[str, dict[str, Chain]]


def parse_iptables(output: bytes, source: str = "probes/iptables") -> Tables:
    """Tables, chains and rules of ``iptables-save``."""
    tables: Tables = {}
    table: dict[str, Chain] = {}
    for line in lines_of(output, source):
        text = line.text.strip()
        if text[:1] == "*":
            table = tables.setdefault(text[1:], {})
        elif text[:1] == ":":
            name, policy = ((*text[1:].split(), "-"))[:2]
            table.setdefault(name, Chain()).policy = policy
            table[name].at = line
        else:
            words = _words(re.sub(r"^\[[0-9]+:[0-9]+\] ", "", text))
            if len(words) > 2 and words[0] == "-A":
                table.setdefault(words[1], Chain()).rules.append(_rule(line, words[2:]))
    return tables


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def _rule(line: Line, words: list[str]) -> Rule:
    matches: list[tuple[bool, str, tuple[str, ...]]] = []
    inverted = False
    i = 0
    while i < len(words):
        word = words[i]
        values: list[str] = []
        i += 1
        if word == "!":
            inverted = True
            continue
        while i < len(words) and not words[i].startswith("-") and words[i] != "!":
            values.append(words[i])
            i += 1
        if word in ("-j", "-g", "--jump", "--goto"):
            target = values[0] if values else ""
            return Rule(line, tuple(matches), target, word in ("-g", "--goto"), tuple(words[i:]))
        matches.append((inverted, word, tuple(values)))
        inverted = False
    return Rule(line, tuple(matches))


def judge_iptables(tables: Tables, packet: Packet) -> Iterator[Judgement]:
    """What each table does to ``packet``, in the order in which it passes them."""
    for table, chain in _PATH:
        chains = tables.get(table, {})
        if chain in chains:
            yield _Walk(chains, table, packet).judge(chain)


@dataclass(slots=True)
class _Walk:
    """One packet's way through the chains of one table."""

    chains: dict[str, Chain]
    table: str
    packet: Packet
    doubts: Doubts = field(default_factory=Doubts)
    steps: int = 0
    called: Line | None = None
    """The last jump to a chain of the user's own.  The probe leaves out rules there that name neither our
    addresses nor ports, so one that lets the packet pass may be missing: a blanket block then is in doubt."""

    def judge(self, name: str) -> Judgement:
        chain = self.chains[name]
        found = self._chain(name, 0)
        if found is None and chain.policy == "DROP":
            self._doubt_blanket()
            found = Judgement(Fate.DROP, chain.at, f"{self.table} {name}")
        return self.doubts.settle(found or PASSED)

    def _chain(self, name: str, depth: int) -> Judgement | None:
        """The end that the chain brings; ``None``: the packet falls through or returns."""
        for rule in self.chains[name].rules:
            self.steps += 1
            if self.steps > MAX_STEPS or depth > MAX_DEPTH:
                self.doubts.add(Fate.UNKNOWN, rule.at)
                return None
            fits = all_of(_fits(match, self.packet) for match in rule.matches)
            if fits is False or not rule.target:
                continue
            if rule.target == "RETURN":
                if fits:
                    return None
                self.doubts.add(Fate.UNKNOWN, rule.at)
                continue
            end = self._target(rule, f"{self.table} {name}", depth)
            if fits is None:
                if end is not None:
                    self.doubts.add(end.fate, rule.at)
            elif end is not None or rule.goto:
                return end
        return None

    def _doubt_blanket(self) -> None:
        if self.called is not None:
            self.doubts.add(Fate.PASS, self.called)

    def _target(self, rule: Rule, chain: str, depth: int) -> Judgement | None:
        if rule.target in self.chains:
            self.called = rule.at
            return self._chain(rule.target, depth + 1)
        if rule.target in ("ACCEPT", "MASQUERADE", "SNAT"):
            return Judgement(Fate.PASS, rule.at, chain)
        if rule.target in ("DROP", "REJECT"):
            if not rule.matches:
                self._doubt_blanket()
            return Judgement(Fate(rule.target.lower()), rule.at, chain)
        if rule.target in ("DNAT", "REDIRECT"):
            target = next((o for o in rule.options if not o.startswith("-")), "")
            return Judgement(Fate.REDIRECT, rule.at, chain, target)
        if rule.target not in _PASSING:
            self.doubts.add(Fate.UNKNOWN, rule.at)
        return None


_PASSING = frozenset(
    (
        "LOG",
        "NFLOG",
        "ULOG",
        "MARK",
        "CONNMARK",
        "SECMARK",
        "CONNSECMARK",
        "TCPMSS",
        "TOS",
        "DSCP",
        "TTL",
        "CT",
        "NOTRACK",
        "AUDIT",
        "TRACE",
        "CLASSIFY",
        "CHECKSUM",
        "SET",
        "TCPOPTSTRIP",
        "RATEEST",
        "HL",
        "LED",
    )
)
"""Targets after which the packet goes on to the next rule."""


def _fits(match: tuple[bool, str, tuple[str, ...]], packet: Packet) -> Truth:
    inverted, option, values = match
    if option in ("-m", "--match", "--comment", "--socket-exists"):
        return True
    answer = _option(option, ",".join(values), packet)
    return negated(answer) if inverted else answer


def _option(option: str, value: str, packet: Packet) -> Truth:
    """Whether one option fits; ``None`` for those that cannot be judged from here."""
    items = value.split(",")
    kind = next((kind for kind, options in _OPTIONS.items() if option in options), "")
    match kind:
        case "address":
            return any_of(within(packet.target, item) for item in items)
        case "source":
            return any_of(source_within(packet, item) for item in items)
        case "port":
            return any_of(port_within(packet.port, item) for item in items)
        case "owner":
            return user_within(packet.uid, value)
        case "word":
            return any(item in _FITTING[option] for item in items)
    return _special(option, value, packet)


_OPTIONS = {
    "address": ("-d", "--destination", "--dst-range"),
    "source": ("-s", "--source", "--src-range"),
    "port": ("--dport", "--dports", "--destination-port", "--destination-ports", "--ports"),
    "owner": ("--uid-owner", "--gid-owner"),
    "word": ("-p", "--protocol", "--ctstate", "--state", "--mark", "--ctmark", "--dst-type"),
}
_PROTOCOLS = ("tcp", "6", "all", "0", "ip")
_UNMARKED = ("0", "0x0", "0x0/0xffffffff")
_FITTING = {
    "-p": _PROTOCOLS,
    "--protocol": _PROTOCOLS,
    "--ctstate": ("NEW",),
    "--state": ("NEW",),
    "--mark": _UNMARKED,
    "--ctmark": _UNMARKED,
    "--dst-type": ("UNICAST",),
}


def _special(option: str, value: str, packet: Packet) -> Truth:
    match option:
        case "-o" | "--out-interface":
            return _device(value, packet)
        case "-i" | "--in-interface":
            return False  # what the host itself sends came in nowhere
        case "--sport" | "--sports":
            return True if value == "1024:65535" else None
        case "--syn":
            return True
        case "--tcp-flags":
            return _syn(value)
    return None


def _device(value: str, packet: Packet) -> Truth:
    if packet.device is None:
        return packet.target.is_loopback if value == "lo" else None
    return packet.device.startswith(value[:-1]) if value.endswith("+") else packet.device == value


def _syn(value: str) -> Truth:
    """``--tcp-flags MASK COMP``; only the SYN of the first packet is set."""
    flags = value.split(",")
    every = ("FIN", "SYN", "RST", "PSH", "ACK", "URG")
    # The mask and what it must be stand in one list here: where SYN alone repeats, SYN alone is asked for.
    return True if flags.count("SYN") == 2 and all(flags.count(f) < 2 for f in every if f != "SYN") else None
