"""The agent's service: what the service manager says of each unit, and how it is set up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from analyzers.facts.base import Line


class ServiceState(StrEnum):
    """The closed set of states."""

    RUNNING = "running"
    STARTING = "starting"
    RESTARTING = "restarting"
    """It ended, and the manager waits to start it again."""
    FAILED = "failed"
    STOPPED = "stopped"
    """Not running; the manager would start it at boot."""
    DISABLED = "disabled"
    """Not running, and not started at boot either."""
    MASKED = "masked"
    ABSENT = "absent"
    """No unit of that name."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit."""

    at: Line
    name: str
    state: ServiceState
    manager: str = ""
    """``systemd``, ``upstart``, ``sysv``, ``openrc``, ``none``, ``scm`` (Windows)."""
    load_state: str = ""
    active_state: str = ""
    sub_state: str = ""
    enabled: str = ""
    """``UnitFileState``: ``enabled``, ``disabled``, ``masked``, ``static`` ..."""
    result: str = ""
    """``success``, ``exit-code``, ``signal``, ``oom-kill``, ``start-limit-hit``, ``timeout`` ..."""
    exit_status: int | None = None
    """Of the main process; 194 is the agent's "do not restart me"."""
    exit_code: str = ""
    """How it ended: ``exited``, ``killed``, ``dumped`` (``ExecMainCode``)."""
    restarts: int | None = None
    user: str = ""
    """Empty: root."""
    pid: int | None = None
    started: datetime | None = None
    """Of the main process; naive where the zone is not known."""
    fragment: str = ""
    drop_ins: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    restart: str = ""
    """``always``, ``no`` ..."""
    restart_after: str = ""

    @property
    def snap(self) -> bool:
        return self.name.startswith("snap.")

    @property
    def exists(self) -> bool:
        return self.state is not ServiceState.ABSENT


@dataclass(frozen=True, slots=True)
class Service:
    """Every unit that was asked for."""

    units: tuple[Unit, ...] = ()

    @property
    def existing(self) -> tuple[Unit, ...]:
        return tuple(unit for unit in self.units if unit.exists)

    @property
    def main(self) -> Unit | None:
        """The unit that counts: the one that runs, else the best of those that exist, else any."""
        order = list(ServiceState)
        return min(self.units, key=lambda unit: order.index(unit.state), default=None)

    @property
    def state(self) -> ServiceState:
        return self.main.state if self.main else ServiceState.UNKNOWN

    @property
    def both(self) -> bool:
        """Whether the snap's unit and the package's exist side by side."""
        return len({unit.snap for unit in self.existing}) == 2


@dataclass(frozen=True, slots=True)
class UnitSetting:
    """One ``Key=value`` of a unit file or a drop-in."""

    at: Line
    path: str
    section: str
    key: str
    value: str


@dataclass(frozen=True, slots=True)
class UnitFiles:
    """The unit files and drop-ins."""

    paths: tuple[str, ...] = ()
    settings: tuple[UnitSetting, ...] = ()

    def values(self, key: str) -> tuple[UnitSetting, ...]:
        """Every setting of ``key``, in order of reading; an empty value resets a list, as in systemd."""
        found: list[UnitSetting] = []
        for setting in self.settings:
            if setting.key == key:
                found = [*found, setting] if setting.value else []
        return tuple(found)

    @property
    def waits_for_network(self) -> bool:
        """Whether the unit wants network-online.target."""
        return any(
            "network-online.target" in setting.value
            for key in ("Wants", "Requires")
            for setting in self.values(key)
        )
