"""What is told on stderr while a sweep goes on: a live view on a terminal, nothing to speak of elsewhere."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from analyzers.diagnosis import Diagnosis, Verdict

if TYPE_CHECKING:
    from rich.console import Group, RenderableType

    from ssm_triage.pipeline import Collected

_MARKS = {
    Verdict.BROKEN: ("broken", "red"),
    Verdict.UNKNOWN: ("unknown", "yellow"),
    Verdict.NOT_REACHED: ("not reached", "magenta"),
    Verdict.HEALTHY: ("ok", "green"),
}
_MOST = 5
"""Hosts and causes that the live view names."""


class Form(StrEnum):
    """``--progress``."""

    AUTO = "auto"
    """Live on a terminal, else the summary alone."""
    LIVE = "live"
    LINES = "lines"
    """A line a host."""
    JSON = "json"
    """An event a line, as docs/sweeps.md lists them."""
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Summary:
    """How a sweep ended."""

    hosts: int
    """That were meant."""
    collected: int
    """Whose evidence is there, reached or not."""
    not_reached: int
    verdicts: dict[str, int]
    """By verdict; empty where nobody analysed."""
    interrupted: bool
    """By Ctrl-C, or by what made it impossible to go on."""
    exit_code: int
    places: tuple[tuple[str, str], ...] = ()
    """What lies where: ``("report", "run/report/index.html")``."""


class Progress(Protocol):
    """Told of each host as it gets on; by several threads."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def begun(self, name: str) -> None:
        """Somebody works on this host now."""
        ...

    def waiting(self, name: str, failure: str) -> None:
        """Nobody does any more: its server was at its limit, and is asked again later."""
        ...

    def collected(self, host: Collected) -> None: ...

    def diagnosed(self, diagnosis: Diagnosis) -> None: ...

    def say(self, line: str) -> None:
        """Something for a human."""
        ...

    def failed(self, line: str) -> None:
        """Something went wrong that concerns more than one host's answer; told whatever the form."""
        ...

    def done(self, summary: Summary) -> None:
        """The sweep is over; said after the display has gone."""
        ...


class Silent:
    """``--quiet``."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        return None

    def begun(self, name: str) -> None:
        return None

    def waiting(self, name: str, failure: str) -> None:
        return None

    def collected(self, host: Collected) -> None:
        return None

    def diagnosed(self, diagnosis: Diagnosis) -> None:
        return None

    def say(self, line: str) -> None:
        return None

    def failed(self, line: str) -> None:
        print(f"ssm-triage: {_shown(line)}", file=sys.stderr, flush=True)

    def done(self, summary: Summary) -> None:
        return None


class Plain(Silent):
    """For cron and pipes: what a human must know, and one line at the end."""

    def __init__(self) -> None:
        self._since = time.monotonic()

    def say(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    def done(self, summary: Summary) -> None:
        places = "".join(f"; {name}: {_shown(place)}" for name, place in summary.places)
        self.say(f"{_told(summary)} in {time.monotonic() - self._since:.0f} s{places}")


class Lines(Plain):
    """A line a host: for the log of a CI job."""

    def __init__(self, total: int, *, verbose: bool = False, verdicts: bool = True) -> None:
        super().__init__()
        self._total = total
        self._verbose = verbose
        self._verdicts = verdicts
        self._lock = threading.Lock()
        self._done = 0

    def collected(self, host: Collected) -> None:
        if not self._verdicts:
            how = f": {host.failure}" if host.failure else ""
            self._line(f"{_shown(host.name)}: collected{how}")

    def diagnosed(self, diagnosis: Diagnosis) -> None:
        self._line(_line(diagnosis, verbose=self._verbose))

    def _line(self, text: str) -> None:
        with self._lock:
            self._done += 1
            self.say(f"[{self._done}/{self._total}] {text}")


class Events(Silent):
    """An object a line: for programs.  Fields are only ever added."""

    def __init__(self, total: int, tool: str, run: str) -> None:
        self._since = time.monotonic()
        self._lock = threading.Lock()
        self._tell("begin", tool=tool, run=run, hosts=total)

    def begun(self, name: str) -> None:
        self._tell("host-begun", host=name)

    def waiting(self, name: str, failure: str) -> None:
        self._tell("host-waiting", host=name, failure=failure)

    def collected(self, host: Collected) -> None:
        seconds = None if host.seconds is None else round(host.seconds, 3)
        self._tell(
            "host-collected",
            host=host.name,
            seconds=seconds,
            failure=host.failure or None,
            evidence=f"evidence/{host.path.name}",
        )

    def diagnosed(self, diagnosis: Diagnosis) -> None:
        first = diagnosis.causes[0] if diagnosis.causes else None
        self._tell(
            "host-diagnosed",
            host=diagnosis.subject.name,
            verdict=diagnosis.verdict.value,
            cause=first.slug if first else None,
            scope=first.scope or None if first else None,
        )

    def say(self, line: str) -> None:
        self._tell("note", text=line)

    def failed(self, line: str) -> None:
        self._tell("error", text=line)

    def done(self, summary: Summary) -> None:
        self._tell(
            "end",
            hosts=summary.hosts,
            collected=summary.collected,
            not_reached=summary.not_reached,
            verdicts=summary.verdicts,
            seconds=round(time.monotonic() - self._since, 3),
            interrupted=summary.interrupted,
            exit_code=summary.exit_code,
            **dict(summary.places),
        )

    def _tell(self, event: str, **fields: object) -> None:
        time_now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = json.dumps({"event": event, "time": time_now, **fields})
        with self._lock:
            print(line, file=sys.stderr, flush=True)


@dataclass(slots=True)
class _Tally:
    """What the live view knows."""

    under_way: dict[str, float] = field(default_factory=dict)
    """Since when, on the monotonic clock."""
    done: int = 0
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    causes: Counter[str] = field(default_factory=Counter)


class Live(Silent):
    """A bar with the rate, the verdicts and causes so far, and the hosts that take longest."""

    def __init__(self, total: int, *, verbose: bool = False, verdicts: bool = True) -> None:
        from rich.console import Console
        from rich.live import Live as RichLive
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self._console = Console(stderr=True, highlight=False)
        self._bar = Progress(
            *(TextColumn("sweep"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}")),
            TimeElapsedColumn(),
            console=self._console,
        )
        self._task = self._bar.add_task("", total=total)
        self._verbose = verbose
        self._verdicts = verdicts
        self._since = time.monotonic()
        self._lock = threading.Lock()
        self._tally = _Tally()
        self._live = RichLive(  # looks at the view at once
            get_renderable=self._view, console=self._console, transient=True, refresh_per_second=2
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._live.stop()

    def begun(self, name: str) -> None:
        with self._lock:
            self._tally.under_way[name] = time.monotonic()

    def waiting(self, name: str, failure: str) -> None:
        with self._lock:
            self._tally.under_way.pop(name, None)

    def collected(self, host: Collected) -> None:
        with self._lock:
            self._tally.under_way.pop(host.name, None)
            self._tally.done += not self._verdicts

    def diagnosed(self, diagnosis: Diagnosis) -> None:
        with self._lock:
            self._tally.done += 1
            self._tally.verdicts[diagnosis.verdict] += 1
            self._tally.causes.update(cause.slug for cause in diagnosis.causes[:1])
        if self._verbose and diagnosis.verdict is not Verdict.HEALTHY:
            from rich.text import Text

            style = _MARKS[diagnosis.verdict][1]
            self._live.console.print(Text(_line(diagnosis, verbose=True), style=style))

    def say(self, line: str) -> None:
        self._live.console.print(line, markup=False)

    def failed(self, line: str) -> None:
        self.say(f"ssm-triage: {_shown(line)}")

    def done(self, summary: Summary) -> None:
        self.say(f"{_told(summary)} in {time.monotonic() - self._since:.0f} s")
        for name, place in summary.places:
            self.say(f"{name + ':':<9} {_shown(place)}")

    def _view(self) -> Group:
        from rich.console import Group
        from rich.text import Text

        now = time.monotonic()
        with self._lock:
            done = self._tally.done
            verdicts = self._tally.verdicts.copy()
            causes = self._tally.causes.most_common(_MOST)
            slowest = sorted(self._tally.under_way.items(), key=lambda item: item[1])
        rate = done / max(now - self._since, 1.0)
        self._bar.update(self._task, completed=done, description=f"{rate:.1f} a second")
        lines: list[RenderableType] = [self._bar.get_renderable()]
        told = [(f"{verdicts[verdict]} {word}", style) for verdict, (word, style) in _MARKS.items()]
        if verdicts:
            lines.append(Text(", ").join(Text(*one) for one in told if not one[0].startswith("0 ")))
        if causes:
            lines.append(Text("causes: " + ", ".join(f"{slug} {count}" for slug, count in causes)))
        if slowest:
            shown = [f"{_shown(name)} {now - since:.0f} s" for name, since in slowest[:_MOST]]
            more = [f"and {len(slowest) - _MOST} more"] if len(slowest) > _MOST else []
            lines.append(Text("asking: " + ", ".join([*shown, *more]), overflow="ellipsis", no_wrap=True))
        return Group(*lines)


def progress_for(
    total: int,
    form: Form = Form.AUTO,
    *,
    quiet: bool = False,
    verbose: bool = False,
    verdicts: bool = True,
    tool: str = "",
    run: str = "",
) -> Progress:
    """The progress that was asked for, or suits where stderr goes.

    ``verdicts``: hosts are done when they are diagnosed, not when their evidence is there.
    """
    if form is Form.JSON:
        return Events(total, tool, run)
    if quiet or form is Form.NONE:
        return Silent()
    if form is Form.LIVE or (form is Form.AUTO and sys.stderr.isatty()):
        return Live(total, verbose=verbose, verdicts=verdicts)
    return Lines(total, verbose=verbose, verdicts=verdicts) if form is Form.LINES or verbose else Plain()


def _told(summary: Summary) -> str:
    hosts = f"{summary.collected} of {summary.hosts}" if summary.interrupted else str(summary.hosts)
    found = summary.verdicts
    counts = [f"{found[verdict]} {word}" for verdict, (word, _) in _MARKS.items() if found.get(verdict)]
    if not counts and summary.not_reached:
        counts = [f"{summary.not_reached} not reached"]
    many = "host" if hosts == "1" else "hosts"
    return f"{hosts} {many}{': ' if counts else ''}{', '.join(counts)}"


def _line(diagnosis: Diagnosis, *, verbose: bool) -> str:
    mark = _MARKS[diagnosis.verdict][0]
    told = str(diagnosis.headline) if verbose else _cause(diagnosis)
    return _shown(" ".join(filter(None, [f"{diagnosis.subject.name}: {mark}", told])))


def _cause(diagnosis: Diagnosis) -> str:
    if not diagnosis.causes:
        return ""
    first = diagnosis.causes[0]
    return f"({' '.join(filter(None, [first.slug, first.scope]))})"


def _shown(text: str) -> str:
    from reports.clean import one_line

    return one_line(text)
