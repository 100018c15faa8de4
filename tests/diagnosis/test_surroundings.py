"""What stands around a verdict: the path, the timeline, the tables, and the symptoms beneath a cause."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from analyzers.diagnose import diagnose
from analyzers.diagnosis import Diagnosis, Judgement
from analyzers.text import ready
from lab.corpus import load_case
from lab.demo import PERSONAS

CORPUS = Path(__file__).parent.parent / "corpus"


@cache
def of(name: str) -> Diagnosis:
    """The diagnosis of a demo host, or of a case of the corpus."""
    folder = PERSONAS / name
    return diagnose(load_case(folder if folder.is_dir() else CORPUS / name))


def hop(name: str, kind: str) -> str:
    return next(each.state for each in of(name).path if each.kind == kind)


@pytest.mark.parametrize(
    ("name", "gateway", "imds", "endpoint"),
    [
        ("api-01", "ok", "failed", "ok"),  # a wrong route to IMDS alone
        ("batch-01", "ok", "ok", "ok"),
        ("imds-wrong-gateway-noarp", "ok", "failed", "ok"),
        ("healthy-proxy", "ok", "ok", "ok"),  # the direct way fails, and the agent does not take it
        ("web-02", "ok", "failed", "unknown"),  # IMDS works, but the agent asks its proxy for it
    ],
)
def test_a_hop_is_what_the_agent_meets_there(name: str, gateway: str, imds: str, endpoint: str) -> None:
    assert (hop(name, "gateway"), hop(name, "imds"), hop(name, "endpoint")) == (gateway, imds, endpoint)


def test_a_symptom_asserts_nothing_against_its_cause() -> None:
    sentences = [str(symptom.sentence) for symptom in of("api-01").causes[0].symptoms]
    assert of("api-01").causes[0].slug == "imds-wrong-route"
    assert sentences
    assert not any("is right" in sentence or "no usable route" in sentence for sentence in sentences)


def test_a_line_that_many_causes_write_is_told_once() -> None:
    """The log of agent 2.3 has one line for all that can befall IMDS."""
    cited = [
        (citation.source, citation.line)
        for symptom in of("api-02").causes[0].symptoms
        for citation in symptom.citations
    ]
    assert cited
    assert len(cited) == len(set(cited))


def test_what_comes_and_goes_is_told_once_per_start() -> None:
    events = [(event.kind, str(event.label)) for event in of("batch-01").timeline]
    assert len(events) == len(set(events))
    back = next(event for event in of("batch-01").timeline if "fell back" in str(event.label))
    assert back.count > 2
    assert back.first < back.last


def test_a_passing_registration_is_no_news() -> None:
    labels = [str(event.label) for event in of("batch-01").timeline]
    assert "The instance registered with Systems Manager." in labels
    assert "The agent has no registration." not in labels


def test_the_wrong_route_stands_beside_the_right_one() -> None:
    row = next(row for row in of("api-01").routes if row.purpose == "imds")
    assert row.found.startswith("169.254.169.254 via 10.77.1.99 dev eth0")
    assert (row.expected, row.judgement) == ("via 10.77.1.1 dev eth0", Judgement.BAD)
    hop = next(hop for hop in of("api-01").path if hop.kind == "imds")
    assert (hop.state, str(hop.detail)) == (
        "failed",
        "The route leads to 10.77.1.99, not to the subnet's router.",
    )
    assert all(row.judgement is Judgement.GOOD for row in of("api-01").routes if row.purpose != "imds")


def test_a_missing_exception_is_expected_beside_the_proxy() -> None:
    row = next(row for row in of("web-02").proxies if row.name == "no_proxy")
    assert (row.value, row.expected, row.judgement) == ("", "169.254.169.254", Judgement.BAD)


def test_every_attempt_shows_how_far_it_came() -> None:
    attempts = {attempt.service: attempt.stages for attempt in of("cache-01").attempts}
    assert list(attempts) == ["imds", "ssm", "ssmmessages", "ec2messages"]
    assert [(s.stage, s.judgement) for s in attempts["ssmmessages"]] == [
        ("dns", Judgement.GOOD),
        ("tcp", Judgement.BAD),
    ]
    assert {s.judgement for s in attempts["ssm"]} == {Judgement.GOOD}


def test_of_the_way_not_taken_nothing_is_expected() -> None:
    """Behind a proxy the direct attempt fails, and that says nothing against the host."""
    stages = [s for a in of("healthy-proxy").attempts if a.service != "imds" for s in a.stages]
    assert stages
    assert Judgement.BAD not in {stage.judgement for stage in stages}


def test_the_telling_part_of_a_log_line_is_marked() -> None:
    cited = [c for c in of("batch-01").causes[0].evidence if c.source.startswith("logs/")]
    assert cited
    assert all(c.mark and c.mark in c.text for c in cited)


def test_a_ready_sentence_has_no_gaps() -> None:
    """A user's own signature may mean anything."""
    assert str(ready("It said {this} and {0}.")) == "It said {this} and {0}."
