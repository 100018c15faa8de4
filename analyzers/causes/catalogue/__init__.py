"""What every cause is, how it is recognised and how it is mended: a YAML file per family, an entry per slug.

Reports, ``explain`` and the documentation are drawn from these texts and from no others.  Each text is a
message id of the translations.  ``{gaps}`` are filled with the host's own values; one whose value is not
known stays visible as ``<gap>`` for the reader to fill in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from analyzers.diagnosis import Owner
from analyzers.text import Message, ready

FAMILIES = (
    "agent", "config", "host", "imds", "proxy", "network", "dns", "tls", "identity", "hybrid", "service",
    "verdict",
)  # fmt: skip
"""The files, in the order in which ``explain`` lists them."""
WINDOWS = "windows"
DIALECTS = frozenset({WINDOWS, "upstart", "sysv"})
"""Values that only such hosts have, and files with the steps that take the place of the others there:
Windows, Linux with upstart, Linux with scripts in /etc/init.d (or OpenRC's).  All others have systemd."""


@dataclass(frozen=True, slots=True)
class StepText:
    """One step of a remedy or of a check, before the host's values are in it."""

    text: str
    lines: tuple[str, ...] = ()
    where: Owner = Owner.HOST
    needs: tuple[str, ...] = ()
    """The step is only told where these values are known."""


@dataclass(frozen=True, slots=True)
class CauseText:
    """All that is said of one cause, whatever the host."""

    slug: str
    family: str
    title: str
    sentence: str
    """The verdict, with gaps."""
    what: str
    otherwise: Mapping[str, Message] = field(default_factory=dict)
    """What the sentence says where a value is not known."""
    seen: str = ""
    """How it is recognised, and what it is mistaken for."""
    owner: Owner = Owner.HOST
    restart: bool | None = None
    """Whether the agent must be restarted once it is mended."""
    mend: tuple[StepText, ...] = ()
    verify: tuple[StepText, ...] = ()
    explains: tuple[str, ...] = ()
    """Slugs (``*`` as in file names) that fold beneath this cause where both are found."""
    symptom: bool = False
    """Never a cause: it always folds."""

    def covers(self, slug: str) -> bool:
        """Whether this cause explains ``slug``."""
        return slug != self.slug and _is_among(slug, self.explains)


@lru_cache(maxsize=1 << 13)
def _is_among(slug: str, patterns: tuple[str, ...]) -> bool:
    """Whether one of them fits; remembered, because each host asks the same."""
    return any(fnmatchcase(slug, pattern) for pattern in patterns)


@dataclass(frozen=True)
class Catalogue:
    """Every text, by slug."""

    texts: Mapping[str, CauseText]

    def __getitem__(self, slug: str) -> CauseText:
        return self.texts[slug]

    def __contains__(self, slug: object) -> bool:
        return slug in self.texts

    def __iter__(self) -> Iterator[CauseText]:
        return iter(self.texts.values())

    def with_texts(self, more: Iterable[CauseText]) -> Catalogue:
        """This catalogue and ``more``; a slug that is there already keeps its text."""
        return Catalogue({**{text.slug: text for text in more}, **self.texts})


@cache
def catalogue() -> Catalogue:
    """The texts that come with ssm-triage (read once per process; they never change)."""
    texts = [cause_text(slug, family, entry) for family in FAMILIES for slug, entry in _read(family).items()]
    for dialect in sorted(DIALECTS):
        entries = _read(dialect)
        lines = entries.pop("lines")
        texts = [_translated(text, dialect, entries.get(text.slug, {}), lines) for text in texts]
    return Catalogue({text.slug: text for text in texts})


def _read(family: str) -> dict[str, dict[str, Any]]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    source = files(__name__).joinpath(f"{family}.yaml").read_text("utf-8")
    entries: dict[str, dict[str, Any]] = yaml.load(source, Loader=loader)  # noqa: S506  a safe loader, our own file
    return entries


def _translated(
    text: CauseText, dialect: str, entry: Mapping[str, Any], lines: Mapping[str, str]
) -> CauseText:
    """A text with its steps in a dialect too.

    They are those of ``entry``, else its own with each line that has a counterpart in ``lines``.
    """
    mend = tuple(_steps(entry.get("mend", ()))) or _with_lines(text.mend, lines)
    verify = tuple(_steps(entry.get("verify", ()))) or _with_lines(text.verify, lines)
    return replace(text, mend=text.mend + _only(dialect, mend), verify=text.verify + _only(dialect, verify))


def _only(dialect: str, steps: Iterable[StepText]) -> tuple[StepText, ...]:
    return tuple(replace(step, needs=(*step.needs, dialect)) for step in steps)


def _with_lines(steps: Iterable[StepText], lines: Mapping[str, str]) -> tuple[StepText, ...]:
    own = tuple(step for step in steps if DIALECTS.isdisjoint(step.needs))
    if not any(line in lines for step in own for line in step.lines):
        return ()
    return tuple(replace(step, lines=tuple(lines.get(line, line) for line in step.lines)) for step in own)


def cause_text(slug: str, family: str, entry: Mapping[str, Any]) -> CauseText:
    """One entry of a file; rules of third parties make theirs with this too."""
    owner = Owner(entry.get("owner", "host"))
    return CauseText(
        slug,
        family,
        entry["title"],
        entry["sentence"],
        " ".join(entry["what"].split()),
        {gap: ready(words) for gap, words in entry.get("otherwise", {}).items()},
        " ".join(entry.get("seen", "").split()),
        owner,
        entry.get("restart"),
        tuple(_steps(entry.get("mend", ()))),
        tuple(_steps(entry.get("verify", ()))),
        tuple(entry.get("explains", ())),
        bool(entry.get("symptom", False)),
    )


def _steps(steps: Iterable[Mapping[str, Any]]) -> Iterator[StepText]:
    for step in steps:
        where = Owner(step.get("where", "host"))
        yield StepText(step["text"], tuple(step.get("lines", ())), where, tuple(step.get("needs", ())))
