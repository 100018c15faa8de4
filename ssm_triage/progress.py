"""What is told while a sweep goes on: on stderr, a live bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Protocol, Self

from analyzers.diagnosis import Diagnosis, Verdict

_MARKS = {
    Verdict.HEALTHY: ("ok", "green"),
    Verdict.BROKEN: ("broken", "red"),
    Verdict.UNKNOWN: ("unknown", "yellow"),
    Verdict.NOT_REACHED: ("not reached", "magenta"),
}


class Progress(Protocol):
    """Told of each host as it is done."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def collected(self, name: str) -> None: ...

    def diagnosed(self, diagnosis: Diagnosis) -> None: ...

    def say(self, line: str) -> None: ...


class Silent:
    """``--quiet``."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        return None

    def collected(self, name: str) -> None:
        return None

    def diagnosed(self, diagnosis: Diagnosis) -> None:
        return None

    def say(self, line: str) -> None:
        return None


class Lines(Silent):
    """A line a host: for cron, CI and files."""

    def __init__(self, total: int, *, verbose: bool = False) -> None:
        self._total = total
        self._done = 0
        self._verbose = verbose

    def collected(self, name: str) -> None:
        self._done += 1
        self.say(f"[{self._done}/{self._total}] {_shown(name)}: collected")

    def diagnosed(self, diagnosis: Diagnosis) -> None:
        self._done += 1
        self.say(f"[{self._done}/{self._total}] {_line(diagnosis, verbose=self._verbose)}")

    def say(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)


class Bar(Silent):
    """A live bar with the verdicts so far, and a line for each host that is not well."""

    def __init__(self, total: int, *, verbose: bool = False) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as RichProgress

        self._console = Console(stderr=True, highlight=False)
        self._bar = RichProgress(
            TextColumn("sweep"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
        )
        self._task = self._bar.add_task("", total=total)
        self._counts = dict.fromkeys(Verdict, 0)
        self._verbose = verbose

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._bar.stop()

    def collected(self, name: str) -> None:
        self._bar.advance(self._task)

    def diagnosed(self, diagnosis: Diagnosis) -> None:
        from rich.text import Text

        self._counts[diagnosis.verdict] += 1
        told = ", ".join(f"{count} {_MARKS[verdict][0]}" for verdict, count in self._counts.items() if count)
        self._bar.update(self._task, advance=1, description=told)
        if diagnosis.verdict is not Verdict.HEALTHY:
            self._bar.print(Text(_line(diagnosis, verbose=self._verbose), style=_MARKS[diagnosis.verdict][1]))

    def say(self, line: str) -> None:
        self._bar.print(line, markup=False)


def progress_for(total: int, *, quiet: bool, verbose: bool = False) -> Progress:
    """The progress that suits where stderr goes."""
    if quiet:
        return Silent()
    return (Bar if sys.stderr.isatty() else Lines)(total, verbose=verbose)


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
