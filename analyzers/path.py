"""The agent's way, hop by hop: gateway, metadata service, resolver, proxy, endpoints.

A hop is judged by what the agent itself would meet there: where it goes by a proxy, the direct attempt of an
endpoint counts for nothing, and a gateway beyond which something answers works, whatever else is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator

from analyzers.causes.case import SERVICES, Case
from analyzers.causes.network import matters
from analyzers.diagnosis import Hop
from analyzers.facts.base import IPAddress
from analyzers.facts.endpoints import DnsState, Endpoint, EndpointState
from analyzers.facts.imds import ImdsState
from analyzers.facts.proxy import parse_proxy_url
from analyzers.facts.routing import IMDS
from analyzers.logs.model import Leg
from analyzers.text import say

OK, FAILED, UNKNOWN, UNUSED = "ok", "failed", "unknown", "unused"

_IMDS = {
    ImdsState.OK: say("It gives a token and the instance's id."),
    ImdsState.NO_ROUTE: say("The host has no route to it."),
    ImdsState.HOST_UNREACHABLE: say("The next hop does not answer, or says that it cannot be reached."),
    ImdsState.REFUSED: say("The connection is refused."),
    ImdsState.TIMEOUT: say("No connection within the time."),
    ImdsState.NO_ANSWER: say("The connection stands, and no answer comes."),
    ImdsState.DENIED: say("The host itself forbids the connection."),
    ImdsState.INVALID: say("A route sends it nowhere."),
    ImdsState.DISABLED: say("It answers 403: it is switched off for this instance."),
    ImdsState.TOKEN_BLOCKED: say("It gives no token, though it answers without one."),
    ImdsState.IMPOSTOR: say("Something else answers in its place."),
    ImdsState.SERVER_ERROR: say("It answers with an error of its own."),
    ImdsState.PARTIAL: say("It gives a token, but not the instance's id."),
    ImdsState.OTHER: say("It does not answer as it should."),
}
ENDPOINT = {
    EndpointState.DNS: say("Its name is not resolved."),
    EndpointState.NO_ROUTE: say("The host has no route to it, or a router says so."),
    EndpointState.REFUSED: say("The connection is refused."),
    EndpointState.DENIED: say("A firewall forbids the connection."),
    EndpointState.TIMEOUT: say("No connection within the time."),
    EndpointState.TLS_TRUST: say("Its certificate is not to be trusted."),
    EndpointState.TLS_BROKEN: say("The TLS handshake breaks off."),
    EndpointState.NO_ANSWER: say("The connection stands, and no answer comes."),
    EndpointState.SERVER_ERROR: say("It answers with an error of its own."),
    EndpointState.NOT_AWS: say("What answers is not AWS."),
    EndpointState.CONNECTED: say("It takes connections; nothing further could be tried."),
}


def path(case: Case) -> tuple[Hop, ...]:
    """The legs of the agent's way, each with its state."""
    return tuple(_hops(case))


def _hops(case: Case) -> Iterator[Hop]:
    yield from _gateway(case)
    yield _imds(case)
    resolvers = case.facts.resolvers.or_none()
    for server in resolvers.nameservers[:3] if resolvers is not None else ():
        yield Hop("resolver", str(server.address), _resolves(case))
    yield from _proxy(case)
    for service in SERVICES:
        hop = _endpoint(case, service)
        if hop.state != OK and not matters(case, service):
            hop = Hop("endpoint", hop.name, UNUSED, say("This version of the agent does without it."))
        yield hop


# The gateway ---------------------------------------------------------------------------------------------


def _gateway(case: Case) -> Iterator[Hop]:
    routing = case.routing
    hop = routing.expected_gateway if routing is not None else None
    if routing is None or hop is None:
        return
    neighbour = routing.neighbour(hop)
    if any(_leads_by(case, hop, address) for address in _answering(case)):
        yield Hop("gateway", str(hop), OK, say("What lies beyond it answers."))
    elif neighbour is not None and neighbour.dead:
        yield Hop("gateway", str(hop), FAILED, say("Nobody answers for its address on the link."))
    elif neighbour is not None and neighbour.state == "REACHABLE":
        yield Hop("gateway", str(hop), OK, say("It answers on the link."))
    elif routing.routes and not routing.default_routes() and not routing.default_routes(6):
        yield Hop("gateway", str(hop), UNKNOWN, say("No default route leads to it."))
    else:
        yield Hop("gateway", str(hop), UNKNOWN)


def _answering(case: Case) -> Iterator[IPAddress]:
    """Addresses that took a connection, or answered a question, from this host."""
    for endpoint in case.endpoints.values():
        yield from (
            attempt.address
            for attempt in endpoint.tcp
            if attempt.outcome == "connected" and attempt.address is not None
        )
    resolvers = case.facts.resolvers.or_none()
    if resolvers is not None and _resolves(case) == OK and len(resolvers.nameservers) == 1:
        yield resolvers.nameservers[0].address


def _leads_by(case: Case, hop: IPAddress, address: IPAddress) -> bool:
    """Whether ``address`` is reached by way of ``hop``."""
    routing = case.routing
    if routing is None or any(n.version == address.version and address in n for n in routing.connected):
        return False
    answer = routing.answer(address)
    if answer is not None:
        return answer.gateway == hop
    route = routing.lookup(address).route
    return route is not None and hop in route.gateways


# What lies behind it -------------------------------------------------------------------------------------


def _imds(case: Case) -> Hop:
    name, imds = str(IMDS), case.imds
    diverted = case.proxy.imds if case.proxy is not None else None
    if case.hybrid:
        return Hop("imds", name, UNUSED)
    if diverted is not None and (imds is None or imds.state is ImdsState.OK):
        asked = any(case.failures(Leg.IMDS_PROXY)) or (imds is not None and imds.proxied_state not in (
            None, ImdsState.OK
        ))  # fmt: skip
        detail = say(
            "The agent asks the proxy {proxy} for it, and not the service itself.", proxy=diverted.value
        )
        return Hop("imds", name, FAILED if asked else UNKNOWN, detail)
    if imds is None:
        return Hop("imds", name, OK if _logged(case, "imds") else UNKNOWN)
    return Hop("imds", name, OK if imds.state is ImdsState.OK else FAILED, _IMDS[imds.state])


def _resolves(case: Case) -> str:
    states = {e.dns_state for e in case.endpoints.values()} - {DnsState.UNKNOWN}
    if not states:
        return UNKNOWN
    return OK if states == {DnsState.OK} else FAILED


def _proxy(case: Case) -> Iterator[Hop]:
    variable = case.proxy.for_https if case.proxy is not None else None
    if variable is None:
        return
    states = [_endpoint(case, service).state for service in SERVICES]
    failing = any(case.failures(Leg.PROXY)) or FAILED in states
    url = parse_proxy_url(variable.value)
    name = f"{url.host}:{url.port}" if url is not None and url.port else variable.value
    yield Hop("proxy", name, OK if OK in states else FAILED if failing else UNKNOWN)


def _endpoint(case: Case, service: str) -> Hop:
    endpoint: Endpoint | None = case.endpoint(service)
    name = endpoint.host if endpoint is not None else service
    if case.proxied and (endpoint is None or endpoint.proxied is None):
        if _logged(case, service):
            return Hop("endpoint", name, OK, say("The log shows that it answers through the proxy."))
        failing = any(case.failures(target=service)) or any(case.failures(Leg.PROXY))
        detail = say("Only the direct way was tried, which the agent does not take.") if endpoint else None
        return Hop("endpoint", name, FAILED if failing else UNKNOWN, detail)
    if endpoint is None:
        return Hop("endpoint", name, OK if _logged(case, service) else UNKNOWN)
    if endpoint.proxied is not None:
        answered = endpoint.proxied.ok
        detail = (
            say("It answers through the proxy.") if answered else say("It does not answer through the proxy.")
        )
        return Hop("endpoint", name, OK if answered else FAILED, detail)
    states = {None: UNKNOWN, True: OK, False: FAILED}
    return Hop("endpoint", name, states[endpoint.reachable], ENDPOINT.get(endpoint.state))


def _logged(case: Case, target: str) -> bool:
    """Whether the log proves that the agent reached ``target`` and has not failed there since."""
    proven = any(target in sighting.proves for sighting in case.logs.current)
    return proven and not any(case.failures(target=target))
