"""JUnit XML: a sweep as a test suite in which each host is a test case.

Broken is a failure.  Inconclusive and not reached are errors: the test could not be made.  A host whose
causes are all muted is skipped.
"""

from __future__ import annotations

import io
from collections import Counter
from xml.etree import ElementTree as ET

from analyzers.diagnosis import Verdict
from reports.base import HostReport, SweepInfo
from reports.clean import one_line
from reports.entry import Entry, entry_of, worst_first
from reports.files import Sink
from reports.i18n import Translator, translator

_OUTCOMES = {Verdict.BROKEN: "failure", Verdict.UNKNOWN: "error", Verdict.NOT_REACHED: "error"}


class JUnitReporter:
    """Keeps a summary of each host; the counts stand at the head of the file."""

    def __init__(self, sink: Sink, sweep: SweepInfo) -> None:
        self._sink = sink
        self._sweep = sweep
        self._entries: list[Entry] = []

    def add(self, host: HostReport) -> None:
        self._entries.append(entry_of(host.diagnosis, host.provenance, muted=host.muted))

    def finish(self) -> None:
        self._sink.write(render_junit(self._entries, self._sweep))
        self._sink.commit()

    def abandon(self) -> None:
        self._sink.discard()


def render_junit(entries: list[Entry], sweep: SweepInfo) -> str:
    """The whole document."""
    translate = translator(sweep.lang)
    outcomes = Counter(map(_outcome, entries))
    counts = {
        "tests": str(len(entries)),
        "failures": str(outcomes["failure"]),
        "errors": str(outcomes["error"]),
    }
    root = ET.Element("testsuites", {"name": "ssm-triage", **counts, "time": "0"})
    counts["skipped"] = str(outcomes["skipped"])
    suite = ET.SubElement(root, "testsuite", {"name": "ssm-triage", **counts, "time": "0"})
    if sweep.started:
        suite.set("timestamp", f"{sweep.started:%Y-%m-%dT%H:%M:%S}")
    for entry in worst_first(entries):
        _case(suite, entry, translate)
    ET.indent(root)
    document = io.BytesIO()
    ET.ElementTree(root).write(document, encoding="utf-8", xml_declaration=True)
    return document.getvalue().decode("utf-8") + "\n"


def _outcome(entry: Entry) -> str:
    """The element that tells it; empty: none, all is well."""
    return "skipped" if entry.muted else _OUTCOMES.get(entry.verdict, "")


def _case(suite: ET.Element, entry: Entry, translate: Translator) -> None:
    group = one_line(entry.groups[0], 100) if entry.groups else "ssm-triage"
    case = ET.SubElement(suite, "testcase", {"name": entry.name, "classname": group, "time": "0"})
    outcome = _outcome(entry)
    message = one_line(translate.say(entry.headline))
    if outcome == "skipped":
        reason = translate.gettext("Muted: {reason}", reason=entry.muted)
        ET.SubElement(case, outcome, {"message": one_line(reason)}).text = message
    elif outcome:
        kind = entry.cause or entry.label or str(entry.verdict)
        ET.SubElement(case, outcome, {"message": message, "type": one_line(kind, 100)}).text = message
