"""What the service itself answers, and what makes an answer harmless."""

from __future__ import annotations

from collections.abc import Iterator

from analyzers.causes.case import Case
from analyzers.causes.rule import Finding, Told, rule
from analyzers.causes.tools import CERTAIN, LIKELY, log_values, share


@rule("throttling", "logs")
def throttled(case: Case) -> Iterator[Told]:
    """Refused for coming too often.  Once is weather; a start or a ping that fails by it is a cause."""
    for sighting in case.logs.supporting("throttling"):
        sure = CERTAIN if sighting.count > 1 or not case.connected else LIKELY
        yield Finding(
            "throttling",
            sure,
            (share(sighting),),
            values=log_values(case, sighting),
            since=sighting.first.time,
        )
