"""The agent's proxy: which one, for what, and whether it serves."""

from __future__ import annotations

from collections.abc import Iterator

from analyzers.causes.case import Case
from analyzers.causes.imds import needed
from analyzers.causes.logged import echoes
from analyzers.causes.rule import Exclusion, Finding, Told, rule
from analyzers.causes.tools import CERTAIN, LIKELY, POSSIBLE, endpoint_values, lines, share
from analyzers.causes.values import for_unit
from analyzers.diagnosis import Citation
from analyzers.facts.base import address
from analyzers.facts.endpoints import EndpointState, ProxiedAnswer
from analyzers.facts.imds import ImdsState
from analyzers.facts.proxy import ProxyVariable, parse_proxy_url
from analyzers.logs.model import Leg
from analyzers.text import Value, say

_BLOCKED = frozenset((
    EndpointState.TIMEOUT, EndpointState.REFUSED, EndpointState.NO_ROUTE, EndpointState.DENIED,
    EndpointState.DNS, EndpointState.NO_ANSWER, EndpointState.TLS_BROKEN,
))  # fmt: skip


_UNTOLD = frozenset((EndpointState.UNKNOWN, EndpointState.CONNECTED))


def on_this_host(case: Case, variable: ProxyVariable) -> bool:
    """Whether the proxy runs on the host itself, where it may well reach IMDS in the host's name."""
    url = parse_proxy_url(variable.value)
    ip = address(url.host) if url else None
    own = case.facts.addresses.or_none()
    if url is None or ip is None:
        return url is not None and url.host == "localhost"
    return ip.is_loopback or (own is not None and own.owner(ip) is not None)


@rule("proxy-no-noproxy-imds", "proxy", "logs")
def imds_by_proxy(case: Case) -> Iterator[Told]:
    """Requests to the metadata service go through the agent's proxy."""
    variable = case.proxy.imds if case.proxy is not None else None
    if variable is None or not needed(case) or on_this_host(case, variable):
        return
    values = {"proxy": variable.value}
    imds, logged = case.imds, case.logs.identity
    seen = [share(s) for s in case.failures(Leg.IMDS, Leg.IMDS_PROXY)]
    if (
        imds is not None
        and imds.instance_id
        and logged
        and logged.startswith("i-")
        and logged != imds.instance_id
    ):
        sentence = say(
            "The agent's proxy {proxy} is also used for 169.254.169.254, and answers with another identity: "
            "the agent takes itself for {wrong}; this instance is {right}.",
            proxy=variable.value, wrong=logged, right=imds.instance_id,
        )  # fmt: skip
        yield Finding(
            "proxy-no-noproxy-imds", CERTAIN, lines(variable.at, imds.at), sentence=sentence, values=values
        )
        return
    answer = imds.proxied if imds is not None else None
    proves = imds is not None and imds.state is ImdsState.OK
    if answer is not None and imds is not None and imds.proxied_state is not ImdsState.OK:
        yield Finding(
            "proxy-no-noproxy-imds", CERTAIN, (*lines(variable.at, answer.at), *seen), values=values
        )
    elif seen or _no_identity(case):
        yield Finding(
            "proxy-no-noproxy-imds",
            CERTAIN if seen and proves else LIKELY,
            (*lines(variable.at), *seen),
            values=values,
        )
    elif case.identity == "EC2" or not case.logs.has_entries:
        # An identity that came by another machine's proxy is that machine's, unless it was seen to be ours.
        same = imds is not None and imds.instance_id is not None and imds.instance_id == logged
        yield Finding(
            "proxy-no-noproxy-imds", POSSIBLE if same else LIKELY, lines(variable.at), values=values
        )


def _no_identity(case: Case) -> bool:
    """Whether the agent is up and never learned who it is."""
    return case.logs.has_entries and case.identity is None and not case.connected


@rule("proxy-missing-or-wrong-layer", "proxy", "endpoints")
def not_for_the_service(case: Case) -> Iterator[Told]:
    """A proxy is set for shells, the service has none, and the direct way is shut."""
    layers = case.facts.proxy.or_none()
    if case.proxied or not case.endpoints or (layers is None and case.proxied is None):
        return
    failing = [e for e in case.endpoints.values() if e.state in _BLOCKED]
    reached = [e for e in case.endpoints.values() if e.state not in _BLOCKED | _UNTOLD]
    elsewhere = next((v for v in layers.elsewhere if v.value), None) if layers is not None else None
    served = next(
        (e.proxied for e in case.endpoints.values() if e.proxied is not None and e.proxied.ok), None
    )
    if reached or not failing or (elsewhere is None and served is None):
        return
    if elsewhere is None and served is not None:
        told: dict[str, Value] = {
            **endpoint_values(failing[0]),
            "proxy": served.proxy,
            "layer": say("another place"),
        }
        yield Finding("proxy-missing-or-wrong-layer", CERTAIN, lines(served.at), values=told)
        return
    assert elsewhere is not None  # noqa: S101  or the rule has ended
    shown = (failing[0].shown_by,) if failing[0].shown_by else ()
    values = {
        **endpoint_values(failing[0]), **_for_the_unit(case, elsewhere.value), "layer": elsewhere.origin
    }  # fmt: skip
    yield Finding("proxy-missing-or-wrong-layer", CERTAIN, lines(elsewhere.at, *shown), values=values)


def _for_the_unit(case: Case, proxy: str) -> dict[str, str]:
    return {"proxy": proxy, "unit_proxy": for_unit(case, proxy)}


@rule("proxy-unreachable", "endpoints", "proxy")
def proxy_fails(case: Case) -> Iterator[Told]:
    """The same request by the agent's own proxy, and what became of it."""
    for endpoint in case.endpoints.values():
        answer = endpoint.proxied
        if answer is None or answer.ok:
            continue
        slug, how = _proxy_fault(answer)
        if slug:
            url = parse_proxy_url(answer.proxy)
            values = {
                **endpoint_values(endpoint),
                "proxy": answer.proxy,
                "how": how,
                "proxy_host": url.host if url else "",
            }
            yield Finding(slug, CERTAIN, lines(answer.at), values=values)
            return


_OUTCOMES = {
    "refused": say("connection refused"),
    "timeout": say("no answer"),
    "no-route": say("no route to it"),
    "host-unreachable": say("no route to it"),
}


def _proxy_fault(answer: ProxiedAnswer) -> tuple[str, Value]:
    """The cause that a request by the proxy shows, and how it failed in a few words."""
    error = answer.error.lower()
    if answer.connect_status == 407 or answer.status == 407:
        return "proxy-auth-required", "407"
    if answer.connect_status == 403:
        return "proxy-denies-endpoint", "403"
    if "resolve proxy" in error:
        return "proxy-name-not-resolved", say("its name does not resolve")
    if "wrong version number" in error or "record" in error or "http/0.9" in error:
        return "proxy-scheme-https", say("it speaks no TLS")
    if answer.outcome in _OUTCOMES and answer.connect_status is None:
        return "proxy-unreachable", _OUTCOMES[answer.outcome]
    if answer.connect_status is not None and answer.connect_status >= 500:
        return "proxy-unreachable", say("it answers {status}", status=answer.connect_status)
    return "", ""


@rule("proxy-scheme-https", "proxy", "logs")
def wrong_scheme(case: Case) -> Iterator[Told]:
    """The proxy's URL says https, and the log shows that it speaks no TLS."""
    variable = case.proxy.for_https if case.proxy is not None else None
    url = parse_proxy_url(variable.value) if variable is not None else None
    if variable is None or url is None or url.scheme != "https":
        return
    shown = [
        share(s)
        for s in case.failures(Leg.PROXY, Leg.ENDPOINT)
        if s.signature.startswith(("proxy.", "tls.")) or (s.leg is Leg.PROXY and s.signature in _CUT_OFF)
    ]
    works = any(e.proxied is not None and e.proxied.ok for e in case.endpoints.values()) or case.connected
    if not works:
        yield Finding(
            "proxy-scheme-https",
            CERTAIN if shown else POSSIBLE,
            (*lines(variable.at), *shown),
            values={"proxy": variable.value},
        )


_CUT_OFF = ("net.tls-timeout", "net.eof", "net.reset", "net.plain-http")
"""What becomes of a TLS handshake with a proxy that speaks none: not every one answers."""


@rule("proxy-unreachable", "proxy", "logs")
def nothing_by_proxy(case: Case) -> Iterator[Told]:
    """The agent's requests go by a proxy and fail in a way that the log does not tell; direct ones work."""
    variable = case.proxy.for_https if case.proxy is not None else None
    vague: list[Citation] = [share(s) for s in case.failures() if s.vague and not echoes(case, s)]
    if variable is None or not vague or any(e.proxied is not None for e in case.endpoints.values()):
        return
    url = parse_proxy_url(variable.value)
    values: dict[str, Value] = {
        "proxy": variable.value,
        "how": say("requests through it fail"),
        "proxy_host": url.host if url else "",
    }
    direct = any(e.state is EndpointState.OK for e in case.endpoints.values())
    yield Finding(
        "proxy-unreachable", LIKELY if direct else POSSIBLE, (*lines(variable.at), *vague), values=values
    )


_NOT_BY_PROXY = (
    "proxy-unreachable", "proxy-name-not-resolved", "proxy-auth-required", "proxy-denies-endpoint",
    "proxy-scheme-https", "endpoint-*", "dns-*", "no-default-route", "vpc-endpoint-missing",
)  # fmt: skip


@rule("proxy-missing-or-wrong-layer", "proxy")
def proxy_serves(case: Case) -> Iterator[Told]:
    """The service answers by the agent's proxy: the proxy is good, and the direct way does not matter."""
    served = [e for e in case.endpoints.values() if e.proxied is not None and e.proxied.ok]
    if case.endpoints and len(served) == len(case.endpoints):
        reason = say("The services answer through the agent's own proxy.")
        cited = lines(*(e.proxied.at for e in served if e.proxied is not None))
        for slug in _NOT_BY_PROXY:
            yield Exclusion(slug, reason, cited)
    elif case.proxied is False:
        yield Exclusion("proxy-no-noproxy-imds", say("The agent uses no proxy."))
