"""How often the diagnosis is right: every case of a corpus, by the logs alone and by logs and facts.

    python -m lab.score [DIR]

A case is right where the first-ranked root cause has the label's slug, and its scope where the label has one;
a healthy case where the verdict is ``healthy``.  ``unknown`` is neither right nor wrong.  The last line of
the output is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analyzers.diagnose import diagnose
from analyzers.diagnosis import Confidence, Diagnosis, Verdict
from lab.corpus import load_case

DEFAULT = Path("tests/corpus")


@dataclass(frozen=True, slots=True)
class Label:
    """What a case is known to be."""

    case: str
    cause: str
    scope: str | None
    log_suffices: bool
    others: tuple[str, ...] = ()
    """Causes that are right as well."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was found in one case, one way."""

    label: Label
    slug: str
    """The first-ranked root cause, ``healthy`` or ``unknown``."""
    scope: str | None
    confidence: Confidence | None
    others: tuple[str, ...]
    """Further root causes, or the candidates of ``unknown``."""
    error: str = ""

    @property
    def verdict(self) -> str:
        if self.slug == "unknown":
            return "unknown"
        scoped = self.label.scope is None or self.label.scope == self.scope
        right = (self.slug == self.label.cause and scoped) or self.slug in self.label.others
        return "right" if right else "wrong"


def labels(corpus: Path) -> Iterator[tuple[Path, Label]]:
    """The cases of a folder that have a label that can be read."""
    for path in sorted(corpus.glob("*/label.json")):
        try:
            label = _label(path.parent.name, json.loads(path.read_text("utf-8-sig")))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            print(f"{path}: no label that can be read ({error}); the case is left out", file=sys.stderr)
            continue
        yield path.parent, label


def _label(case: str, found: dict[str, Any]) -> Label:
    """``cause`` may be a list, whose first is the one; a scope that is empty is none.

    Raises:
        KeyError, TypeError, AttributeError: it says no cause.
    """
    told = found["cause"]
    first, *others = [told] if isinstance(told, str) else list(told) or [None]
    others += found.get("acceptable") or []
    scope = found.get("scope") or None
    return Label(
        case,
        first.strip(),
        None if scope is None else str(scope),
        bool(found.get("log_alone_suffices", True)),
        tuple(map(str, others)),
    )


def outcome(folder: Path, label: Label, *, with_facts: bool, without: Container[str] = ()) -> Outcome:
    """Diagnose one case.  One that cannot be read counts as unknown, and says why.

    ``without``: files of its facts to leave out.
    """
    try:
        return _outcome(label, diagnose(load_case(folder, with_facts=with_facts, without=without)))
    except Exception as error:  # a score must come out whatever one case does
        return Outcome(label, "unknown", None, None, (), f"{type(error).__name__}: {error}")


def _outcome(label: Label, diagnosis: Diagnosis) -> Outcome:
    if diagnosis.causes:
        first, *rest = diagnosis.causes
        return Outcome(label, first.slug, first.scope, first.confidence, tuple(cause.slug for cause in rest))
    healthy = diagnosis.verdict is Verdict.HEALTHY
    return Outcome(label, "healthy" if healthy else "unknown", None, None, diagnosis.candidates)


def summary(with_facts: Sequence[Outcome], logs_alone: Sequence[Outcome]) -> dict[str, object]:
    """The last line."""
    sufficient = [one for one in logs_alone if one.label.log_suffices]
    healthy = [one for one in (*with_facts, *logs_alone) if one.label.cause == "healthy"]
    return {
        "cases": len(with_facts),
        "with_facts": _counts(with_facts),
        "logs_alone": {
            **_counts(logs_alone),
            "of_sufficient": {
                "right": sum(one.verdict == "right" for one in sufficient),
                "of": len(sufficient),
            },
        },
        "healthy": {
            "cases": len({one.label.case for one in healthy}),
            "false_causes": len(
                {one.label.case for one in healthy if one.slug not in ("healthy", "unknown")}
            ),
        },
    }


def _counts(outcomes: Iterable[Outcome]) -> dict[str, int]:
    counts = Counter(one.verdict for one in outcomes)
    return {word: counts[word] for word in ("right", "wrong", "unknown")}


# The tables ----------------------------------------------------------------------------------------------


def _named(slug: str, scope: str | None) -> str:
    return f"{slug}/{scope}" if scope else slug


def case_table(title: str, outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Per case: what was expected, what was found."""
    yield f"{title}"
    for one in outcomes:
        found = _named(one.slug, one.scope)
        sure = f" ({one.confidence})" if one.confidence else ""
        more = f"; also {', '.join(one.others[:4])}" if one.others else ""
        note = " [log may not suffice]" if not one.label.log_suffices else ""
        error = f" !! {one.error}" if one.error else ""
        expected = _named(one.label.cause, one.label.scope)
        yield f"  {one.verdict:<8}{one.label.case:<46} {expected:<40} -> {found}{sure}{more}{note}{error}"
    yield ""


def cause_table(title: str, outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Per cause: precision and recall, by slug."""
    yield f"{title:<44}{'cases':>6}{'found':>7}{'right':>7}{'precision':>11}{'recall':>8}"
    slugs = sorted({one.label.cause for one in outcomes} | {one.slug for one in outcomes} - {"unknown"})
    for slug in slugs:
        cases = [one for one in outcomes if one.label.cause == slug]
        found = [one for one in outcomes if one.slug == slug]
        right = [one for one in found if one.verdict == "right"]
        precision = f"{len(right) / len(found):.2f}" if found else "-"
        recall = f"{len(right) / len(cases):.2f}" if cases else "-"
        yield f"  {slug:<42}{len(cases):>6}{len(found):>7}{len(right):>7}{precision:>11}{recall:>8}"
    yield ""


def score(corpus: Path) -> dict[str, object]:
    """Print the tables of a corpus and its summary; the summary is returned too."""
    cases = list(labels(corpus))
    with_facts = [outcome(folder, label, with_facts=True) for folder, label in cases]
    logs_alone = [outcome(folder, label, with_facts=False) for folder, label in cases]
    for title, outcomes in (("Logs and facts", with_facts), ("Logs alone", logs_alone)):
        print("\n".join((*case_table(title, outcomes), *cause_table(title, outcomes))))
    result = summary(with_facts, logs_alone)
    print(json.dumps(result))
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m lab.score", description="Score the diagnosis on a corpus."
    )
    parser.add_argument(
        "corpus", nargs="?", type=Path, default=DEFAULT, help="a folder of cases (default: %(default)s)"
    )
    corpus = parser.parse_args(arguments).corpus
    if not corpus.is_dir():
        print(f"{corpus}: no such folder of cases", file=sys.stderr)
        return 2
    score(corpus)
    return 0


if __name__ == "__main__":
    sys.exit(main())
