"""What the agent's logs say: the values that the rules weigh.

Reading goes ``bytes -> entries -> classified entries -> sightings``. One *entry* is one thing that the
agent wrote, with its continuation lines. Entries that mean the same (same failure, in the same operation,
towards the same target) are one :class:`Sighting`; it keeps count, first, last and a few samples, so memory
does not grow with the log.

Times are as :class:`LogReading` says in ``utc_offset``: aware (UTC) where the host's zone is known, else
naive. Every text is the host's and hostile; passwords in proxy URLs are masked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from analyzers.diagnosis import Citation
from analyzers.text import Message


class Kind(StrEnum):
    """What an entry is to the story."""

    FAILURE = "failure"
    """Something went wrong, and the text says what.  Only these support causes."""
    SYMPTOM = "symptom"
    """The consequence of something else (``failed to assume any identity``, hibernation).  Never a cause."""
    GOOD = "good"
    """Proves that a part of the agent's way works (see ``Sighting.proves``)."""
    STATE = "state"
    """Where the agent stands: identity, registration, credentials, channel."""
    START = "start"
    STOP = "stop"
    RETRY = "retry"
    """The agent says when it tries again."""
    NOISE = "noise"
    """Looks like a failure and is harmless."""


class Leg(StrEnum):
    """The leg of the agent's way on which an operation failed; the same text means different things on
    each."""

    IMDS = "imds"
    """To the instance metadata service, directly."""
    IMDS_PROXY = "imds-proxy"
    """To the metadata service, but through a proxy: it never should."""
    ENDPOINT = "endpoint"
    """To an AWS endpoint, directly as far as the text shows (its name's resolution included)."""
    PROXY = "proxy"
    """To the proxy on the way to an endpoint (the proxy's name's resolution included)."""
    SERVICE = "service"
    """An AWS service answered, and the answer is the error."""
    HOST = "host"
    """On the host itself: disk, files, processes."""


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One entry of a log."""

    time: datetime | None
    """``None`` where the entry has none (console messages, a torn beginning)."""
    level: str
    """``ERROR`` ...; empty where the entry has none."""
    context: tuple[str, ...]
    """The bracketed parts before the message, outermost first: ``("ssm-agent-worker", "HealthCheck")``."""
    message: str
    """Without time, level and context, with its continuation lines; cut in the middle where it is huge."""
    file: str
    """Name in the agent's log folder, or the probe (``probes/journal``)."""
    line: int | None
    """Of its first line in ``file``, from 1; ``None`` where lines were not counted."""
    text: str = ""
    """The entry as found (cut likewise)."""
    func: str = ""
    """Of errors.log: ``minLog @ credentialrefresher.go.280``."""

    def cite(self, mark: str = "", note: Message | None = None) -> Citation:
        """This entry as a piece of evidence; ``mark`` is the part of it that matters."""
        source = self.file if self.file.startswith("probes/") else f"logs/{self.file}"
        return Citation(source, self.text, self.line, self.time, mark, note)


@dataclass(frozen=True, slots=True)
class Sighting:
    """Entries that mean the same, first to last."""

    signature: str
    """Id of the signature: of the failure where there is one (``net.dial-timeout``), else of the entry."""
    kind: Kind
    means: str
    """One English sentence from the signature."""
    count: int
    first: LogEvent
    last: LogEvent
    samples: tuple[LogEvent, ...] = ()
    """The first few, ``first`` included."""
    operation: str = ""
    """What the agent was doing: id of an operation (``imds.identity``, ``ssm.register``,
    ``mgs.control-channel``); empty where it cannot be told."""
    leg: Leg | None = None
    target: str = ""
    """What it spoke to: ``imds``, ``ssm``, ``ssmmessages``, ``ec2messages``, another AWS service's label,
    ``host``; empty where it cannot be told."""
    supports: tuple[str, ...] = ()
    """Cause slugs that this speaks for on that leg; the likeliest first."""
    excludes: tuple[str, ...] = ()
    """Cause slugs that this speaks against at that time."""
    scope: str | None = None
    """The scope that a cause found from this has by itself: ``ssmmessages``, ``region``, ``space`` ..."""
    vague: bool = False
    """The text fits many causes and cannot choose among them (a cut-off ``RequestError``)."""
    proves: tuple[str, ...] = ()
    """Of ``good``: the targets that it proves to work: ``imds``, ``ssm``, ``ssmmessages``, ``worker`` ..."""
    captures: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Values cut out of first, last and samples, by name, distinct, oldest first. Names in use: ``url``,
    ``host`` (of the URL), ``address``, ``port``, ``name`` (looked up), ``resolver``, ``proxy``, ``status``,
    ``code`` (AWS error), ``arn``, ``action``, ``resource``, ``account``, ``policy`` (type of policy),
    ``role``, ``host_time``, ``limit_time``, ``service_time``, ``cert_time``, ``cert_limit``,
    ``cert_names``, ``seconds``, ``instance``, ``path``, ``errno``, ``worker``, ``pid``, ``version``,
    ``region``."""
    leads: int = 0
    """How often it came first in a cycle of failures (less than 2 s apart): the rest of a cycle are
    consequences."""
    mark: str = ""
    """The part of ``last`` that the signature knows it by."""

    def capture(self, name: str) -> str | None:
        """The newest value of a capture."""
        values = self.captures.get(name)
        return values[-1] if values else None

    @property
    def key(self) -> tuple[str, str, str, str]:
        return self.signature, self.operation, str(self.leg or ""), self.target


@dataclass(frozen=True, slots=True)
class AgentStart:
    """One start of the agent's core process."""

    time: datetime | None
    version: str | None
    event: LogEvent | None
    """``None`` where only the audit file tells of it."""
    outcome: str = ""
    """How far it came: ``failed`` (a failure ended it), ``stopped``, ``running``; empty: not known."""


@dataclass(frozen=True, slots=True)
class StateChange:
    """The agent told where it stands."""

    aspect: str
    """``identity``, ``registration``, ``credentials``, ``channel``, ``hibernation``, ``worker``,
    ``process``."""
    value: str
    """``EC2``, ``OnPrem``; ``registered``, ``found``, ``missing``; ``ready``, ``profile``, ``dhmc``;
    ``ssmmessages``, ``ec2messages``, ``open``, ``lost``, ``closed``; ``entered``; ``started``, ``died``;
    ``stopped``."""
    event: LogEvent


@dataclass(frozen=True, slots=True)
class ProxyBlock:
    """The proxy variables as the agent printed them at its last start; empty string: printed as not set.

    User and password in a URL are replaced by ``***@``.
    """

    http_proxy: str | None
    https_proxy: str | None
    no_proxy: str | None
    event: LogEvent

    @property
    def is_set(self) -> bool:
        return bool(self.http_proxy or self.https_proxy)


@dataclass(frozen=True, slots=True)
class Silence:
    """Nothing was written from ``since`` until the evidence was collected."""

    since: datetime
    length: timedelta | None
    """``None`` where the time of collection, by the host's clock, is not known."""
    expected: bool
    """This agent falls silent in this state by itself, so that the silence says nothing against it."""
    reason: Message


@dataclass(frozen=True, slots=True)
class NextTry:
    """When the agent tries again by itself, should nothing else change."""

    earliest: datetime
    latest: datetime
    basis: Message
    logged: bool = True
    """Whether a failure of that try will leave a line at the default level."""


@dataclass(frozen=True, slots=True)
class FileRead:
    """One log that was read, or could not be."""

    name: str
    role: str
    """``agent``, ``worker``, ``errors``, ``hibernate``, ``audit``, ``journal``, ``other``."""
    status: str
    """A probe status: ``ok``, ``truncated``, ``absent``, ``denied`` ..."""
    bytes: int = 0
    lines: int = 0
    entries: int = 0
    first: datetime | None = None
    last: datetime | None = None
    note: str = ""
    ends_early: bool = False
    """Whether its end could not be read: what it told last is not known."""


@dataclass(frozen=True, slots=True)
class LogReading:
    """All that one host's logs say."""

    files: tuple[FileRead, ...] = ()
    sightings: tuple[Sighting, ...] = ()
    """All of them; one that occurred both before and after the last recovery stands here once, counted
    together."""
    current: tuple[Sighting, ...] = ()
    """What was seen since its target last proved to work: what may be wrong now.  Counted from there on."""
    history: tuple[Sighting, ...] = ()
    """Failures that are over: their target proved to work afterwards."""
    starts: tuple[AgentStart, ...] = ()
    """The newest ones, oldest first; ``start_count`` has them all."""
    start_count: int = 0
    states: tuple[StateChange, ...] = ()
    """The newest ones, oldest first."""
    version: str | None = None
    """Of the agent that started last."""
    generations: tuple[str, ...] = ()
    """Every version that was seen, oldest first."""
    identity: str | None = None
    """``i-...`` or ``mi-...`` as the agent named itself last."""
    channel: str | None = None
    """Of the last start: ``ssmmessages``, ``ec2messages`` (the fall-back; proves nothing), ``lost``;
    ``None``: no word."""
    hibernating: bool = False
    last_good: LogEvent | None = None
    last_good_why: str = ""
    last_good_proves: tuple[str, ...] = ()
    first_event: LogEvent | None = None
    last_event: LogEvent | None = None
    silence: Silence | None = None
    next_try: NextTry | None = None
    proxy: ProxyBlock | None = None
    utc_offset: timedelta | None = None
    """The host's zone that the times were read with; ``None``: not known, times are naive."""
    notes: tuple[Message, ...] = ()
    """What the reader of the verdict should know: an unknown zone, a part that is missing, a file in no
    known format."""

    @property
    def has_entries(self) -> bool:
        """Whether any log has any entry at all: its absence is evidence too."""
        return self.last_event is not None

    @property
    def last_start(self) -> AgentStart | None:
        return self.starts[-1] if self.starts else None

    def failures(self) -> tuple[Sighting, ...]:
        """What may be wrong now, in the order in which it began."""
        return tuple(sighting for sighting in self.current if sighting.kind is Kind.FAILURE)

    def now(self, *signatures: str, operation: str = "", target: str = "") -> Iterator[Sighting]:
        """Current sightings of these signatures; an id that ends in ``.`` stands for its family
        (``imds.``)."""
        return _chosen(self.current, signatures, operation, target)

    def ever(self, *signatures: str, operation: str = "", target: str = "") -> Iterator[Sighting]:
        """The same among all sightings, history included."""
        return _chosen(self.sightings, signatures, operation, target)

    def supporting(self, slug: str) -> Iterator[Sighting]:
        """Current failures that speak for a cause."""
        return (sighting for sighting in self.failures() if slug in sighting.supports)

    def excluding(self, slug: str) -> Iterator[Sighting]:
        """Current sightings of any kind that speak against a cause."""
        return (sighting for sighting in self.current if slug in sighting.excludes)


def _chosen(
    sightings: Iterable[Sighting], signatures: tuple[str, ...], operation: str, target: str
) -> Iterator[Sighting]:
    for sighting in sightings:
        named = not signatures or any(
            sighting.signature == wanted or (wanted.endswith(".") and sighting.signature.startswith(wanted))
            for wanted in signatures
        )
        if (
            named
            and (not operation or sighting.operation == operation)
            and (not target or sighting.target == target)
        ):
            yield sighting
