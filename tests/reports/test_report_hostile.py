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
from report_browser import Visitor
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

ATTACKS = {
    "script": "<script>window.hurt=1</script>",
    "end of script": "</script><script>window.hurt=1</script><!--",
    "end of style": "</style><script>window.hurt=1</script>",
    "attribute": "\" onmouseover=window.hurt=1 autofocus onfocus=window.hurt=1 x='",
    "image": "<img src=x onerror=window.hurt=1><img src=//192.0.2.1/p>",
    "url": "javascript:window.hurt=1 http://192.0.2.1/x data:text/html,<script>window.hurt=1</script>",
    "svg": '<svg onload=window.hurt=1><use href="//192.0.2.1/x#y"/></svg></text></svg><foreignObject>',
    "css": "</p><style>body{display:none}*{background:url(//192.0.2.1/x)}</style>",
    "frame": '<iframe srcdoc="<script>parent.hurt=1</script>"></iframe><base href=//192.0.2.1/>',
    "meta": '<meta http-equiv=refresh content="0;url=//192.0.2.1/">',
    "template": "{{ 7*7 }}{% raw %}{{ cycler.__init__.__globals__ }}{# #}",
    "gaps": "{0} {name} {values} {__class__}",
    "entities": "&lt;script&gt;window.hurt=1&lt;/script&gt;&#x3c;script&#x3e;",
    "terminal": "\x1b[31mred\x1b[0m\x1b]8;;http://192.0.2.1\x07link\x1b]8;;\x07\r\x9b2K",
    "bidi": "\u202eevil\u202c\u2066\u200b\u200f",
    "nul": "a\0b\x00<\0script>window.hurt=1</script>",
    "no utf-8": b"\xff\xfe\x80<script>".decode("utf-8", "surrogateescape"),
    "path": "../../../../etc/passwd",
    "wide": "W" * 1_048_576,
    "tall": "a" + "\u0334\u0360" * 5_000,
    "lines": "\n" * 100_000,
}
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


def assert_harmless(visit: Visitor, html: str, scripts: int = 1) -> None:
    seen = visit(html)
    seen.page.mouse.move(400, 400)
    seen.page.keyboard.press("Tab")
    assert seen.requests == []
    assert seen.complaints == []
    assert seen.page.evaluate("window.hurt") is None
    assert seen.page.evaluate("document.body.checkVisibility()")
    assert seen.page.locator("script").count() == scripts
    assert (
        seen.page.locator("img, iframe, base, object, foreignObject, [onload], [onerror], [onfocus]").count()
        == 0
    )
    assert seen.page.locator("a:not([href^='#']):not([href^='../index']):not([href^='hosts/'])").count() == 0
    assert seen.overflow <= 0


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
    page = visit(render_host(diagnosis, evidence)).page
    outside = page.eval_on_selector_all(
        "svg.wide g.box",
        """boxes => boxes.filter(box => {
            const frame = box.querySelector('rect').getBoundingClientRect();
            return [...box.querySelectorAll('text')].some(text => {
                const it = text.getBoundingClientRect();
                return it.right > frame.right || it.top < frame.top - 1 || it.bottom > frame.bottom + 1;
            });
        }).length""",
    )
    assert outside == 0


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
