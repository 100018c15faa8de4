"""The summary table that ends a sweep on a terminal; plain columns where there is none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO
from unicodedata import east_asian_width

from analyzers.diagnosis import Verdict
from reports.base import HostReport, SweepInfo
from reports.clean import one_line
from reports.entry import Entry, by_verdict, entry_of, worst_first
from reports.i18n import Translator, translator
from reports.words import OWNERS, VERDICTS

if TYPE_CHECKING:
    from rich.table import Table

MOST = 200
"""Rows on a terminal, at most; a pipe gets them all."""
_STYLES = {
    Verdict.BROKEN: "bold red",
    Verdict.UNKNOWN: "yellow",
    Verdict.NOT_REACHED: "cyan",
    Verdict.HEALTHY: "green",
}


class TerminalReporter:
    """Keeps a summary of each host and prints the table at the end."""

    def __init__(self, stream: TextIO, sweep: SweepInfo) -> None:
        self._stream = stream
        self._lang = sweep.lang
        self._entries: list[Entry] = []

    def add(self, host: HostReport) -> None:
        self._entries.append(entry_of(host.diagnosis, host.provenance, muted=host.muted))

    def finish(self) -> None:
        print_summary(self._entries, self._stream, lang=self._lang)

    def abandon(self) -> None:
        """Nothing was printed yet."""


def print_summary(entries: Sequence[Entry], stream: TextIO, *, lang: str = "en") -> None:
    """Print the table of a sweep, worst first, and the counts below.

    Colour and drawn lines only on a terminal; no colour where ``NO_COLOR`` is set.

    Raises:
        UsageError: there is no such language.
    """
    translate = translator(lang)
    ordered = worst_first(entries)
    if stream.isatty():
        _print_table(ordered, stream, translate)
    else:
        _print_columns(ordered, stream, translate)
    stream.write(f"{counts(entries, translate)}\n")
    stream.flush()


def counts(entries: Sequence[Entry], translate: Translator) -> str:
    """``3 broken, 1 not settled, 20 healthy``, in the reports' words."""
    found = by_verdict(entries)
    t = translate.gettext
    told = (t("{n} {verdict}", n=f"{n:,}", verdict=translate.say(VERDICTS[v])) for v, n in found.items())
    return ", ".join(told) or t("No hosts")


def _cells(entry: Entry, translate: Translator) -> tuple[str, ...]:
    more = f" +{entry.more_causes}" if entry.more_causes else ""
    verdict = translate.say(VERDICTS[entry.verdict])
    return (
        entry.name,
        translate.gettext("{verdict}, muted", verdict=verdict) if entry.muted else verdict,
        one_line(entry.label) + more or "-",
        translate.say(OWNERS[entry.owner]) if entry.owner else "-",
        one_line(translate.say(entry.headline), 300),
    )


def _heads(translate: Translator) -> tuple[str, ...]:
    t = translate.gettext
    return t("Host"), t("Verdict"), t("Cause"), t("Owner"), t("Summary")


def _print_columns(entries: Sequence[Entry], stream: TextIO, translate: Translator) -> None:
    rows = [_cells(entry, translate) for entry in entries]
    if not rows:
        return
    rows.insert(0, tuple(head.upper() for head in _heads(translate)))
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        line = "  ".join(t + " " * (width - _width(t)) for t, width in zip(row, widths, strict=True))
        stream.write(line.rstrip().encode("utf-8", "backslashreplace").decode() + "\n")


def _width(text: str) -> int:
    """Columns of a terminal: letters of East Asia take two."""
    return sum(2 if east_asian_width(char) in "WF" else 1 for char in text)


def _print_table(entries: Sequence[Entry], stream: TextIO, translate: Translator) -> None:
    from rich.console import Console

    width = shutil.get_terminal_size().columns
    console = Console(file=stream, width=width, no_color="NO_COLOR" in os.environ, highlight=False)
    if entries:
        console.print(_table(entries[:MOST], translate, narrow=width < 100))
    if len(entries) > MOST:
        left = len(entries) - MOST
        console.print(translate.ngettext("{n} more host", "{n} more hosts", left), markup=False)


def _table(entries: Sequence[Entry], translate: Translator, *, narrow: bool) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    columns = (0, 1, 2) if narrow else (0, 1, 2, 3, 4)
    for n in columns:
        table.add_column(_heads(translate)[n], overflow="fold", ratio=1 if n == 4 else None)
    for entry in entries:
        cells = _cells(entry, translate)
        table.add_row(*(Text(cells[n], _STYLES[entry.verdict] if n == 1 else "") for n in columns))
    return table
