"""The service endpoints, as this host sees them: name, connection, handshake, answer; direct and by proxy."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar

from analyzers.facts.base import (
    IPAddress,
    Line,
    address,
    http_date,
    integer,
    number,
    private,
    record_line,
    records_of,
    utc,
)
from analyzers.facts.hosts import HostsEntry, HostsFile, Resolvers
from collector.evidence.records import Record

_Staged = TypeVar("_Staged", "TcpAttempt", "TlsHandshake", "HttpAnswer")


class DnsState(StrEnum):
    """How the host's own resolution of a name went.  The set is closed."""

    OK = "ok"
    NXDOMAIN = "nxdomain"
    """The name does not exist, says a resolver that answers."""
    NO_ANSWER = "no-answer"
    """The name exists but has no address."""
    SERVFAIL = "servfail"
    REFUSED = "refused"
    """The resolver refuses us: rcode REFUSED."""
    UNREACHABLE = "unreachable"
    """No route to the resolver, or nobody listens there."""
    TIMEOUT = "timeout"
    NO_RESOLVER = "no-resolver"
    """No nameserver is configured."""
    FAILED = "failed"
    """It failed, and nothing tells how."""
    UNKNOWN = "unknown"
    """It was not tried."""


class EndpointState(StrEnum):
    """The first stage at which the direct way fails.  The set is closed."""

    OK = "ok"
    """An AWS service answered over a trusted TLS connection."""
    DNS = "dns"
    NO_ROUTE = "no-route"
    """No route, or the next hop says unreachable."""
    REFUSED = "refused"
    DENIED = "denied"
    """The kernel or a firewall forbade it (admin prohibited, a blackhole or prohibit route)."""
    TIMEOUT = "timeout"
    """No TCP connection."""
    TLS_TRUST = "tls-trust"
    """The certificate is not to be trusted: issuer, dates or name; see ``tls``."""
    TLS_BROKEN = "tls-broken"
    """The handshake breaks off: reset, EOF, time-out, version."""
    NO_ANSWER = "no-answer"
    """TCP and TLS stand, and no HTTP answer comes."""
    SERVER_ERROR = "server-error"
    """5xx."""
    NOT_AWS = "not-aws"
    """An answer that no AWS service gives: HTML, a foreign server."""
    CONNECTED = "connected"
    """TCP stands, and nothing further could be tried."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Resolution:
    """The name as libc resolves it."""

    at: Line
    addresses: tuple[IPAddress, ...] = ()
    error: str = ""
    exit: int | None = None
    tool: str = ""
    ms: float | None = None


@dataclass(frozen=True, slots=True)
class DirectAnswer:
    """The question asked of one nameserver directly."""

    at: Line
    resolver: str
    rcode: str = ""
    """``NOERROR``, ``NXDOMAIN``, ``SERVFAIL`` ...; empty where no answer came."""
    addresses: tuple[IPAddress, ...] = ()
    outcome: str = ""
    """``timeout``, ``refused``, ``no-route``, ``error``; empty where an answer came."""
    error: str = ""


@dataclass(frozen=True, slots=True)
class TcpAttempt:
    """One connection."""

    at: Line
    address: IPAddress | None
    outcome: str
    """As in docs/evidence.md: ``connected``, ``refused``, ``timeout``, ``no-route`` ..."""
    error: str = ""
    ms: float | None = None


@dataclass(frozen=True, slots=True)
class TlsHandshake:
    """One handshake."""

    at: Line
    outcome: str
    """As in docs/evidence.md: ``ok``, ``untrusted``, ``expired``, ``reset`` ..."""
    protocol: str = ""
    subject: str = ""
    issuer: str = ""
    not_before: datetime | None = None
    not_after: datetime | None = None
    verify: str = ""
    error: str = ""
    address: IPAddress | None = None

    @property
    def amazon(self) -> bool | None:
        """Whether Amazon (or Starfield, its elder root) issued the certificate; ``None``: no issuer seen.

        Nobody else does for its endpoints: another issuer is an interception.
        """
        if not self.issuer:
            return None
        return "amazon" in self.issuer.lower() or "starfield" in self.issuer.lower()


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """One HTTP request, direct or by proxy."""

    at: Line
    outcome: str
    status: int | None = None
    error: str = ""
    server: str = ""
    content_type: str = ""
    date: datetime | None = None
    remote: IPAddress | None = None
    body: str = ""
    aws: bool | None = None
    """Whether it is the answer of an AWS service; ``None``: cannot be told."""


@dataclass(frozen=True, slots=True)
class ProxiedAnswer:
    """The same request through the agent's own proxy."""

    at: Line
    proxy: str
    """Masked URL."""
    outcome: str
    connect_status: int | None = None
    """Of CONNECT."""
    status: int | None = None
    error: str = ""
    issuer: str = ""
    date: datetime | None = None
    aws: bool | None = None

    @property
    def ok(self) -> bool:
        """Whether the service answered through it."""
        return (
            self.outcome == "answered"
            and self.status is not None
            and self.status < 500
            and self.aws is not False
        )


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One service's endpoint."""

    at: Line
    service: str
    """``ssm``, ``ssmmessages``, ``ec2messages``."""
    host: str
    port: int = 443
    source: str = ""
    """``region`` or ``agent-config``."""
    region: str = ""
    region_source: str = ""
    resolve: Resolution | None = None
    dns: tuple[DirectAnswer, ...] = ()
    tcp: tuple[TcpAttempt, ...] = ()
    tls: tuple[TlsHandshake, ...] = ()
    http: tuple[HttpAnswer, ...] = ()
    proxied: ProxiedAnswer | None = None
    hosts_entries: tuple[HostsEntry, ...] = ()
    """Lines of the hosts file that override the name."""
    dns_state: DnsState = DnsState.UNKNOWN
    state: EndpointState = EndpointState.UNKNOWN
    shown_by: Line | None = None
    """The stage that shows ``state``; for a name that fails, the resolution's own words."""

    @property
    def addresses(self) -> tuple[IPAddress, ...]:
        return self.resolve.addresses if self.resolve else ()

    @property
    def private(self) -> bool | None:
        """Whether the answer is private, as of a VPC endpoint; ``None``: no answer, or both kinds."""
        kinds = {private(address) for address in self.addresses}
        return kinds.pop() if len(kinds) == 1 else None

    @property
    def disagreement(self) -> bool:
        """Whether the nameservers, asked directly, give other addresses than the host itself gets.

        Public names answer with another of their many addresses each time; that is no disagreement.
        """
        direct = {address for answer in self.dns for address in answer.addresses}
        inside = any(private(address) for address in (*direct, *self.addresses))
        return bool(inside and direct and self.addresses and direct.isdisjoint(self.addresses))

    @property
    def reachable(self) -> bool | None:
        """Whether the service answers, directly or by the agent's proxy; ``None``: cannot be told."""
        if self.proxied is not None:
            return self.proxied.ok
        if self.state in (EndpointState.UNKNOWN, EndpointState.CONNECTED):
            return None
        return self.state is EndpointState.OK

    @property
    def dates(self) -> tuple[tuple[datetime, Line], ...]:
        """``Date`` of each AWS answer, with where it stands."""
        answers = (*self.http, *((self.proxied,) if self.proxied else ()))
        return tuple((a.date, a.at) for a in answers if a.date is not None and a.aws is not False)


# Reading -------------------------------------------------------------------------------------------------


def parse_endpoint(
    output: bytes,
    source: str,
    *,
    hosts: HostsFile | None = None,
    resolvers: Resolvers | None = None,
) -> Endpoint | None:
    """Of one ``endpoint-*`` probe; ``None`` where it does not name its endpoint.

    The hosts file tells which lines override the name, resolv.conf whether there is a nameserver at all.
    """
    records = [r for r in records_of(output) if r.get("outcome") != "skipped"]
    head = next((r for r in records if r.name == "endpoint" and r.get("host")), None)
    if head is None:
        return None
    named = {
        name: [r for r in records if r.name == name] for name in ("resolve", "tcp", "tls", "http", "proxy")
    }
    endpoint = Endpoint(
        record_line(head, source),
        head.get("service"),
        head.get("host"),
        integer(head.get("port")) or 443,
        head.get("source"),
        head.get("region"),
        head.get("region_source"),
        next((_resolution(r, source) for r in named["resolve"]), None),
        tuple(_direct(r, source) for r in records if r.name.startswith("dns ")),
        tuple(_tcp(r, source) for r in named["tcp"]),
        tuple(_tls(r, source) for r in named["tls"]),
        tuple(_http(r, source) for r in named["http"]),
        next((_proxied(r, source) for r in named["proxy"]), None),
        hosts.overrides(head.get("host")) if hosts else (),
    )
    dns_state, dns_line = _judge_dns(endpoint, resolvers)
    state, line = _judge(endpoint, dns_state, dns_line)
    return replace(endpoint, dns_state=dns_state, state=state, shown_by=line)


def _addresses(record: Record) -> tuple[IPAddress, ...]:
    found = (address(text) for text in record.all("address"))
    return tuple(dict.fromkeys(item for item in found if item is not None))


def _resolution(record: Record, source: str) -> Resolution:
    return Resolution(
        record_line(record, source),
        _addresses(record),
        record.get("error"),
        integer(record.get("exit")),
        record.get("tool"),
        number(record.get("ms")),
    )


def _direct(record: Record, source: str) -> DirectAnswer:
    return DirectAnswer(
        record_line(record, source),
        record.name.removeprefix("dns ").strip(),
        record.get("rcode").upper(),
        _addresses(record),
        record.get("outcome"),
        record.get("error"),
    )


def _tcp(record: Record, source: str) -> TcpAttempt:
    return TcpAttempt(
        record_line(record, source),
        address(record.get("address")),
        record.get("outcome"),
        record.get("error"),
        number(record.get("ms")),
    )


def _tls(record: Record, source: str) -> TlsHandshake:
    return TlsHandshake(
        record_line(record, source),
        record.get("outcome"),
        record.get("protocol"),
        record.get("subject"),
        record.get("issuer"),
        certificate_date(record.get("not_before")),
        certificate_date(record.get("not_after")),
        record.get("verify"),
        record.get("error"),
        address(record.get("address")),
    )


def _http(record: Record, source: str) -> HttpAnswer:
    status = integer(record.get("http")) or None
    return HttpAnswer(
        record_line(record, source),
        record.get("outcome") or ("answered" if status else "error"),
        status,
        record.get("error"),
        record.get("server"),
        record.get("type"),
        http_date(record.get("date")),
        address(record.get("remote")),
        record.body,
        _aws(record),
    )


def _proxied(record: Record, source: str) -> ProxiedAnswer:
    status = integer(record.get("http")) or None
    return ProxiedAnswer(
        record_line(record, source),
        record.get("proxy"),
        record.get("outcome") or ("answered" if status else "error"),
        integer(record.get("connect")) or None,
        status,
        record.get("error"),
        record.get("issuer"),
        http_date(record.get("date")),
        _aws(record),
    )


_AWS_WORDS = re.compile(
    r"UnknownOperationException|MissingAuthenticationToken|Missing Authentication Token|InvalidSignature"
    r"|IncompleteSignature|AccessDeniedException|SerializationException|UnrecognizedClient"
    r"|Unable to determine service/operation name|AmazonSSM|x-amzn|xmlns=\"[^\"]*amazonaws\.com"
)
"""Words of the errors with which AWS services answer a request without a signature."""


def _aws(record: Record) -> bool | None:
    """Whether an answer is that of an AWS service; ``None``: cannot be told."""
    if not integer(record.get("http")):
        return None
    kind, body = record.get("type").lower(), record.body[:2048]
    if "x-amz" in kind or _AWS_WORDS.search(body) or record.get("server").startswith("awselb"):
        return True
    if "html" in kind or "<html" in body.lower() or "<!doctype html" in body.lower():
        return False
    return None


def certificate_date(text: str) -> datetime | None:
    """``Oct 24 06:23:20 2026 GMT`` as openssl prints it, or ISO 8601; UTC."""
    found = re.fullmatch(r"\s*([A-Z][a-z]{2}) +([0-9]{1,2}) ([0-9:]{8}) ([0-9]{4}) GMT\s*", text)
    if not found:
        return utc(text)
    months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec"
    if found[1] not in months:
        return None
    month = months.index(found[1]) // 4 + 1
    try:
        hour, minute, second = (int(part) for part in found[3].split(":"))
        return datetime(int(found[4]), month, int(found[2]), hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None


# Judging -------------------------------------------------------------------------------------------------

_BY_RCODE = {
    "NXDOMAIN": DnsState.NXDOMAIN,
    "SERVFAIL": DnsState.SERVFAIL,
    "REFUSED": DnsState.REFUSED,
    "NOERROR": DnsState.NO_ANSWER,
}
_BY_DNS_OUTCOME = {
    "timeout": DnsState.TIMEOUT,
    "refused": DnsState.UNREACHABLE,
    "no-route": DnsState.UNREACHABLE,
    "host-unreachable": DnsState.UNREACHABLE,
}


def _elsewhere(asked: DirectAnswer) -> bool:
    """Whether a question went to another host; without a nameserver, a host asks itself."""
    resolver = address(asked.resolver)
    return bool(asked.rcode) or (resolver is not None and not resolver.is_loopback)


def _judge_dns(endpoint: Endpoint, resolvers: Resolvers | None) -> tuple[DnsState, Line | None]:
    """How resolution went, and the line that shows it."""
    resolve = endpoint.resolve
    if resolve is not None and resolve.addresses:
        return DnsState.OK, resolve.at
    if resolve is None and not endpoint.dns:
        return DnsState.UNKNOWN, None
    unnamed = resolvers is not None and not resolvers.nameservers
    if resolve is not None and unnamed and not any(map(_elsewhere, endpoint.dns)):
        return DnsState.NO_RESOLVER, resolve.at
    direct = _judge_direct(endpoint.dns)
    if direct is not None and (direct[0] is not DnsState.OK or resolve is None):
        return direct
    if resolve is None:
        return DnsState.UNKNOWN, None
    return _judge_words(resolve, direct is not None), resolve.at


def _judge_direct(answers: Iterable[DirectAnswer]) -> tuple[DnsState, Line] | None:
    """What the nameservers say themselves: the first that refuses, then one that knows, then silence."""
    by_rank: list[tuple[int, DnsState, Line]] = []
    for answer in answers:
        if answer.addresses:
            by_rank.append((1, DnsState.OK, answer.at))
        elif answer.rcode:
            by_rank.append((0, _BY_RCODE.get(answer.rcode, DnsState.FAILED), answer.at))
        elif answer.outcome in _BY_DNS_OUTCOME:
            by_rank.append((2, _BY_DNS_OUTCOME[answer.outcome], answer.at))
    best = min(by_rank, key=lambda item: item[0], default=None)
    return None if best is None else best[1:]


def _judge_words(resolve: Resolution, answered: bool) -> DnsState:
    """A failure of the host's own resolution, by its words.

    ``answered``: a nameserver, asked directly, does know the name: something on the host loses the answer.
    """
    if answered:
        return DnsState.FAILED
    if resolve.exit == 124 or "timed out" in resolve.error.lower() or resolve.error == "timeout":
        return DnsState.TIMEOUT
    # getent says 2 and no word for every kind of failure; EAI_NONAME is a resolver's own "no such name".
    if re.search(r"name or service not known|name does not resolve|NXDOMAIN", resolve.error, re.IGNORECASE):
        return DnsState.NXDOMAIN
    return DnsState.FAILED


_BY_CONNECTION = {
    "no-route": EndpointState.NO_ROUTE,
    "host-unreachable": EndpointState.NO_ROUTE,
    "refused": EndpointState.REFUSED,
    "timeout": EndpointState.TIMEOUT,
    "denied": EndpointState.DENIED,
    "invalid": EndpointState.DENIED,
    "no-answer": EndpointState.NO_ANSWER,
}
_TRUST = frozenset(("untrusted", "expired", "not-yet-valid", "wrong-host"))


def _judge(
    endpoint: Endpoint, dns_state: DnsState, dns_line: Line | None
) -> tuple[EndpointState, Line | None]:
    """The first stage at which the direct way fails, and the line that shows it."""
    if dns_state not in (DnsState.OK, DnsState.UNKNOWN):
        return EndpointState.DNS, dns_line
    connected = _first(endpoint.tcp, "connected")
    if endpoint.tcp and connected is None:
        attempt = endpoint.tcp[0]
        return _BY_CONNECTION.get(attempt.outcome, EndpointState.UNKNOWN), attempt.at
    answer = _first(endpoint.http, "answered")
    shaken = _first(endpoint.tls, "ok")
    if endpoint.tls and shaken is None and (answer is None or endpoint.tls[0].outcome in _TRUST):
        handshake = endpoint.tls[0]
        trust = handshake.outcome in _TRUST
        return (EndpointState.TLS_TRUST if trust else EndpointState.TLS_BROKEN), handshake.at
    if answer is not None:
        return _judge_answer(answer), answer.at
    if endpoint.http:
        tried = endpoint.http[0]
        state = _BY_CONNECTION.get(tried.outcome, EndpointState.UNKNOWN)
        stands = connected is not None or shaken is not None
        return (EndpointState.NO_ANSWER if stands and state is EndpointState.TIMEOUT else state), tried.at
    if shaken is not None:
        return EndpointState.OK, shaken.at
    return (EndpointState.CONNECTED, connected.at) if connected else (EndpointState.UNKNOWN, None)


def _judge_answer(answer: HttpAnswer) -> EndpointState:
    if answer.aws is False:
        return EndpointState.NOT_AWS
    server_error = answer.status is not None and answer.status >= 500
    return EndpointState.SERVER_ERROR if server_error else EndpointState.OK


def _first(items: Iterable[_Staged], outcome: str) -> _Staged | None:
    return next((item for item in items if item.outcome == outcome), None)
