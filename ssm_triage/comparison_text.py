"""A comparison for a person, and for a program."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from collector.evidence import Status
from reports.clean import one_line
from ssm_triage.comparison import Comparison, Fate, ProbeChange, Side

SCHEMA = 1
LINES = 8
"""Lines of one probe that are shown, of either side, unless all are asked for."""
_WIDTH = 160
_SIGNS = {Fate.GONE: "-", Fate.NEW: "+", Fate.SAME: "="}


def to_text(comparison: Comparison, *, every_line: bool = False) -> Iterator[str]:
    """The lines to print."""
    yield from _sides(comparison)
    yield ""
    yield from _verdict(comparison)
    if comparison.values:
        yield ""
        width = max(len(change.what) for change in comparison.values)
        for change in comparison.values:
            yield f"  {one_line(change.what):<{width}}  {_arrow(change.before, change.after)}"
    for probe in comparison.probes:
        yield ""
        yield from _probe(probe, every_line)
    yield ""
    yield f"{len(comparison.alike)} probes say the same; times, process ids and counters do not count."
    skipped = comparison.not_compared
    if len(skipped) > LINES:
        yield f"Not compared: {len(skipped)} probes that one side was not asked, or that change all the time."
    elif skipped:
        yield f"Not compared: {', '.join(map(one_line, skipped))}."


def to_document(comparison: Comparison) -> dict[str, Any]:
    """The same for programs; nothing is left out."""
    return {
        "schema": SCHEMA,
        "same_verdict": comparison.same_verdict,
        "one_host": comparison.one_host,
        "before": _side(comparison.before),
        "after": _side(comparison.after),
        "causes": [
            {"fate": change.fate.value, "slug": change.cause.slug, "scope": change.cause.scope}
            for change in comparison.causes
        ],
        "values": [
            {"what": change.what, "before": change.before, "after": change.after}
            for change in comparison.values
        ],
        "probes": [
            {
                "probe": change.probe,
                "before": change.before.value,
                "after": change.after.value,
                "removed": list(change.removed),
                "added": list(change.added),
            }
            for change in comparison.probes
        ],
        "alike": list(comparison.alike),
        "not_compared": list(comparison.not_compared),
    }


def _sides(comparison: Comparison) -> Iterator[str]:
    for sign, side in (("-", comparison.before), ("+", comparison.after)):
        manifest = side.evidence.manifest
        when = f", {manifest.clock.finished:%Y-%m-%d %H:%M} UTC" if manifest.clock else ""
        yield f"{sign} {one_line(manifest.subject.name)}{when}: {one_line(str(side.diagnosis.headline))}"
    if not comparison.one_host:
        yield "  Two hosts: their own names, ids and addresses do not count."


def _verdict(comparison: Comparison) -> Iterator[str]:
    before, after = comparison.before.diagnosis.verdict, comparison.after.diagnosis.verdict
    yield f"verdict: {_arrow(before, after)}"
    for change in comparison.causes:
        name = " ".join(filter(None, [change.cause.slug, change.cause.scope]))
        yield f"  {_SIGNS[change.fate]} {change.fate:<4}  {one_line(name)}"


def _probe(change: ProbeChange, every_line: bool) -> Iterator[str]:
    status = "" if change.before is change.after else f" ({_arrow(change.before, change.after)})"
    yield f"{one_line(change.probe)}{status}"
    both = {change.before, change.after} <= {Status.OK, Status.TRUNCATED}
    for sign, lines in (("-", change.removed), ("+", change.added)):
        most = len(lines) if every_line else LINES if both else LINES // 2
        yield from (f"  {sign} {one_line(line, _WIDTH)}" for line in lines[:most])
        if len(lines) > most:
            yield f"  {sign} ... {len(lines) - most} more (--all)"


def _arrow(before: str, after: str) -> str:
    return one_line(before) if before == after else f"{one_line(before)} -> {one_line(after)}"


def _side(side: Side) -> dict[str, Any]:
    manifest = side.evidence.manifest
    return {
        "host": manifest.subject.name,
        "collected": manifest.clock.finished.isoformat() if manifest.clock else None,
        "sha256": manifest.digest,
        "verdict": side.diagnosis.verdict.value,
        "headline": str(side.diagnosis.headline),
    }
