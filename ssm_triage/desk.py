"""Analysis and reports in a process of their own, beside the collection and off its critical path.

The sweep hands over each evidence file as it comes home and gets each diagnosis back, in the order in which
hosts finish.  Only file names wait between the two, so memory is bounded however far apart they are.
"""

from __future__ import annotations

import os
import pickle
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from analyzers.diagnosis import Diagnosis
from collector.errors import TriageError
from collector.sweep.children import deaf_to_signals, signals_held
from collector.sweep.garbage import look_less_often

Told = Callable[[Diagnosis, str], None]
"""Called for each host, in a thread of its own, with what was wrong with its evidence, if anything was."""


@dataclass(frozen=True, slots=True)
class Brief:
    """What the desk is to do; picklable."""

    options: Mapping[str, Any]
    """Those of the command line that say which reports, in which language, by which signatures."""
    usual: tuple[str, ...]
    """The reporters where none is asked for."""
    started: datetime
    """When the sweep began (UTC)."""


class Desk:
    """The process, as the sweep sees it; a context manager, at whose end the process has gone."""

    def __init__(self, brief: Brief, told: Told) -> None:
        context = get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, brief), name="ssm-triage", daemon=True)
        with signals_held():
            self._process.start()
        theirs.close()
        self._told = told
        self._failure: Exception | None = None
        self._open, self._all_told = threading.Event(), threading.Event()
        self._ear = threading.Thread(target=self._listen, name="desk", daemon=True)
        self._ear.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.join()

    def wait_until_open(self) -> None:
        """Until signatures are read and reports are begun.

        Raises:
            TriageError: one of them cannot be.
        """
        self._open.wait()
        self._raise_failure()

    def add(self, path: Path) -> None:
        """One more host's evidence.  What is wrong with the desk is told at the end: collecting goes on."""
        self._send(str(path))

    def wait_until_told(self) -> None:
        """Until every host that was added has been told.

        Raises:
            TriageError: a report cannot be written, or the process is gone.
        """
        self._send(None)
        self._all_told.wait()
        self._raise_failure()

    def finish(self) -> None:
        """Have the reports finished.

        Raises:
            TriageError: one cannot be written, or the process is gone.
        """
        self._send(None)
        self._ear.join()
        self._raise_failure()
        self._process.join()

    def _send(self, word: str | None) -> None:
        with suppress(OSError):  # it is gone, and the ear has heard why
            self._pipe.send(word)

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _listen(self) -> None:
        try:
            while (word := self._next_word()) != _DONE and self._failure is None:
                self._hear(word)
        except Exception as error:  # of whoever is told: the sweep waits for this thread
            self._failure = error
        self._open.set()
        self._all_told.set()

    def _next_word(self) -> object:
        try:
            return self._pipe.recv()
        except (EOFError, OSError, pickle.UnpicklingError):
            return TriageError(
                "the process that analyses has died, perhaps for want of memory; the evidence is kept: "
                "`ssm-triage report` on the run folder tells the causes"
            )

    def _hear(self, word: object) -> None:
        if isinstance(word, tuple):
            self._told(*word)
        elif isinstance(word, Exception):
            self._failure = word
        elif word == _OPEN:
            self._open.set()
        elif word == _TOLD:
            self._all_told.set()


# --- In the process ------------------------------------------------------------------------------------

_OPEN, _TOLD, _DONE = "open", "told", "done"


def _work(pipe: Connection, brief: Brief) -> None:
    deaf_to_signals()
    try:
        _report(pipe, brief)
        pipe.send(_DONE)
    except (TriageError, BrokenPipeError) as error:
        with suppress(OSError):  # the sweep is gone too
            pipe.send(error)
    except EOFError:
        os._exit(1)  # the sweep was killed: whoever resumes it writes the reports
    except Exception as error:  # a defect of ours must not end in a traceback
        kind, words = type(error).__name__, " ".join(str(error).split())
        pipe.send(TriageError(f"ssm-triage itself failed on a report ({kind}: {words}); please report it"))


def _report(pipe: Connection, brief: Brief) -> None:
    from ssm_triage import pipeline
    from ssm_triage.reporting import opened, specs_of

    specs = specs_of(brief.options, brief.usual)
    diagnose = pipeline.diagnoser([Path(where) for where in brief.options["signatures"]])
    with opened(specs, brief.options, started=brief.started) as reporter:
        look_less_often()
        pipe.send(_OPEN)
        while (path := pipe.recv()) is not None:
            host = pipeline.examine_file(Path(path), diagnose)
            reporter.add(pipeline.host_report(host))
            pipe.send((host.diagnosis, host.trouble))
        pipe.send(_TOLD)
        pipe.recv()  # a progress display leaves the terminal before a summary goes there
