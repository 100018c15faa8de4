"""A second opinion: what ``ssm-cli get-diagnostics`` says, and where it is known to mislead.

Its blind spots are those of agent/cli/diagnostics: it opens TCP and no TLS, asks STS and not Systems Manager,
has an IMDS client of its own, and skips what it has no region for.
"""

from __future__ import annotations

from analyzers.causes.case import Case
from analyzers.diagnosis import Opinion
from analyzers.facts.endpoints import EndpointState
from analyzers.facts.imds import ImdsState
from analyzers.facts.ssm_cli import Check
from analyzers.path import ENDPOINT
from analyzers.text import Message, say


def second_opinion(case: Case) -> tuple[Opinion, ...]:
    """Every row of the agent's own checks, with a comment where this host shows otherwise."""
    found = case.facts.ssm_cli.or_none()
    checks = found.checks if found is not None else ()
    return tuple(Opinion(c.name, c.status, c.note, _comment(case, c)) for c in checks)


def _comment(case: Case, check: Check) -> Message | None:
    if check.status == "Skipped":
        return _skipped(check)
    if check.name.startswith("Connectivity to "):
        return _connectivity(case, check)
    return {"EC2 IMDS": _imds, "AWS Credentials": _credentials, "Agent service": _service}.get(
        check.name, _nothing
    )(case, check)


def _nothing(case: Case, check: Check) -> None:
    return None


def _skipped(check: Check) -> Message | None:
    if check.name in ("Hybrid instance registration", "Proxy configuration"):
        return None
    return say("Skipped is not a pass: it was not checked.")


def _connectivity(case: Case, check: Check) -> Message | None:
    service = check.name.split()[2]
    endpoint = case.endpoint(service)
    if endpoint is None:
        return None
    if check.passed and endpoint.state not in (EndpointState.OK, EndpointState.UNKNOWN):
        return say(
            "It only opens a TCP connection; here the request itself fails. {why}",
            why=ENDPOINT[endpoint.state],
        )
    if check.failed and endpoint.reachable:
        return say("It waits one second; our own request was answered.")
    return None


def _imds(case: Case, check: Check) -> Message | None:
    if check.passed and case.imds is not None and case.imds.state is ImdsState.TOKEN_BLOCKED:
        return say("It falls back to IMDSv1, which the agent itself no longer does.")
    if check.passed and case.proxy is not None and case.proxy.imds is not None:
        return say(
            "Between two restarts of the agent it has no process to take the proxy from, and asks directly."
        )
    return None


def _credentials(case: Case, check: Check) -> Message | None:
    if check.passed and any(case.failures()):
        return say("It asks STS, not Systems Manager: what Systems Manager refuses is not seen.")
    if check.failed and "STS" in check.note:
        return say("It asks STS, which a private network may not reach; the agent does not need it.")
    return None


def _service(case: Case, check: Check) -> Message | None:
    if check.failed and "Unexpected" in check.note:
        return say("It could not query the service manager; this says nothing about the agent.")
    return None
