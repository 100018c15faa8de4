"""Whatever a diagnosis holds, every format can write it, and JSON gives it back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from xml.etree import ElementTree as ET

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jinja2 import Environment, PackageLoader, nodes
from test_report_formats import validator

from analyzers.diagnosis import Diagnosis
from analyzers.text import Message
from reports.base import Muted, SweepInfo
from reports.entry import entry_of, worst_first
from reports.html import LIMIT, render_host
from reports.index import render_index
from reports.json_report import Told, dump_json, load_host, to_json
from reports.junit import render_junit
from reports.markdown import render_markdown
from reports.provenance import Provenance

TEXTS = st.text(st.characters(codec=None), max_size=12)
MOMENTS = st.datetimes(timezones=st.sampled_from([None, UTC]))
MESSAGES = st.builds(
    Message, st.sampled_from(["It is {it}.", "`{it}` <b>", ""]), st.fixed_dictionaries({"it": TEXTS})
)

st.register_type_strategy(Message, MESSAGES)
st.register_type_strategy(timedelta, st.timedeltas(timedelta(days=-900), timedelta(days=900)))

PARTS: Mapping[type, st.SearchStrategy[object]] = {str: TEXTS, datetime: MOMENTS}


@cache
def of(kind: type) -> st.SearchStrategy[object]:
    """Values of a dataclass, tuples kept short, by its type hints."""
    import typing
    from dataclasses import fields, is_dataclass

    def strategy(hint: object) -> st.SearchStrategy[object]:
        arguments = typing.get_args(hint)
        if isinstance(hint, type) and hint in PARTS:
            return PARTS[hint]
        if isinstance(hint, type) and is_dataclass(hint) and hint is not Message:
            return st.deferred(lambda: of(hint))
        if typing.get_origin(hint) is tuple:
            return st.lists(strategy(arguments[0]), max_size=2).map(tuple)
        if arguments and type(None) in arguments:
            return st.none() | strategy(arguments[0])
        return st.from_type(hint)  # type: ignore[arg-type]  # what is left are plain classes

    hints = typing.get_type_hints(kind)
    return st.builds(kind, **{field.name: strategy(hints[field.name]) for field in fields(kind)})


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(of(Diagnosis), of(Provenance), st.lists(of(Muted), max_size=2).map(tuple))
def test_every_format_writes_it(diagnosis: Diagnosis, told: Provenance, muted: tuple[Muted, ...]) -> None:
    page = render_host(diagnosis, told, muted=muted)
    assert len(page.encode()) <= LIMIT
    entry = entry_of(diagnosis, told, "hosts/x.html", muted)
    assert worst_first([entry, entry]) == [entry, entry]
    assert "</html>" in render_index([entry])
    ET.fromstring(render_junit([entry], SweepInfo()))
    assert render_markdown(diagnosis, told, muted=muted).encode("utf-8")


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    of(Diagnosis),
    of(Provenance).map(lambda told: replace(told, sha256="")),
    st.lists(of(Muted), max_size=2).map(tuple),
)
def test_json_gives_it_back(diagnosis: Diagnosis, told: Provenance, muted: tuple[Muted, ...]) -> None:
    document = to_json(diagnosis, told, muted)
    assert load_host(dump_json(document), "x") == Told(diagnosis, told, muted)
    validator("diagnosis").validate(json.loads(dump_json(document)))


def test_every_word_of_a_template_can_be_translated() -> None:
    """Letters stand in no template but inside tags, or as a message id."""
    import re

    environment = Environment(loader=PackageLoader("reports"), autoescape=True)
    found = []
    for name in environment.list_templates(["j2"]):
        source = environment.loader.get_source(environment, name)[0] if environment.loader else ""
        data = "".join(node.data for node in environment.parse(source).find_all(nodes.TemplateData))
        bare = re.sub(r"<!doctype html>|<[^>]*>|[\w-]+=\"[^\"]*\"|&\w+;", " ", data)
        found += [(name, word) for word in re.findall(r"[A-Za-z]{3,}", bare)]
    assert [word for word in found if word[1] not in ("ssm", "triage", "sha256", "sha")] == []
