"""The agent's service, as the service control manager keeps it; its processes; and what was logged of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from analyzers.facts.base import Line, utc
from analyzers.facts.processes import AgentProcess, Processes
from analyzers.facts.service import Service, ServiceState, Unit
from analyzers.facts.windows.objects import Thing, things_of

NAME = "AmazonSSMAgent"
DISPLAY_NAME = "Amazon SSM Agent"
_ACCOUNTS = ("", "localsystem", "nt authority\\system", ".\\localsystem")
_NEVER_STARTED = 1077
"""ERROR_SERVICE_NEVER_STARTED: no attempt since the last boot."""
_STARTS = {"auto": "enabled", "manual": "manual", "disabled": "disabled"}


def parse_service(output: bytes, source: str = "probes/service") -> Service:
    """The agent's service; others in the output (launch agents, time) are not its units."""
    things = things_of(output, source, "service")
    return Service(tuple(_unit(thing) for thing in things if thing.text("name") == NAME))


def _unit(thing: Thing) -> Unit:
    account = thing.text("account")
    return Unit(
        thing.at,
        NAME,
        _state(thing),
        manager="scm",
        load_state="loaded" if thing.flag("exists") is not False else "not-found",
        active_state=thing.text("state"),
        enabled=_STARTS.get(thing.text("start_mode").lower(), thing.text("start_mode").lower()),
        exit_status=thing.number("exit_code") or None,
        user="" if account.lower() in _ACCOUNTS else account,
        pid=thing.number("pid") or None,
        fragment=thing.text("path"),
        restart="restarts" if restarts_on_failure(thing.text("failure_actions")) else "",
    )


def _state(thing: Thing) -> ServiceState:
    """``Win32_Service.State`` is English whatever the language of Windows."""
    if thing.flag("exists") is False:
        return ServiceState.ABSENT
    state, mode = thing.text("state").lower(), thing.text("start_mode").lower()
    if state in ("running", "continue pending", "pause pending", "paused"):
        return ServiceState.RUNNING
    if state == "start pending":
        return ServiceState.STARTING
    if state in ("stopped", "stop pending"):
        if mode == "disabled":
            return ServiceState.DISABLED
        failed = (thing.number("exit_code") or 0) not in (0, _NEVER_STARTED)
        return ServiceState.FAILED if failed else ServiceState.STOPPED
    return ServiceState.UNKNOWN


def restarts_on_failure(actions: str) -> bool | None:
    """Of the registry's ``FailureActions`` (SERVICE_FAILURE_ACTIONS as ``AA-BB-...``): whether any of them
    restarts the service; ``None``: none are kept.

    Five numbers of 32 bits (the fourth counts the actions), then pairs of type and delay; type 1 restarts.
    """
    try:
        blob = bytes.fromhex(actions.replace("-", ""))
    except ValueError:
        return None
    if len(blob) < 20:
        return None
    pairs = (blob[at : at + 4] for at in range(20, len(blob) - 7, 8))
    return any(int.from_bytes(kind, "little") == 1 for kind in pairs)


def parse_processes(output: bytes, source: str = "probes/processes") -> Processes:
    """The agent's processes.  As whom they run is told by the service; a process does not say it."""
    return Processes(
        tuple(
            AgentProcess(
                thing.at, pid, "", thing.text("name").removesuffix(".exe"), thing.number("parent")
            )
            for thing in things_of(output, source, "process")
            if (pid := thing.number("pid")) is not None
        )
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Event:
    """One record of an event log: its number and its parameters, which no translation touches."""

    at: Line
    log: str
    provider: str
    id: int
    time: datetime | None
    values: tuple[str, ...] = ()

    @property
    def of_agent(self) -> bool:
        return any(NAME in value or DISPLAY_NAME in value for value in self.values)


def parse_events(output: bytes, source: str = "probes/service-events") -> tuple[Event, ...]:
    """Of the ``service-events`` probe; those of the service control manager name no provider."""
    return tuple(
        Event(
            thing.at, thing.text("log"), thing.text("provider") or "Service Control Manager", number,
            utc(thing.text("time")), thing.texts("values"),
        )
        for thing in things_of(output, source, "event")
        if (number := thing.number("id")) is not None
    )  # fmt: skip
