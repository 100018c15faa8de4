"""The agent's service: what the service manager says of each unit, and how it is set up."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from analyzers.facts.base import Line, Section, integer, record_line, records_of, sections_of
from collector.evidence.records import Record


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


# Reading -------------------------------------------------------------------------------------------------

_STATES = {
    "reloading": ServiceState.RUNNING,
    "activating": ServiceState.STARTING,
    "deactivating": ServiceState.STOPPED,
    "failed": ServiceState.FAILED,
}
_ENDINGS = {"1": "exited", "2": "killed", "3": "dumped"}
"""``ExecMainCode`` as systemctl prints it: ``si_code`` of waitid(2)."""


def parse_service(output: bytes, source: str = "probes/service") -> Service:
    """Of the ``service`` probe: one record per unit."""
    return Service(tuple(_unit(record, source) for record in records_of(output) if record.name))


def _unit(record: Record, source: str) -> Unit:
    shown = (
        *("LoadState", "ActiveState", "SubState", "UnitFileState", "Result"),
        *("ExecMainCode", "ExecMainStatus", "NRestarts", "User", "manager"),
    )
    ending = record.get("ExecMainCode")
    return Unit(
        record_line(record, source, *shown),
        record.name,
        _state(record),
        record.get("manager"),
        record.get("LoadState"),
        record.get("ActiveState"),
        record.get("SubState"),
        record.get("UnitFileState"),
        record.get("Result"),
        integer(record.get("ExecMainStatus")),
        _ENDINGS.get(ending, ending if ending.isalpha() else ""),
        integer(record.get("NRestarts")),
        record.get("User"),
        integer(record.get("MainPID")) or None,
        systemd_time(record.get("ExecMainStartTimestamp")),
        record.get("FragmentPath"),
        tuple(record.get("DropInPaths").split()),
        tuple(record.get("After").split()),
        record.get("Restart"),
        record.get("RestartUSec"),
    )


def _state(record: Record) -> ServiceState:
    load, active, sub, enabled = (
        record.get(key).lower() for key in ("LoadState", "ActiveState", "SubState", "UnitFileState")
    )
    if active == "active":
        return ServiceState.STOPPED if sub in ("exited", "dead") else ServiceState.RUNNING
    if active == "activating" and sub == "auto-restart":
        return ServiceState.RESTARTING
    if active in _STATES:
        return _STATES[active]
    if "masked" in (load, enabled) or enabled == "masked-runtime":
        return ServiceState.MASKED
    if load == "not-found":
        return ServiceState.ABSENT
    if load in ("bad-setting", "error"):
        return ServiceState.FAILED
    if active == "inactive":
        return ServiceState.DISABLED if enabled.startswith("disabled") else ServiceState.STOPPED
    return ServiceState.UNKNOWN


def systemd_time(text: str) -> datetime | None:
    """``Mon 2026-11-23 06:38:45 UTC``; letters of another zone say nothing sure: the time stays naive."""
    match = re.search(r"([0-9]{4}-[0-9]{2}-[0-9]{2}) ([0-9]{2}:[0-9]{2}:[0-9]{2})(?: (\S+))?", text[:200])
    try:
        moment = datetime.fromisoformat(f"{match[1]}T{match[2]}") if match else None
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment and match and match[3] in ("UTC", "GMT", "Z") else moment


def parse_unit_files(output: bytes, source: str = "probes/unit") -> UnitFiles:
    """Of the unit files: ``Key=value`` in sections, lines joined at a backslash, and upstart's ``env``."""
    paths: list[str] = []
    settings: list[UnitSetting] = []
    for file in sections_of(output, source):
        paths.append(file.name)
        settings += _settings(file)
    return UnitFiles(tuple(paths), tuple(settings))


def _settings(file: Section) -> Iterator[UnitSetting]:
    section, pending, start = "", [], None
    for line in file.lines:
        text = line.text.strip()
        if text[:1] in ("#", ";"):
            continue
        start = start or line
        if text.endswith("\\"):
            pending.append(text[:-1])
            continue
        text = " ".join((*pending, text))
        head = re.fullmatch(r"\[([^\]]*)\]", text)
        key, equals, value = text.partition("=")
        if head:
            section = head[1]
        elif text.startswith("env "):
            yield UnitSetting(start, file.name, section, "env", text[4:].strip())
        elif equals:
            yield UnitSetting(start, file.name, section, key.strip(), value.strip())
        pending, start = [], None
