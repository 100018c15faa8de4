"""Names: how this host's resolution of the endpoints fails, or leads astray."""

from __future__ import annotations

from collections.abc import Iterator

from analyzers.causes.case import Case
from analyzers.causes.network import NO_CONNECTION, direct, scope_of
from analyzers.causes.rule import Finding, Told, rule
from analyzers.causes.tools import CERTAIN, LIKELY, POSSIBLE, endpoint_values, first_address, lines
from analyzers.diagnosis import Confidence
from analyzers.facts.base import address as read_address
from analyzers.facts.endpoints import DnsState, Endpoint, EndpointState
from analyzers.facts.routes import RouteOutcome
from analyzers.text import Value, say

_ASTRAY = NO_CONNECTION | {
    EndpointState.TLS_TRUST,
    EndpointState.TLS_BROKEN,
    EndpointState.NO_ANSWER,
    EndpointState.NOT_AWS,
}
_SLUGS = {
    DnsState.NO_RESOLVER: "dns-no-resolver",
    DnsState.NXDOMAIN: "dns-no-such-host",
    DnsState.NO_ANSWER: "dns-no-such-host",
    DnsState.SERVFAIL: "dns-servfail",
    DnsState.REFUSED: "dns-servfail",
    DnsState.UNREACHABLE: "dns-resolver-down",
    DnsState.TIMEOUT: "dns-timeout",
}


_TELLING = tuple(_SLUGS)
"""Where the names fail in several ways, the answers of a resolver tell more than its silence."""


@rule("dns-no-such-host", "endpoints")
def resolution(case: Case) -> Iterator[Told]:
    """The names do not resolve; the resolver's own answer says how."""
    failing = [e for e in direct(case, EndpointState.DNS) if e.dns_state in _SLUGS]
    if not failing:
        return
    first = min(failing, key=lambda e: _TELLING.index(e.dns_state))
    resolver, how = _resolver(case, first)
    values = {
        **endpoint_values(first), "resolver": resolver, "how": how or say("connection refused"),
        "code": first.dns_state.value.upper(),
    }  # fmt: skip
    slug, sure = _SLUGS[first.dns_state], _sure(case, first)
    if first.dns_state is DnsState.UNREACHABLE and _asks_itself(case, resolver):
        slug = "dns-no-resolver"
    if first.dns_state is DnsState.UNREACHABLE and _no_route(case, resolver):
        slug, sure = "no-default-route", LIKELY
    yield Finding(slug, sure, lines(*(e.shown_by for e in failing)), scope_of(case, failing), values=values)


def _sure(case: Case, endpoint: Endpoint) -> Confidence:
    """An answer of the resolver's own is proof.  Silence is not, where the agent was refused; and how libc
    fails tells little by itself."""
    told = any(a.rcode or a.outcome for a in endpoint.dns)
    if endpoint.dns_state is DnsState.TIMEOUT and any(case.logs.supporting("dns-resolver-down")):
        return POSSIBLE
    return CERTAIN if told or endpoint.dns_state is DnsState.NO_RESOLVER else LIKELY


_OUTCOMES = {"refused": say("connection refused"), "no-route": say("no route to it")}


def _resolver(case: Case, endpoint: Endpoint) -> tuple[str, Value]:
    """The nameserver concerned, and how it failed."""
    asked = next((a for a in endpoint.dns if a.rcode or a.outcome), None)
    if asked is not None:
        return asked.resolver, _OUTCOMES.get(asked.outcome, asked.outcome)
    resolvers = case.facts.resolvers.or_none()
    named = next((str(n.address) for n in resolvers.nameservers), "") if resolvers else ""
    return named, ""


def _asks_itself(case: Case, resolver: str) -> bool:
    """Whether the host asks itself for want of a nameserver: no resolv.conf that was seen names one."""
    ip, named = read_address(resolver), case.facts.resolvers.or_none()
    return ip is not None and ip.is_loopback and (named is None or not named.nameservers)


def _no_route(case: Case, resolver: str) -> bool:
    """Whether the host has no route to the resolver, so that it is not DNS that fails."""
    ip = read_address(resolver)
    if case.routing is None or ip is None or not case.routing.routes:
        return False
    return case.routing.lookup(ip).outcome is RouteOutcome.NO_ROUTE


@rule("hosts-file-override", "endpoints", "hosts_file")
def pinned(case: Case) -> Iterator[Told]:
    """The hosts file names the endpoint, and what stands there does not serve."""
    failing = [e for e in direct(case, *_ASTRAY) if e.hosts_entries]
    if failing:
        first = failing[0]
        entry = first.hosts_entries[0]
        told = next((a for answer in first.dns for a in answer.addresses), None)
        values = {
            **endpoint_values(first),
            "address": str(entry.address),
            "dns_address": str(told) if told else say("something else, or nothing"),
        }
        cited = lines(entry.at, first.shown_by, *(a.at for a in first.dns[:1]))
        yield Finding("hosts-file-override", CERTAIN, cited, scope_of(case, failing), values=values)


@rule("dns-wrong-address", "endpoints", "routing")
def astray(case: Case) -> Iterator[Told]:
    """DNS gives an address that cannot be the endpoint's: the host's own, its gateway's, one for all."""
    failing = [e for e in direct(case, *_ASTRAY) if not e.hosts_entries]
    for endpoint in failing:
        address = first_address(endpoint)
        if address is None:
            continue
        own = case.facts.addresses.or_none()
        gateways = case.routing.default_routes() if case.routing is not None else ()
        same = [e for e in case.endpoints.values() if e is not endpoint and address in e.addresses]
        impossible = (
            address.is_loopback or address.is_unspecified or address.is_link_local
            or (own is not None and own.owner(address) is not None)
            or any(address in route.gateways for route in gateways)
        )  # fmt: skip
        if impossible or same or endpoint.disagreement:
            asked = next(iter(endpoint.dns), None)
            values = {**endpoint_values(endpoint), "resolver": asked.resolver if asked else ""}
            cited = lines(
                endpoint.resolve.at if endpoint.resolve else None,
                asked.at if asked else None,
                endpoint.shown_by,
            )
            sure = CERTAIN if impossible or len(same) > 1 else LIKELY
            if not impossible and case.facts.hosts_file.or_none() is None:
                sure = POSSIBLE  # the hosts file may name it
                yield Finding("hosts-file-override", POSSIBLE, lines(endpoint.shown_by))
            yield Finding("dns-wrong-address", sure, cited, scope_of(case, failing), values=values)
            return
