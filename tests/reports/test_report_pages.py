"""The pages in a real browser: nothing loads, nothing complains, everybody can read them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from demo_pages import hosts, text_of
from report_browser import Visitor
from report_samples import SAMPLES, imds_no_route

from analyzers.diagnosis import Trait
from analyzers.text import say
from reports.entry import Entry, entry_of
from reports.html import LIMIT, render_host
from reports.i18n import translator
from reports.index import render_index
from reports.json_report import Told, load_host

LOOKS = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "narrow": {"width": 360},
    "tablet": {"width": 768},
    "wide": {"width": 1920},
    "print": {"media": "print"},
    "no script": {"java_script_enabled": False},
}


def page_of(name: str) -> str:
    diagnosis, evidence = SAMPLES[name]()
    return render_host(diagnosis, evidence, index="../index.html")


def sample_entries() -> list[Entry]:
    return [entry_of(*make(), f"hosts/{name}.html") for name, make in SAMPLES.items()]


PAGES = dict.fromkeys(SAMPLES, page_of) | {
    "index": lambda _: render_index(sample_entries(), tool="ssm-triage 0")
}


@pytest.mark.parametrize(
    ("name", "look"),
    [(name, look) for name in PAGES for look in ("light", "narrow")]
    + [
        (name, look)
        for name in ("two_causes", "index")
        for look in ("dark", "tablet", "wide", "print", "no script")
    ],
)
def test_a_page_asks_for_nothing_and_breaks_nothing(visit: Visitor, name: str, look: str) -> None:
    seen = visit(PAGES[name](name), **LOOKS[look])
    assert seen.requests == []
    assert seen.complaints == []
    assert seen.overflow <= 0
    assert seen.page.locator("h1").count() == 1


@pytest.mark.parametrize(
    ("name", "look"),
    [(name, look) for name in PAGES for look in ("light", "dark", "print")]
    + [(name, "narrow") for name in ("proxy_no_noproxy", "healthy", "index")],
)
def test_axe_finds_no_barrier(visit: Visitor, name: str, look: str) -> None:
    pytest.importorskip("axe_playwright_python", reason="the Python package axe-playwright-python is missing")
    axe = files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")
    seen = visit(PAGES[name](name), **LOOKS[look])
    seen.page.evaluate("for (const d of document.querySelectorAll('details')) d.open = true")
    seen.page.evaluate(axe)
    result = seen.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    found = [
        f"{violation['id']}: {node['html'][:200]} {node['failureSummary']}"
        for violation in result["violations"]
        for node in violation["nodes"]
    ]
    assert found == []


def test_headings_go_down_one_level_at_a_time(visit: Visitor) -> None:
    levels = visit(page_of("two_causes")).page.eval_on_selector_all(
        "h1, h2, h3, h4", "all => all.map(h => Number(h.tagName[1]))"
    )
    assert levels[0] == 1
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))


def test_the_first_screen_is_the_answer(visit: Visitor) -> None:
    page = visit(page_of("imds_no_route")).page
    for selector in (".verdict", "h1", ".facts", ".next", ".next pre", ".path svg.wide"):
        box = page.locator(selector).first.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= 820, selector
    text = page.locator(".answer").inner_text()
    for part in (
        "Certain",
        "Since",
        "Host administrator",
        "sudo ip route add default via 10.20.3.1 dev ens5",
    ):
        assert part in text


def test_the_keyboard_reaches_the_answer_and_the_folded_parts(visit: Visitor) -> None:
    page = visit(page_of("imds_no_route")).page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    fold = page.locator("details.symptom").first
    fold.locator("summary").focus()
    page.keyboard.press("Enter")
    assert fold.evaluate("it => it.open")


def test_folded_parts_open_without_script(visit: Visitor) -> None:
    page = visit(page_of("imds_no_route"), java_script_enabled=False).page
    assert page.locator("button:visible").count() == 0
    page.locator("details.symptom summary").first.click()
    assert page.get_by_text("logs/errors.log").first.is_visible()


def test_copy_and_open_all(visit: Visitor) -> None:
    page = visit(page_of("imds_no_route"), permissions=["clipboard-read", "clipboard-write"]).page
    page.locator(".next [data-copy]").click()
    page.locator(".next .done").wait_for()
    assert (
        page.evaluate("navigator.clipboard.readText()") == "sudo ip route add default via 10.20.3.1 dev ens5"
    )
    unfold = page.locator("[data-unfold]")
    unfold.click()
    assert page.eval_on_selector_all("main details", "all => all.every(d => d.open)")
    assert unfold.inner_text() == "Close all"
    unfold.click()
    assert not page.eval_on_selector_all("main details", "all => all.some(d => d.open)")
    assert unfold.inner_text() == "Open all"


def test_times_in_the_readers_zone_and_back(visit: Visitor) -> None:
    page = visit(page_of("imds_no_route"), timezone_id="Asia/Kolkata").page
    since = page.locator(".facts time").first
    utc = since.inner_text()
    moment = datetime.fromisoformat(since.get_attribute("datetime") or "")
    head = page.locator("table.timeline th").first
    assert (utc[-3:], head.inner_text()) == ("UTC", "Time (UTC)")
    page.locator("[data-rezone]").click()
    there = moment.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert since.inner_text() == f"{there:%Y-%m-%d %H:%M:%S} +05:30"
    assert head.inner_text() == "Time (my zone)"
    assert "UTC" not in "".join(page.locator("main time").all_inner_texts())
    page.locator("[data-rezone]").click()
    assert since.inner_text() == utc


def test_a_page_holds_its_own_data(visit: Visitor) -> None:
    diagnosis, evidence = imds_no_route()
    page = visit(render_host(diagnosis, evidence)).page
    assert load_host(page.locator("#data").text_content() or "", "page") == Told(diagnosis, evidence)
    entries = sample_entries()
    data = json.loads(visit(render_index(entries)).page.locator("#data").text_content() or "")
    found = {name: (data["kinds"][kind]["cause"], since) for name, kind, since in data["hosts"]}
    assert len(found) == len(entries)
    for entry in entries:
        assert found[entry.name] == (entry.cause, entry.since.isoformat() if entry.since else None)


def test_data_that_is_too_long_is_left_out() -> None:
    diagnosis, evidence = imds_no_route()
    long = replace(diagnosis.causes[0].evidence[0], text="x" * 1_000_000, mark="")
    page = render_host(replace(diagnosis, proof=(long,) * 500), evidence)
    assert len(page.encode()) <= LIMIT
    assert 'id="data"' not in page


def test_paper_has_what_is_folded(visit: Visitor, tmp_path: Path) -> None:
    if shutil.which("pdftotext") is None:
        pytest.skip("no pdftotext: the Debian package poppler-utils is missing")
    paper = tmp_path / "page.pdf"
    visit(page_of("imds_no_route"), java_script_enabled=False).page.pdf(path=paper, prefer_css_page_size=True)
    printed = subprocess.run(["pdftotext", "-layout", paper, "-"], capture_output=True, text=True, check=True)
    text = re.sub(r"\s+", " ", printed.stdout)
    for part in (
        "its name could not be resolved",  # the path in words
        "failed to find agent identity",  # a symptom's evidence
        "utc=2026-11-23T06:58:45Z",  # an excluded cause's evidence
        "ssm-cli is not installed",  # the table of probes
        "184.2 kB",  # the table of logs
    ):
        assert part in text


def test_colour_is_never_alone() -> None:
    page = page_of("endpoint_unreachable")
    for state in ("works", "fails", "not used"):
        assert f'<tspan class="state">{state}</tspan>' in page
    for mark in ("#m-ok", "#m-failed", "#m-unused"):
        assert mark in page


def test_backticks_of_ours_are_code_and_those_of_a_host_are_not() -> None:
    diagnosis, evidence = imds_no_route()
    page = render_host(replace(diagnosis, headline=say("No `{x}` in `<b>`.", x="`y`")), evidence)
    assert "No <code><bdi>`y`</bdi></code> in <code>&lt;b&gt;</code>." in page


def test_nothing_is_drawn_where_nothing_is_known() -> None:
    diagnosis, evidence = imds_no_route()
    blind = tuple(replace(hop, state="unknown") for hop in diagnosis.path)
    assert 'svg class="wide"' in render_host(diagnosis, evidence)
    assert 'svg class="wide"' not in render_host(replace(diagnosis, path=blind), evidence)


def test_a_path_that_works_under_a_broken_host_says_so() -> None:
    diagnosis, evidence = imds_no_route()
    works = replace(diagnosis, path=tuple(replace(hop, state="ok") for hop in diagnosis.path))
    assert "Nothing on this path fails" in render_host(works, evidence)
    assert "Nothing on this path fails" not in render_host(diagnosis, evidence)


def test_a_retry_is_told_where_waiting_for_it_helps() -> None:
    diagnosis, evidence = imds_no_route()
    assert evidence.clock is not None
    soon = evidence.clock.finished + timedelta(minutes=3)

    def told(**change: Any) -> bool:
        cause = replace(diagnosis.causes[0], **change)
        return "Next automatic retry" in render_host(replace(diagnosis, causes=(cause,)), evidence)

    assert told(next_retry=soon, needs_restart=False)
    assert not told(next_retry=soon, needs_restart=True)
    assert not told(next_retry=evidence.clock.started, needs_restart=False)


def test_a_host_that_was_not_reached_is_told_without_repetition() -> None:
    *_, (name, diagnosis, told) = hosts()
    assert name == "switched-off"
    page = text_of(render_host(diagnosis, told))
    assert page.count("192.0.2.7 port 22 refused the connection") == 1
    assert page.count("Do this next") == 1
    assert "How to fix it" not in page
    assert "How to verify the fix" in page


def test_a_command_to_try_can_be_copied() -> None:
    diagnosis, told = SAMPLES["not_reached"]()
    assert told.failure is not None
    advice = (
        "compare the new fingerprint with the host's console output; only if the host was rebuilt: "
        "ssh-keygen -R db-04"
    )
    page = render_host(diagnosis, replace(told, failure=replace(told.failure, try_next=advice)))
    assert ">ssh-keygen -R db-04</span></code></pre>" in page


def test_times_without_a_zone_say_so() -> None:
    diagnosis, evidence = imds_no_route()
    events = tuple(
        replace(event, first=event.first.replace(tzinfo=None), last=event.last.replace(tzinfo=None))
        for event in diagnosis.timeline
    )
    page = render_host(replace(diagnosis, timeline=events, utc_offset=None), evidence)
    assert "its time zone is not known" in page
    assert "Time (UTC)" not in page


def test_unchecked_host_key_is_loud() -> None:
    assert "The host&#39;s key was not checked." in page_of("proxy_no_noproxy")
    assert "key was not checked" not in page_of("imds_no_route")


def test_the_footer_tells_what_was_replaced_and_what_was_masked() -> None:
    diagnosis, told = imds_no_route()
    footer = render_host(diagnosis, told).partition("<footer>")[2]
    assert "Names, addresses and IDs are shown as found." in footer
    assert f"sha256:{told.sha256}" in footer
    redacted = replace(told, redaction="pseudonyms", masked=2, script_sha256="ab" * 32)
    footer = render_host(diagnosis, redacted).partition("<footer>")[2]
    assert "Names, addresses and IDs are pseudonyms. 2 secrets were masked on arrival." in footer
    assert f"sha256:{'ab' * 32}" in footer


def test_policy_names_what_is_inlined_and_nothing_else() -> None:
    page = page_of("imds_no_route")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    assert policy.group(1).startswith("default-src &#39;none&#39;")
    assert "unsafe" not in policy.group(1)
    assert not re.search(r"<[^>]*\s(style|on\w+)\s*=", page)
    assert not re.search(r"""(src|href|action|url)\s*[=(]\s*["']?(https?:|//|data:)""", page)


def test_a_host_with_everything_stays_small() -> None:
    diagnosis, evidence = imds_no_route()
    cause = diagnosis.causes[0]
    line = replace(cause.evidence[2], text="<&>" * 700_000, mark="")
    symptom = replace(cause.symptoms[0], citations=(line,) * 500)
    stuffed = replace(cause, evidence=(line,) * 2_000, symptoms=(symptom,) * 200, against=(line,) * 100)
    event = diagnosis.timeline[0]
    page = render_host(
        replace(diagnosis, causes=(stuffed,) * 3, timeline=(event,) * 5_000, path=diagnosis.path * 40),
        evidence,
    )
    assert len(page.encode()) <= LIMIT
    assert "more citations; all of it is in" in page
    assert "evidence/web-03.zip" in page


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_ten_thousand_hosts_of_the_longest_sentence_stay_small(lang: str) -> None:
    of_the_demo = [entry_of(diagnosis, told) for _, diagnosis, told in hosts()]
    longest = max(of_the_demo, key=lambda entry: len(translator(lang).say(entry.headline)))
    name = "web-12345.seoul.example.net"
    entries = [replace(longest, name=name, href=f"hosts/{name}.html")] * 10_000
    assert len(render_index(entries, lang=lang).encode()) < 5_000_000


def test_ten_thousand_hosts_open_fast(visit: Visitor) -> None:
    some = sample_entries()
    entries = [
        replace(some[n % len(some)], name=f"web-{n}.seoul.example.net", href=f"hosts/web-{n}.html")
        for n in range(10_000)
    ]
    html = render_index(entries)
    assert len(html.encode()) < 5_000_000
    page = visit(html).page
    loaded = []
    for _ in range(3):  # the best of three: other tests share the processors
        loaded.append(page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd"))
        page.reload()
    assert 0 < min(loaded) < 2_000


def test_the_index_filters_sorts_and_remembers(visit: Visitor) -> None:
    page = visit(render_index(sample_entries())).page
    hosts = page.locator("table.hosts tbody th")
    assert hosts.all_inner_texts()[-1] == "web-01"  # the healthy one last
    page.locator("select[name=verdict]").select_option("Broken")
    assert "web-01" not in hosts.all_inner_texts()
    page.locator("input[name=q]").fill("ssmmessages")
    assert hosts.all_inner_texts() == ["api-07"]
    page.locator("input[name=q]").fill("")
    page.locator("table.hosts thead button").first.click()
    names = hosts.all_inner_texts()
    assert names == sorted(names)
    page.reload()
    assert hosts.all_inner_texts() == names
    assert page.locator("select[name=verdict]").input_value() == "Broken"


def test_an_index_of_one_host_counts_nothing(visit: Visitor) -> None:
    seen = visit(render_index(sample_entries()[:1]))
    assert seen.complaints == []
    assert seen.page.locator("h1").inner_text() == "web-03: Broken"
    assert seen.page.locator(".pair, .filter").count() == 0
    assert seen.page.locator("table.hosts tbody tr").count() == 1


def test_the_index_tells_what_the_broken_hosts_share() -> None:
    broken, healthy = (entry_of(*SAMPLES[name]()) for name in ("imds_no_route", "healthy"))
    entries = [replace(broken, traits=(Trait("image", "<b>ami-1"),))] * 4
    entries += [replace(healthy, traits=(Trait("image", "ami-2"),))] * 9
    page = render_index(entries)
    assert "What they have in common" in page
    assert '<bdi>4</bdi> of <bdi>4</bdi> hosts with <bdi class="token">imds-no-route</bdi>' in page
    assert '<bdi class="token">&lt;b&gt;ami-1</bdi>' in page
    assert "ami-2" not in page
