"""``nft list ruleset``: what the output hooks do to a packet (nft(8))."""

from __future__ import annotations

import re
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

MAX_DEPTH = 16
MAX_STEPS = 20_000
_PRIORITIES = {"raw": -300, "mangle": -150, "dstnat": -100, "filter": 0, "security": 50, "srcnat": 100}


@dataclass(slots=True)
class Chain:
    table: str
    """``ip filter``."""
    name: str
    hook: str = ""
    priority: int = 0
    policy: str = "accept"
    at: Line | None = None
    """The line with its policy."""
    rules: list[tuple[Line, list[str]]] = field(default_factory=list)


@dataclass(slots=True)
class Table:
    family: str
    name: str
    managed: bool = False
    """By iptables-nft: iptables-save shows the same rules, and better."""
    chains: dict[str, Chain] = field(default_factory=dict)
    sets: dict[str, list[str]] = field(default_factory=dict)


_TOKEN = re.compile(r'"[^"]*"?|[{},;]|[^\s{},;"]+')
_BASE = re.compile(
    r"type \w+ hook (?P<hook>\w+)(?: device \S+)? "
    r"priority (?P<priority>[a-z]*) ?(?P<offset>[+-]? ?[0-9]{0,6});"
    r"(?: policy (?P<policy>\w+);)?"
)


def parse_nft(output: bytes, source: str = "probes/nft") -> list[Table]:
    """Tables, chains, rules and plain sets.  A line ends a rule, except within braces."""
    tables: list[Table] = []
    managed: set[str] = set()
    chain: Chain | None = None
    elements: list[str] | None = None
    for line in lines_of(output, source):
        text = line.text.strip()
        warning = re.match(r"# Warning: table (\S+ \S+) is managed by iptables-nft", text)
        head = re.fullmatch(r"(table|chain|set|map) (?:(\w+) )?(\S+) \{(?: # handle \d+)?", text)
        if warning:
            managed.add(warning[1])
        elif head and head[1] == "table":
            tables.append(Table(head[2] or "ip", head[3]))
            chain, elements = None, None
        elif head and tables and head[1] == "chain":
            chain = tables[-1].chains.setdefault(
                head[3], Chain(f"{tables[-1].family} {tables[-1].name}", head[3])
            )
            elements = None
        elif head and tables:
            chain, elements = None, tables[-1].sets.setdefault(head[3], [])
        elif text == "}":
            chain, elements = None, None
        elif chain is not None:
            _line_of_chain(chain, line, text)
        elif elements is not None:
            elements += re.findall(
                r"[0-9A-Fa-f.:/-]{1,60}", text.partition("elements =")[2] or _continued(text)
            )
    for table in tables:
        table.managed = f"{table.family} {table.name}" in managed
    return tables


def _continued(text: str) -> str:
    """A further line of a set's elements: nothing but values."""
    return text if re.fullmatch(r"[0-9A-Fa-f.:/,\s}-]+", text) else ""


def _line_of_chain(chain: Chain, line: Line, text: str) -> None:
    base = _BASE.match(text)
    if base is None:
        chain.rules.append((line, _TOKEN.findall(text)))
        return
    offset = base["offset"].replace(" ", "")
    chain.hook, chain.at = base["hook"], line
    chain.priority = _PRIORITIES.get(base["priority"], 0) + (int(offset) if re.search(r"\d", offset) else 0)
    chain.policy = base["policy"] or "accept"


def judge_nft(tables: list[Table], packet: Packet) -> Iterator[Judgement]:
    """What each base chain of the output and postrouting hooks does, in order of priority."""
    families = ("inet", "ip" if packet.target.version == 4 else "ip6")
    for hook in ("output", "postrouting"):
        found = [
            (chain, table)
            for table in tables
            if table.family in families
            for chain in table.chains.values()
            if chain.hook == hook
        ]
        for chain, table in sorted(found, key=lambda pair: pair[0].priority):
            yield _Walk(table, packet).judge(chain)


@dataclass(slots=True)
class _Walk:
    """One packet's way through one base chain."""

    table: Table
    packet: Packet
    doubts: Doubts = field(default_factory=Doubts)
    steps: int = 0

    def judge(self, chain: Chain) -> Judgement:
        found = self._chain(chain, 0)
        if found is None and chain.policy == "drop":
            found = Judgement(Fate.DROP, chain.at, f"{chain.table} {chain.name}")
        return self.doubts.settle(found or PASSED)

    def _chain(self, chain: Chain, depth: int) -> Judgement | None:
        for line, tokens in chain.rules:
            self.steps += 1
            if self.steps > MAX_STEPS or depth > MAX_DEPTH:
                self.doubts.add(Fate.UNKNOWN, line)
                return None
            fits, verdict, rest = _Rule(self.table, self.packet, list(reversed(tokens))).read()
            if fits is False or not verdict:
                continue
            if verdict == "return":
                if fits:
                    return None
                self.doubts.add(Fate.UNKNOWN, line)
                continue
            end = self._verdict(verdict, rest, line, chain, depth)
            if fits is None:
                if end is not None:
                    self.doubts.add(end.fate, line)
            elif end is not None or verdict == "goto":
                return end
        return None

    def _verdict(
        self, verdict: str, rest: list[str], line: Line, chain: Chain, depth: int
    ) -> Judgement | None:
        where = f"{chain.table} {chain.name}"
        if verdict in ("jump", "goto"):
            called = self.table.chains.get(rest[0]) if rest else None
            return self._chain(called, depth + 1) if called is not None else None
        if verdict in ("accept", "masquerade", "snat"):
            return Judgement(Fate.PASS, line, where)
        if verdict in ("drop", "reject"):
            return Judgement(Fate(verdict), line, where)
        if verdict in ("dnat", "redirect"):
            target = next((word for word in rest if word not in ("to", "ip", "ip6")), "")
            return Judgement(Fate.REDIRECT, line, where, target)
        self.doubts.add(Fate.UNKNOWN, line)
        return None


_VERDICTS = frozenset(
    (
        "accept",
        "drop",
        "reject",
        "return",
        "jump",
        "goto",
        "dnat",
        "redirect",
        "snat",
        "masquerade",
        "queue",
        "xt",
        "vmap",
    )
)


_FITTING = {
    "meta l4proto": ("tcp", "6"),
    "ip protocol": ("tcp", "6"),
    "ip6 nexthdr": ("tcp", "6"),
    "ct state": ("new",),
    "fib daddr type": ("unicast",),
}
"""Selectors of words, and the words that fit the first packet of a TCP connection."""


@dataclass(slots=True)
class _Rule:
    """Reads one rule word by word: ``words`` is a stack, the next word last."""

    table: Table
    packet: Packet
    words: list[str]

    def read(self) -> tuple[Truth, str, list[str]]:
        """Whether the rule fits, its verdict, and what follows the verdict."""
        answers: list[Truth] = []
        while self.words:
            word = self.words.pop()
            if word in _VERDICTS:
                return all_of(answers), word, list(reversed(self.words))
            if word == "continue":
                return False, "", []
            answer = self._statement(word)
            answers.append(answer)
            if answer is None:
                # What was not understood has words of its own: go on at the verdict.
                while self.words and self.words[-1] not in _VERDICTS:
                    self.words.pop()
        return all_of(answers), "", []

    def _statement(self, word: str) -> Truth:
        if word in ("counter", "log", "comment", "#"):
            self._skip(word)
            return True
        if word in ("meta", "th", "ct", "ip", "ip6", "tcp", "udp", "fib", "icmp", "icmpv6"):
            word = f"{word} {self._next()}"
        if word in ("fib daddr",):
            word = f"{word} {self._next()}"
        values, inverted = self._values()
        answer = self._selector(word, values)
        return negated(answer) if inverted else answer

    def _skip(self, word: str) -> None:
        """What counts or tells, and never decides."""
        if word == "counter":
            while self.words and self.words[-1] in ("packets", "bytes"):
                self.words.pop()
                self._next()
        elif word == "log":
            while self.words and self.words[-1] in ("prefix", "level", "group", "flags", "snaplen"):
                self.words.pop()
                self._next()
        elif word == "comment":
            self._next()
        else:
            self.words.clear()

    def _next(self) -> str:
        return self.words.pop() if self.words else ""

    def _values(self) -> tuple[list[str], bool]:
        """``443``, ``{ 80, 443 }``, ``@set`` or ``a,b``, with ``!=`` before it."""
        inverted = False
        first = self._next()
        if first in ("!=", "=="):
            inverted = first == "!="
            first = self._next()
        if first.startswith("@"):
            return self.table.sets.get(first[1:], ["?"]), inverted
        values = [first]
        if first == "{":
            values = []
            while self.words and (word := self.words.pop()) != "}":
                if word != ",":
                    values.append(word)
        while self.words and self.words[-1] == ",":
            self.words.pop()
            values.append(self._next())
        return [value.strip('"') for value in values], inverted

    def _selector(self, name: str, values: list[str]) -> Truth:
        packet, version = self.packet, self.packet.target.version
        this, other = ("ip", "ip6") if version == 4 else ("ip6", "ip")
        if name in (f"{this} daddr", f"{this} saddr"):
            if name.endswith("saddr"):
                return any_of(source_within(packet, value) for value in values)
            return any_of(within(packet.target, value) for value in values)
        if name.split()[0] in (other, "udp", "icmp", "icmpv6"):
            return False  # of another protocol than this packet's
        if name in ("tcp dport", "th dport"):
            return any_of(port_within(packet.port, value) for value in values)
        if name.endswith(("skuid", "skgid")):
            return any_of(user_within(packet.uid, value) for value in values)
        if name.endswith(("oif", "oifname")):
            return any_of(self._device(value) for value in values)
        if name.endswith(("iif", "iifname")):
            return False  # what the host itself sends came in nowhere
        if name == "meta nfproto":
            return f"ipv{version}" in values
        fitting = _FITTING.get(name)
        return None if fitting is None else any(value in fitting for value in values)

    def _device(self, value: str) -> Truth:
        if self.packet.device is None:
            return self.packet.target.is_loopback if value == "lo" else None
        if value.endswith("*"):
            return self.packet.device.startswith(value[:-1])
        return self.packet.device == value
