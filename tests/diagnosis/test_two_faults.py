"""Two faults at once: both are told, and first the one that must be mended first."""

from __future__ import annotations

import casebook as book
import phrasebook as pb
import pytest

from analyzers.diagnose import diagnose

NEAR = (
    "imds stale gateway drops",
    "imds rejected with a reset",
    "imds led astray by DNAT",
    "imds silent",
    "imds off",
    "imds 500",
)
FAR = (
    "endpoints dropped",
    "NXDOMAIN",
    "resolver silent",
    "unknown authority",
    "http 503",
    "endpoints of ssm only",
    "tls eof",
)
TOLD_BY_THE_LOG = ("no profile", "denied", "throttled")


def causes(log: str, probes: dict[str, str]) -> list[str]:
    found = diagnose(book.evidence({**book.HEALTHY, **probes}, log), now=book.NOW)
    return [cause.slug for cause in found.causes]


@pytest.mark.parametrize("far", FAR)
@pytest.mark.parametrize("near", NEAR)
def test_imds_before_what_lies_behind_it(near: str, far: str) -> None:
    probes = {**pb.FAULTS[far].probes, **pb.FAULTS[near].probes}
    log = pb.no_identity("3.3.1142.0", pb.FAULTS[near].error, pb.FAULTS[near].status)
    assert causes(log, probes) == [pb.FAULTS[near].cause, pb.FAULTS[far].cause]


@pytest.mark.parametrize("other", [*TOLD_BY_THE_LOG, *FAR])
def test_a_full_disk_before_all_that_is_not_the_host(other: str) -> None:
    variant = next(v for v in pb.variants(other) if ", 3.3.1142.0, first-boot, private" in v.name)
    assert causes(variant.log, {**variant.probes, "disk-space": book.DF_FULL}) == [
        "disk-full",
        variant.fault.cause,
    ]


@pytest.mark.parametrize("other", TOLD_BY_THE_LOG)
def test_the_way_before_who_goes_it(other: str) -> None:
    variant = next(v for v in pb.variants(other) if ", 3.3.1142.0, first-boot, private" in v.name)
    blocked = {"endpoint-ssmmessages": book.tcp("ssmmessages", "timeout")}
    assert causes(variant.log, {**variant.probes, **blocked}) == ["endpoint-unreachable", variant.fault.cause]
