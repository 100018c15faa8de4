"""Certificates that the host does not accept, and the clock that can be the reason."""

from __future__ import annotations

from collections.abc import Iterator

from analyzers.causes.case import Case
from analyzers.causes.host import clock_is_right, clock_is_wrong
from analyzers.causes.network import direct, scope_of
from analyzers.causes.rule import Exclusion, Finding, Told, rule
from analyzers.causes.tools import CERTAIN, LIKELY, endpoint_values, lines
from analyzers.facts.endpoints import EndpointState, TlsHandshake
from analyzers.text import Value, say


@rule("tls-trust", "endpoints")
def certificate(case: Case) -> Iterator[Told]:
    """The handshake shows whose certificate it is, and what is wrong with it."""
    failing = direct(case, EndpointState.TLS_TRUST)
    for endpoint in failing:
        bad = next(
            (t for t in endpoint.tls if t.outcome in ("untrusted", "expired", "not-yet-valid", "wrong-host")),
            None,
        )
        if bad is None:
            continue
        values = {
            **endpoint_values(endpoint),
            "issuer": bad.issuer or say("issuer not seen"),
            "subject": bad.subject,
            "dates": _dates(bad),
        }
        scope, cited = scope_of(case, failing), lines(bad.at)
        if bad.outcome == "untrusted":
            yield Finding("tls-trust", CERTAIN, cited, scope, values=values)
        elif bad.outcome == "wrong-host":
            yield Finding("tls-wrong-host", CERTAIN, cited, scope, values=values)
        elif bad.outcome == "not-yet-valid" and not clock_is_right(case):
            if not clock_is_wrong(
                case
            ):  # nobody serves a certificate before its time; a clock that is behind is common
                values |= {"skew": say("some time"), "direction": say("behind AWS's")}
                yield Finding("clock-skew", LIKELY, cited, values=values)
        elif not clock_is_wrong(case):
            sure = CERTAIN if clock_is_right(case) else LIKELY
            yield Finding("tls-certificate-expired", sure, cited, scope, values=values)
        return


@rule("tls-certificate-expired", "skew")
def not_the_certificate(case: Case) -> Iterator[Told]:
    """By a wrong clock the dates of certificates say nothing; with a right one, it is not at fault."""
    if clock_is_wrong(case):
        yield Exclusion(
            "tls-certificate-expired", say("The host's clock is wrong; certificates are judged by it.")
        )
    elif clock_is_right(case):
        yield Exclusion("clock-skew", say("The host's clock agrees with AWS's."))


def _dates(handshake: TlsHandshake) -> Value:
    begin, end = handshake.not_before, handshake.not_after
    if begin is None and end is None:
        return say("dates not seen")
    return f"{begin:%Y-%m-%d} - {end:%Y-%m-%d}" if begin and end else f"{begin or end:%Y-%m-%d}"
