"""What runs on a Dask worker: one plugin per sweep, with what its hosts share, and the unit of work.

Nothing here reaches back to the machine that asked: secrets are had where the worker runs, from references.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from distributed import WorkerPlugin, get_worker

from collector.sweep.host import Shared, collect_one
from collector.sweep.model import Collect, Outcome, SweepSettings
from collector.target import Target


class SweepPlugin(WorkerPlugin):  # type: ignore[misc]  # distributed has no types
    """One sweep on one worker: known_hosts is read once, jump hosts and forks are shared."""

    def __init__(
        self, name: str, settings: SweepSettings, collect: Collect[Any], workers: Mapping[str, int]
    ) -> None:
        """``workers``: how many there are for each zone, and so share what a server is given."""
        self.name = name
        self._settings = settings
        self._collect = collect
        self._workers = workers

    def setup(self, worker: Any) -> None:
        """Called where it is to work."""
        self._shared = Shared(self._settings)

    def teardown(self, worker: Any) -> None:
        """Called at the end of the sweep, and of the worker."""
        self._shared.close()

    def ask(self, target: Target) -> Outcome[Any]:
        """One host; one that is dead or waits for its turn holds a thread of the worker, and no fork."""
        settings = self._settings.shared_by(max(1, self._workers[target.zone or ""]))
        return collect_one(target, settings, self._collect, self._shared)


def ask(sweep: str, target: Target) -> Outcome[Any]:
    """The task: ask one host in the sweep of this name."""
    plugin: SweepPlugin = get_worker().plugins[sweep]
    return plugin.ask(target)


def installed_version() -> str:
    """Of ssm-triage, as it is installed here."""
    return version("ssm-triage")
