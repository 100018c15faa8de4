"""Who the agent is for AWS: the role, its trust, its credentials, its permissions."""

from __future__ import annotations

from collections.abc import Iterator

from analyzers.causes.case import Case
from analyzers.causes.host import clock_is_wrong
from analyzers.causes.imds import needed
from analyzers.causes.proof import holding
from analyzers.causes.rule import Exclusion, Finding, Told, rule
from analyzers.causes.tools import (
    CERTAIN,
    LIKELY,
    POSSIBLE,
    account_of,
    lines,
    log_values,
    role_of,
    share,
    shares,
    user_of,
)
from analyzers.causes.versions import Change
from analyzers.diagnosis import Citation
from analyzers.facts.identity import StrayCredentials
from analyzers.facts.imds import ImdsState, RoleState
from analyzers.logs.model import Sighting
from analyzers.text import Value, say


@rule("iam-no-instance-profile", "imds")
def no_profile(case: Case) -> Iterator[Told]:
    """IMDS works and lists no role.  With default host management the agent needs none."""
    imds = case.imds
    if imds is None or not needed(case) or _works(case) or _dhmc(case):
        return
    logged = shares(case.logs.supporting("iam-no-instance-profile"))
    role, info = imds.answer("role"), imds.iam_info
    if info is not None and info.code not in ("", "Success") and imds.role_state is not RoleState.PRESENT:
        yield Finding(
            "iam-instance-profile-deleted", CERTAIN, (*lines(info.at), *logged), values={"code": info.code}
        )
    elif imds.role_state is RoleState.NONE:
        told = imds.answer("iam-info") is not None  # without it, the profile may have been deleted
        sure = CERTAIN if told and (logged or not case.logs.has_entries) else LIKELY
        yield Finding("iam-no-instance-profile", sure, (*lines(role.at if role else imds.at), *logged))


def _works(case: Case) -> bool:
    """Whether something proves that the agent is online, and nothing failed since."""
    return (case.connected and not any(case.failures())) or bool(holding(case))


@rule("trust-policy", "imds")
def trust(case: Case) -> Iterator[Told]:
    """The credentials document says why there are none."""
    document = case.imds.credentials if case.imds is not None else None
    if document is None or document.code in ("", "Success") or not needed(case):
        return
    if "AssumeRole" in document.code:
        logged = shares(case.logs.supporting("trust-policy"))
        yield Finding("trust-policy", CERTAIN, (*lines(document.at), *logged))
    elif document.code == "InstanceProfileNotFound":
        yield Finding(
            "iam-instance-profile-deleted", CERTAIN, lines(document.at), values={"code": document.code}
        )


@rule("credentials-expired", "imds")
def expired(case: Case) -> Iterator[Told]:
    """IMDS itself hands out credentials that have run out, by IMDS's own clock."""
    imds = case.imds
    document = imds.credentials if imds is not None else None
    if imds is None or document is None or document.expiration is None or clock_is_wrong(case):
        return
    dates = [answer.date for answer in imds.answers.values() if answer.date is not None]
    clock = case.facts.clock.or_none()
    now = max(dates) if dates else (clock.utc if clock else None)
    if now is not None and document.expiration < now:
        logged = shares(case.logs.supporting("credentials-expired"))
        detail = say("they ran out at {moment} UTC", moment=f"{document.expiration:%Y-%m-%d %H:%M}")
        yield Finding(
            "credentials-expired", CERTAIN, (*lines(document.at), *logged), values={"detail": detail}
        )


# Whose credentials they are ------------------------------------------------------------------------------


@rule("stray-credentials", "logs")
def somebody_else(case: Case) -> Iterator[Told]:
    """AWS names the caller, and it is not this instance's role."""
    for sighting in case.failures():
        arn = sighting.capture("arn")
        if not arn:
            continue
        imds, user, role = case.imds, user_of(arn), role_of(arn)
        foreign_role = (
            role not in (None, _IDENTITY_ROLE) and imds is not None and imds.role not in (None, role)
        )
        account = imds.account if imds is not None else None
        foreign_account = account is not None and account_of(arn) not in (None, account)
        if user or ((foreign_role or foreign_account) and not case.hybrid and not _dhmc(case)):
            found = _stray(case)
            values: dict[str, Value] = {
                "what": say("the keys of {user}", user=user or role or arn),
                "path": found.path if found else _usual_place(case),
            }
            scope = _scope(found) if found else None
            yield Finding(
                "stray-credentials",
                CERTAIN,
                (share(sighting), *lines(found.at if found else None)),
                scope,
                values=values,
            )
            return


_IDENTITY_ROLE = "aws:ec2-instance"
"""Of every EC2 instance by itself, beside its profile's role; the agent registers by it."""


@rule("stray-credentials", "logs")
def unreadable(case: Case) -> Iterator[Told]:
    """A file of the account's that the SDK reads before all else is none that it understands."""
    for sighting in case.logs.now("host.shared-config"):
        path = sighting.capture("path") or _usual_place(case)
        sentence = say("The agent's SDK cannot read {path}, so the agent does not start.", path=path)
        values: dict[str, Value] = {"path": path}
        yield Finding("stray-credentials", CERTAIN, (share(sighting),), "shared-file", sentence, values)


def _dhmc(case: Case) -> bool:
    """Whether the agent works, or did, with the role of default host management, not the instance's."""
    return any(s.aspect == "credentials" and s.value == "dhmc" for s in case.logs.states)


@rule("stray-credentials", "credentials", "logs")
def refused_keys(case: Case) -> Iterator[Told]:
    """AWS does not know the keys, and there are some that this agent takes before the role's.

    Agents from 2.3.612 on ignore root's files and variables for an EC2 identity.
    """
    refused = [
        s
        for s in case.failures()
        if s.signature in ("iam.invalid-token", "iam.expired-token", "iam.signature-mismatch")
    ]
    if not refused or case.hybrid:
        return
    found, ignores = _stray(case), case.has(Change.ROLE_BEFORE_FILES)
    if found is not None and not ignores:
        own = found.path == "environment"
        what = say("the keys in its environment") if own else say("the keys in {path}", path=found.path)
        sure = CERTAIN if ignores is False else LIKELY
        cited = (*lines(found.at), *shares(refused))
        yield Finding(
            "stray-credentials", sure, cited, _scope(found), values={"what": what, "path": found.path}
        )


def _usual_place(case: Case) -> str:
    """Where the agent's account would have keys of its own."""
    if case.windows:
        return r"C:\Windows\System32\config\systemprofile\.aws\credentials"
    return "/root/.aws/credentials"


def _stray(case: Case) -> StrayCredentials | None:
    """The first place whose keys the agent's SDK would take unasked; variables come before files."""
    places = [place for place in case.facts.credentials.or_none() or () if place.read_by_agent]
    return min(places, key=lambda place: place.path != "environment", default=None)


def _scope(place: StrayCredentials) -> str:
    return "environment" if place.path == "environment" else "shared-file"


@rule("credentials-invalid", "logs")
def unknown_keys(case: Case) -> Iterator[Told]:
    """AWS does not know the keys, and they can only be the role's."""
    for sighting in case.failures():
        if (
            sighting.signature not in ("iam.invalid-token", "iam.signature-mismatch")
            or case.hybrid
            or _stray(case)
        ):
            continue
        own = case.has(Change.ROLE_BEFORE_FILES) or case.facts.credentials.or_none() == ()
        if own:
            values = log_values(case, sighting)
            yield Finding(
                "credentials-invalid", LIKELY, (share(sighting),), values=values, since=sighting.first.time
            )


# What it may do ------------------------------------------------------------------------------------------


@rule("iam-access-denied", "logs")
def denied(case: Case) -> Iterator[Told]:
    """AWS names the caller, the action, and sometimes the policy.  All that is denied is one cause."""
    sightings = [s for s in case.failures() if s.supports[:1] == ("iam-access-denied",)]
    if not sightings:
        return
    sightings.sort(key=lambda s: not s.capture("arn"))
    actions = _denied_actions(sightings)
    yield Finding(
        "iam-access-denied",
        CERTAIN if sightings[0].capture("arn") else LIKELY,
        shares(sightings),
        None if actions[0] in _BASE else actions[0].partition(":")[0],
        values={
            **log_values(case, sightings[0]),
            "action": " ".join(actions),
            "calls": ", ".join(actions),
        },
        since=min((s.first.time for s in sightings if s.first.time is not None), default=None),
    )


def _denied_actions(sightings: list[Sighting]) -> list[str]:
    """Every action that was denied, the one that all depends on first; by its service where none is named."""
    named = [
        a for s in sightings for a in s.captures.get("action", ()) or (_ACTIONS.get(s.target, _BASE[0]),)
    ]
    rank = (*_BASE, *_ACTIONS.values())
    return sorted(dict.fromkeys(named), key=lambda a: rank.index(a) if a in rank else len(rank))


_BASE = (
    "ssm:UpdateInstanceInformation", "ssm:RegisterManagedInstance", "ssm:RequestManagedInstanceRoleToken",
)  # fmt: skip
"""Without these the host is never online; what else may be denied concerns its service alone."""
_ACTIONS = {
    "ssm": "ssm:UpdateInstanceInformation",
    "ssmmessages": "ssmmessages:CreateControlChannel",
    "ec2messages": "ec2messages:GetMessages",
}


@rule("dhmc-not-ready", "logs")
def dhmc(case: Case) -> Iterator[Told]:
    """Default host management is the last thing tried: it is the cause only where nothing else failed."""
    said: list[Citation] = [share(s) for s in case.logs.current if "dhmc-not-ready" in s.supports]
    worked = next((s for s in case.logs.states if s.aspect == "credentials" and s.value == "dhmc"), None)
    if said and worked is not None and not any(s for s in case.failures() if s.signature != "iam.no-role"):
        reason = say("The agent has worked by default host management, without a role of its own.")
        yield Exclusion("iam-no-instance-profile", reason, (worked.event.cite(),))
        values = {"reason": say("it has worked before, and the account has it no longer")}
        yield Finding("dhmc-not-ready", LIKELY, (said[0], worked.event.cite()), values=values)
        return
    if said and not any(s for s in case.failures() if not s.vague):
        start = case.logs.last_start
        whole = start is not None and start.event is not None  # else what was tried first may be cut off
        yield Finding(
            "dhmc-not-ready",
            LIKELY if case.imds is not None and whole else POSSIBLE,
            tuple(said[:1]),
            values={"reason": say("the account has not set it up")},
        )


@rule("iam-no-instance-profile", "imds")
def has_role(case: Case) -> Iterator[Told]:
    """IMDS lists a role and hands out its credentials: the lines that missed them are over."""
    imds = case.imds
    if imds is None or imds.state is not ImdsState.OK:
        return
    if imds.role_state is RoleState.PRESENT:
        role = imds.answer("role")
        reason = say("IMDS names the role {role}.", role=imds.role or "")
        for slug in ("iam-no-instance-profile", "iam-instance-profile-deleted"):
            yield Exclusion(slug, reason, lines(role.at if role else None))
    if imds.credentials is not None and imds.credentials.code == "Success":
        reason = say("IMDS hands out the role's credentials; EC2 can assume it.")
        yield Exclusion("trust-policy", reason, lines(imds.credentials.at))
