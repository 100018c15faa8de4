"""From entries to a story: what failed since when, what is over, when the agent last provably worked.

The log is folded in one pass. A failure stays *current* until what it failed at (its *area*: a target, or
an action that was refused) proves to work; then it is *history*. A start proves nothing: an agent that
fails to start is started again every 90 seconds. Failures that follow within two seconds of another are its
consequences."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from analyzers.logs.grammar import NO_TIME, Entry, parse_entry, text_of
from analyzers.logs.model import AgentStart, Kind, Leg, LogEvent, ProxyBlock, Sighting, StateChange
from analyzers.logs.retry import go_duration
from analyzers.logs.scan import Batch, Record
from analyzers.logs.signatures import Meaning, Signature, Signatures
from analyzers.logs.sources import HostClock

_CYCLE = 2.0
_SAMPLES = 3
_KEPT_VALUES = 16
_KEPT_STARTS = 100
_KEPT_STATES = 400
_LONGEST_MARK = 400
_STALE_POLL = 3600.0
"""Seconds: a failing poll of ec2messages fails again within a quarter of an hour."""


@dataclass(frozen=True, slots=True)
class Placed:
    """An entry and where it stands."""

    when: float
    entry: bytes
    file: str
    line: int | None


Here = tuple[Batch, Record, str, bool]
"""An entry that has not been cut out of its batch yet; its file, and whether that file's lines were
counted."""


def _place(here: Here | Placed) -> Placed:
    if isinstance(here, Placed):
        return here
    batch, (when, _, begin, _, _), file, counted = here
    return Placed(when, _entry(here), file, batch.line_at(begin) if counted else None)


def _entry(here: Here) -> bytes:
    batch, (_, _, begin, end, _), _, _ = here
    return batch.entry(begin, end).lstrip(b"\n")


@dataclass(slots=True, eq=False)
class Tally:
    """What has been seen of one meaning."""

    meaning: Meaning
    samples: list[Here | Placed]
    """The first few."""
    last: Here | Placed
    count: int = 0
    leads: int = 0
    since_start: int = 0
    """Number of the agent start in which it was seen last."""
    clean_pings: int = 0
    speaks: bool = False
    """Whether its entries tell of more than themselves: a state, a proof, something that the story hears."""

    def add(self, later: Tally) -> None:
        self.count += later.count
        self.leads += later.leads
        if len(self.samples) < _SAMPLES:
            self.samples = (self.samples + later.samples)[:_SAMPLES]
        self.last = later.last
        self.since_start = later.since_start

    def settle(self) -> None:
        """Cut what is kept out of its batch."""
        if not isinstance(self.last, Placed):
            only = self.samples[-1] is self.last
            self.samples = [_place(sample) for sample in self.samples]
            self.last = self.samples[-1] if only else _place(self.last)


@dataclass(slots=True)
class _Start:
    placed: Placed
    version: str | None = None
    outcome: str = ""


@dataclass(slots=True)
class Story:
    """The state of the fold; feed it records in order of time, then ask."""

    signatures: Signatures
    clock: HostClock
    current: dict[Meaning, Tally] = field(default_factory=dict)
    history: dict[Meaning, Tally] = field(default_factory=dict)
    starts: deque[_Start] = field(default_factory=lambda: deque(maxlen=_KEPT_STARTS))
    start_count: int = 0
    states: deque[tuple[str, str, Here | Placed]] = field(default_factory=lambda: deque(maxlen=_KEPT_STATES))
    versions: dict[str, None] = field(default_factory=dict)
    identity: str | None = None
    channel: str | None = None
    hybrid: bool = False
    hibernating: bool = False
    good: tuple[Meaning, Placed] | None = None
    announced: tuple[Placed, timedelta] | None = None
    proxy: dict[str, str] = field(default_factory=dict)
    proxy_at: Placed | None = None
    _cycle: float = float("-inf")
    _failing: defaultdict[str, set[Meaning]] = field(default_factory=lambda: defaultdict(set))
    """Of ``current``: the failures and symptoms, by area."""
    _stated: int = 0
    """Number of the agent start in which the last of ``states`` was told."""
    _late: dict[str, Here] = field(default_factory=dict)
    _good: Here | None = None

    # -- feeding -------------------------------------------------------------------------------------------

    def feed(self, batch: Batch, records: Iterable[Record], file: str, *, counted: bool = True) -> None:
        """Take in entries of one batch; ``counted`` says whether the lines of that file were counted."""
        tally_of = self.current.get
        for record in records:
            when, meaning, _, _, count = record
            here = (batch, record, file, counted)
            tally = tally_of(meaning) or self._begin(meaning, here)
            tally.count += count
            tally.last = here
            if meaning.fails:
                self._fails(tally, here, when)
            if tally.speaks:
                self._hear(meaning, here)

    def _begin(self, meaning: Meaning, here: Here) -> Tally:
        signature = meaning.signature
        speaks = bool(meaning.state or signature.proves or signature.id in _TOLD)
        tally = self.current[meaning] = Tally(meaning, [here], here, speaks=speaks)
        if meaning.fails:
            self._failing[meaning.area].add(meaning)
        return tally

    def _fails(self, tally: Tally, here: Here, when: float) -> None:
        tally.since_start = self.start_count
        tally.clean_pings = 0
        if 1 < tally.count <= _SAMPLES:
            tally.samples.append(here)
        if not 0 <= when - self._cycle < _CYCLE:
            tally.leads += 1
            self._cycle = when

    def _hear(self, meaning: Meaning, here: Here) -> None:
        """An entry that tells of more than itself."""
        if meaning.state is not None:
            self._state(meaning.state, here)
        told = _TOLD.get(meaning.signature.id)
        if told in _LATE:
            self._late[meaning.signature.id] = here
        elif told is not None:
            getattr(self, told)(here)
        if meaning.signature.proves:
            self._proves(meaning, here)

    def settle(self) -> None:
        """Take what must be kept out of the batch fed last, so that it can be forgotten."""
        for tally in (*self.current.values(), *self.history.values()):
            tally.settle()
        for index in range(len(self.states) - 1, -1, -1):
            aspect, value, told = self.states[index]
            if isinstance(told, Placed):
                break
            self.states[index] = (aspect, value, _place(told))
        if self._good:
            self.good = (self._good[1][1], _place(self._good))
            self._good = None
        self._flush()

    def _flush(self) -> None:
        """Hear those entries of which only the newest counts."""
        late, self._late = self._late, {}
        for name, here in late.items():
            getattr(self, _TOLD[name])(here)

    def _values(self, here: Here) -> dict[str, str]:
        return dict(self.signatures.captures(here[1][1], parse_entry(text_of(_entry(here))).body))

    def _proves(self, meaning: Meaning, here: Here) -> None:
        self._recover(meaning.signature.proves)
        if meaning.kind is Kind.GOOD:
            self._good = here
            if (
                "ssmmessages" in meaning.signature.proves
                or "ssm:UpdateInstanceInformation" in meaning.signature.proves
            ):
                self.hibernating = False
                self._recover_host()

    def _state(self, state: tuple[str, str], here: Here) -> None:
        aspect, value = state
        if value.startswith("{"):
            value = self._values(here).get("value", "")
        if self._stated < self.start_count or not self.states or self.states[-1][:2] != (aspect, value):
            self.states.append((aspect, value, here))
            self._stated = self.start_count
        if aspect == "channel":
            self.channel = _CHANNELS.get(value, self.channel)
        elif aspect == "identity":
            self.hybrid = value == "OnPrem"
        elif aspect == "hibernation":
            self.hibernating = True
        elif aspect == "process" and self.starts:
            self.starts[-1].outcome = "stopped"

    # -- what is over --------------------------------------------------------------------------------------

    def _recover(self, proves: tuple[str, ...]) -> None:
        for area in proves:
            for meaning in [*self._failing[area]]:
                self._retire(meaning)

    def _recover_host(self) -> None:
        """What failed on the host before this start and not since is over, once the agent works."""
        for meaning in [*self._failing["host"]]:
            if self.current[meaning].since_start < self.start_count:
                self._retire(meaning)

    def _retire(self, meaning: Meaning) -> None:
        self._failing[meaning.area].discard(meaning)
        tally = self.current.pop(meaning)
        older = self.history.get(meaning)
        if older:
            older.add(tally)
        else:
            self.history[meaning] = tally

    def _health_report(self, here: Here) -> None:
        """A health ping whose failure the service answers is always logged: two clean ones prove it over."""
        failing = (meaning for those in self._failing.values() for meaning in those)
        for meaning in [m for m in failing if m.operation and m.operation.id == "health.ping"]:
            if meaning.leg is Leg.SERVICE:
                self.current[meaning].clean_pings += here[1][4]
                if self.current[meaning].clean_pings > 2:
                    self._retire(meaning)

    def close(self, newest: float) -> None:
        """The end of the logs, whose newest entry is of that time."""
        self.settle()
        failing = (meaning for those in self._failing.values() for meaning in those)
        for meaning in [m for m in failing if m.area.startswith("ec2messages")]:
            if newest - _place(self.current[meaning].last).when > _STALE_POLL and self._polling():
                self._retire(meaning)

    def _polling(self) -> bool:
        return self.channel is not None and not self.hibernating

    # -- what single entries tell --------------------------------------------------------------------------

    def _starts_anew(self, here: Here) -> None:
        self._flush()
        if self.starts and not self.starts[-1].outcome:
            self.starts[-1].outcome = "ended"
        for meaning in [m for m in self.current if m.kind in _OF_ONE_RUN]:
            self._retire(meaning)
        self.starts.append(_Start(_place(here)))
        self.start_count += 1
        self.channel = None
        self.hibernating = False
        self.announced = None
        self.proxy, self.proxy_at = {}, _place(here)

    def _tells_version(self, here: Here) -> None:
        version = self._values(here).get("version")
        if not self.starts or self.starts[-1].version or self.starts[-1].outcome:
            proxy, proxy_at = self.proxy, self.proxy_at
            self._starts_anew(here)
            self.proxy, self.proxy_at = proxy, proxy_at
        self.starts[-1].version = version
        self._saw_version(version)

    def _saw_version(self, version: str | None) -> None:
        if version and len(self.versions) < _KEPT_VALUES:
            self.versions.pop(version, None)
            self.versions[version] = None

    def _tells_running(self, here: Here) -> None:
        version = self._values(here).get("version")
        self._saw_version(version)
        if self.starts and not self.starts[-1].version:
            self.starts[-1].version = version

    def _tells_proxy(self, here: Here) -> None:
        values = self._values(here)
        name = values.get("variable", "").lower()
        if name and self.proxy_at is not None:
            self.proxy[name] = values.get("value", "")

    def _tells_instance(self, here: Here) -> None:
        self.identity = self._values(here).get("instance", self.identity)

    def _start_fails(self, _here: Here) -> None:
        if self.starts:
            self.starts[-1].outcome = "failed"

    def _announces(self, here: Here) -> None:
        if delay := _delay(self._values(here)):
            self.announced = (_place(here), delay)

    # -- asking --------------------------------------------------------------------------------------------

    def event(self, placed: Placed) -> LogEvent:
        return self._read(placed)[1]

    def _read(self, placed: Placed) -> tuple[Entry, LogEvent]:
        text = text_of(placed.entry)
        entry = parse_entry(text)
        time = self.clock.aware(entry.time) if entry.time else None
        told = text.removeprefix(NO_TIME)
        return entry, LogEvent(
            time, entry.level, entry.context, entry.message, placed.file, placed.line, told, entry.func
        )

    def time_of(self, placed: Placed) -> datetime | None:
        entry = parse_entry(text_of(placed.entry)).time
        return self.clock.aware(entry) if entry else None

    def sighting(self, tally: Tally) -> Sighting:
        meaning, signature, operation = tally.meaning, tally.meaning.signature, tally.meaning.operation
        places = [_place(here) for here in (*tally.samples, tally.last)]
        read = {place: self._read(place) for place in dict.fromkeys(places)}
        *samples, last = [read[place][1] for place in places]
        leg = str(meaning.leg or "")
        return Sighting(
            signature=signature.id,
            kind=meaning.kind,
            means=signature.means,
            count=tally.count,
            first=samples[0],
            last=last,
            samples=tuple(samples),
            operation=operation.id if operation else "",
            leg=meaning.leg,
            target=meaning.target,
            supports=_on(signature.supports, leg),
            excludes=_on(signature.excludes, leg),
            scope=signature.scope,
            vague=signature.vague or (operation is signature),
            proves=signature.proves,
            captures=self._captures(meaning, [entry.body for entry, _ in read.values()]),
            leads=tally.leads,
            mark=_mark(signature, read[places[-1]][0].body),
        )

    def _captures(self, meaning: Meaning, bodies: Iterable[str]) -> dict[str, tuple[str, ...]]:
        found: dict[str, dict[str, None]] = {}
        for body in bodies:
            for name, value in self.signatures.captures(meaning, body):
                values = found.setdefault(name, {})
                if len(values) < _KEPT_VALUES or value in values:
                    values.pop(value, None)
                    values[value] = None
        return {name: tuple(values) for name, values in found.items()}

    def merged(self) -> Iterator[Tally]:
        """Every meaning once, history and present together."""
        for meaning in {**self.history, **self.current}:
            old, new = self.history.get(meaning), self.current.get(meaning)
            if old and new:
                both = Tally(meaning, list(old.samples), old.last, old.count, old.leads, old.since_start)
                both.add(new)
                yield both
            elif one := old or new:
                yield one

    def agent_starts(self) -> tuple[AgentStart, ...]:
        newest = self.starts[-1] if self.starts else None
        return tuple(
            AgentStart(
                self.time_of(start.placed),
                start.version,
                self.event(start.placed),
                start.outcome or ("running" if start is newest else ""),
            )
            for start in self.starts
        )

    def state_changes(self) -> tuple[StateChange, ...]:
        return tuple(StateChange(aspect, value, self.event(_place(at))) for aspect, value, at in self.states)

    def proxy_block(self) -> ProxyBlock | None:
        if self.proxy_at is None:
            return None
        values = [self.proxy.get(name) for name in ("http_proxy", "https_proxy", "no_proxy")]
        return ProxyBlock(values[0], values[1], values[2], self.event(self.proxy_at))


_CHANNELS = {
    "open": "ssmmessages",
    "ssmmessages": "ssmmessages",
    "ec2messages": "ec2messages",
    "lost": "lost",
}
_OF_ONE_RUN = (Kind.GOOD, Kind.STATE, Kind.STOP, Kind.RETRY, Kind.NOISE)
_TOLD = {
    "start.proxy-block": "_starts_anew",
    "start.core": "_tells_version",
    "start.worker": "_tells_running",
    "start.running": "_tells_running",
    "start.proxy-value": "_tells_proxy",
    "start.failed": "_start_fails",
    "host.config-unreadable": "_start_fails",
    "host.ipc-folder": "_start_fails",
    "state.instance": "_tells_instance",
    "health.report": "_health_report",
    "retry.credentials": "_announces",
    "retry.registration": "_announces",
    "retry.hibernation": "_announces",
}
"""Signatures whose entries tell the story something of their own, and who listens."""


_LATE = frozenset({"_tells_running", "_tells_instance", "_announces"})
"""Listeners to whom only the newest word counts."""


def _delay(values: dict[str, str]) -> timedelta | None:
    try:
        if "delay" in values:
            return go_duration(values["delay"])
        if "minutes" in values:
            return timedelta(minutes=float(values["minutes"]))
        return timedelta(seconds=float(values["seconds"]) * (60 if values.get("unit") == "minutes" else 1))
    except (KeyError, ValueError, OverflowError):
        return None


def _mark(signature: Signature, body: str) -> str:
    """The part of an entry that its signature knows it by; of several lines, the first."""
    match = signature.search(body)
    return match[0].strip().split("\n")[0][:_LONGEST_MARK] if match else ""


def _on(slugs: Mapping[str, tuple[str, ...]], leg: str) -> tuple[str, ...]:
    """The causes that are named for a leg, and those for every leg."""
    return (slugs.get(leg, ()) if leg else ()) + slugs.get("", ())


def local_time(when: float) -> datetime:
    """Seconds of local time as a naive time."""
    return datetime.fromtimestamp(when, UTC).replace(tzinfo=None)
