"""Every fault, in the words of every agent generation: the first cause is the right one, or is left open."""

from __future__ import annotations

from collections.abc import Iterable

import casebook as book
import phrasebook
import pytest

from analyzers.diagnose import diagnose
from analyzers.diagnosis import Confidence, Diagnosis, Verdict
from collector.evidence import Evidence, ProbeResult, Status, Subject
from collector.evidence.memory import evidence_of

STEP = 5
"""Of a fault's variants every fifth; it shares no factor with versions, moments or worlds."""
VARIANTS = {name: list(phrasebook.variants(name))[::STEP] for name in phrasebook.FAULTS}


def evidence(log: str, probes: Iterable[tuple[str, str]] = ()) -> Evidence:
    results = [ProbeResult(name, Status.OK, text.encode()) for name, text in probes if text]
    return evidence_of(results, {"amazon-ssm-agent.log": log.encode()}, subject=Subject("web01"))


def right(found: Diagnosis, fault: phrasebook.Fault) -> bool:
    first = found.causes[0] if found.causes else None
    return first is not None and (first.slug, first.scope if fault.scope else None) == (
        fault.cause,
        fault.scope,
    )


def told(found: Diagnosis) -> object:
    return [(cause.slug, cause.scope, str(cause.confidence)) for cause in found.causes] or found.verdict


@pytest.mark.parametrize("fault", VARIANTS)
def test_with_the_facts(fault: str) -> None:
    for variant in VARIANTS[fault]:
        found = diagnose(evidence(variant.log, variant.probes.items()), now=book.NOW)
        assert right(found, variant.fault), (variant.name, told(found))


@pytest.mark.parametrize("fault", VARIANTS)
def test_by_the_log_alone(fault: str) -> None:
    for variant in VARIANTS[fault]:
        found = diagnose(evidence(variant.log), now=book.NOW)
        if variant.log_tells:
            assert right(found, variant.fault), (variant.name, told(found))
        elif not right(found, variant.fault):
            assert found.verdict is not Verdict.HEALTHY or variant.fault.leg == "good", variant.name
            assert not any(cause.confidence is Confidence.CERTAIN for cause in found.causes), (
                variant.name,
                told(found),
            )


# One endpoint of three -----------------------------------------------------------------------------------

ALONE = {
    "timeout": "endpoint-unreachable",
    "refused": "endpoint-unreachable",
    "no-route": "endpoint-unreachable",
    "untrusted": "tls-trust",
    "wrong-host": "tls-wrong-host",
    "reset": "endpoint-tls-reset",
    "timeout-tls": "endpoint-tls-timeout",
    "NXDOMAIN": "dns-no-such-host",
    "503": "endpoint-server-error",
    "no-answer": "endpoint-no-response",
}


def alone(service: str, how: str) -> str:
    connected = f"[tcp]\naddress={book.ADDRESSES[service]}\noutcome=connected\n"
    if how == "NXDOMAIN":
        return book.endpoint(service, "[dns 10.77.0.2]\nrcode=NXDOMAIN\n", address="")
    if how in ("503", "no-answer"):
        answer = "outcome=answered\nhttp=503" if how == "503" else "outcome=no-answer"
        return book.endpoint(service, connected, "[tls]\noutcome=ok\n", f"[http]\n{answer}\n")
    if how in ("untrusted", "wrong-host", "reset", "timeout-tls"):
        return book.endpoint(service, connected, f"[tls]\noutcome={how.removesuffix('-tls')}\n")
    return book.tcp(service, how)


@pytest.mark.parametrize("how", ALONE)
@pytest.mark.parametrize("service", book.ADDRESSES)
def test_one_endpoint_is_the_scope(service: str, how: str) -> None:
    version = "3.3.1142.0" if service != "ec2messages" else "3.1.1732.0"
    probes = {
        **book.HEALTHY,
        "agent-version": f"SSM Agent version: {version}\n",
        "packages": f"[deb]\nversion={version}-1\nstate=installed\n",
        f"endpoint-{service}": alone(service, how),
    }
    found = diagnose(evidence(phrasebook.start(version), probes.items()), now=book.NOW)
    assert (found.causes[0].slug, found.causes[0].scope) == (ALONE[how], service), told(found)


def test_ec2messages_is_not_missed_by_an_agent_that_does_without() -> None:
    probes = {**book.HEALTHY, "endpoint-ec2messages": alone("ec2messages", "timeout")}
    log = phrasebook.start("3.3.1142.0") + phrasebook.online("3.3.1142.0")
    assert diagnose(evidence(log, probes.items()), now=book.NOW).verdict is Verdict.HEALTHY


# Good hosts ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", phrasebook.GENERATIONS)
@pytest.mark.parametrize("world", phrasebook.WORLDS)
def test_a_good_host_is_healthy(version: str, world: str) -> None:
    log = phrasebook.moved(phrasebook.start(version) + phrasebook.online(version), world)
    assert diagnose(evidence(log), now=book.NOW).verdict is Verdict.HEALTHY


@pytest.mark.parametrize("version", phrasebook.GENERATIONS[1:])
@pytest.mark.parametrize("fault", ["denied", "endpoints dropped", "throttled", "no profile", "imds off"])
def test_a_host_that_recovered_is_healthy(version: str, fault: str) -> None:
    variant = next(v for v in phrasebook.variants(fault) if f", {version}, first-boot" in v.name)
    again = phrasebook.start(version, 600) + phrasebook.online(version, 602)
    assert diagnose(evidence(variant.log + again), now=book.NOW).verdict is Verdict.HEALTHY
