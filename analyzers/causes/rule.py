"""What a rule is: it declares the cause it speaks of and what it needs, looks at one host's case, and tells.

A rule never knows of other rules.  It says what it sees (:class:`Finding`) and what it rules out
(:class:`Exclusion`); the graph decides what folds beneath what.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import ModuleType
from typing import TypeAlias

from analyzers.causes.case import Case
from analyzers.causes.catalogue import CauseText
from analyzers.diagnosis import Citation, Confidence, Owner
from analyzers.text import Message, Value

OURS = "ssm-triage"


@dataclass(frozen=True, slots=True)
class Finding:
    """One cause (or symptom), as one rule sees it."""

    slug: str
    confidence: Confidence
    evidence: tuple[Citation, ...] = ()
    scope: str | None = None
    sentence: Message | None = None
    """The verdict, where the catalogue's sentence does not say it best."""
    values: Mapping[str, Value] = field(default_factory=dict)
    """For the gaps of the catalogue's texts."""
    against: tuple[Citation, ...] = ()
    since: datetime | None = None
    owner: Owner | None = None
    """Where it differs from the catalogue's."""


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A cause that this host cannot have now, whatever its log says."""

    slug: str
    """``*`` as in file names: ``imds-*``."""
    reason: Message
    citations: tuple[Citation, ...] = ()
    but: tuple[str, ...] = ()
    """Slugs that the pattern fits and that are not ruled out."""


Told: TypeAlias = Finding | Exclusion
Look: TypeAlias = Callable[[Case], Iterable[Told]]


@dataclass(frozen=True)
class Rule:
    """A rule that can be asked."""

    slug: str
    look: Look
    needs: tuple[str, ...] = ()
    """Names of facts, and ``logs``; the rule is asked where at least one of them is known.  Empty: always."""
    text: CauseText | None = None
    """Of a rule whose cause is not in the catalogue."""
    origin: str = OURS
    """The package that it comes from."""

    @property
    def name(self) -> str:
        return f"{self.look.__module__.rpartition('.')[2]}.{self.look.__name__}"

    def __call__(self, case: Case) -> Iterator[Told]:
        if not self.needs or any(case.knows(need) for need in self.needs):
            yield from self.look(case)


def rule(slug: str, *needs: str, text: CauseText | None = None) -> Callable[[Look], Rule]:
    """Make a rule of a function::

    @rule("disk-full", "disk", "inodes")
    def disk_full(case: Case) -> Iterator[Told]: ...
    """

    def declare(look: Look) -> Rule:
        return Rule(slug, look, needs, text)

    return declare


def rules_of(module: ModuleType) -> tuple[Rule, ...]:
    """Every rule that a module declares, in order of declaration."""
    return tuple(value for value in vars(module).values() if isinstance(value, Rule))
