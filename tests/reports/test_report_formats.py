"""JSON, NDJSON, CSV, JUnit, Markdown and the terminal."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from importlib.resources import files
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from demo_pages import hosts
from report_samples import SAMPLES, imds_no_route, two_causes

from analyzers.text import Message, say
from collector.errors import EvidenceError
from reports.base import HostReport, Reporter, SweepInfo
from reports.clean import clean
from reports.csv_report import COLUMNS, safe_cell
from reports.entry import by_cause, by_owner, entry_of, worst_first
from reports.i18n import translator
from reports.json_report import Told, dump_json, load_host, to_json
from reports.markdown import render_markdown
from reports.markdown_text import code, fenced, sentence
from reports.registry import open_reporters, parse_reporters
from reports.terminal import print_summary

SWEEP = SweepInfo("ssm-triage 0.1.0")


def reported(name: str) -> str:
    """What the format called ``name`` writes to standard output for all samples."""
    out = io.StringIO()
    with open_reporters(parse_reporters([name]), SWEEP, out) as reporter:
        feed(reporter)
    return out.getvalue()


def feed(reporter: Reporter) -> None:
    for name, make in SAMPLES.items():
        reporter.add(HostReport(name, *make()))


def schema(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(
        files("reports").joinpath("schema", f"{name}-1.json").read_text("utf-8")
    )
    return loaded


def validator(name: str) -> Any:
    jsonschema = pytest.importorskip("jsonschema", reason="the Python package jsonschema is missing")
    referencing = pytest.importorskip("referencing")
    resources = [referencing.Resource.from_contents(schema(each)) for each in ("diagnosis", "sweep")]
    registry = referencing.Registry().with_resources([(each.id(), each) for each in resources])
    return jsonschema.Draft202012Validator(
        schema(name), registry=registry, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )


@pytest.mark.parametrize("name", SAMPLES)
def test_json_keeps_everything_and_fits_its_schema(name: str) -> None:
    diagnosis, evidence = SAMPLES[name]()
    document = to_json(diagnosis, evidence)
    validator("diagnosis").validate(document)
    assert load_host(dump_json(document), "x") == Told(diagnosis, evidence)


def test_what_the_demo_writes_fits_the_schema() -> None:
    fits = validator("diagnosis")
    for _, diagnosis, told in hosts():
        fits.validate(json.loads(dump_json(to_json(diagnosis, told))))


def test_the_schema_refuses_what_is_wrong() -> None:
    document = to_json(*imds_no_route())
    refuses = validator("diagnosis").is_valid
    assert not refuses({**document, "verdict": "fine"})
    assert not refuses({**document, "surprise": 1})
    assert not refuses({key: value for key, value in document.items() if key != "causes"})


def test_json_of_a_sweep() -> None:
    document = json.loads(reported("json"))
    validator("sweep").validate(document)
    names = [host["subject"]["name"] for host in document["hosts"]]
    assert names == sorted(names)
    assert document["hosts"][names.index("web-03")]["headline"]["text"].startswith("web-03 has no route")


def test_ndjson_is_one_document_a_line() -> None:
    lines = reported("ndjson").splitlines()
    assert [json.loads(line)["verdict"] for line in lines].count("broken") == 5
    assert len(lines) == len(SAMPLES)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("nonsense", "d.json: not a diagnosis"),
        ("[1]", "d.json: not a diagnosis"),
        ('{"schema": 99}', "d.json: diagnosis of schema 99, this ssm-triage reads schema 1"),
        ('{"schema": 1}', "subject: is missing"),
        ('{"schema": 1, "subject": []}', "subject: [] is no dict"),
        ('{"schema": 1, "subject": {"name": 7}}', "subject.name: 7 is no str"),
        ('{"schema": 1, "subject": {"name": "a"}, "verdict": "x"}', "verdict: 'x' is no Verdict"),
    ],
)
def test_a_damaged_diagnosis_is_one_clear_line(text: str, part: str) -> None:
    with pytest.raises(EvidenceError) as caught:
        load_host(text, "d.json")
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_csv_has_a_row_per_host() -> None:
    rows = list(csv.DictReader(io.StringIO(reported("csv"), newline="")))
    assert tuple(rows[0]) == COLUMNS
    assert [row["host"] for row in rows] == sorted(row["host"] for row in rows)
    told = {row["host"]: (row["verdict"], row["cause"], row["scope"]) for row in rows}
    assert told["api-07"] == ("broken", "endpoint-unreachable", "ssmmessages")
    assert told["web-01"] == ("healthy", "", "")
    assert told["db-04"] == ("not-reached", "", "host-key")


@pytest.mark.parametrize("form", ["json", "csv", "junit", "markdown", "terminal"])
def test_the_order_in_which_hosts_are_done_does_not_show(form: str) -> None:
    def written(names: list[str]) -> str:
        out = io.StringIO()
        with open_reporters(parse_reporters([form]), SWEEP, out) as reporter:
            for name in names:
                reporter.add(HostReport(name, *SAMPLES[name]()))
        return out.getvalue()

    assert written(list(SAMPLES)) == written(list(reversed(SAMPLES)))


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "|cmd", "\r=1"])
def test_csv_cells_are_no_formulas(text: str) -> None:
    assert safe_cell(text)[0] in "'⟨"


def test_junit_counts() -> None:
    root = ET.fromstring(reported("junit"))
    assert root.tag == "testsuites"
    suite = root.find("testsuite")
    assert suite is not None
    assert {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "8",
        "failures": "5",
        "errors": "2",
        "skipped": "0",
    }
    failure = suite.find("testcase[@name='api-07']/failure")
    assert failure is not None
    assert failure.get("type") == "endpoint-unreachable"
    assert "get no answer" in (failure.get("message") or "")


def test_markdown_tells_cause_remedy_and_evidence() -> None:
    text = render_markdown(*two_causes())
    for part in (
        "## `edge-05`: Broken",
        "`imds-no-route`",
        "`iam-access-denied`",
        "   sudo ip route add default via 10.20.3.1 dev ens5",
        "RTNETLINK answers: Network is unreachable",
    ):
        assert part in text


def test_markdown_summary_comes_first() -> None:
    text = reported("markdown")
    assert text.startswith("# 8 hosts\n")
    assert "| `api-07` | Broken | `endpoint-unreachable ssmmessages` | 2026-11-23 05:30:00 UTC |" in text


@pytest.mark.parametrize("text", ["a`b", "``", "`", "a```b", " ", "", "@all [x](http://192.0.2.1) <b>"])
def test_markdown_values_stay_in_their_span(text: str) -> None:
    span = code(text)
    fence = re.match("`+", span)
    assert fence is not None
    assert span.endswith(fence.group())
    inside = span[len(fence.group()) : -len(fence.group())]
    assert fence.group() not in re.findall("`+", inside)


def test_markdown_fence_outlasts_its_text() -> None:
    assert fenced("x\n````\ny").startswith("`````text\n")


def test_markdown_sentence_guards_each_value() -> None:
    message = say("Ask {who} now.", who="@everyone <img>")
    assert sentence(message, translator("en")) == "Ask `@everyone <img>` now."


def test_our_own_code_spans_and_those_of_values_do_not_collide() -> None:
    message = say("Look at `{path}` and run `id`.", path="a`b")
    assert sentence(message, translator("en")) == "Look at ``a`b`` and run `id`."


def test_terminal_is_plain_in_a_pipe() -> None:
    lines = reported("terminal").splitlines()
    assert lines[0].split()[:3] == ["HOST", "VERDICT", "CAUSE"]
    assert lines[-2].split()[:2] == ["web-01", "Healthy"]
    assert lines[-1] == "5 Broken, 1 Inconclusive, 1 Not reached, 1 Healthy"


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("columns", "sentence_shown"), [("140", True), ("70", False)])
def test_terminal_fits_its_width(monkeypatch: pytest.MonkeyPatch, columns: str, sentence_shown: bool) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("NO_COLOR", "1")
    out = Tty()
    print_summary([entry_of(*make()) for make in SAMPLES.values()], out)
    text = out.getvalue()
    assert "\x1b[3" not in text
    assert max(len(clean(line)) for line in text.splitlines()) <= int(columns)
    assert ("Summary" in text) is sentence_shown
    assert "imds-no-route" in text


def test_terminal_colours_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    out = Tty()
    print_summary([entry_of(*imds_no_route())], out)
    assert "\x1b[1;31mBroken" in out.getvalue()


def test_terminal_shows_no_control_characters_of_a_host() -> None:
    entry = replace(entry_of(*imds_no_route()), headline=Message("{x}", {"x": "\x1b[2J\x1b]0;t\x07\n\u202e"}))
    out = io.StringIO()
    print_summary([entry], out)
    assert "⟨U+001B⟩]0;t⟨U+0007⟩⟨U+000A⟩⟨U+202E⟩" in out.getvalue()


def test_worst_first() -> None:
    entries = [entry_of(*make()) for make in SAMPLES.values()]
    twin = replace(entries[2], name="api-10"), replace(entries[2], name="api-9")
    assert [entry.name for entry in worst_first([*entries, *twin])] == [
        "api-07",
        "api-9",
        "api-10",
        "edge-05",
        "web-03",
        "app-21",
        "batch-11",
        "legacy-02",
        "db-04",
        "web-01",
    ]


def test_counts_by_cause_and_owner() -> None:
    entries = [entry_of(*make()) for make in SAMPLES.values()]
    assert [(count.label, count.hosts) for count in by_cause(entries)][:2] == [
        ("imds-no-route", 2),
        ("endpoint-unreachable ssmmessages", 1),
    ]
    assert {str(owner): n for owner, n in by_owner(entries).items()} == {
        "host": 3,
        "network": 1,
        "iam": 1,
        "operator": 1,
    }
