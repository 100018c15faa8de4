"""``python -m bench.doc``: put what was measured into ``docs/performance.md``.

The page is written by hand but for what stands between ``<!-- rows: SECTION; ... -->`` (or
``<!-- machine -->``, ``<!-- goals -->``) and ``<!-- end -->``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.rows import Results

PAGE = Path("docs/performance.md")
_GENERATED = re.compile(r"(<!-- (rows: [^>]+|machine|goals) -->\n).*?(<!-- end -->)", re.DOTALL)
_MB = 1_000_000

Measured = dict[str, Any]
"""A row as it stands in ``build/bench.json``."""


def main() -> int:
    """Renew the page; ends with 1 where nothing was measured yet."""
    rows = Results().read()
    if not rows:
        print("bench: nothing is measured yet; run `make bench`", file=sys.stderr)
        return 1
    PAGE.write_text(renewed(PAGE.read_text(), rows))
    return 0


def renewed(page: str, rows: Sequence[Measured]) -> str:
    """The page with its generated parts made anew."""

    def part(match: re.Match[str]) -> str:
        return match[1] + "\n" + _part(match[2], rows) + "\n\n" + match[3]

    return _GENERATED.sub(part, page)


def _part(kind: str, rows: Sequence[Measured]) -> str:
    if kind == "machine":
        return _machine(rows)
    if kind == "goals":
        return _goals(rows)
    sections = [name.strip() for name in kind.removeprefix("rows: ").split(";")]
    chosen = [row for name in sections for row in rows if row["section"] == name]
    return _table(chosen)


def _machine(rows: Sequence[Measured]) -> str:
    of = [row["measured"] for row in rows]
    last = max(of, key=lambda measured: str(measured["at"]))
    packages = ", ".join(f"{name} {number}" for name, number in last["packages"].items())
    loads = [measured["load_before"] for measured in of]
    return (
        f"{last['cores']} cores of {last['cpu']}, {last['memory_gb']} GB, {last['system']}, "
        f"{last['openssh'].split(',')[0].replace('_', ' ')}, Python {last['python']}; {packages}. "
        f"Measured {last['at'][:10]}; load of the machine before it {_range(min(loads), max(loads))}."
    )


def _goals(rows: Sequence[Measured]) -> str:
    """How many are met, and those that are not."""
    judged = [row for row in rows if row["goal"] and row["met"] is not None]
    missed = [row for row in judged if not row["met"]]
    lines = [f"Of {len(judged)} goals {len(judged) - len(missed)} are met.", ""]
    lines += [f"- missed: **{row['name']}**, {_of_goal(row)} (goal {row['goal']})" for row in missed]
    lines += [f"- not measured: **{row['name']}**: {row['problem']}" for row in rows if row["problem"]]
    return "\n".join(lines)


def _of_goal(row: Measured) -> str:
    return f"{row['ratio']:g}x" if row["goal"].endswith("x") else _number(row, "median")


_COLUMNS: tuple[tuple[str, Callable[[Measured], str]], ...] = (
    ("row", lambda row: row["name"]),
    ("work", lambda row: row["what"]),
    ("ours", lambda row: _number(row, "median") + _spread(row, "spread")),
    ("beside", lambda row: row["floor"]),
    ("its", lambda row: _number(row, "floor_median") + _spread(row, "floor_spread")),
    ("ratio", lambda row: f"{row['ratio']:g}x" if row["ratio"] is not None else ""),
    ("goal", lambda row: row["goal"] or ""),
    ("met", lambda row: {True: "yes", False: "**no**", None: ""}[row["met"]]),
    ("runs", lambda row: str(row["runs"] or "")),
    ("besides", lambda row: _besides(row)),
)


def _table(rows: Sequence[Measured]) -> str:
    """Without the columns that would be empty."""
    cells = [[_cell(tell(row)) for _, tell in _COLUMNS] for row in rows if not row["problem"]]
    used = [at for at in range(len(_COLUMNS)) if any(line[at] for line in cells)]
    lines = [[_COLUMNS[at][0] for at in used], ["---"] * len(used)]
    lines += [[line[at] for at in used] for line in cells]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines) if cells else ""
    missing = [f"Not measured: {row['name']}: {row['problem']}." for row in rows if row["problem"]]
    return "\n\n".join(filter(None, [table, *missing])) or "Nothing is measured yet."


def _number(row: Measured, key: str) -> str:
    return "" if row[key] is None else f"{row[key]:g} {row['unit']}"


def _spread(row: Measured, key: str) -> str:
    least, most = row.get(key) or (0, 0)
    return f" ({_range(least, most)})" if least != most else ""


def _range(least: float, most: float) -> str:
    return f"{least:g}" if least == most else f"{least:g} to {most:g}"


def _besides(row: Measured) -> str:
    """What else was counted, ours first."""
    told: list[str] = []
    if "wall_median_s" in row:
        told.append(_pair("wall", row["wall_median_s"], row.get("floor_wall_median_s"), "s"))
    if "wire_bytes" in row:
        told.append(_pair("wire", row["wire_bytes"] / _MB, row["floor_wire_bytes"] / _MB, "MB"))
    if "peak_mb" in row and not isinstance(row["peak_mb"], dict):
        told.append(_pair("peak", row["peak_mb"], row.get("floor_peak_mb"), "MB"))
    elif "floor_peak_mb" in row:
        told.append(f"its peak {row['floor_peak_mb']:g} MB")
    if "peer_to_xargs" in row:
        told.append(f"it is {row['peer_to_xargs']:g}x of xargs")
    if "messages" in row:
        told.append(_pair("messages", row["messages"], row["floor_messages"], ""))
    if "mb_per_s" in row:
        told.append(_pair("rate", row["mb_per_s"], row["floor_mb_per_s"], "MB/s"))
    if "bytes" in row:
        told.append(f"{row['bytes'] / 1000:,.0f} kB written")
    return "; ".join(told)


def _pair(what: str, ours: float, theirs: float | None, unit: str) -> str:
    beside = "" if theirs is None else f" against {_figure(theirs)}"
    return f"{what} {_figure(ours)}{beside} {unit}".strip()


def _figure(number: float) -> str:
    return f"{number:.3g}" if number < 100 else f"{number:.0f}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    raise SystemExit(main())
