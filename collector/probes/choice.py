"""``--only`` and ``--skip``: which of the probes are asked this time."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from collector.errors import UsageError
from collector.probes.model import Lane, Probe


@dataclass(frozen=True, slots=True)
class Choice:
    """Probes by id or by lane; picklable.  What is skipped is skipped, even where it is also asked for."""

    only: frozenset[str] = frozenset()
    """Empty: all."""
    skip: frozenset[str] = frozenset()
    timeout_s: int | None = None
    """No probe is given longer; ``None``: each what it declares."""

    def of(self, probes: Iterable[Probe]) -> tuple[Probe, ...]:
        """The same probes, those that are not chosen marked as left out: unknown, and told so."""
        return tuple(
            replace(
                probe,
                left_out=self._why_not(probe) or probe.left_out,
                timeout_s=min(probe.timeout_s, self.timeout_s or probe.timeout_s),
            )
            for probe in probes
        )

    def _why_not(self, probe: Probe) -> str:
        names = {probe.id, probe.lane.value}
        if names & self.skip:
            return "left out by --skip"
        if self.only and not names & self.only:
            return "left out by --only"
        return ""


def choose(
    only: Sequence[str], skip: Sequence[str], probes: Iterable[Probe], timeout_s: int | None = None
) -> Choice:
    """Read the values of ``--only`` and ``--skip``, each a list with commas.

    Raises:
        UsageError: a name is neither a probe nor a lane, or no probe is left.
    """
    probes = tuple(probes)
    known = [*(probe.id for probe in probes), *Lane]
    choice = Choice(_names("--only", only, known), _names("--skip", skip, known), timeout_s)
    if all(probe.left_out for probe in choice.of(probes)):
        raise UsageError("--only and --skip leave no probe to ask; `ssm-triage probes` lists them")
    return choice


def _names(option: str, values: Sequence[str], known: Sequence[str]) -> frozenset[str]:
    names = [name.strip() for value in values for name in value.split(",") if name.strip()]
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, 3)
            hint = f"did you mean {', '.join(near)}?" if near else "`ssm-triage probes` lists them"
            raise UsageError(f"{option} {name}: there is no probe or lane of that name; {hint}")
    return frozenset(names)
