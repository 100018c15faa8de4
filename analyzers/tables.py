"""What the host has, beside what it should have: its routes, its proxies, and how far each attempt came.

Rules draw conclusions; these tables let the reader draw them too.  They state only what the facts hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from analyzers.causes.case import Case
from analyzers.diagnosis import Attempt, Judgement, ProxyRow, RouteRow, Stage
from analyzers.facts.base import IPAddress
from analyzers.facts.endpoints import DnsState, Endpoint, HttpAnswer, ProxiedAnswer, TlsHandshake
from analyzers.facts.imds import Imds, ImdsAnswer, ImdsState
from analyzers.facts.proxy import ProxyLayer, ProxySettings, ProxyVariable, parse_proxy_url
from analyzers.facts.routes import Route, RouteOutcome
from analyzers.facts.routing import IMDS, LINK_LOCAL, Routing
from analyzers.text import Message, say

GOOD, BAD, NEUTRAL = Judgement.GOOD, Judgement.BAD, Judgement.NEUTRAL

_MOST = 12
"""Rows of one table; the evidence has them all."""


# Routes --------------------------------------------------------------------------------------------------


def routes(case: Case) -> tuple[RouteRow, ...]:
    """Default routes, the way to IMDS, and the ways to the endpoints' addresses."""
    routing = case.routing
    if routing is None:
        return ()
    should = _way(case, routing, routing.expected_gateway)
    to_imds = [] if case.hybrid else [_to_imds(case, routing, should)]
    rows = [*_defaults(case, routing, should), *to_imds, *_to_others(case, routing, should)]
    return tuple(row for row in rows if row is not None)[:_MOST]


def _way(case: Case, routing: Routing, gateway: IPAddress | None) -> str:
    """What should stand in a route that leads to ``gateway``, in the words of this host's own tables."""
    hop, device = ("next_hop: {}", "; if_alias: {}") if case.windows else ("via {}", " dev {}")
    if gateway is None:
        return ""
    return hop.format(gateway) + (device.format(routing.primary_device) if routing.primary_device else "")


def _defaults(case: Case, routing: Routing, should: str) -> Iterator[RouteRow]:
    found = (*routing.default_routes(), *routing.default_routes(6))
    for route in found[:3]:
        judgement, why = _default(routing, route)
        expected = _way(case, routing, routing.vpc_router) if judgement is BAD else ""
        yield RouteRow("default", "default", _spoken(route), expected, judgement, why)
    if routing.routes and not found:
        why = say("There is no default route: only the host's own networks can be reached.")
        yield RouteRow("default", "default", "", should, BAD, why)


def _default(routing: Routing, route: Route) -> tuple[Judgement, Message | None]:
    outside = routing.gateway_outside(route)
    if outside is not None:
        return BAD, say("{gateway} lies in none of the host's own networks.", gateway=outside)
    known = [n for n in map(routing.neighbour, route.gateways) if n is not None]
    if known and all(neighbour.dead for neighbour in known):
        return BAD, say("Nothing answers for {gateway} on the link.", gateway=known[0].address)
    return GOOD, None


def _to_imds(case: Case, routing: Routing, should: str) -> RouteRow | None:
    answer = routing.answer(IMDS)
    lookup = routing.lookup(IMDS) if routing.routes else None
    outcome = (answer.outcome if answer else None) or (lookup.outcome if lookup else None)
    if outcome is None:
        return None
    route = lookup.route if lookup else None
    found = _said(answer.at.text) if answer else _spoken(route) if route else ""
    gateway = answer.gateway if answer else route.gateway if route else None
    device = answer.device if answer else route.device if route else None
    works = case.imds is not None and case.imds.state is ImdsState.OK
    why = None if works else _astray(routing, outcome, gateway, device)
    return RouteRow("imds", str(IMDS), found, should, BAD if why else GOOD, why)


def _astray(
    routing: Routing, outcome: RouteOutcome, gateway: IPAddress | None, device: str | None
) -> Message | None:
    """Why a way to a link-local service is not the one by the subnet's router; ``None``: it is."""
    if outcome not in (RouteOutcome.FORWARD, RouteOutcome.LOCAL):
        return _REFUSED
    usual = outcome is RouteOutcome.FORWARD and gateway in (None, routing.expected_gateway)
    if usual and device in (None, routing.primary_device):
        return None
    where = gateway or device or say("the host itself")
    return say("The route leads to {where}, not to the subnet's router.", where=where)


_REFUSED = say("The kernel has no route to it.")


def _to_others(case: Case, routing: Routing, should: str) -> Iterator[RouteRow]:
    """The ways to the endpoints' addresses and, on Windows, to the metadata service's sister addresses."""
    for answer in routing.answers:
        if answer.target == IMDS or answer.outcome is None:
            continue
        sister = answer.target in LINK_LOCAL
        if sister:
            why = _astray(routing, answer.outcome, answer.gateway, answer.device)
        else:
            why = None if answer.outcome is RouteOutcome.FORWARD else _REFUSED
        yield RouteRow(
            answer.service or "endpoint",
            str(answer.target),
            _said(answer.at.text),
            should if sister or why else "",
            BAD if why else GOOD,
            why,
        )


def _spoken(route: Route) -> str:
    """The line of the table.  A route of several hops has several."""
    return _said(route.at.text)


def _said(text: str) -> str:
    return " ".join(text.split("\n")[0].split())


# Proxies -------------------------------------------------------------------------------------------------

_NAMES = ("http_proxy", "https_proxy", "no_proxy")
_SPARED = "169.254.169.254"


def proxies(case: Case) -> tuple[ProxyRow, ...]:
    """Every variable of every layer that sets one; the agent's own layers first."""
    layers = case.facts.proxy.or_none()
    if layers is None:
        return tuple(_agents(case, case.proxy, None)) if case.proxy is not None else ()
    process = layers.process or (case.proxy if layers.unit is None else None)
    rows = [*_agents(case, process, layers.unit), *_agents(case, layers.unit, None)]
    for settings in (layers.system, layers.login):
        rows += _elsewhere(settings)
    return tuple(rows)[:_MOST]


def _agents(case: Case, settings: ProxySettings | None, wanted: ProxySettings | None) -> Iterator[ProxyRow]:
    """Of a layer that the agent sees; ``wanted`` is the unit beneath the running process."""
    if settings is None:
        return
    for name in _NAMES:
        variable = settings.variable(name)
        should = wanted.variable(name) if wanted is not None else None
        if should is not None and (variable is None or variable.value != should.value):
            why = say("The unit sets another value; the agent was not restarted since.")
            yield _row(settings, name, variable, should.value, BAD, why)
        elif name == "no_proxy" and not case.hybrid and settings.imds is not None:
            why = say("Requests for instance metadata go to the proxy.")
            yield _row(settings, name, variable, _SPARED, BAD, why)
        elif variable is not None:
            yield _row(
                settings, name, variable, _SPARED if name == "no_proxy" else "", *_verdict(case, variable)
            )


def _verdict(case: Case, variable: ProxyVariable) -> tuple[Judgement, Message | None]:
    if variable.name.lower() == "no_proxy":
        return (GOOD if case.proxy is None or case.proxy.imds is None else NEUTRAL), None
    url = parse_proxy_url(variable.value)
    if url is None or not url.valid:
        return BAD, say("This is no URL of a proxy: the agent ignores it.")
    tried = [e.proxied.ok for e in case.endpoints.values() if e.proxied is not None]
    if variable.name.lower() == "https_proxy" and tried:
        return (GOOD, None) if all(tried) else (BAD, say("The endpoints do not answer through it."))
    return NEUTRAL, None


def _row(
    settings: ProxySettings,
    name: str,
    variable: ProxyVariable | None,
    expected: str,
    judgement: Judgement,
    why: Message | None,
) -> ProxyRow:
    first = next(iter(settings.variables), None)
    origin = variable.origin if variable else first.origin if first else ""
    named, value = (variable.name, variable.value) if variable else (name, "")
    return ProxyRow(settings.layer, named, value, origin, expected, judgement, why)


def _elsewhere(settings: ProxySettings | None) -> Iterator[ProxyRow]:
    """Of a layer that only shells see."""
    for variable in filter(None, map(settings.variable, _NAMES)) if settings is not None else ():
        why = say("Shells see it; the agent, a service, does not.")
        if settings is not None and settings.layer is ProxyLayer.LOGIN:
            why = say("Only the login that collected sees it; the agent does not.")
        yield ProxyRow(variable.layer, variable.name, variable.value, variable.origin, "", NEUTRAL, why)


# Attempts ------------------------------------------------------------------------------------------------


def attempts(case: Case) -> tuple[Attempt, ...]:
    """IMDS and the endpoints, as the host itself tried them while it was looked at."""
    made = [] if case.imds is None else [Attempt("imds", str(IMDS), tuple(_imds(case.imds)))]
    made += [
        Attempt(e.service, e.host, tuple(_endpoint(e, proxied=bool(case.proxied))))
        for e in case.endpoints.values()
    ]
    return tuple(attempt for attempt in made if attempt.stages)


def _imds(imds: Imds) -> Iterator[Stage]:
    first = imds.answer("token") or imds.answer("v1")
    if first is not None:
        connected = first.outcome in ("answered", "no-answer")
        yield Stage("tcp", _took(first) if connected else first.outcome, GOOD if connected else BAD)
    told = [a for a in imds.answers.values() if a.answered]
    if told:
        found = ", ".join(f"{a.name} {a.status}" for a in told)
        yield Stage("http", found, GOOD if imds.state is ImdsState.OK else BAD)
    elif first is not None and first.outcome == "no-answer":
        yield Stage("http", "no-answer", BAD)
    if imds.proxied is not None:
        found = f"HTTP {imds.proxied.status}" if imds.proxied.answered else imds.proxied.outcome
        yield Stage("proxy", found, GOOD if imds.proxied_state is ImdsState.OK else BAD)


def _took(answer: ImdsAnswer) -> str:
    return "connected" + (
        f", {answer.connect_s * 1000:.0f}\N{NO-BREAK SPACE}ms" if answer.connect_s is not None else ""
    )


def _endpoint(endpoint: Endpoint, *, proxied: bool) -> Iterator[Stage]:
    """Where the agent goes by a proxy, nothing is expected of the direct way."""

    def judged(good: bool) -> Judgement:
        return NEUTRAL if proxied else GOOD if good else BAD

    if endpoint.dns_state is not DnsState.UNKNOWN:
        found = ", ".join(map(str, endpoint.addresses[:3])) or str(endpoint.dns_state)
        yield Stage("dns", found, judged(endpoint.dns_state is DnsState.OK))
    stands = not endpoint.tcp or any(t.outcome == "connected" for t in endpoint.tcp)
    if endpoint.tcp:
        outcomes = [_ms(t.outcome, t.ms) for t in endpoint.tcp[:3]]
        yield Stage("tcp", ", ".join(dict.fromkeys(outcomes)), judged(stands))
    for tls in endpoint.tls[:1] if stands else ():
        yield Stage("tls", _certificate(tls), judged(tls.outcome == "ok"))
    for answer in _tried(endpoint.http)[:1] if stands else ():
        fine = answer.status is not None and answer.status < 500 and answer.aws is not False
        yield Stage("http", _answered(answer), judged(fine))
    if endpoint.proxied is not None:
        yield Stage("proxy", _by_proxy(endpoint.proxied), GOOD if endpoint.proxied.ok else BAD)


def _tried(answers: Iterable[HttpAnswer]) -> list[HttpAnswer]:
    return [answer for answer in answers if answer.outcome != "skipped"]


def _ms(outcome: str, ms: float | None) -> str:
    return (
        f"{outcome}, {ms:.0f}\N{NO-BREAK SPACE}ms" if outcome == "connected" and ms is not None else outcome
    )


def _certificate(tls: TlsHandshake) -> str:
    parts = (tls.protocol, tls.issuer) if tls.outcome == "ok" else (tls.outcome, tls.verify, tls.issuer)
    return ", ".join(part for part in parts if part) or tls.outcome


def _answered(answer: HttpAnswer) -> str:
    return f"HTTP {answer.status}" if answer.status else answer.outcome


def _by_proxy(answer: ProxiedAnswer) -> str:
    if answer.status:
        return f"HTTP {answer.status}"
    return f"CONNECT {answer.connect_status}" if answer.connect_status else answer.outcome
