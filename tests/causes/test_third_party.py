"""A rule of another package, as its author would write it."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import EntryPoint
from types import ModuleType

import casebook as book
import pytest

from analyzers import causes
from analyzers.causes.case import Case
from analyzers.causes.catalogue import cause_text
from analyzers.causes.rule import Finding, Told, rule
from analyzers.diagnose import judge
from analyzers.diagnosis import Confidence, Verdict
from analyzers.explain import texts
from collector.errors import TriageError

TEXT = cause_text(
    "acme-quarantine",
    "acme",
    {
        "title": "The host is quarantined",
        "sentence": "ACME's quarantine has cut {name} off.",
        "what": "ACME's agent puts a suspicious host on a network of its own.",
        "owner": "network",
        "mend": [{"text": "Ask the security team to release it.", "lines": ["acme release {name}"]}],
        "explains": ["endpoint-*"],
    },
)


@rule("acme-quarantine", "addresses", text=TEXT)
def quarantined(case: Case) -> Iterator[Told]:
    addresses = case.facts.addresses.or_none()
    for interface in addresses.interfaces if addresses is not None else ():
        if interface.name == "acme0":
            yield Finding("acme-quarantine", Confidence.CERTAIN, (interface.at.cite(),))


SICK = book.endpoints(
    "timeout", addresses=book.ADDR + "3: acme0: <UP> mtu 1500\n    inet 10.9.0.2/24 scope global acme0\n"
)


def test_it_finds_its_cause_and_folds_the_rest_beneath() -> None:
    rules = (*causes.built_in(), quarantined)
    found = judge(book.case(SICK), rules, texts().with_texts([TEXT]))
    assert found.verdict is Verdict.BROKEN
    assert found.causes[-1].slug == "acme-quarantine"
    assert [symptom.slug for symptom in found.causes[-1].symptoms] == ["endpoint-unreachable"]
    assert found.causes[-1].remedy[0].lines == ("acme release web01",)


def point(value: str) -> EntryPoint:
    return EntryPoint("acme", value, causes.GROUP)


def test_an_entry_point_may_be_a_rule_or_a_module(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("acme_rules")
    vars(module).update(quarantined=quarantined)
    monkeypatch.setitem(__import__("sys").modules, "acme_rules", module)
    monkeypatch.setattr(
        causes, "entry_points", lambda group: [point("acme_rules"), point("acme_rules:quarantined")]
    )
    assert [found.slug for found in causes.third_party()] == ["acme-quarantine"] * 2


@pytest.mark.parametrize("value", ["no_such_module", "json", "json:dumps", "os:sep"])
def test_what_is_no_rule_is_one_clear_line(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(causes, "entry_points", lambda group: [point(value)])
    if value == "json":
        assert list(causes.third_party()) == []
        return
    with pytest.raises(TriageError) as caught:
        list(causes.third_party())
    assert value in str(caught.value)
    assert "\n" not in str(caught.value)
