"""The instance metadata service, as this host sees it: each request, and what they say together."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from analyzers.facts.base import Line, http_date, integer, number, record_line, records_of, utc
from analyzers.text import Message, say
from collector.evidence.records import Record


class ImdsState(StrEnum):
    """The state of the whole service, seen from the host.  The set is closed."""

    OK = "ok"
    """Token and instance id are had.  (404 on the role, or 401 without a token, are signs of health.)"""
    NO_ROUTE = "no-route"
    """The kernel has no route."""
    HOST_UNREACHABLE = "host-unreachable"
    """There is a next hop, and it does not answer ARP or says unreachable."""
    REFUSED = "refused"
    TIMEOUT = "timeout"
    """No TCP connection within the time."""
    NO_ANSWER = "no-answer"
    """Connected, then silence."""
    DENIED = "denied"
    """The kernel forbade it: a prohibit route, a firewall's admin-prohibited, a security module."""
    INVALID = "invalid"
    """A blackhole route."""
    DISABLED = "disabled"
    """403: switched off in the instance's metadata options."""
    TOKEN_BLOCKED = "token-blocked"  # noqa: S105  a state's name
    """The PUT gets no token while a plain GET is answered: hop limit, or something in between."""
    IMPOSTOR = "impostor"
    """Something answers, but it is not the metadata service of this instance."""
    SERVER_ERROR = "server-error"
    """5xx."""
    PARTIAL = "partial"
    """A token is had, but the instance id is not."""
    OTHER = "other"


class RoleState(StrEnum):
    """What ``iam/security-credentials/`` says."""

    PRESENT = "present"
    NONE = "none"
    """404 from a service that otherwise works: no instance profile."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ImdsAnswer:
    """One request and what came back."""

    at: Line
    name: str
    """``token``, ``v1``, ``instance-id`` ... as in docs/evidence.md."""
    method: str
    url: str
    outcome: str
    """As in docs/evidence.md: ``answered``, ``no-route``, ``timeout`` ..."""
    status: int | None = None
    """HTTP; ``None`` where there was none."""
    error: str = ""
    tool: str = ""
    exit: int | None = None
    connect_s: float | None = None
    total_s: float | None = None
    content_type: str = ""
    server: str = ""
    date: datetime | None = None
    proxy: str = ""
    body: str = ""

    @property
    def answered(self) -> bool:
        return self.outcome == "answered" and self.status is not None

    @property
    def ok(self) -> bool:
        return self.answered and self.status == 200

    @property
    def html(self) -> bool:
        return "<html" in self.body[:512].lower() or "<!doctype" in self.body[:512].lower()


@dataclass(frozen=True, slots=True)
class RoleCredentials:
    """The credentials document, without any secret."""

    at: Line
    code: str
    """``Success``, ``AssumeRoleUnauthorizedAccess``, ``Failed`` ..."""
    message: str = ""
    last_updated: datetime | None = None
    expiration: datetime | None = None


@dataclass(frozen=True, slots=True)
class IamInfo:
    """``iam/info``."""

    at: Line
    code: str
    """``Success``, ``InstanceProfileNotFound`` ..."""
    profile_arn: str = ""
    profile_id: str = ""


@dataclass(frozen=True, slots=True)
class Imds:
    """All of it."""

    state: ImdsState
    at: Line
    """The answer that shows the state."""
    why: Message | None = None
    """What makes it an impostor or partial, in a few words."""
    answers: Mapping[str, ImdsAnswer] = field(default_factory=dict)
    proxied: ImdsAnswer | None = None
    """The token request as the agent's own proxy settings send it."""
    proxied_state: ImdsState | None = None
    instance_id: str | None = None
    region: str | None = None
    zone: str | None = None
    mac: str | None = None
    account: str | None = None
    role_state: RoleState = RoleState.UNKNOWN
    role: str | None = None
    credentials: RoleCredentials | None = None
    iam_info: IamInfo | None = None
    v1_allowed: bool | None = None
    """Whether a request without a token is answered (``HttpTokens: optional``)."""
    dhmc_path: bool | None = None
    """Whether ``identity-credentials/ec2/info`` answers, which default host management needs."""

    @property
    def reachable(self) -> bool:
        """Whether the real service answers at all (its answer may be a refusal)."""
        return self.state in (ImdsState.OK, ImdsState.DISABLED, ImdsState.SERVER_ERROR, ImdsState.PARTIAL,
                              ImdsState.TOKEN_BLOCKED)  # fmt: skip

    def answer(self, name: str) -> ImdsAnswer | None:
        return self.answers.get(name)


# Reading -------------------------------------------------------------------------------------------------

INSTANCE_ID = re.compile(r"i-(?:[0-9a-f]{8}|[0-9a-f]{17})")
_EC2_PAGE = re.compile(r"<title>[0-9]{3} - ")
"""The title of the error pages that the real service (``Server: EC2ws``) sends."""


def parse_imds(output: bytes, source: str = "probes/imds", *, expected_id: str | None = None) -> Imds | None:
    """Of the ``imds`` probe; ``None`` where not even the token was asked for.

    ``expected_id``: the instance's id as something else knows it (DMI, the inventory); another id in the
    answer is an impostor's.
    """
    answers: dict[str, ImdsAnswer] = {}
    for record in records_of(output):
        if record.name and record.get("outcome") != "skipped":
            answers.setdefault(record.name, _answer(record, source))
    proxied = answers.pop("proxied", None)
    if not answers:
        return None
    state, shown, why = _judge(answers, expected_id)
    working = state is ImdsState.OK
    return Imds(
        state,
        shown.at,
        why,
        answers,
        proxied,
        _state_of(proxied) if proxied else None,
        _text(answers, "instance-id", INSTANCE_ID)
        or _document(answers, "instanceId")
        or _text(answers, "v1", INSTANCE_ID),
        _text(answers, "region", re.compile(r"[a-z]{2,}(-[a-z]+)+-[0-9]{1,2}"))
        or _document(answers, "region"),
        _text(answers, "zone", re.compile(r"[a-z0-9-]{6,40}")) or _document(answers, "availabilityZone"),
        _text(answers, "mac", re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")),
        _document(answers, "accountId"),
        _role_state(answers, working),
        _role(answers),
        _credentials(answers.get("credentials")),
        _iam_info(answers.get("iam-info")),
        _by_status(answers.get("v1"), {200: True, 401: False}),
        _by_status(answers.get("identity"), {200: True, 404: False}),
    )


def _answer(record: Record, source: str) -> ImdsAnswer:
    status = integer(record.get("http"))
    return ImdsAnswer(
        record_line(record, source),
        record.name,
        record.get("method", "GET"),
        record.get("url"),
        record.get("outcome") or ("answered" if status else "error"),
        status or None,
        record.get("error"),
        record.get("tool"),
        integer(record.get("exit")),
        number(record.get("connect_s")),
        number(record.get("total_s")),
        record.get("type"),
        record.get("server"),
        http_date(record.get("date")),
        record.get("proxy"),
        record.body,
    )


# Judging -------------------------------------------------------------------------------------------------

_BY_OUTCOME = {
    "no-route": ImdsState.NO_ROUTE,
    "host-unreachable": ImdsState.HOST_UNREACHABLE,
    "refused": ImdsState.REFUSED,
    "timeout": ImdsState.TIMEOUT,
    "no-answer": ImdsState.NO_ANSWER,
    "denied": ImdsState.DENIED,
    "invalid": ImdsState.INVALID,
}


def _judge(
    answers: Mapping[str, ImdsAnswer], expected_id: str | None
) -> tuple[ImdsState, ImdsAnswer, Message | None]:
    """The state of the whole, the answer that shows it, and why in a few words."""
    token = answers.get("token")
    first = token or next(iter(answers.values()))
    v1 = answers.get("v1")
    stranger = next((a for a in answers.values() if _foreign(a)), None)
    if stranger is not None:
        return ImdsState.IMPOSTOR, stranger, _foreign(stranger)
    identity = answers.get("instance-id") or v1
    if identity is not None and identity.ok and not INSTANCE_ID.fullmatch(identity.body.strip()):
        return ImdsState.IMPOSTOR, identity, say("its instance id is none")
    if identity is not None and identity.ok and expected_id and identity.body.strip() != expected_id:
        return (
            ImdsState.IMPOSTOR,
            identity,
            say("it says that this is another instance, not {instance}", instance=expected_id),
        )
    if token is not None and not token.ok:
        v1_answers = v1 is not None and v1.answered and v1.status in (200, 401)
        state = ImdsState.TOKEN_BLOCKED if v1_answers else _state_of(token)
        return state, token, None
    asked = answers.get("instance-id")
    if token is None and asked is None:
        return _state_of(first), first, None
    if token is None and asked is not None and not asked.answered:
        return _state_of(asked), asked, None
    if asked is not None and not asked.ok:
        return ImdsState.PARTIAL, asked, say("a token is had, but the instance id is not")
    return ImdsState.OK, asked or first, None


def _state_of(answer: ImdsAnswer) -> ImdsState:
    """The state that one answer shows by itself."""
    if not answer.answered:
        return _BY_OUTCOME.get(answer.outcome, ImdsState.OTHER)
    if _foreign(answer):
        return ImdsState.IMPOSTOR
    if answer.status == 200:
        return ImdsState.OK
    if answer.status == 403:
        return ImdsState.DISABLED
    return ImdsState.SERVER_ERROR if answer.status in range(500, 600) else ImdsState.OTHER


_PAGE = say("it answers a web page")


def _foreign(answer: ImdsAnswer) -> Message | None:
    """Why this cannot be the metadata service's answer, in a few words; ``None``: it may be.

    The real one is ``Server: EC2ws``; its error pages are XHTML too, titled like ``403 - Forbidden``.
    """
    if not answer.answered or answer.server == "EC2ws" or _EC2_PAGE.search(answer.body):
        return None
    if answer.status is not None and 300 <= answer.status < 400:
        return say("it redirects")
    if answer.html:
        server = answer.server
        return say("it answers a web page from {server}", server=server) if server else _PAGE
    if answer.server and answer.status != 200:
        return say("it answers as {server}", server=answer.server)
    return None


# What it says --------------------------------------------------------------------------------------------


def _text(answers: Mapping[str, ImdsAnswer], name: str, form: re.Pattern[str]) -> str | None:
    answer = answers.get(name)
    text = answer.body.strip() if answer is not None and answer.ok else ""
    return text if form.fullmatch(text) else None


def _json_text(body: str, key: str) -> str:
    """The string value of ``key`` in a JSON document that may be cut."""
    match = re.search(rf'"{key}"\s*:\s*("(?:[^"\\\n]|\\.)*")', body)
    try:
        value = json.loads(match[1]) if match else ""
    except ValueError:
        return ""
    return value if isinstance(value, str) else ""


def _document(answers: Mapping[str, ImdsAnswer], key: str) -> str | None:
    answer = answers.get("document")
    return (_json_text(answer.body, key) or None) if answer is not None and answer.ok else None


def _role_state(answers: Mapping[str, ImdsAnswer], working: bool) -> RoleState:
    answer = answers.get("role")
    if answer is None:
        return RoleState.UNKNOWN
    if _role(answers):
        return RoleState.PRESENT
    return RoleState.NONE if working and answer.status == 404 else RoleState.UNKNOWN


def _role(answers: Mapping[str, ImdsAnswer]) -> str | None:
    answer = answers.get("role")
    lines = answer.body.split("\n") if answer is not None and answer.ok else []
    name = lines[0].strip() if lines else ""
    return name if re.fullmatch(r"[\w+=,.@-]{1,64}", name, re.ASCII) else None


def _credentials(answer: ImdsAnswer | None) -> RoleCredentials | None:
    if answer is None or not answer.ok:
        return None
    code = _json_text(answer.body, "Code")
    if not code:
        return None
    return RoleCredentials(
        answer.at,
        code,
        _json_text(answer.body, "Message"),
        utc(_json_text(answer.body, "LastUpdated")),
        utc(_json_text(answer.body, "Expiration")),
    )


def _iam_info(answer: ImdsAnswer | None) -> IamInfo | None:
    if answer is None or not answer.ok:
        return None
    code = _json_text(answer.body, "Code")
    arn, profile = _json_text(answer.body, "InstanceProfileArn"), _json_text(answer.body, "InstanceProfileId")
    return IamInfo(answer.at, code, arn, profile) if code else None


def _by_status(answer: ImdsAnswer | None, meaning: Mapping[int, bool]) -> bool | None:
    return None if answer is None or answer.status is None else meaning.get(answer.status)
