"""Attacks from a host, in every text that a diagnosis has: none runs, none loads, none is drawn elsewhere."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import Enum
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from report_attacks import ATTACKS
from report_browser import Visitor, assert_harmless, outside_the_picture
from report_samples import endpoint_unreachable, imds_no_route, not_reached, unknown

from analyzers.diagnosis import Diagnosis
from analyzers.text import Message
from reports.base import SweepInfo
from reports.entry import entry_of
from reports.html import LIMIT, render_host
from reports.index import render_index
from reports.json_report import dump_json, load_host, to_json
from reports.junit import render_junit
from reports.provenance import Provenance

PLAIN = {"kind", "state", "status"}  # our own closed sets, as strings


def poison(value: Any, attack: str) -> Any:
    """``value`` with each text in it replaced; sentences keep their templates, which are ours."""
    if isinstance(value, Enum | datetime | timedelta | bytes):
        return value
    if isinstance(value, str):
        return attack
    if isinstance(value, Message):
        return Message(value.template, poison(value.values, attack))
    if isinstance(value, Mapping):
        return {name: poison(item, attack) for name, item in value.items()}
    if isinstance(value, tuple):
        return tuple(poison(item, attack) for item in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [field.name for field in dataclasses.fields(value) if field.name not in PLAIN]
        return dataclasses.replace(value, **{name: poison(getattr(value, name), attack) for name in fields})
    return value


def hostile(sample: tuple[Diagnosis, Provenance], attack: str) -> tuple[Diagnosis, Provenance]:
    diagnosis, told = sample
    return poison(diagnosis, attack), poison(told, attack)


@pytest.mark.parametrize("name", ATTACKS)
def test_a_page_of_attacks(visit: Visitor, name: str) -> None:
    page = ""
    for sample in (imds_no_route, unknown, not_reached):
        diagnosis, evidence = hostile(sample(), ATTACKS[name])
        page = render_host(diagnosis, evidence, index="../index.html")
        assert len(page.encode()) <= LIMIT
        if sample is not unknown:
            assert_harmless(visit, page)
    assert_harmless(visit, render_index([entry_of(diagnosis, evidence, "hosts/x.html")]))


@pytest.mark.parametrize("name", ["wide", "tall", "bidi"])
def test_nothing_is_drawn_outside_its_box(visit: Visitor, name: str) -> None:
    diagnosis, evidence = hostile(endpoint_unreachable(), ATTACKS[name])
    assert outside_the_picture(visit(render_host(diagnosis, evidence))) == 0


@pytest.mark.parametrize("name", ATTACKS)
def test_json_carries_it_whole_and_in_plain_ascii(name: str) -> None:
    attack = ATTACKS[name][:2_000]
    diagnosis, evidence = hostile(imds_no_route(), attack)
    text = dump_json(to_json(diagnosis, evidence))
    assert all(char == "\n" or " " <= char <= "~" for char in text)
    assert "<" not in text
    assert load_host(text, "x").diagnosis == diagnosis
    assert json.loads(text)["subject"]["name"] == attack


@pytest.mark.parametrize("name", ATTACKS)
def test_junit_stays_well_formed(name: str) -> None:
    diagnosis, evidence = hostile(imds_no_route(), ATTACKS[name])
    root = ET.fromstring(render_junit([entry_of(diagnosis, evidence)], SweepInfo()))
    assert len(root.findall("testsuite/testcase/failure")) == 1
