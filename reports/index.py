"""The index of a sweep: what is wrong where, counted, and every host with a link to its page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any

from analyzers.diagnosis import SCHEMA, Verdict
from reports.codec import encode
from reports.entry import Entry, by_cause, by_owner, by_verdict, in_common, worst_first
from reports.json_report import dump_json
from reports.page import render_page

HEADLINE = 130
"""Characters of a host's sentence in the table; the page has the whole."""
KIND = ("verdict", "cause", "scope", "confidence", "owner")
_kind = attrgetter(*KIND)


def render_index(
    entries: Sequence[Entry],
    *,
    lang: str = "en",
    tool: str = "",
    rules: str = "",
    finished: datetime | None = None,
) -> str:
    """The index page.

    Args:
        entries: the hosts, in any order.
        lang: the language, see ``reports.i18n.languages``.
        tool: name and version of what made it.
        rules: version of the rule set.
        finished: when the sweep ended, UTC.

    Raises:
        UsageError: there is no such language.
    """
    ordered = worst_first(entries)
    return render_page(
        "index.j2",
        lang,
        entries=ordered,
        verdicts=by_verdict(entries),
        counts=by_cause(entries),
        owners=by_owner(entries),
        traits=in_common(entries),
        muted=sum(bool(entry.muted) for entry in entries if entry.verdict is Verdict.BROKEN),
        tool=tool,
        rules=rules,
        finished=finished,
        cut=HEADLINE,
        redacted=sum(entry.redacted for entry in entries),
        data=dump_json(_data(ordered, tool, rules, finished)),
    )


def _data(entries: Sequence[Entry], tool: str, rules: str, finished: datetime | None) -> dict[str, Any]:
    """The index for programs, small enough for ten thousand hosts: of each its name, its kind, since when."""
    kinds = {kind: n for n, kind in enumerate(dict.fromkeys(map(_kind, entries)))}
    return {
        "schema": SCHEMA,
        "tool": tool,
        "rules": rules,
        "finished": encode(finished),
        "kinds": [dict(zip(KIND, map(encode, kind), strict=True)) for kind in kinds],
        "hosts": [[entry.name, kinds[_kind(entry)], encode(entry.since)] for entry in entries],
    }
