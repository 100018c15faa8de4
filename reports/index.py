"""The index of a sweep: what is wrong where, counted, and every host with a link to its page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from analyzers.diagnosis import Verdict
from reports.entry import Entry, by_cause, by_owner, by_verdict, in_common, worst_first
from reports.page import render_page

HEADLINE = 130
"""Characters of a host's sentence in the table; the page has the whole."""


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
    return render_page(
        "index.j2",
        lang,
        entries=worst_first(entries),
        verdicts=by_verdict(entries),
        counts=by_cause(entries),
        owners=by_owner(entries),
        traits=in_common(entries),
        muted=sum(bool(entry.muted) for entry in entries if entry.verdict is Verdict.BROKEN),
        tool=tool,
        rules=rules,
        finished=finished,
        cut=HEADLINE,
    )
