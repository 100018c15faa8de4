"""Registrations by an activation: the real ones, and those that an image left on an EC2 instance."""

from __future__ import annotations

from collections.abc import Iterator

from analyzers.causes.case import Case
from analyzers.causes.imds import UNANSWERED
from analyzers.causes.rule import Exclusion, Finding, Told, rule
from analyzers.causes.tools import CERTAIN, LIKELY, lines, log_values, share, shares
from analyzers.diagnosis import Citation
from analyzers.facts.imds import ImdsState
from analyzers.logs.model import Sighting
from analyzers.text import say

_REFUSALS = ("service.instance-unknown", "iam.invalid-token", "iam.signature-mismatch", "service.fingerprint")


def _managed(case: Case) -> tuple[str | None, tuple[Citation, ...]]:
    """The registration that the agent acts by, and what shows it."""
    kept = case.facts.registration.or_none()
    if kept is not None and kept.hybrid:
        return kept.instance_id, lines(kept.at)
    state = case.last_state("identity")
    shown = (state.event.cite(),) if state is not None and state.value == "OnPrem" else ()
    if case.hybrid:
        named = (case.logs.identity, *(sighting.capture("instance") for sighting in case.logs.current))
        return next((name for name in named if name and name.startswith("mi-")), "mi-..."), shown
    return None, ()


def _on_ec2(case: Case) -> bool:
    """Whether this host was seen to be an EC2 instance: by its machine, or by its metadata service."""
    machine = case.facts.virtualization.or_none()
    answers = case.imds.answers.values() if case.imds is not None else ()
    serves = any(answer.server == _IMDS_SERVER and answer.status in (200, 401, 404) for answer in answers)
    known = case.imds is not None and case.imds.state is ImdsState.OK and bool(case.imds.instance_id)
    return known or serves or (machine is not None and bool(machine.ec2))


_IMDS_SERVER = "EC2ws"


@rule("hybrid-registration-residue", "imds", "virtualization", "registration", "logs")
def residue(case: Case) -> Iterator[Told]:
    """An EC2 instance acts by a registration.  One that works so may be meant; one that fails is not."""
    managed, shown = _managed(case)
    if managed is None or not _on_ec2(case):
        return
    refused = [s for s in case.failures() if s.signature in _REFUSALS]
    if refused or not case.connected:
        at = (case.imds.answer("instance-id") or case.imds) if case.imds is not None else None
        cited = (*shown, *lines(at.at if at else None), *shares(refused))
        sure = CERTAIN if refused else LIKELY
        yield Finding("hybrid-registration-residue", sure, cited, values={"managed": managed})


@rule("hybrid-registration-invalid", "logs")
def invalid(case: Case) -> Iterator[Told]:
    """AWS does not know the registration of a host that is no EC2 instance, as far as can be told."""
    managed, _ = _managed(case)
    if managed is None or _on_ec2(case):
        return
    elsewhere = case.imds is not None and case.imds.state in UNANSWERED
    for sighting in case.failures():
        if sighting.signature == "service.instance-unknown" and not elsewhere:
            continue
        if sighting.signature in _REFUSALS[:3]:
            values = {**log_values(case, sighting), "managed": managed, "code": _code(sighting)}
            yield Finding(
                "hybrid-registration-invalid",
                LIKELY,
                (share(sighting),),
                values=values,
                since=sighting.first.time,
            )


def _code(sighting: Sighting) -> str:
    return sighting.capture("code") or "unknown instance"


@rule("hybrid-registration-residue", "imds", "registration")
def not_residue(case: Case) -> Iterator[Told]:
    """Not an EC2 instance, or no registration."""
    managed, _ = _managed(case)
    if managed is None and case.identity == "EC2":
        reason = say("The agent takes the EC2 identity; there is no hybrid registration in use.")
        yield Exclusion("hybrid-*", reason)
    elif (
        managed is not None and case.imds is not None and case.imds.state in UNANSWERED and not _on_ec2(case)
    ):
        yield Exclusion(
            "hybrid-registration-residue",
            say("No metadata service answers here, so this is no EC2 instance."),
            lines(case.imds.at),
        )
