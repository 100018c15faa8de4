"""From the host to the service endpoints: routes, packets, handshakes, answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from analyzers.causes.case import SERVICES, Case
from analyzers.causes.rule import Exclusion, Finding, Told, rule
from analyzers.causes.tools import (
    CERTAIN,
    LIKELY,
    POSSIBLE,
    as_address,
    endpoint_values,
    first_address,
    lines,
    share,
)
from analyzers.causes.versions import Change
from analyzers.diagnosis import Owner
from analyzers.facts.base import number, private
from analyzers.facts.endpoints import Endpoint, EndpointState
from analyzers.facts.firewall import Fate, Judgement
from analyzers.facts.routes import RouteOutcome
from analyzers.logs.model import Leg
from analyzers.text import Message, Value, say

NO_CONNECTION = frozenset(
    (EndpointState.TIMEOUT, EndpointState.REFUSED, EndpointState.NO_ROUTE, EndpointState.DENIED)
)
_HOW = {
    EndpointState.TIMEOUT: say("no answer"),
    EndpointState.REFUSED: say("connection refused"),
    EndpointState.NO_ROUTE: say("no route to host"),
    EndpointState.DENIED: say("not permitted"),
}


def matters(case: Case, service: str) -> bool:
    """Whether the agent needs this endpoint, or has complained of it.

    From 3.3.40 on it does without ec2messages while ssmmessages is connected.
    """
    if service != "ec2messages" or not case.has(Change.MDS_OPTIONAL):
        return True
    messages = case.endpoint("ssmmessages")
    without = case.connected or (messages is not None and messages.reachable is True)
    return not without or any(case.failures(target="ec2messages"))


def direct(case: Case, *states: EndpointState) -> list[Endpoint]:
    """The endpoints in one of these states that the agent needs and reaches without a proxy."""
    if case.proxied:
        return []
    return [e for e in case.endpoints.values() if e.state in states and matters(case, e.service)]


def scope_of(case: Case, failing: Iterable[Endpoint]) -> str | None:
    """The service concerned, where others are known to fare otherwise; of several the one that hurts most."""
    services = {endpoint.service for endpoint in failing}
    seen = {e.service for e in case.endpoints.values() if e.state is not EndpointState.UNKNOWN}
    known = {service for service in seen if matters(case, service)} | proven(case)
    if services >= known:
        return None
    return next((service for service in SERVICES if service in services), None)


def proven(case: Case) -> set[str]:
    """The services that the log shows to work since they last failed."""
    failed = {s.target for s in case.failures()}
    return {target for s in case.logs.current for target in s.proves} & set(SERVICES) - failed


def judged(case: Case, endpoint: Endpoint) -> Judgement | None:
    """What the host's own firewall does with a connection to the endpoint."""
    firewall, address = case.facts.firewall.or_none(), first_address(endpoint)
    if firewall is None or not firewall.seen or address is None:
        return None
    return firewall.judge(address, endpoint.port)


@rule("no-default-route", "endpoints", "routing")
def no_way_out(case: Case) -> Iterator[Told]:
    """The kernel has no route to the endpoint's address."""
    failing = direct(case, *NO_CONNECTION, EndpointState.DNS)
    routing = case.routing
    for endpoint in failing:
        address = first_address(endpoint)
        answer = routing.answer(address) if routing is not None and address is not None else None
        outcome = answer.outcome if answer is not None else None
        if outcome is None and routing is not None and routing.routes and address is not None:
            outcome = routing.lookup(address).outcome
        if outcome is RouteOutcome.NO_ROUTE:
            at = answer.at if answer is not None else None
            yield Finding(
                "no-default-route", CERTAIN, lines(at, endpoint.shown_by), values=endpoint_values(endpoint)
            )
            return
    nothing = (
        routing is not None
        and routing.routes
        and not routing.default_routes()
        and not routing.default_routes(6)
    )
    if nothing and failing and all(e.state in (EndpointState.NO_ROUTE, EndpointState.DNS) for e in failing):
        sentence = say("The host has no default route, so {host} cannot be reached.", host=failing[0].host)
        yield Finding(
            "no-default-route",
            LIKELY,
            lines(failing[0].shown_by),
            sentence=sentence,
            values=endpoint_values(failing[0]),
        )


@rule("endpoint-blocked-on-host", "endpoints", "firewall")
def blocked(case: Case) -> Iterator[Told]:
    """The host's own firewall stops the endpoints; where only one of several, it is the endpoint's scope."""
    failing = direct(case, *NO_CONNECTION)
    stopped = [(e, j) for e in failing if (j := judged(case, e)) is not None and j.blocks]
    if not stopped:
        return
    endpoint, judgement = stopped[0]
    scope = scope_of(case, [*(e for e, _ in stopped), *(e for e in failing if judged(case, e) is None)])
    rule_text = judgement.at.text.strip() if judgement.at else judgement.chain
    values = {**endpoint_values(endpoint), "rule": rule_text, "how": _HOW.get(endpoint.state, "")}
    cited = lines(judgement.at, *(e.shown_by for e, _ in stopped))
    if scope is None:
        yield Finding("endpoint-blocked-on-host", CERTAIN, cited, values=values)
        return
    sentence = _one_is_stopped(endpoint.host, rule_text)
    yield Finding("endpoint-unreachable", CERTAIN, cited, scope, sentence, values, owner=Owner.HOST)


def _one_is_stopped(host: str, rule_text: str) -> Message:
    return say(
        "A firewall rule on the host itself stops {host} ({rule}); the other endpoints are let through.",
        host=host,
        rule=rule_text,
    )


@rule("vpc-endpoint-missing", "endpoints")
def missing(case: Case) -> Iterator[Told]:
    """Some endpoints of the VPC answer on private addresses; these have public ones that nothing leads to."""
    working = [e for e in case.endpoints.values() if e.state in (EndpointState.OK, EndpointState.CONNECTED)]
    inside = [e for e in working if (a := first_address(e)) is not None and private(a)]
    outside = [
        e for e in direct(case, EndpointState.TIMEOUT, EndpointState.NO_ROUTE)
        if (a := first_address(e)) is not None and not private(a)
    ]  # fmt: skip
    if inside and outside and len(inside) == len(working):
        values = {**endpoint_values(outside[0]), "missing": ", ".join(e.service for e in outside)}
        cited = lines(
            *(e.shown_by for e in outside), *(e.resolve.at for e in (*outside, inside[0]) if e.resolve)
        )
        sure = CERTAIN if any(e.state is EndpointState.OK for e in inside) else LIKELY
        yield Finding("vpc-endpoint-missing", sure, cited, values=values)


@rule("ipv6-only", "addresses", "endpoints")
def only_ipv6(case: Case) -> Iterator[Told]:
    """No IPv4 address, and names without an IPv6 one."""
    addresses = case.facts.addresses.or_none()
    failing = direct(case, *NO_CONNECTION, EndpointState.DNS)
    if addresses is None or not failing:
        return
    usable = [a for a in addresses.all if not a.ip.is_loopback and not a.ip.is_link_local]
    has6 = [a for a in usable if a.ip.version == 6]
    if (
        has6
        and not any(a.ip.version == 4 for a in usable)
        and not any(a.version == 6 for e in failing for a in e.addresses)
    ):
        yield Finding(
            "ipv6-only", CERTAIN, lines(has6[0].at, failing[0].shown_by), values=endpoint_values(failing[0])
        )


def unaccounted(case: Case, endpoint: Endpoint) -> int:
    """How much of the host that could look the same was not seen: its firewall, its proxies, its names."""
    firewall = judged(case, endpoint)
    passed = firewall is not None and firewall.fate is Fate.PASS
    layers = case.facts.proxy.or_none()
    no_other_way = layers is not None and layers.system is not None and not layers.elsewhere
    named = endpoint.resolve is not None and case.facts.hosts_file.or_none() is not None
    return (passed, no_other_way, named).count(False)


@rule("endpoint-unreachable", "endpoints")
def unreachable(case: Case) -> Iterator[Told]:
    """No connection, by the host's own attempt; what is special about it is for other rules to say."""
    failing = direct(case, *NO_CONNECTION)
    if failing:
        first = failing[0]
        values: dict[str, Value] = {**endpoint_values(first), "how": _HOW[first.state]}
        address = first_address(first)
        answer = case.routing.answer(address) if case.routing is not None and address is not None else None
        cited = lines(*(e.shown_by for e in failing), answer.at if answer is not None else None)
        unseen = max(unaccounted(case, e) for e in failing)
        sure = CERTAIN if not unseen else LIKELY if unseen == 1 else POSSIBLE
        if first.state is EndpointState.REFUSED and judged(case, first) is None:
            sure = POSSIBLE  # a reset may as well come from the host itself, or from where a wrong name leads
        if any(e.disagreement for e in failing):
            sure = POSSIBLE  # the way to a wrong address says nothing
        yield Finding("endpoint-unreachable", sure, cited, scope_of(case, failing), values=values)


@rule("endpoint-unreachable", "logs")
def told_apart(case: Case) -> Iterator[Told]:
    """What tells a dead way from its look-alikes by the log alone: others work, or this one did before.

    A missing proxy, a wrong address for all names and a blocked port 443 hit every endpoint, and do so from
    the first start on.
    """
    if case.proxied:
        return
    for sighting in case.failures(Leg.ENDPOINT):
        if answers_otherwise(case, sighting.target):
            continue
        if sighting.signature not in ("net.dial-timeout", "net.refused", "net.no-route-to-host"):
            continue
        address = as_address(sighting.capture("address"))
        others = {p for s in case.logs.current for p in s.proves} & set(SERVICES) - {sighting.target}
        dropped = sighting.signature == "net.dial-timeout"  # a reset may as well come from the host itself
        before = case.logs.last_good is not None and sighting.target in SERVICES and dropped
        inside = address is not None and private(address)
        if (others and inside) or (before and not others):
            scope = sighting.target if others and sighting.target in SERVICES else None
            values: dict[str, Value] = {
                "host": sighting.capture("host") or sighting.target,
                "address": str(address),
            }
            values["how"] = _HOW[
                EndpointState.TIMEOUT if "timeout" in sighting.signature else EndpointState.REFUSED
            ]
            yield Finding(
                "endpoint-unreachable",
                LIKELY,
                (share(sighting),),
                scope,
                values=values,
                since=sighting.first.time,
            )


def looked_at(case: Case, service: str) -> bool:
    """Whether the host itself tried the endpoint; then its own attempt has the word."""
    endpoint = case.endpoint(service)
    return endpoint is not None and endpoint.state not in (EndpointState.UNKNOWN, EndpointState.CONNECTED)


@rule("endpoint-unreachable", "logs")
def by_its_address(case: Case) -> Iterator[Told]:
    """No endpoint was tried: the address in the agent's message, against what the host has."""
    if case.proxied:
        return
    for sighting in case.failures(Leg.ENDPOINT):
        address = as_address(sighting.capture("address"))
        if address is None or looked_at(case, sighting.target) or sighting.target not in SERVICES:
            continue
        host, scope = sighting.capture("host") or "", _alone(case, sighting.target)
        values: dict[str, Value] = {"host": host, "address": str(address), "service": sighting.target}
        hosts, firewall, routing = (
            case.facts.hosts_file.or_none(),
            case.facts.firewall.or_none(),
            case.routing,
        )
        entry = next((e for e in hosts.overrides(host) if e.address == address), None) if hosts else None
        judgement = firewall.judge(address, 443) if firewall is not None and firewall.seen else None
        own = case.facts.addresses.or_none()
        gateway = routing is not None and any(address in r.gateways for r in routing.default_routes())
        shown = share(sighting)
        if entry is not None:
            pinned = {**values, "dns_address": say("something else, or nothing")}
            yield Finding("hosts-file-override", LIKELY, (*lines(entry.at), shown), scope, values=pinned)
        elif gateway or (own is not None and own.owner(address) is not None):
            yield Finding("dns-wrong-address", LIKELY, (shown,), scope, values=values)
        elif judgement is not None and judgement.blocks:
            text = judgement.at.text.strip() if judgement.at else judgement.chain
            cited, told = (*lines(judgement.at), shown), {**values, "rule": text}
            if scope is None:
                yield Finding("endpoint-blocked-on-host", LIKELY, cited, values=told)
            else:
                sentence = _one_is_stopped(host, text)
                yield Finding("endpoint-unreachable", LIKELY, cited, scope, sentence, told, owner=Owner.HOST)


def _alone(case: Case, service: str) -> str | None:
    """The service, where the log shows that others work."""
    return service if proven(case) - {service} else None


def answers_otherwise(case: Case, service: str) -> bool:
    """Whether the host's own attempt fared otherwise than a connection that nobody takes."""
    endpoint = case.endpoint(service)
    return looked_at(case, service) and endpoint is not None and endpoint.state not in NO_CONNECTION


@rule("endpoint-unreachable", "logs")
def slow_polls(case: Case) -> Iterator[Told]:
    """Polls of ec2messages that end after four time-outs of 20 s: its packets are dropped, silently."""
    working = {target for s in case.logs.current for target in s.proves}
    if looked_at(case, "ec2messages") or "ssmmessages" not in working:
        return
    for sighting in case.logs.now("mds.slow-poll"):
        blocked = [
            s for s in map(number, sighting.captures.get("seconds", ())) if s is not None and 75 < s < 90
        ]
        if len(blocked) > 1:
            values: dict[str, Value] = {
                "host": "ec2messages",
                "address": say("its address"),
                "how": say("no answer"),
            }
            yield Finding(
                "endpoint-unreachable",
                LIKELY,
                (share(sighting),),
                "ec2messages",
                values=values,
                since=sighting.first.time,
            )


_HANDSHAKE = {
    "reset": "endpoint-tls-reset",
    "eof": "endpoint-tls-reset",
    "timeout": "endpoint-tls-timeout",
    "version": "endpoint-tls-version",
    "not-tls": "endpoint-not-tls",
}


@rule("endpoint-tls-reset", "endpoints")
def handshake(case: Case) -> Iterator[Told]:
    """TCP connects, and the handshake breaks off: of a TLS that is like the agent's own."""
    failing = [] if case.windows_tls_is_old else direct(case, EndpointState.TLS_BROKEN)
    for endpoint in failing:
        broken = next((t for t in endpoint.tls if t.outcome in _HANDSHAKE), None)
        if broken is None:
            continue
        cited, scope, values = lines(broken.at), scope_of(case, failing), endpoint_values(endpoint)
        if broken.outcome == "timeout":  # large packets that get lost look like a device that stalls
            tunnel = _by_tunnel(case, endpoint)
            yield Finding("mtu-blackhole", LIKELY if tunnel else POSSIBLE, cited, scope, values=values)
            yield Finding("endpoint-tls-timeout", POSSIBLE if tunnel else LIKELY, cited, scope, values=values)
        else:
            yield Finding(_HANDSHAKE[broken.outcome], CERTAIN, cited, scope, values=values)
        return


def _by_tunnel(case: Case, endpoint: Endpoint) -> bool:
    """Whether the way to the endpoint is a tunnel, whose packets hold less than those of the network."""
    address = first_address(endpoint)
    answer = case.routing.answer(address) if case.routing is not None and address is not None else None
    return answer is not None and (answer.device or "").startswith(
        ("tun", "tap", "wg", "ppp", "ipsec", "vti", "gre")
    )


_ANSWERS = {
    EndpointState.NO_ANSWER: "endpoint-no-response",
    EndpointState.SERVER_ERROR: "endpoint-server-error",
    EndpointState.NOT_AWS: "endpoint-block-page",
}


@rule("endpoint-no-response", "endpoints")
def answers(case: Case) -> Iterator[Told]:
    """The connection stands; back comes nothing, an error of the service, or somebody else's page."""
    for state, slug in _ANSWERS.items():
        failing = direct(case, state)
        if failing:
            first = failing[0]
            status = next((a.status for a in first.http if a.status), None)
            values = {**endpoint_values(first), "code": f"HTTP {status}" if status else "5xx"}
            yield Finding(
                slug, CERTAIN, lines(*(e.shown_by for e in failing)), scope_of(case, failing), values=values
            )


_NOT_NOW = (
    "endpoint-*", "dns-*", "tls-*", "no-default-route", "vpc-endpoint-missing", "mtu-blackhole",
    "hosts-file-override", "proxy-missing-or-wrong-layer",
)  # fmt: skip
_MAY_STILL = ("endpoint-server-error",)
"""A service may answer who only knocks, and fail at what the agent asks of it."""


@rule("endpoint-unreachable", "endpoints")
def fine(case: Case) -> Iterator[Told]:
    """Endpoints that answer now: what the log said of the way to them is over."""
    working = [e for e in case.endpoints.values() if e.state is EndpointState.OK]
    if case.proxied or not working:
        return
    reason = say(
        "Answering this host now, over trusted TLS: {hosts}.", hosts=", ".join(e.host for e in working)
    )
    cited = lines(*(e.shown_by for e in working))
    if len(working) == len(case.endpoints):
        for slug in _NOT_NOW:
            yield Exclusion(slug, reason, cited, _MAY_STILL)
