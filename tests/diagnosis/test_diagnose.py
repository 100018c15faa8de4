# ruff: noqa: E501  log lines as the agent writes them
"""The verdict on whole hosts, and the traps on the way to it."""

from __future__ import annotations

from datetime import timedelta

import casebook as book
import pytest

from analyzers.diagnose import diagnose
from analyzers.diagnosis import Confidence, Diagnosis, Owner, Verdict
from collector.errors import FailureKind
from collector.evidence import Failure, Manifest, Subject
from collector.evidence.memory import evidence_of
from collector.target import Platform

GOOD_LOG = book.START + book.ONLINE
DHMC = (
    "2026-11-23 06:44:43.9830 ERROR EC2RoleProvider Failed to connect to Systems Manager with SSM role credentials. error "
    "calling RequestManagedInstanceRoleToken: AccessDeniedException: Systems Manager's instance management role is not "
    "configured for account: 123456789012\n\tstatus code: 400, request id: eafd097c\n"
)
NO_ROLE = (
    "2026-11-23 06:44:43.9782 WARN EC2RoleProvider Failed to connect to Systems Manager with instance profile role "
    "credentials. Err: retrieved credentials failed to report to ssm. Error: EC2RoleRequestError: no EC2 instance role found\n"
)


def verdict(probes: dict[str, str] | None = None, log: str | None = None, *, bare: bool = False) -> Diagnosis:
    return diagnose(book.evidence(probes, log, bare=bare), now=book.NOW)


def first(diagnosis: Diagnosis) -> str:
    return diagnosis.causes[0].slug if diagnosis.causes else diagnosis.verdict.value


def test_a_healthy_host_gets_a_clean_bill_with_its_proof() -> None:
    found = verdict({}, GOOD_LOG)
    assert (found.verdict, found.causes) == (Verdict.HEALTHY, ())
    assert any("websocket" in citation.text for citation in found.proof)
    assert (found.agent.version, found.agent.state) == ("3.3.1142.0", "running")
    assert {hop.state for hop in found.path if hop.kind in ("imds", "endpoint")} == {"ok"}


def test_nothing_at_all_is_unknown_with_a_look() -> None:
    found = verdict(bare=True)
    assert found.verdict is Verdict.UNKNOWN
    assert found.next_look is not None
    assert len(found.next_look.lines) == 1


def test_yesterdays_errors_are_history() -> None:
    found = verdict(
        {}, book.request_failed("dial tcp 10.77.100.11:443: i/o timeout") + GOOD_LOG.replace("06:36", "06:56")
    )
    assert found.verdict is Verdict.HEALTHY


def test_facts_alone_find_the_cause_and_give_this_hosts_values() -> None:
    probes = {
        "imds": book.dead_imds("timeout"),
        "routes": book.ROUTES + "169.254.169.254 via 10.77.1.98 dev eth0\n",
        "route-get": "# 169.254.169.254\n169.254.169.254 via 10.77.1.98 dev eth0 src 10.77.1.25 uid 0\n",
    }
    found = verdict(probes)
    cause = found.causes[0]
    assert (cause.slug, cause.confidence, cause.owner) == ("imds-wrong-route", Confidence.CERTAIN, Owner.HOST)
    assert "10.77.1.98" in str(cause.sentence)
    lines = [line for step in cause.remedy for line in step.lines]
    assert "sudo ip route del 169.254.169.254/32 via 10.77.1.98 dev eth0" in lines
    assert "sudo ip route replace 169.254.169.254/32 via 10.77.1.1 dev eth0" in lines
    assert str(found.headline) == str(cause.sentence)


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        # "fallback to IMDSv1 is disabled" wraps every failure; the innermost line tells.
        (book.no_imds('Put "http://169.254.169.254/latest/api/token": dial tcp 169.254.169.254:80: connect: network is unreachable'), "imds-no-route"),
        (book.no_imds('Put "http://169.254.169.254/latest/api/token": dial tcp 169.254.169.254:80: connect: invalid argument'), "imds-no-route"),
        (book.no_imds("403 Forbidden: Forbidden"), "imds-disabled"),
        (book.no_imds('Put "http://169.254.169.254/latest/api/token": dial tcp 169.254.169.254:80: connect: connection refused'), "unknown"),
        (book.no_imds('Put "http://169.254.169.254/latest/api/token": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'), "unknown"),
        # The line about default host management is only the last thing tried.
        (book.START + NO_ROLE + DHMC, "iam-no-instance-profile"),
        # "no space left on device" is a disk, or inotify where a watcher says it.
        (book.START + "2026-11-23 06:48:04.5676 ERROR [ssm-agent-worker] [MessageService] [MGSInteractor] Error adding directory to watcher: no space left on device\n", "inotify-exhausted"),
        (book.START + "2026-11-23 06:48:04.5676 ERROR failed to create IPC folder, mkdir /var/lib/amazon/ssm/ipc/: no space left on device\n", "disk-full"),
        # "no such host" is the endpoint, or the proxy.
        (book.request_failed("dial tcp: lookup ssm.us-east-1.amazonaws.com on 10.77.0.2:53: no such host"), "dns-no-such-host"),
        (book.request_failed("proxyconnect tcp: dial tcp: lookup proxy.corp.example.com on 10.77.0.2:53: no such host"), "proxy-name-not-resolved"),
        # "Forbidden" alone is a proxy, not IAM.
        (book.request_failed("Forbidden"), "proxy-denies-endpoint"),
        # "i/o timeout" may be the resolver's.
        (book.request_failed("dial tcp: lookup ssm.us-east-1.amazonaws.com on 10.77.0.2:53: read udp 10.77.1.25:52180->10.77.0.2:53: i/o timeout"), "dns-timeout"),
        # Three causes write a time-out to the endpoint.
        (book.request_failed("dial tcp 10.77.100.11:443: i/o timeout"), "unknown"),
        # An older agent's cut-off line says nothing.
        (book.registrar("RequestError: send request failed"), "unknown"),
    ],
)  # fmt: skip
def test_by_the_log_alone(log: str, expected: str) -> None:
    found = verdict({}, log, bare=True)
    assert first(found) == expected
    if expected == "unknown":
        assert found.candidates
        assert found.next_look


def test_404_and_401_mean_a_healthy_metadata_service() -> None:
    probes = {
        "imds": book.imds(
            role="outcome=answered;http=404", iam_info="outcome=answered;http=404", credentials=""
        )
    }
    found = verdict(probes, book.START + NO_ROLE + DHMC)
    assert first(found) == "iam-no-instance-profile"
    assert "imds-no-response" in {excluded.slug for excluded in found.excluded}


def test_default_host_management_needs_no_profile() -> None:
    probes = {
        "imds": book.imds(
            role="outcome=answered;http=404", iam_info="outcome=answered;http=404", credentials=""
        )
    }
    log = (
        book.START
        + NO_ROLE
        + GOOD_LOG.partition("v3.3.1142.0\n")[2].replace("instance profile role", "Systems Manager role")
    )
    assert verdict(probes, log.replace("06:36:3", "06:45:3")).verdict is Verdict.HEALTHY


def test_ec2messages_is_not_needed_beside_ssmmessages() -> None:
    assert (
        verdict({"endpoint-ec2messages": book.tcp("ec2messages", "timeout")}, GOOD_LOG).verdict
        is Verdict.HEALTHY
    )
    old = {
        "endpoint-ec2messages": book.tcp("ec2messages", "timeout"),
        "agent-version": "SSM Agent version: 3.2.582.0\n",
        "packages": "",
    }
    found = verdict(old, GOOD_LOG.replace("3.3.1142.0", "3.2.582.0"))
    assert (first(found), found.causes[0].scope) == ("endpoint-unreachable", "ec2messages")


@pytest.mark.parametrize("service", ["ssm", "ssmmessages"])
@pytest.mark.parametrize(("outcome", "how"), [("timeout", "no answer"), ("refused", "connection refused")])
def test_one_endpoint_of_three_is_its_scope(service: str, outcome: str, how: str) -> None:
    found = verdict({f"endpoint-{service}": book.tcp(service, outcome)})
    assert (first(found), found.causes[0].scope) == ("endpoint-unreachable", service)
    assert how in str(found.causes[0].sentence)


def test_a_host_firewall_that_stops_one_endpoint_keeps_the_scope() -> None:
    rule = "-A OUTPUT -d 10.77.100.13/32 -p tcp -m tcp --dport 443 -j REJECT --reject-with tcp-reset"
    found = verdict(
        {
            "endpoint-ssmmessages": book.tcp("ssmmessages", "refused"),
            "iptables": book.IPTABLES.replace("COMMIT", rule + "\nCOMMIT"),
        }
    )
    cause = found.causes[0]
    assert (cause.slug, cause.scope, cause.owner) == ("endpoint-unreachable", "ssmmessages", Owner.HOST)
    assert "reject" in str(cause.sentence).lower()


def test_a_host_that_could_not_be_asked_gets_its_verdict() -> None:
    failure = Failure(FailureKind.HOST_KEY, "the key has changed", "compare the fingerprints")
    manifest = Manifest(
        1, "ssm-triage", "collected", Subject("web01", platform=Platform.LINUX), failure=failure
    )
    found = diagnose(evidence_of(manifest=manifest), now=book.NOW)
    cause = found.causes[0]
    assert (found.verdict, cause.slug, cause.scope, cause.owner) == (
        Verdict.NOT_REACHED,
        "not-reached",
        "host-key",
        Owner.OPERATOR,
    )
    assert [str(step.text) for step in cause.remedy] == ["To try: compare the fingerprints."]


def test_the_clock_is_told_by_awss_own_date() -> None:
    late = (
        book.HEALTHY["clock"].replace("epoch=1795415925", "epoch=1795414725").replace("06:38:45", "06:18:45")
    )
    found = verdict({"clock": late})
    assert first(found) == "clock-skew"
    assert "20 minutes behind" in str(found.causes[0].sentence)
    assert found.clock_skew is not None
    assert abs(found.clock_skew + timedelta(minutes=20)) < timedelta(minutes=1)


def test_every_sentence_is_filled() -> None:
    """A sentence of the verdict has no gap, whatever is not known."""
    for probes, log in (
        (book.endpoints("timeout"), None),
        ({"imds": book.dead_imds("timeout")}, None),
        (book.dns("[dns 10.77.0.2]\nrcode=SERVFAIL\n"), None),
        (book.tls("expired"), None),
        ({}, book.registrar("ExpiredTokenException: The security token included in the request is expired")),
    ):
        for cause in verdict(probes, log).causes:
            assert "<" not in str(cause.sentence), cause.sentence
