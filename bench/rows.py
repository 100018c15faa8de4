"""What a measurement says: one row, with its goal beside it, and the file in which all rows are kept."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

RESULTS = Path("build/bench.json")
TRIAL = Path("build/bench-quick.json")
"""Of ``--quick``, whose numbers mean nothing."""


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound on one number of a row."""

    limit: float
    of: str = "ratio"
    """The number that is bound: ``ratio`` or ``median``."""
    at_least: bool = False
    """Whether more is better."""

    def met(self, number: float) -> bool:
        """Whether ``number`` keeps within the bound."""
        return number >= self.limit if self.at_least else number <= self.limit

    def told(self, unit: str) -> str:
        """In words for a table: ``at most 0.65x``."""
        bound = "at least" if self.at_least else "at most"
        return f"{bound} {self.limit:g}{'x' if self.of == 'ratio' else f' {unit}'}"


@dataclass(frozen=True, slots=True)
class Row:
    """One thing measured.  ``median`` and ``floor_median`` are in ``unit``."""

    name: str
    what: str
    """The work, in a sentence."""
    unit: str
    median: float | None = None
    """Ours; in a row about a peer, the peer's."""
    floor: str = ""
    """What stands beside it in the same run; empty: nothing does."""
    floor_median: float | None = None
    ratio: float | None = None
    """``median`` over ``floor_median``, or over what ``what`` names."""
    runs: int = 0
    hosts: int | None = None
    goal: Goal | None = None
    problem: str = ""
    """Why there is no number."""
    more: dict[str, Any] = field(default_factory=dict)
    """Further numbers, each with its unit in its name."""

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; ``None``: there is none, or no number."""
        number = self.ratio if self.goal and self.goal.of == "ratio" else self.median
        return None if self.goal is None or number is None else self.goal.met(number)

    def to_json(self) -> dict[str, Any]:
        """As it stands in ``build/bench.json``."""
        told = {key: value for key, value in asdict(self).items() if key not in ("goal", "more")}
        told["goal"] = self.goal.told(self.unit) if self.goal else None
        told["met"] = self.met
        return told | self.more


def compared(name: str, what: str, ours: Sequence[float], theirs: Sequence[float], **rest: Any) -> Row:
    """A row of two series from the same run: their medians, their ratio, and how far each is spread."""
    median, beside = statistics.median(ours), statistics.median(theirs)
    more = {"spread": spread(ours), "floor_spread": spread(theirs), **rest.pop("more", {})}
    return Row(
        name=name,
        what=what,
        unit=rest.pop("unit", "s of CPU"),
        median=rounded(median),
        floor_median=rounded(beside),
        ratio=rounded(median / beside),
        runs=len(ours),
        more=more,
        **rest,
    )


def single(name: str, what: str, unit: str, numbers: Sequence[float], **rest: Any) -> Row:
    """A row of one series."""
    more = {"spread": spread(numbers), **rest.pop("more", {})}
    return Row(name, what, unit, rounded(statistics.median(numbers)), runs=len(numbers), more=more, **rest)


def unmeasured(name: str, what: str, problem: str) -> Row:
    """A row that says why it has no number."""
    return Row(name, what, "", problem=problem)


def spread(numbers: Sequence[float]) -> list[float]:
    """The least and the most."""
    return [rounded(min(numbers)), rounded(max(numbers))]


def rounded(number: float) -> float:
    """Three figures behind the point at most, four that count."""
    return round(number, 3) if abs(number) < 10 else round(number, 1)


def told(row: Row) -> str:
    """One line for a terminal."""
    if row.problem:
        return f"{row.name:<34} not measured: {row.problem}"
    parts = [f"{row.name:<34} {row.median:>9} {row.unit}"]
    if row.floor_median is not None:
        parts.append(f"{row.floor} {row.floor_median}")
    if row.ratio is not None:
        parts.append(f"ratio {row.ratio}")
    if row.goal is not None:
        parts.append(f"goal {row.goal.told(row.unit)}: {'met' if row.met else 'NOT MET'}")
    return "; ".join(parts) + f"  ({row.runs} runs)"


class Results:
    """``build/bench.json``: a section that is measured again replaces its former rows, the others stay."""

    def __init__(self, path: Path = RESULTS) -> None:
        self._path = path

    def keep(self, section: str, rows: Iterable[Row], machine: dict[str, Any]) -> None:
        """Write a section down, each row with the machine and the time it was measured at."""
        fresh = [{"section": section, **row.to_json(), "measured": machine} for row in rows]
        kept = [row for row in self.read() if row.get("section") != section]
        self._path.parent.mkdir(parents=True, exist_ok=True)
        partial = self._path.with_suffix(".part")
        partial.write_text(json.dumps(kept + fresh, indent=1) + "\n")
        partial.replace(self._path)

    def read(self) -> list[dict[str, Any]]:
        """All rows; empty where nothing was measured yet."""
        known: list[dict[str, Any]] = json.loads(self._path.read_text()) if self._path.exists() else []
        return [row for row in known if "section" in row]
