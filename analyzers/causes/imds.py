"""The way to the instance metadata service."""

from __future__ import annotations

from collections.abc import Iterator

from analyzers.causes.case import Case
from analyzers.causes.rule import Exclusion, Finding, Told, rule
from analyzers.causes.tools import CERTAIN, LIKELY, POSSIBLE, lines, share
from analyzers.causes.values import spelled
from analyzers.causes.versions import Change
from analyzers.diagnosis import Confidence
from analyzers.facts.firewall import Fate, Judgement
from analyzers.facts.imds import Imds, ImdsState
from analyzers.facts.routes import Lookup, RouteAnswer, RouteOutcome
from analyzers.facts.routing import IMDS
from analyzers.logs.model import Leg
from analyzers.text import Value, say

UNANSWERED = frozenset((
    ImdsState.NO_ROUTE, ImdsState.INVALID, ImdsState.DENIED, ImdsState.HOST_UNREACHABLE, ImdsState.REFUSED,
    ImdsState.TIMEOUT, ImdsState.NO_ANSWER, ImdsState.OTHER,
))  # fmt: skip
_REFUSING = (RouteOutcome.NO_ROUTE, RouteOutcome.UNREACHABLE, RouteOutcome.PROHIBIT, RouteOutcome.BLACKHOLE)


def needed(case: Case) -> bool:
    """Whether this agent depends on IMDS: not one with a hybrid registration."""
    registration = case.facts.registration.or_none()
    return not case.hybrid and not (registration and registration.hybrid)


def failing(case: Case, *states: ImdsState) -> Imds | None:
    """IMDS as seen from the host, if the agent needs it and it is in one of these states.

    Where the telling requests are missing, an answer of any kind is no failure.
    """
    imds = case.imds
    if imds is None or imds.state not in states or not needed(case):
        return None
    answered = imds.state is ImdsState.OTHER and any(a.answered for a in imds.answers.values())
    return None if answered else imds


def way(case: Case) -> tuple[RouteOutcome | None, RouteAnswer | None, Lookup | None]:
    """Where a packet to IMDS goes: the kernel's own word before our reckoning."""
    routing = case.routing
    if routing is None:
        return None, None, None
    answer = routing.answer(IMDS)
    lookup = routing.lookup(IMDS) if routing.routes else None
    outcome = answer.outcome if answer is not None and answer.outcome is not None else None
    return outcome or (lookup.outcome if lookup else None), answer, lookup


def judged(case: Case) -> Judgement | None:
    """What the host's own firewall does with a request to IMDS."""
    firewall = case.facts.firewall.or_none()
    return firewall.judge(IMDS, 80) if firewall is not None and firewall.seen else None


@rule("imds-no-route", "imds", "routing")
def no_route(case: Case) -> Iterator[Told]:
    """The kernel refuses to send there."""
    imds = failing(case, *UNANSWERED)
    if imds is None:
        return
    outcome, answer, lookup = way(case)
    if outcome in _REFUSING or (outcome is None and imds.state in (ImdsState.NO_ROUTE, ImdsState.INVALID)):
        route = lookup.route if lookup else None
        values = {"bad_route": spelled(route)} if route is not None and route.kind.rejects else {}
        yield Finding(
            "imds-no-route",
            CERTAIN,
            lines(answer.at if answer else None, route.at if route else None, imds.at),
            values=values,
        )


@rule("imds-wrong-route", "imds", "routing")
def wrong_route(case: Case) -> Iterator[Told]:
    """A route of its own sends it elsewhere than to the subnet's router."""
    imds = failing(case, *UNANSWERED)
    outcome, answer, lookup = way(case)
    if imds is None or outcome not in (RouteOutcome.FORWARD, RouteOutcome.LOCAL) or case.routing is None:
        return
    route = lookup.route if lookup else None
    gateway = (answer.gateway if answer else None) or (route.gateway if route else None)
    device = (answer.device if answer else None) or (route.device if route else None)
    at = lines(answer.at if answer else None, route.at if route else None)
    neighbour = case.routing.neighbour(gateway or IMDS)
    dead = neighbour is not None and neighbour.dead
    values: dict[str, Value] = {"wrong_gateway": str(gateway or device or "") or say("the host itself")}
    if route is not None and not (route.is_default and route.table == "main"):
        values["bad_route"] = spelled(route)
        expected = case.routing.expected_gateway
        elsewhere = gateway is not None and gateway != expected
        other_device = device is not None and device != case.routing.primary_device
        on_link = gateway is None and imds.state is ImdsState.HOST_UNREACHABLE
        if elsewhere or other_device or on_link or outcome is RouteOutcome.LOCAL or dead:
            yield Finding(
                "imds-wrong-route",
                CERTAIN,
                (*at, *lines(neighbour.at if dead and neighbour else None, imds.at)),
                values=values,
            )
    elif dead and neighbour is not None:
        sentence = say(
            "The default gateway {gateway} does not answer, so nothing beyond this host's subnet is reached.",
            gateway=gateway or device,
        )
        yield Finding(
            "imds-wrong-route", LIKELY, (*at, *lines(neighbour.at, imds.at)), sentence=sentence, values=values
        )


@rule("imds-wrong-route", "route_answers")
def another_way(case: Case) -> Iterator[Told]:
    """No routes were seen, but the kernel sends IMDS to another gateway than all else it was asked of."""
    imds, answers = failing(case, *UNANSWERED), case.facts.route_answers.or_none() or ()
    if imds is None or case.routing is not None:
        return
    ours = next((a for a in answers if a.target == IMDS and a.gateway is not None), None)
    others = {a.gateway for a in answers if a.target != IMDS and a.gateway is not None}
    if ours is not None and others and ours.gateway not in others:
        values = {"wrong_gateway": str(ours.gateway)}
        yield Finding("imds-wrong-route", LIKELY, lines(ours.at, imds.at), values=values)


@rule("imds-no-route", "routing", "firewall")
def unasked(case: Case) -> Iterator[Told]:
    """IMDS itself was not tried; where the agent misses it, what lies on the way there is telling."""
    if not _missed(case):
        return
    outcome, answer, lookup = way(case)
    judgement, route = judged(case), lookup.route if lookup else None
    at = lines(answer.at if answer else None, route.at if route else None)
    own = route is not None and not (route.is_default and route.table == "main")
    if outcome in _REFUSING:
        values = {"bad_route": spelled(route)} if route is not None and route.kind.rejects else {}
        yield Finding("imds-no-route", LIKELY, at, values=values)
    elif judgement is not None and judgement.blocks:
        yield Finding("imds-blocked-on-host", LIKELY, lines(judgement.at))
    elif judgement is not None and judgement.fate is Fate.REDIRECT:
        target = {"redirect_to": judgement.target or say("another port")}
        yield Finding("imds-redirected", LIKELY, lines(judgement.at), values=target)
    elif own and case.routing is not None:
        gateway = (answer.gateway if answer else None) or (route.gateway if route else None)
        if gateway is not None and gateway != case.routing.expected_gateway:
            astray = {"wrong_gateway": str(gateway), "bad_route": spelled(route) if route else None}
            yield Finding("imds-wrong-route", LIKELY, at, values={k: v for k, v in astray.items() if v})


def _missed(case: Case) -> bool:
    """Whether the agent needs IMDS and seems not to have it, and nobody asked."""
    if case.imds is not None or not needed(case) or case.connected:
        return False
    nameless = any(case.logs.now("start.no-identity", "start.failed", "imds."))
    return nameless or any(case.failures(Leg.IMDS)) or not case.logs.has_entries


def way_is_clear(case: Case) -> bool:
    """Whether the host's own routes and firewall were seen, and lead to IMDS and let it pass."""
    outcome, _, lookup = way(case)
    judgement = judged(case)
    return (
        lookup is not None
        and outcome is RouteOutcome.FORWARD
        and judgement is not None
        and judgement.fate is Fate.PASS
    )


@rule("imds-blocked-on-host", "imds", "firewall")
def blocked(case: Case) -> Iterator[Told]:
    """The host's firewall stops it."""
    imds = failing(case, *UNANSWERED)
    if imds is None:
        return
    judgement = judged(case)
    if judgement is not None and judgement.blocks:
        cited = lines(judgement.at, imds.at)
        yield Finding("imds-blocked-on-host", CERTAIN, cited, values={"firewall_rule": judgement.chain})
    elif judgement is None or judgement.fate is Fate.UNKNOWN:
        seen = judgement is not None and imds.state in (ImdsState.REFUSED, ImdsState.DENIED)
        none = {"no_firewall_rule": "yes"}
        yield Finding("imds-blocked-on-host", LIKELY if seen else POSSIBLE, lines(imds.at), values=none)


@rule("imds-redirected", "imds", "firewall")
def redirected(case: Case) -> Iterator[Told]:
    """A NAT rule leads it to something dead."""
    imds = failing(case, *UNANSWERED)
    judgement = judged(case) if imds is not None else None
    if imds is not None and judgement is None and imds.state is ImdsState.REFUSED:
        yield Finding("imds-redirected", POSSIBLE, lines(imds.at))
    elif imds is not None and judgement is not None and judgement.fate is Fate.REDIRECT:
        yield Finding(
            "imds-redirected",
            CERTAIN,
            lines(judgement.at, imds.at),
            values={"redirect_to": judgement.target or say("another port")},
        )


@rule("imds-no-response", "imds")
def no_response(case: Case) -> Iterator[Told]:
    """The way is seen to be right, and nothing comes back."""
    imds = failing(
        case,
        ImdsState.NO_ANSWER,
        ImdsState.TIMEOUT,
        ImdsState.REFUSED,
        ImdsState.HOST_UNREACHABLE,
        ImdsState.OTHER,
    )
    if imds is None:
        return
    v1 = imds.answer("v1")
    if imds.state is ImdsState.NO_ANSWER:
        sure = CERTAIN if v1 is not None else POSSIBLE  # a token alone may be lost by the hop limit
    else:
        sure = LIKELY if way_is_clear(case) else POSSIBLE
    yield Finding("imds-no-response", sure, lines(imds.at, v1.at if v1 else None))


@rule("imds-disabled", "imds")
def disabled(case: Case) -> Iterator[Told]:
    """403 on every path, from the service itself."""
    imds = failing(case, ImdsState.DISABLED)
    if imds is not None:
        yield Finding("imds-disabled", CERTAIN, lines(imds.at))


@rule("imds-hop-limit", "imds")
def hop_limit(case: Case) -> Iterator[Told]:
    """The token never arrives.  Some agents do without one where IMDSv1 is allowed."""
    imds = failing(case, ImdsState.TOKEN_BLOCKED, ImdsState.NO_ANSWER)
    if imds is None:
        return
    v1 = imds.answer("v1")
    if imds.state is ImdsState.NO_ANSWER:
        if v1 is None:
            yield Finding("imds-hop-limit", POSSIBLE, lines(imds.at))
        return
    falls_back = case.has(Change.NO_IMDS_V1) is False and case.has(Change.IMDS_V1_AFTER_V2) is not False
    if imds.v1_allowed and (falls_back or case.has(Change.IMDS_V2) is False):
        return
    sure: Confidence = CERTAIN if case.version is not None or not imds.v1_allowed else LIKELY
    yield Finding("imds-hop-limit", sure, lines(imds.at, v1.at if v1 else None))


@rule("imds-server-error", "imds")
def server_error(case: Case) -> Iterator[Told]:
    """The service itself fails."""
    imds = failing(case, ImdsState.SERVER_ERROR)
    if imds is not None:
        token = imds.answer("token")
        status = str(token.status) if token is not None and token.status else "5xx"
        yield Finding("imds-server-error", CERTAIN, lines(imds.at), values={"status": status})


@rule("imds-impostor", "imds")
def impostor(case: Case) -> Iterator[Told]:
    """Something else answers."""
    imds = failing(case, ImdsState.IMPOSTOR)
    if imds is not None:
        sentence = (
            say(
                "What answers at 169.254.169.254 is not this instance's metadata service: {why}.",
                why=imds.why,
            )
            if imds.why
            else None
        )
        judgement = judged(case)
        at = judgement.at if judgement is not None and judgement.fate is Fate.REDIRECT else None
        yield Finding("imds-impostor", CERTAIN, lines(imds.at, at), sentence=sentence)


@rule("agent-too-old-for-imdsv2", "imds")
def too_old(case: Case) -> Iterator[Told]:
    """Tokens are required, and this version knows none."""
    imds = failing(case, ImdsState.OK)
    if imds is not None and imds.v1_allowed is False and case.has(Change.IMDS_V2) is False:
        v1 = imds.answer("v1")
        yield Finding(
            "agent-too-old-for-imdsv2",
            CERTAIN,
            lines(v1.at if v1 else None, imds.at),
            values={"version": str(case.version)},
        )


@rule("imds-hop-limit", "logs")
def token_never_came(case: Case) -> Iterator[Told]:
    """Agents that fall back to IMDSv1 where they get no token read a 401 only then."""
    if not case.has(Change.IMDS_V1_AFTER_V2) or case.has(Change.NO_IMDS_V1) is not False:
        return
    for sighting in case.logs.now("imds.http-401"):
        if case.imds is None or case.imds.state is not ImdsState.OK:
            yield Finding("imds-hop-limit", LIKELY, (share(sighting),), since=sighting.first.time)


@rule("imds-unreachable", "imds")
def fine(case: Case) -> Iterator[Told]:
    """IMDS works now, or is not needed: what the log said of it is over."""
    if case.imds is not None and case.imds.state is ImdsState.OK:
        reason = say("The metadata service answers this host now, token and instance id.")
        yield Exclusion("imds-*", reason, lines(case.imds.at))
        if case.imds.v1_allowed or case.has(Change.IMDS_V2):
            yield Exclusion("agent-too-old-for-imdsv2", reason, lines(case.imds.at))
    elif not needed(case):
        yield Exclusion(
            "imds-*", say("The agent has a hybrid registration and does not ask the metadata service.")
        )
