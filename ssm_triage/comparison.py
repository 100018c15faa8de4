"""Two evidences side by side: what became of the verdict, and which looks at the host differ."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from analyzers.diagnosis import Diagnosis, RootCause, Verdict
from collector.evidence import Evidence, ProbeResult, Status
from ssm_triage.volatile import IGNORED, RETOLD, Own, masked, own_values


class Fate(StrEnum):
    """What became of a cause from the first evidence to the second."""

    GONE = "gone"
    NEW = "new"
    SAME = "same"


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two."""

    evidence: Evidence
    diagnosis: Diagnosis


@dataclass(frozen=True, slots=True)
class CauseChange:
    """One cause, in either."""

    fate: Fate
    cause: RootCause


@dataclass(frozen=True, slots=True)
class ValueChange:
    """One thing that the diagnosis says of the host: the agent's state, a hop of its path."""

    what: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class ProbeChange:
    """One probe whose answer differs."""

    probe: str
    before: Status
    after: Status
    removed: tuple[str, ...] = ()
    """Lines of the first alone, as the host printed them."""
    added: tuple[str, ...] = ()
    """Lines of the second alone."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that differs."""

    before: Side
    after: Side
    one_host: bool
    """Whether both are of the same host.  If not, what makes a host that host is not compared."""
    causes: tuple[CauseChange, ...]
    values: tuple[ValueChange, ...]
    probes: tuple[ProbeChange, ...]
    alike: tuple[str, ...]
    """Probes that say the same but for what is volatile."""
    not_compared: tuple[str, ...]
    """Probes that one side was never asked, or that never say the same twice."""

    @property
    def same_verdict(self) -> bool:
        """Whether the verdict is the same, by the same causes."""
        return self.before.diagnosis.verdict is self.after.diagnosis.verdict and all(
            change.fate is Fate.SAME for change in self.causes
        )


def compare(before: Side, after: Side) -> Comparison:
    """Put two evidences side by side; pure."""
    one_host = _same_host(before.evidence, after.evidence)
    owns = (None, None) if one_host else (own_values(before.evidence), own_values(after.evidence))
    cited = _cited(before, after)
    changed, alike, not_compared = [], [], []
    for probe in _probes(before.evidence, after.evidence):
        if probe in RETOLD:
            continue
        pair = before.evidence.probe(probe), after.evidence.probe(probe)
        if probe in IGNORED or (Status.SKIPPED in (pair[0].status, pair[1].status)):
            not_compared.append(probe)
        elif (change := _probe_change(*pair, *owns)) is not None:
            changed.append(change)
        else:
            alike.append(probe)
    return Comparison(
        before,
        after,
        one_host,
        tuple(_causes(before.diagnosis, after.diagnosis)),
        tuple(_values(before.diagnosis, after.diagnosis)),
        tuple(sorted(changed, key=lambda change: change.probe not in cited)),
        tuple(alike),
        tuple(not_compared),
    )


def _same_host(one: Evidence, other: Evidence) -> bool:
    first, second = one.manifest.subject, other.manifest.subject
    return first.name == second.name or first.instance_id == second.instance_id is not None


def _probes(one: Evidence, other: Evidence) -> dict[str, None]:
    """The ids of both, in the order in which they were asked."""
    results = (*one.manifest.probes, *other.manifest.probes)
    return dict.fromkeys(result.probe for result in results)


def _causes(before: Diagnosis, after: Diagnosis) -> Iterator[CauseChange]:
    old = {(cause.slug, cause.scope): cause for cause in before.causes}
    new = {(cause.slug, cause.scope): cause for cause in after.causes}
    yield from (CauseChange(Fate.GONE, cause) for key, cause in old.items() if key not in new)
    yield from (CauseChange(Fate.NEW, cause) for key, cause in new.items() if key not in old)
    yield from (CauseChange(Fate.SAME, cause) for key, cause in new.items() if key in old)


def _values(before: Diagnosis, after: Diagnosis) -> Iterator[ValueChange]:
    if Verdict.NOT_REACHED in (before.verdict, after.verdict):
        return  # of one side nothing is known
    old, new = _said(before), _said(after)
    for what in dict.fromkeys((*old, *new)):
        first, second = old.get(what, "-"), new.get(what, "-")
        if first != second:
            yield ValueChange(what, first, second)


def _said(diagnosis: Diagnosis) -> dict[str, str]:
    agent = diagnosis.agent
    said = {"agent version": agent.version or "-", "agent": agent.state or "-"}
    said |= {f"{hop.kind} {hop.name}".strip(): hop.state for hop in diagnosis.path}
    return said | {f"ssm-cli: {row.check}": row.status for row in diagnosis.second_opinion}


def _cited(*sides: Side) -> frozenset[str]:
    """The probes that either verdict rests on: what differs in them comes first."""
    return frozenset(
        citation.source.removeprefix("probes/")
        for side in sides
        for cause in side.diagnosis.causes
        for citation in cause.evidence
    )


def _probe_change(
    before: ProbeResult, after: ProbeResult, own_before: Own | None, own_after: Own | None
) -> ProbeChange | None:
    removed, added = _lines_apart(before, after, own_before, own_after)
    if before.status is after.status and not removed and not added:
        return None
    return ProbeChange(before.probe, before.status, after.status, tuple(removed), tuple(added))


def _lines_apart(
    before: ProbeResult, after: ProbeResult, own_before: Own | None, own_after: Own | None
) -> tuple[list[str], list[str]]:
    old = masked(before.probe, _text(before), own_before)
    new = masked(after.probe, _text(after), own_after)
    removed, added = [], []
    for kind, i, j, k, m in difflib.SequenceMatcher(None, old, new).get_opcodes():
        if kind != "equal":
            removed += old[i:j]
            added += new[k:m]
    return removed, added


def _text(result: ProbeResult) -> str:
    return result.output.decode("utf-8", "replace")
