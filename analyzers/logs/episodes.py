"""From entries to a story: what failed since when, what is over, when the agent last provably worked.

The log is folded in one pass. A failure stays *current* until what it failed at (its *area*: a target, or
an action that was refused) proves to work; then it is *history*. A start proves nothing: an agent that
fails to start is started again every 90 seconds. Failures that follow within two seconds of another are its
consequences."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from analyzers.logs.grammar import parse_entry, text_of
from analyzers.logs.model import AgentStart, Kind, LogEvent, ProxyBlock, Sighting, StateChange
from analyzers.logs.retry import go_duration
from analyzers.logs.scan import Batch, Record
from analyzers.logs.signatures import Meaning, Signatures
from analyzers.logs.sources import HostClock

_CYCLE = 2.0
_SAMPLES = 3
_KEPT_VALUES = 16
_KEPT_STARTS = 100
_KEPT_STATES = 400
_STALE_POLL = 3600.0
"""Seconds: a failing poll of ec2messages fails again within a quarter of an hour."""


@dataclass(frozen=True, slots=True)
class Placed:
    """An entry and where it stands."""

    when: float
    entry: bytes
    file: str
    line: int | None


@dataclass(slots=True)
class Tally:
    """What has been seen of one meaning."""

    meaning: Meaning
    count: int
    leads: int
    first: Placed
    samples: list[Placed]
    last: Placed
    since_start: int = 0
    """Number of the agent start in which it was seen last."""
    clean_pings: int = 0

    def add(self, later: Tally) -> None:
        self.count += later.count
        self.leads += later.leads
        self.samples = (self.samples + later.samples)[:_SAMPLES]
        self.last = later.last
        self.since_start = later.since_start


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
    states: deque[tuple[str, str, Placed]] = field(default_factory=lambda: deque(maxlen=_KEPT_STATES))
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
    _pending: dict[Meaning, tuple[Batch, Record, str, bool]] = field(default_factory=dict)

    # -- feeding -------------------------------------------------------------------------------------------

    def feed(self, batch: Batch, record: Record, file: str, *, counted_lines: bool = True) -> None:
        """Take one entry in."""
        meaning = record[1]
        tally = self.current.get(meaning)
        if tally is None:
            placed = self._place(batch, record, file, counted_lines)
            tally = self.current[meaning] = Tally(meaning, 0, 0, placed, [], placed)
        tally.count += 1
        kind = meaning.kind
        if tally.count <= _SAMPLES:
            tally.last = self._place(batch, record, file, counted_lines)
            tally.samples.append(tally.last)
        else:
            self._pending[meaning] = (batch, record, file, counted_lines)
        if kind is Kind.FAILURE or kind is Kind.SYMPTOM:
            tally.since_start = self.start_count
            tally.clean_pings = 0
            if not 0 <= record[0] - self._cycle < _CYCLE:
                tally.leads += 1
                self._cycle = record[0]
            if meaning.state is None and meaning.signature.id not in _TOLD:
                return
        self._tell(meaning, batch, record, file, counted_lines)

    def settle(self) -> None:
        """Take what must be kept out of the batches seen so far, so that they can be forgotten."""
        for meaning, (batch, record, file, counted) in self._pending.items():
            tally = self.current.get(meaning) or self.history.get(meaning)
            if tally is not None:
                tally.last = self._place(batch, record, file, counted)
        self._pending.clear()

    @staticmethod
    def _place(batch: Batch, record: Record, file: str, counted_lines: bool) -> Placed:
        begin, end = record[2:]
        line = batch.line_at(begin) if counted_lines else None
        return Placed(record[0], batch.entry(begin, end).lstrip(b"\n"), file, line)

    def _tell(self, meaning: Meaning, batch: Batch, record: Record, file: str, counted: bool) -> None:
        """What an entry changes."""
        signature = meaning.signature
        kind, state = meaning.kind, meaning.state
        special = _TOLD.get(signature.id)
        if kind is Kind.NOISE and state is None:
            return
        placed = self._place(batch, record, file, counted)
        if special:
            values = dict(self.signatures.captures(meaning, parse_entry(text_of(placed.entry)).body))
            getattr(self, special)(placed, values)
        if state:
            self._state(state, meaning, placed)
        if signature.proves:
            self._recover(signature.proves)
        if kind is Kind.GOOD:
            self.good = (meaning, placed)
            if "ssmmessages" in signature.proves or "ssm:UpdateInstanceInformation" in signature.proves:
                self.hibernating = False
                self._recover_host()

    def _state(self, state: tuple[str, str], meaning: Meaning, placed: Placed) -> None:
        aspect, value = state
        if value.startswith("{"):
            value = dict(self.signatures.captures(meaning, parse_entry(text_of(placed.entry)).body)).get(
                "value", ""
            )
        if not self.states or self.states[-1][:2] != (aspect, value):
            self.states.append((aspect, value, placed))
        if aspect == "channel" and value != "mds-paused":
            self.channel = {"open": "ssmmessages"}.get(value, value)
        elif aspect == "identity":
            self.hybrid = value == "OnPrem"
        elif aspect == "hibernation":
            self.hibernating = True
        elif aspect == "process" and self.starts:
            self.starts[-1].outcome = "stopped"

    # -- what is over --------------------------------------------------------------------------------------

    def _recover(self, proves: tuple[str, ...]) -> None:
        for meaning, tally in list(self.current.items()):
            if meaning.area in proves and tally.meaning.kind in (Kind.FAILURE, Kind.SYMPTOM):
                self._retire(meaning)

    def _recover_host(self) -> None:
        """What failed on the host before this start and not since is over, once the agent works."""
        for meaning, tally in list(self.current.items()):
            if meaning.area == "host" and tally.since_start < self.start_count:
                self._retire(meaning)

    def _retire(self, meaning: Meaning) -> None:
        pending = self._pending.pop(meaning, None)
        tally = self.current.pop(meaning)
        if pending:
            tally.last = self._place(*pending)
        older = self.history.get(meaning)
        if older:
            older.add(tally)
        else:
            self.history[meaning] = tally

    def _health_report(self, placed: Placed, _values: dict[str, str]) -> None:
        """A health ping whose failure the service answers is always logged: two clean ones prove it over."""
        for meaning, tally in list(self.current.items()):
            if (
                meaning.operation is not None
                and meaning.operation.id == "health.ping"
                and meaning.leg == "service"
            ):
                tally.clean_pings += 1
                if tally.clean_pings > 2:
                    self._retire(meaning)

    def close(self, newest: float) -> None:
        """The end of the logs, whose newest entry is of that time."""
        self.settle()
        for meaning, tally in list(self.current.items()):
            if (
                meaning.area.startswith("ec2messages")
                and newest - tally.last.when > _STALE_POLL
                and self._polling()
            ):
                self._retire(meaning)

    def _polling(self) -> bool:
        return self.channel is not None and not self.hibernating

    # -- what single entries tell --------------------------------------------------------------------------

    def _starts_anew(self, placed: Placed, _values: dict[str, str]) -> None:
        if self.starts and not self.starts[-1].outcome:
            self.starts[-1].outcome = "ended"
        self.starts.append(_Start(placed))
        self.start_count += 1
        self.channel = None
        self.hibernating = False
        self.announced = None
        self.proxy, self.proxy_at = {}, placed

    def _tells_version(self, placed: Placed, values: dict[str, str]) -> None:
        version = values.get("version")
        if not self.starts or self.starts[-1].version or self.starts[-1].outcome:
            proxy, proxy_at = self.proxy, self.proxy_at
            self._starts_anew(placed, values)
            self.proxy, self.proxy_at = proxy, proxy_at
        self.starts[-1].version = version
        self._saw_version(version)

    def _saw_version(self, version: str | None) -> None:
        if version and len(self.versions) < 64:
            self.versions.pop(version, None)
            self.versions[version] = None

    def _tells_running(self, _placed: Placed, values: dict[str, str]) -> None:
        self._saw_version(values.get("version"))
        if self.starts and not self.starts[-1].version:
            self.starts[-1].version = values.get("version")

    def _tells_proxy(self, _placed: Placed, values: dict[str, str]) -> None:
        name = values.get("variable", "").lower()
        if name and self.proxy_at is not None:
            self.proxy[name] = values.get("value", "")

    def _tells_instance(self, _placed: Placed, values: dict[str, str]) -> None:
        self.identity = values.get("instance", self.identity)

    def _start_fails(self, _placed: Placed, _values: dict[str, str]) -> None:
        if self.starts:
            self.starts[-1].outcome = "failed"

    def _announces(self, placed: Placed, values: dict[str, str]) -> None:
        delay = None
        try:
            if "delay" in values:
                delay = go_duration(values["delay"])
            elif "minutes" in values:
                delay = timedelta(minutes=float(values["minutes"]))
            elif "seconds" in values:
                delay = timedelta(
                    seconds=float(values["seconds"]) * (60 if values.get("unit") == "minutes" else 1)
                )
        except (ValueError, OverflowError):
            return
        if delay is not None:
            self.announced = (placed, delay)

    # -- asking --------------------------------------------------------------------------------------------

    def event(self, placed: Placed) -> LogEvent:
        text = text_of(placed.entry)
        entry = parse_entry(text)
        time = self.clock.aware(entry.time) if entry.time else None
        return LogEvent(
            time, entry.level, entry.context, entry.message, placed.file, placed.line, text, entry.func
        )

    def time_of(self, placed: Placed) -> datetime | None:
        entry = parse_entry(text_of(placed.entry)).time
        return self.clock.aware(entry) if entry else None

    def sighting(self, tally: Tally) -> Sighting:
        meaning, signature, operation = tally.meaning, tally.meaning.signature, tally.meaning.operation
        samples = tuple(self.event(sample) for sample in tally.samples)
        last = self.event(tally.last)
        leg = str(meaning.leg or "")
        return Sighting(
            signature=signature.id,
            kind=meaning.kind,
            means=signature.means,
            count=tally.count,
            first=samples[0] if samples else last,
            last=last,
            samples=samples,
            operation=operation.id if operation else "",
            leg=meaning.leg,
            target=meaning.target,
            supports=signature.supports.get(leg, ()) + signature.supports.get("", ()),
            excludes=signature.excludes.get(leg, ()) + signature.excludes.get("", ()),
            scope=signature.scope,
            vague=signature.vague or (operation is signature),
            proves=signature.proves,
            captures=self._captures(tally),
            leads=tally.leads,
        )

    def _captures(self, tally: Tally) -> dict[str, tuple[str, ...]]:
        found: dict[str, dict[str, None]] = {}
        for placed in (*tally.samples, tally.last):
            body = parse_entry(text_of(placed.entry)).body
            for name, value in self.signatures.captures(tally.meaning, body):
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
                both = Tally(
                    meaning, old.count, old.leads, old.first, list(old.samples), old.last, old.since_start
                )
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
        return tuple(StateChange(aspect, value, self.event(placed)) for aspect, value, placed in self.states)

    def proxy_block(self) -> ProxyBlock | None:
        if self.proxy_at is None:
            return None
        values = [self.proxy.get(name) for name in ("http_proxy", "https_proxy", "no_proxy")]
        return ProxyBlock(values[0], values[1], values[2], self.event(self.proxy_at))


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


def local_time(when: float) -> datetime:
    """Seconds of local time as a naive time."""
    return datetime.fromtimestamp(when, UTC).replace(tzinfo=None)
