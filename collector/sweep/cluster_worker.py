"""What runs on a Dask worker: one plugin per sweep, with what its hosts share, and the unit of work.

Nothing here reaches back to the machine that asked: secrets are had where the worker runs, from references.
"""

from __future__ import annotations

import threading
from importlib.metadata import version
from typing import Any

from distributed import WorkerPlugin, get_worker

from collector.sweep.connectors import Connectors
from collector.sweep.host import collect_one
from collector.sweep.model import Collect, Outcome, SweepSettings
from collector.target import Target


class SweepPlugin(WorkerPlugin):  # type: ignore[misc]  # distributed has no types
    """One sweep on one worker: known_hosts is read once, jump hosts are shared, forks are limited."""

    def __init__(self, name: str, settings: SweepSettings, collect: Collect[Any]) -> None:
        self.name = name
        self._settings = settings
        self._collect = collect

    def setup(self, worker: Any) -> None:
        """Called where it is to work."""
        self._connectors = Connectors(self._settings)
        self._slots = threading.BoundedSemaphore(self._settings.forks)

    def teardown(self, worker: Any) -> None:
        """Called at the end of the sweep, and of the worker."""
        self._connectors.close()

    def ask(self, target: Target) -> Outcome[Any]:
        """One host; a dead one holds a thread of the worker, and none of the slots."""
        return collect_one(target, self._settings, self._collect, self._connectors, self._slots)


def ask(sweep: str, target: Target) -> Outcome[Any]:
    """The task: ask one host in the sweep of this name."""
    plugin: SweepPlugin = get_worker().plugins[sweep]
    return plugin.ask(target)


def installed_version() -> str:
    """Of ssm-triage, as it is installed here."""
    return version("ssm-triage")
