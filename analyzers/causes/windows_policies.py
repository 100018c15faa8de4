"""Settings and policies of Windows that stand in the agent's way: names, roots, programs that may not run."""

from __future__ import annotations

from collections.abc import Iterator

from analyzers.causes.case import Case
from analyzers.causes.network import direct, scope_of
from analyzers.causes.rule import Finding, Told, rule
from analyzers.causes.tools import CERTAIN, LIKELY, POSSIBLE, endpoint_values, lines, shares
from analyzers.causes.versions import Change
from analyzers.causes.windows import down, since_boot, windows
from analyzers.diagnosis import Owner
from analyzers.facts.endpoints import DnsState, Endpoint, EndpointState
from analyzers.facts.windows.policies import NameRule, RootStore
from analyzers.facts.windows.service import Event
from analyzers.text import Message, Value, say

_APPLOCKER_BLOCKED, _CODE_INTEGRITY_BLOCKED = 8004, 3077
_OUT_OF_MEMORY = 2004
"""Of Microsoft-Windows-Resource-Exhaustion-Detector."""
_ENDED = (7031, 7034)
"""The service control manager's: a service ended unexpectedly."""


# Names ---------------------------------------------------------------------------------------------------


@rule("dns-timeout", "endpoints", "windows")
def name_rule(case: Case) -> Iterator[Told]:
    """A rule of the name resolution policy sends the endpoint's name to a server that does not know it.

    The adapters' own name servers, asked directly, are not under that rule: if they know the name, it is the
    rule.
    """
    host = windows(case)
    failing = direct(case, EndpointState.DNS)
    for endpoint in failing:
        taking = _taking(host.name_rules, endpoint.host) if host is not None else None
        refused = any(answer.rcode not in ("", "NOERROR") for answer in endpoint.dns)
        if taking is None or refused:
            continue
        known = next((answer for answer in endpoint.dns if answer.addresses), None)
        values = {
            **endpoint_values(endpoint), "resolver": ", ".join(map(str, taking.servers)),
            "names": ", ".join(taking.names), "nrpt": "yes",
        }  # fmt: skip
        yield Finding(
            "dns-timeout" if _silent(endpoint) else "dns-no-such-host",
            CERTAIN if known is not None else LIKELY,
            lines(taking.at, endpoint.resolve.at if endpoint.resolve else None, known.at if known else None),
            scope_of(case, failing),
            _name_sentence(values, known=known is not None),
            values,
            owner=Owner.HOST,
        )
        return


def _taking(rules: tuple[NameRule, ...], host: str) -> NameRule | None:
    """The rule that takes a name: the one that fits it most closely; ``None`` where it sets no servers."""
    best = max(rules, key=lambda one: one.fit(host), default=None)
    return best if best is not None and best.fit(host) and best.servers else None


def _silent(endpoint: Endpoint) -> bool:
    error = endpoint.resolve.error if endpoint.resolve is not None else ""
    return endpoint.dns_state is DnsState.TIMEOUT or error.startswith("TryAgain")


def _name_sentence(values: dict[str, str], *, known: bool) -> Message:
    if known:
        return say(
            "A rule of the name resolution policy (NRPT) has Windows ask {resolver} for {names}, and it gets "
            "no address for {host}; the adapters' own name servers know one.",
            **values,
        )
    return say(
        "A rule of the name resolution policy (NRPT) has Windows ask {resolver} for {names}, and it gets no "
        "address for {host}.",
        **values,
    )


# Certificates and TLS ------------------------------------------------------------------------------------


@rule("tls-trust", "endpoints", "windows")
def roots(case: Case) -> Iterator[Told]:
    """The certificate is Amazon's own, and this machine does not trust Amazon's roots: nobody intercepts."""
    host = windows(case)
    store = host.roots if host is not None else None
    failing = direct(case, EndpointState.TLS_TRUST)
    shown = next(((e, t) for e in failing for t in e.tls if t.outcome == "untrusted" and t.amazon), None)
    if store is None or shown is None or not (store.disallowed or not store.amazon):
        return
    endpoint, handshake = shown
    values = {**endpoint_values(endpoint), "issuer": handshake.issuer, "roots": "missing"}
    yield Finding(
        "tls-trust",
        CERTAIN,
        lines(handshake.at, *(c.at for c in store.disallowed), store.at, store.no_update),
        scope_of(case, failing),
        _roots_sentence(store, values),
        values,
        owner=Owner.HOST,
    )


def _roots_sentence(store: RootStore, values: dict[str, str]) -> Message:
    if store.disallowed:
        return say(
            "{host} shows Amazon's own certificate, and this machine's list of untrusted certificates holds "
            "the root above it.",
            host=values["host"],
        )
    if store.no_update is not None:
        return say(
            "{host} shows Amazon's own certificate; this machine has none of Amazon's roots, and a policy "
            "keeps Windows from fetching them.",
            host=values["host"],
        )
    return say(
        "{host} shows Amazon's own certificate, and this machine has none of Amazon's roots.",
        host=values["host"],
    )


@rule("endpoint-tls-version", "endpoints", "windows")
def old_tls(case: Case) -> Iterator[Told]:
    """Windows' own TLS has 1.2 switched off: what broke is this program's look, and hardly the agent's way.

    The agent is written in Go and brings a TLS of its own, so this is never more than possible.
    """
    host = windows(case)
    off = host.tls.tls12_off if host is not None else None
    failing = direct(case, EndpointState.TLS_BROKEN)
    if off is not None and failing:
        values = endpoint_values(failing[0])
        sentence = say(
            "TLS 1.2 is switched off in Windows on this host (SChannel), so the test of {host} could not "
            "end; the agent has a TLS of its own, and may well get through.",
            host=values["host"],
        )
        cited = lines(off, failing[0].shown_by)
        yield Finding(
            "endpoint-tls-version", POSSIBLE, cited, sentence=sentence, values=values, owner=Owner.HOST
        )


# Programs that may not run, or cannot --------------------------------------------------------------------


@rule("security-software-block", "windows", "service")
def application_control(case: Case) -> Iterator[Told]:
    """AppLocker or Windows Defender Application Control forbade a program of the agent, and it is not up."""
    host, unit = windows(case), case.unit
    if host is None or unit is None or not down(case):
        return
    for number, module in (
        (_APPLOCKER_BLOCKED, "AppLocker"),
        (_CODE_INTEGRITY_BLOCKED, "Windows Defender Application Control"),
    ):
        for event in since_boot(case, host, number, of_agent=False):
            if _names_agent(event):
                yield Finding(
                    "security-software-block", CERTAIN, lines(event.at, unit.at), values={"module": module},
                    since=event.time,
                )  # fmt: skip
                return


def _names_agent(event: Event) -> bool:
    return any("\\amazon\\ssm\\" in value.lower() for value in event.values)


@rule("resource-starvation", "windows")
def out_of_memory(case: Case) -> Iterator[Told]:
    """Windows ran out of memory, and the agent's programs ended unasked."""
    host = windows(case)
    if host is None or case.connected:
        return
    low = since_boot(case, host, _OUT_OF_MEMORY, of_agent=False)
    ended = [event for number in _ENDED for event in since_boot(case, host, number)]
    died = shares(s for s in case.failures() if s.signature == "host.worker-died")
    if low and (ended or died):
        cited = (*lines(low[0].at, *(e.at for e in ended[:1])), *died)
        sentence = say("Windows ran out of memory, and the agent's programs ended.")
        yield Finding("resource-starvation", LIKELY, cited, sentence=sentence, since=low[0].time)


@rule("worker-broken", "windows")
def worker_gone(case: Case) -> Iterator[Told]:
    """The worker's program is not beside the core's, as after a virus scanner took it.  2.x has none."""
    host = windows(case)
    folder = host.folder if host is not None else None
    if folder is None or not case.has(Change.WORKER) or "ssm-agent-worker.exe" in folder.programs:
        return
    values: dict[str, Value] = {
        "reason": say("the program is missing"),
        "path": r"C:\Program Files\Amazon\SSM\ssm-agent-worker.exe",
    }
    yield Finding("worker-broken", CERTAIN, lines(folder.at), "missing", values=values)
