"""Whatever a host sends: no fact raises, and none takes long."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analyzers.facts import Fact, Facts, Known, Unknown
from analyzers.facts.container import SERVICES
from collector.evidence import ProbeResult, Status
from collector.evidence.memory import evidence_of

DATA = Path(__file__).parent / "data"
CONTRACT = (Path(__file__).parents[2] / "docs" / "evidence.md").read_text("utf-8")
PROBES = [
    name
    for cell in re.findall(r"^\| (`[a-z].*?) \| (?:raw|records|sections)", CONTRACT, re.MULTILINE)
    for name in re.findall(r"`([a-z0-9-]+)`", cell)
]
NAMES = [name for name, value in vars(Facts).items() if isinstance(value, cached_property)]
TARGETS = [ip_address(text) for text in ("169.254.169.254", "10.77.100.11", "fd00:ec2::254", "127.0.0.1")]

WORDS = st.sampled_from((DATA / "words.txt").read_text("utf-8").split())
LINES = st.lists(st.lists(WORDS, max_size=12).map(" ".join), max_size=20).map("\n".join).map(str.encode)
OUTPUT = st.one_of(st.binary(max_size=300), LINES, LINES)


def every(facts: Facts) -> Iterator[tuple[str, Fact[Any]]]:
    for name in NAMES:
        fact = getattr(facts, name)
        yield from ((name, one) for one in (fact.values() if isinstance(fact, dict) else (fact,)))


def look_at_everything(facts: Facts) -> None:
    """Every fact, and every answer that a fact reckons."""
    for name, fact in every(facts):
        assert isinstance(fact, (Known, Unknown)), name
        kind = type(fact.or_none())
        for attribute in dir(kind):
            if isinstance(getattr(kind, attribute), (property, cached_property)):
                getattr(fact.or_none(), attribute)
    ask_the_network(facts)


def ask_the_network(facts: Facts) -> None:
    routing, firewall, proxy = facts.routing.or_none(), facts.firewall.or_none(), facts.proxy.or_none()
    for target in TARGETS:
        if routing:
            routing.lookup(target)
            routing.agrees(target)
            routing.routes_to(target)
        if firewall:
            firewall.judge(target, 443, device="eth0")
    for route in routing.routes[:100] if routing else ():
        routing.gateway_outside(route)
    if proxy and proxy.agent:
        proxy.agent.endpoint("ssm.us-east-1.amazonaws.com")


@given(outputs=st.dictionaries(st.sampled_from(PROBES), OUTPUT, max_size=8), status=st.sampled_from(Status))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_output_makes_a_fact_raise(outputs: dict[str, bytes], status: Status) -> None:
    look_at_everything(Facts(evidence_of(ProbeResult(p, status, output) for p, output in outputs.items())))


@given(output=OUTPUT)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_parser_raises_on_the_output_of_another(output: bytes) -> None:
    look_at_everything(Facts(evidence_of(ProbeResult(probe, Status.OK, output) for probe in PROBES)))


@pytest.mark.parametrize(
    "piece",
    [
        *(b"a", b" ", b"\n", b"[", b"{", b'"', b"\\", b"<", b"9", b"<a>", b'{"a":', b"[x]\n", b"# /etc/a\n"),
        *(b"nexthop via 10.0.0.1\n", b"default via 10.0.0.1\n", b"https_proxy=", b"-rwxr-xr-x "),
        *(b"1: from all goto 1\n", b"0:\tfrom all lookup main\n", b"1: a: <UP>\ninet 10.0.0.1/8\n"),
        b"-A OUTPUT -j OUTPUT\n",
        b"0 0 0 0 0 / ",
        b"table ip x {\nchain OUTPUT {\ntype filter hook output priority 0;\njump OUTPUT\n",
    ],
)
def test_a_megabyte_of_anything_is_read_in_bounded_time(piece: bytes) -> None:
    output = piece * (1_000_000 // len(piece))
    started = time.monotonic()
    look_at_everything(Facts(evidence_of(ProbeResult(probe, Status.TRUNCATED, output) for probe in PROBES)))
    assert time.monotonic() - started < 20


def test_without_evidence_all_is_unknown_and_nothing_fine() -> None:
    facts = Facts(evidence_of())
    for name, fact in every(facts):
        assert isinstance(fact, Unknown), name
        assert fact.reason, name
    assert set(facts.endpoints) == set(SERVICES)
