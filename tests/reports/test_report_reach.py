"""Pages by keyboard alone, and on paper: every stop is seen, and nothing is cut at the edge of a sheet."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from report_browser import Visitor
from test_report_full_logs import full
from test_report_pages import PAGES, sample_entries

from reports.html import render_host
from reports.index import render_index

A4 = 695
"""Pixels between the margins of a sheet, at 96 to the inch."""

FOCUSABLE = "a[href], button, input, select, summary, [tabindex='0']"


@pytest.mark.parametrize("name", ["proxy_no_noproxy", "healthy", "index"])
def test_a_walk_by_keyboard_stops_everywhere_and_is_seen(visit: Visitor, name: str) -> None:
    page = visit(PAGES[name](name), reduced_motion="reduce").page  # else it is still on its way there
    stops = page.eval_on_selector_all(
        FOCUSABLE, "all => all.filter(it => it.checkVisibility({visibilityProperty: true})).length"
    )
    assert stops > 10
    walked = []
    for _ in range(stops):
        page.keyboard.press("Tab")
        walked.append(
            page.evaluate(
                """() => {
                    const it = document.activeElement, at = it.getBoundingClientRect();
                    const name = it.getAttribute('aria-label') || it.textContent.trim() || it.name;
                    return [
                        name, getComputedStyle(it).outlineStyle !== 'none',
                        at.width > 0 && at.bottom > 0 && at.top < innerHeight,
                    ];
                }"""
            )
        )
    assert [stop for stop in walked if not (stop[1] and stop[2])] == []
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") == "BODY", "the walk ends where the page ends"


def test_the_index_by_keyboard_alone(visit: Visitor) -> None:
    page = visit(PAGES["index"]("index")).page
    page.locator(".owners a", has_text="Network team").focus()
    page.keyboard.press("Enter")
    hosts = page.locator("table.hosts tbody th")
    page.get_by_text("1 of 8 hosts").wait_for()
    assert hosts.all_inner_texts() == ["api-07"]
    assert page.locator("select[name=owner]").input_value() == "Network team"
    page.locator(".bars a", has_text="imds-no-route").focus()
    page.keyboard.press("Enter")
    hosts.filter(has_text="web-03").wait_for()
    assert page.locator("select[name=owner]").input_value() == ""


@pytest.mark.parametrize("name", PAGES)
def test_no_table_is_cut_on_paper(visit: Visitor, name: str) -> None:
    page = visit(PAGES[name](name), width=A4, media="print").page
    cut = page.eval_on_selector_all(
        "table, pre, svg:not(.defs), dl, figure",
        """(all, edge) => all.filter(it => it.checkVisibility() && it.getBoundingClientRect().right > edge)
            .map(it => it.outerHTML.slice(0, 90))""",
        A4,
    )
    assert cut == []
    assert page.evaluate("document.documentElement.scrollWidth") <= A4


def test_every_sheet_of_the_index_has_the_heads_of_its_table(visit: Visitor, tmp_path: Path) -> None:
    if shutil.which("pdftotext") is None:
        pytest.skip("no pdftotext: the Debian package poppler-utils is missing")
    entries = [replace(entry, name=f"web-{n}") for n in range(12) for entry in sample_entries()]
    paper = tmp_path / "index.pdf"
    visit(render_index(entries)).page.pdf(path=paper, prefer_css_page_size=True)
    printed = subprocess.run(["pdftotext", "-layout", paper, "-"], capture_output=True, text=True, check=True)
    sheets = [sheet for sheet in printed.stdout.split("\f") if "web-" in sheet]
    assert len(sheets) > 2
    assert all("Since (UTC)" in sheet for sheet in sheets)


def test_a_host_with_full_logs_fits_on_paper_and_on_a_telephone(visit: Visitor) -> None:
    html = render_host(*full())
    assert visit(html, width=A4, media="print").overflow <= 0
    assert visit(html, width=360).overflow <= 0


@pytest.mark.parametrize("name", ["imds_no_route", "proxy_no_noproxy"])
def test_a_narrow_screen_shows_each_cell_behind_its_head(visit: Visitor, name: str) -> None:
    page = visit(PAGES[name](name), width=360).page
    beyond = "all => all.filter(it => it.getBoundingClientRect().right > innerWidth).length"
    hidden = page.eval_on_selector_all(".checks td:not(:empty)", beyond)
    assert hidden == 0
    assert (
        page.eval_on_selector(".checks td[data-l]", "it => getComputedStyle(it, '::before').content")
        != "none"
    )
