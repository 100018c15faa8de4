"""The instance metadata service, as this host sees it: each request, and what they say together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from analyzers.facts.base import Line


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
    why: str = ""
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
