"""A muted cause is told like any other, and every format says that it is muted, why, and until when."""

from __future__ import annotations

import csv
import io
import json
from datetime import date
from pathlib import Path
from xml.etree import ElementTree as ET

from report_browser import Visitor
from report_samples import healthy, imds_no_route, two_causes

from reports.base import HostReport, Muted, SweepInfo
from reports.entry import entry_of
from reports.html import render_host
from reports.index import render_index
from reports.json_report import load_host
from reports.registry import open_reporters, parse_reporters

MUTED = (Muted("imds-no-route", "route change CHG-<4711>", date(2026, 12, 31)),)


def reported(form: str) -> str:
    out = io.StringIO()
    with open_reporters(parse_reporters([form]), SweepInfo(), out) as reporter:
        reporter.add(HostReport("web-03", *imds_no_route(), MUTED))
        reporter.add(HostReport("web-01", *healthy()))
    return out.getvalue()


def test_the_page_says_so_beside_the_answer() -> None:
    page = render_host(*imds_no_route(), muted=MUTED)
    answer = page.partition("</section>")[0]
    assert "Muted until 2026-12-31</b>: <bdi>route change CHG-&lt;4711&gt;</bdi>" in answer
    assert "Muted" not in render_host(*imds_no_route())


def test_of_two_causes_the_muted_one_is_marked() -> None:
    diagnosis, told = two_causes()
    second = diagnosis.causes[1].slug
    page = render_host(diagnosis, told, muted=(Muted(second, "known"),))
    assert "Muted" not in page.partition("</section>")[0]
    article = page.partition('id="cause-2"')[2].partition("</article>")[0]
    assert "<b>Muted</b>: <bdi>known</bdi>" in article
    assert entry_of(diagnosis, told, muted=(Muted(second, "known"),)).muted == "", "the other cause counts"


def test_the_index_counts_and_finds_it(visit: Visitor) -> None:
    entries = [entry_of(*imds_no_route(), "hosts/a.html", MUTED), entry_of(*healthy(), "hosts/b.html")]
    page = visit(render_index(entries)).page
    assert "1 of them muted" in page.locator(".tally").inner_text()
    page.locator("select[name=verdict]").select_option("Broken")
    assert page.locator("table.hosts tbody th").all_inner_texts() == ["web-03"]
    assert page.locator("table.hosts tbody td").first.inner_text() == "Broken muted"


def test_junit_skips_it() -> None:
    suite = ET.fromstring(reported("junit")).find("testsuite")
    assert suite is not None
    assert (suite.get("failures"), suite.get("skipped")) == ("0", "1")
    skipped = suite.find("testcase/skipped")
    assert skipped is not None
    assert skipped.get("message") == "Muted: route change CHG-<4711>"


def test_the_ticket_the_row_and_the_table_say_so() -> None:
    assert "Muted until 2026-12-31: `route change CHG-<4711>`" in reported("markdown")
    (other, row) = csv.DictReader(io.StringIO(reported("csv"), newline=""))
    assert (row["verdict"], row["muted"], other["muted"]) == ("broken", "route change CHG-<4711>", "")
    assert "Broken, muted" in reported("terminal")


def test_json_keeps_it() -> None:
    first = json.loads(reported("json"))["hosts"][1]
    assert first["muted"] == [
        {"slug": "imds-no-route", "reason": "route change CHG-<4711>", "until": "2026-12-31"}
    ]
    assert load_host(json.dumps(first), "x").muted == MUTED


def test_every_probe_has_a_name() -> None:
    """Here rather than in ``reports``, which does not know the collector's probes."""
    from collector.platforms import PROBES as ASKED
    from reports.probe_names import PROBES

    assert {probe.id for probes in ASKED.values() for probe in probes} == set(PROBES)


def test_the_page_is_the_same_from_the_diagnosis_alone(tmp_path: Path) -> None:
    """All that a page shows stands in ``diagnosis.json``: the evidence is not needed to print it again."""
    specs = parse_reporters([f"html:{tmp_path / 'html'}", f"json:{tmp_path}/json/"])
    with open_reporters(specs, SweepInfo(), io.StringIO()) as reporter:
        reporter.add(HostReport("web-03", *imds_no_route(), MUTED))
    told = load_host((tmp_path / "json" / "web-03.json").read_bytes(), "x")
    again = render_host(told.diagnosis, told.provenance, index="../index.html", muted=told.muted)
    assert again == (tmp_path / "html" / "hosts" / "web-03.html").read_text("utf-8")
    assert "184.2 kB" in again
    assert "amazon-ssm-agent.log" in again
