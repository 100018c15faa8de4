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
from analyzers.tables import routes
from analyzers.text import Message, say

OK, FAILED, UNKNOWN, UNUSED = "ok", "failed", "unknown", "unused"

_IMDS = {
    ImdsState.OK: say("It returns a token and the instance ID."),
    ImdsState.NO_ROUTE: say("The host has no route to it."),
    ImdsState.HOST_UNREACHABLE: say("The next hop does not answer, or says that it cannot be reached."),
    ImdsState.REFUSED: say("The connection is refused."),
    ImdsState.TIMEOUT: say("The connection timed out."),
    ImdsState.NO_ANSWER: say("It accepts the connection and never answers."),
    ImdsState.DENIED: say("The host itself forbids the connection."),
    ImdsState.INVALID: say("A route discards the traffic."),
    ImdsState.DISABLED: say("It answers 403: it is switched off for this instance."),
    ImdsState.TOKEN_BLOCKED: say("It returns no token, though it answers requests without one."),
    ImdsState.IMPOSTOR: say("Something else answers in its place."),
    ImdsState.SERVER_ERROR: say("It answers with a server error."),
    ImdsState.PARTIAL: say("It returns a token, but not the instance ID."),
    ImdsState.OTHER: say("It does not answer as it should."),
}
ENDPOINT = {
    EndpointState.DNS: say("Its name does not resolve."),
    EndpointState.NO_ROUTE: say("The host has no route to it, or a router says so."),
    EndpointState.REFUSED: say("The connection is refused."),
    EndpointState.DENIED: say("A firewall forbids the connection."),
    EndpointState.TIMEOUT: say("The connection timed out."),
    EndpointState.TLS_TRUST: say("Its certificate is not trusted."),
    EndpointState.TLS_BROKEN: say("The TLS handshake breaks off."),
    EndpointState.NO_ANSWER: say("It accepts the connection and never answers."),
    EndpointState.SERVER_ERROR: say("It answers with a server error."),
    EndpointState.NOT_AWS: say("What answers is not AWS."),
    EndpointState.CONNECTED: say("It accepts connections; nothing further could be tested."),
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
            hop = Hop("endpoint", hop.name, UNUSED, say("This version of the agent does not need it."))
        yield hop


# The gateway ---------------------------------------------------------------------------------------------


def _gateway(case: Case) -> Iterator[Hop]:
    routing = case.routing
    hop = routing.expected_gateway if routing is not None else None
    if routing is None or hop is None:
        return
    neighbour = routing.neighbour(hop)
    if any(_leads_by(case, hop, address) for address in _answering(case)):
        yield Hop("gateway", str(hop), OK, say("Hosts beyond it answer."))
    elif neighbour is not None and neighbour.dead:
        yield Hop("gateway", str(hop), FAILED, say("Nothing answers for its address on the link."))
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
            "The agent sends these requests to its proxy {proxy}, not to the service.", proxy=diverted.value
        )
        return Hop("imds", name, FAILED if asked else UNKNOWN, detail)
    if imds is None:
        return Hop("imds", name, OK if _logged(case, "imds") else UNKNOWN)
    return Hop("imds", name, OK if imds.state is ImdsState.OK else FAILED, _astray(case) or _IMDS[imds.state])


def _astray(case: Case) -> Message | None:
    """Where the route to the metadata service leads, if that is the wrong place."""
    return next((row.why for row in routes(case) if row.purpose == "imds"), None)


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
        detail = say("Only a direct connection was tested; the agent uses its proxy.") if endpoint else None
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
