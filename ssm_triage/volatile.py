"""What differs between two looks at a host without meaning anything: masked, so that the rest shows.

Times, process ids, durations and counters always; what makes a host that host (its name, ids and own
addresses) only where two hosts are compared: on one and the same host, a changed instance id is the story.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from collector.evidence import Evidence
from collector.evidence.records import parse_records

_KEYS = re.compile(
    r"(?m)^(utc|epoch|boot|uptime|date|ms|connect_s|total_s|modified|installed|MainPID|ExecMainPID|used|"
    r"file_nr|root_watches|root_instances|\w+Timestamp\w*)=\S.*$"
)
_COUNTERS = re.compile(r"(?m)^(NRestarts)=([1-9]\d*)$")
_DAY = "(Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_MONTH = "(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_CLOCK = r"\d\d:\d\d:\d\d"
_COMMON = (
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?([.,]\d+)?( ?(Z|UTC|[+-]\d\d:?\d\d))?"), "(time)"),
    (re.compile(rf"\b{_DAY},? +(\w{{3}} +\d+|\d+ \w{{3}} \d{{4}}) {_CLOCK}( GMT)?( \d{{4}})?"), "(time)"),
    (re.compile(rf"\b{_MONTH} +\d{{1,2}} +(\d\d:\d\d(:\d\d)?|\d{{4}})\b"), "(time)"),
    (re.compile(r"\bpid[ =]\d+"), "pid (n)"),
    (re.compile(r"\b\d+(\.\d+)? ?(ms|milliseconds)\b"), "(duration)"),
    (re.compile(r"\b(valid_lft|preferred_lft|expires|age) \d+(sec)?\b"), r"\1 (n)"),
    (re.compile(r"\[\d+:\d+\]"), "[n:n]"),
    (re.compile(r"\bcounter packets \d+ bytes \d+"), "counter"),
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "(uuid)"),
)  # fmt: skip
_USED = (re.compile(r" +\d+ +\d+ +(\d+%)"), r" (n) \1")
_LISTED = (re.compile(r"(?m)^([-dlrwxsStT]{10}\S* +\d+ +\S+ +\S+ +)\d+ |^total \d+$"), r"\1(size) ")
_OF_A_PROBE = {
    "processes": ((re.compile(r"(?m)^(\S+) +\d+ +(\d+) "), r"\1 (pid) (pid) "),),
    "sockets": (
        (re.compile(r"(\d)(:\d{4,5})\b"), r"\1:(port)"),
        (re.compile(r",fd=\d+"), ""),
        (re.compile(r"(?m)^(\S+ +)\d+ +\d+ "), r"\1"),
    ),
    "neighbours": ((re.compile(r"\b(REACHABLE|STALE|DELAY|PROBE)\b"), "(reachable)"),),
    "disk-space": ((re.compile(r" +\d+ +\d+ +(?:\d|[1-8]\d)%"), " (below 90%)"), _USED),
    "disk-inodes": ((re.compile(r" +\d+ +\d+ +(?:\d|[1-8]\d)%"), " (below 90%)"), _USED),
    "agent-files": (_LISTED,),
    "update": (_LISTED,),
}
_HEAD = re.compile(r"\[(.+)\]|# (\S.*)")
_UNORDERED = frozenset({"sockets", "processes", "neighbours"})
IGNORED = frozenset({"clock", "memory", "journal"})
"""Probes that never say the same twice."""
RETOLD = frozenset({"ssm-cli"})
"""Probes whose answer the diagnosis repeats, row by row."""


def masked(probe: str, text: str, own: Own | None = None) -> list[str]:
    """The lines of a probe's output, with what is volatile replaced by what it is."""
    text = _KEYS.sub(r"\1=(n)", text)
    text = _COUNTERS.sub(r"\1=(some)", text)
    for pattern, name in (*_COMMON, *_OF_A_PROBE.get(probe, ())):
        text = pattern.sub(name, text)
    if own is not None:
        text = own.mask(text)
    lines = list(_in_place(re.sub(r"\s+", " ", line).strip() for line in text.splitlines()))
    return sorted(set(lines)) if probe in _UNORDERED else lines


def _in_place(lines: Iterable[str]) -> Iterator[str]:
    """Each line of a record or a section behind its name: ``[token] http=200``."""
    place = ""
    for line in lines:
        if head := _HEAD.fullmatch(line):
            place = f"[{head[1] or head[2]}] "
        elif line:
            yield place + line


class Own:
    """What makes a host that host, by its value: each is replaced by what it is of this host."""

    def __init__(self, names: dict[str, str]) -> None:
        self._names = names
        longest_first = sorted(map(re.escape, names), key=len, reverse=True)
        self._pattern = re.compile(rf"(?<![\w.])(?<!\w-)(?:{'|'.join(longest_first)})(?![\w]|[.-]\w)")

    def mask(self, text: str) -> str:
        """``text`` with this host's own values masked."""
        return self._pattern.sub(lambda found: self._names[found[0]], text) if self._names else text


def own_values(evidence: Evidence) -> Own:
    """The values of one host: its names, ids, addresses and hardware addresses."""
    subject = evidence.manifest.subject
    names = {subject.name: "(this host)", subject.address: "(own address)"}
    names |= dict.fromkeys(_text(evidence, "hostname").split()[:1], "(this host)")
    names |= dict.fromkeys(_found(r"\bm?i-[0-9a-f]{8,17}\b", _identity(evidence)), "(own id)")
    addresses = _text(evidence, "addresses")
    names |= dict.fromkeys(_found(r"(?<=link/ether )\S+", addresses), "(own mac)")
    own = _found(r"(?<=inet )(?!127\.)[\d.]+|(?<=inet6 )(?!::1/)[\da-f:]+", addresses)
    names |= dict.fromkeys(own, "(own address)")
    return Own({name: shown for name, shown in names.items() if len(name) > 1})


def _identity(evidence: Evidence) -> str:
    """Where a host says who it is."""
    bodies = [
        record.body
        for record in parse_records(evidence.probe("imds").output)
        if record.name in ("instance-id", "v1", "document")
    ]
    told = [evidence.manifest.subject.instance_id or "", _text(evidence, "registration")]
    return "\n".join(
        (*bodies, *told, *(_text(evidence, probe) for probe in ("virtualization", "identity-config")))
    )


def _found(pattern: str, text: str) -> Iterable[str]:
    return dict.fromkeys(found.group() for found in re.finditer(pattern, text))


def _text(evidence: Evidence, probe: str) -> str:
    return evidence.probe(probe).output.decode("utf-8", "replace")
