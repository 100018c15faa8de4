"""The formats by name, and ``--reporter html:DIR json:- junit:FILE``."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TextIO, cast

from collector.errors import UsageError
from reports.base import HostReport, Reporter, SweepInfo
from reports.files import FileSink, Sink, StreamSink

STDOUT = "-"


class Takes(Enum):
    """What a format writes to."""

    FOLDER = "folder"
    TEXT = "file, or - for standard output"
    FILE = "file"
    TERMINAL = "standard output"


@dataclass(frozen=True, slots=True)
class Format:
    """One format.  Its module is imported only when it is used."""

    name: str
    takes: Takes
    factory: str
    """``module:class``; the class is called with a path, a sink or a stream, and the sweep."""
    summary: str
    folder_factory: str = ""
    """Where the format can also write a file per host: for ``name:DIR/``."""


FORMATS = {
    form.name: form
    for form in (
        Format("html", Takes.FOLDER, "reports.html:HtmlReporter", "an index and one page per host"),
        Format(
            "json",
            Takes.TEXT,
            "reports.json_report:JsonReporter",
            "one document; one per host where a folder (ending in /) is given",
            "reports.json_report:JsonFolderReporter",
        ),
        Format("ndjson", Takes.TEXT, "reports.json_report:NdjsonReporter", "one line per host as it is done"),
        Format("markdown", Takes.TEXT, "reports.markdown:MarkdownReporter", "for a ticket"),
        Format("csv", Takes.TEXT, "reports.csv_report:CsvReporter", "one row per host"),
        Format("junit", Takes.TEXT, "reports.junit:JUnitReporter", "one test case per host"),
        Format(
            "package",
            Takes.FILE,
            "reports.package:PackageReporter",
            "a zip to hand over: pages, JSON, tickets",
        ),
        Format(
            "package-with-evidence",
            Takes.FILE,
            "reports.package:FullPackageReporter",
            "the same, and each host's evidence file: whole logs",
        ),
        Format("terminal", Takes.TERMINAL, "reports.terminal:TerminalReporter", "a table on standard output"),
    )
}


@dataclass(frozen=True, slots=True)
class ReporterSpec:
    """One ``--reporter`` of the command line."""

    form: Format
    destination: str
    """A path, or ``-`` for standard output."""

    @property
    def is_folder(self) -> bool:
        """Whether it writes many files."""
        return self.form.takes is Takes.FOLDER or bool(
            self.form.folder_factory and self.destination.endswith("/")
        )


def parse_reporters(values: Sequence[str]) -> tuple[ReporterSpec, ...]:
    """Read ``--reporter`` values, each ``NAME`` or ``NAME:DESTINATION``; several may stand in one, by space.

    Raises:
        UsageError: an unknown name, a destination that does not suit, or two that would mix.
    """
    next_name = re.compile(rf"\s+(?=(?:{'|'.join(FORMATS)})(?::|\s|$))")
    specs = tuple(_parse(value) for group in values for value in next_name.split(group.strip()))
    seen: dict[str, str] = {}
    for spec in specs:
        place = STDOUT if spec.destination == STDOUT else str(Path(spec.destination).absolute())
        if place in seen:
            where = "standard output" if place == STDOUT else spec.destination
            raise UsageError(f"--reporter: {seen[place]} and {spec.form.name} would both write to {where}")
        seen[place] = spec.form.name
    return specs


def _parse(value: str) -> ReporterSpec:
    name, colon, destination = value.partition(":")
    form = FORMATS.get(name)
    if form is None:
        raise UsageError(f"--reporter {value}: no such format; there is: {', '.join(FORMATS)}")
    if colon and not destination:
        raise UsageError(f"--reporter {value}: no destination after the colon; it takes a {form.takes.value}")
    if form.takes is Takes.FOLDER and destination in ("", STDOUT):
        raise UsageError(f"--reporter {value}: {name} needs a folder, as in {name}:DIR")
    if form.takes is Takes.FILE and destination in ("", STDOUT):
        raise UsageError(f"--reporter {value}: {name} needs a file, as in {name}:FILE")
    if form.takes is Takes.TERMINAL and destination not in ("", STDOUT):
        raise UsageError(f"--reporter {value}: {name} only writes to standard output; write just {name}")
    return ReporterSpec(form, destination or STDOUT)


@contextmanager
def open_reporters(specs: Sequence[ReporterSpec], sweep: SweepInfo, stdout: TextIO) -> Iterator[Reporter]:
    """All of them as one; finished at the end, abandoned where an exception passes.

    Raises:
        UsageError: a destination cannot be written to.
    """
    opened: list[Reporter] = []
    try:
        for spec in specs:
            opened.append(_open(spec, sweep, stdout))  # noqa: PERF401 - those opened are abandoned on error
        together = Several(opened)
        yield together
        together.finish()
    except BaseException:
        for reporter in opened:
            reporter.abandon()
        raise


@dataclass(frozen=True)
class Several:
    """Reporters that are told the same."""

    reporters: Sequence[Reporter]

    def add(self, host: HostReport) -> None:
        for reporter in self.reporters:
            reporter.add(host)

    def finish(self) -> None:
        for reporter in self.reporters:
            reporter.finish()

    def abandon(self) -> None:
        for reporter in self.reporters:
            reporter.abandon()


def _open(spec: ReporterSpec, sweep: SweepInfo, stdout: TextIO) -> Reporter:
    path = Path(spec.destination)
    kind = _kind_of(path)
    if spec.is_folder:
        if kind == "file":
            raise UsageError(f"{path}: is a file, {spec.form.name} needs a folder")
        factory = spec.form.factory if spec.form.takes is Takes.FOLDER else spec.form.folder_factory
        return cast(Reporter, _load(factory)(path, sweep))
    if spec.form.takes is Takes.TERMINAL:
        return cast(Reporter, _load(spec.form.factory)(stdout, sweep))
    if kind == "folder":
        raise UsageError(f"{path}: is a folder, {spec.form.name} needs a file")
    if spec.form.takes is Takes.FILE:
        return cast(Reporter, _load(spec.form.factory)(path, sweep))
    sink: Sink = StreamSink(stdout) if spec.destination == STDOUT else FileSink(path)
    return cast(Reporter, _load(spec.form.factory)(sink, sweep))


def _kind_of(path: Path) -> str:
    """``folder``, ``file``, or nothing where nothing is there yet."""
    try:
        return "folder" if path.is_dir() else "file" if path.exists() else ""
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from error


def _load(factory: str) -> type:
    module, _, name = factory.partition(":")
    return cast(type, getattr(importlib.import_module(module), name))
