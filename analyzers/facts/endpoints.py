"""The service endpoints, as this host sees them: name, connection, handshake, answer; direct and by proxy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from analyzers.facts.base import IPAddress, Line
from analyzers.facts.hosts import HostsEntry


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
        kinds = {address.is_private for address in self.addresses}
        return kinds.pop() if len(kinds) == 1 else None

    @property
    def disagreement(self) -> bool:
        """Whether the nameservers, asked directly, give other addresses than the host itself gets."""
        direct = {address for answer in self.dns for address in answer.addresses}
        return bool(direct and self.addresses and direct.isdisjoint(self.addresses))

    @property
    def reachable(self) -> bool | None:
        """Whether the service answers, directly or by the agent's proxy; ``None``: cannot be told."""
        if self.proxied is not None:
            return self.proxied.ok
        return None if self.state is EndpointState.UNKNOWN else self.state is EndpointState.OK

    @property
    def dates(self) -> tuple[tuple[datetime, Line], ...]:
        """``Date`` of each AWS answer, with where it stands."""
        answers = (*self.http, *((self.proxied,) if self.proxied else ()))
        return tuple((a.date, a.at) for a in answers if a.date is not None and a.aws is not False)
