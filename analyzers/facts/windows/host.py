"""What only a Windows host has: kept routes, the state of its image, its events, its launch agents."""

from __future__ import annotations

from dataclasses import dataclass, field

from analyzers.facts.base import MAX_BYTES, Line
from analyzers.facts.disk import Disk, Usage
from analyzers.facts.windows.firewall import WindowsFirewall, parse_firewall
from analyzers.facts.windows.network import KeptRoute, parse_kept_routes
from analyzers.facts.windows.objects import things_of
from analyzers.facts.windows.policies import (
    NameRule,
    RootStore,
    TlsSettings,
    parse_name_rules,
    parse_roots,
    parse_schannel,
)
from analyzers.facts.windows.service import Event, parse_events
from collector.evidence import Evidence, Status

COMPLETE = "IMAGE_STATE_COMPLETE"


@dataclass(frozen=True, slots=True)
class ImageState:
    """How far Windows set-up (Sysprep) has come."""

    at: Line
    state: str
    """``IMAGE_STATE_COMPLETE``, ``IMAGE_STATE_UNDEPLOYABLE`` ...; empty: there is no such value."""

    @property
    def complete(self) -> bool:
        return self.state == COMPLETE


@dataclass(frozen=True, slots=True)
class LaunchAgent:
    """One of the programs that set an instance up: EC2Config, EC2Launch v1, EC2Launch v2."""

    at: Line
    name: str
    version: str = ""
    log: tuple[Line, ...] = ()
    """Of its log, the lines of routes and errors."""

    def lines(self, word: str) -> tuple[Line, ...]:
        """The lines of its log that hold ``word`` (of any case), the newest last."""
        return tuple(line for line in self.log if word.lower() in line.text.lower())


@dataclass(frozen=True, slots=True)
class AgentFolder:
    """The folder of the agent's programs."""

    at: Line
    programs: frozenset[str]
    """Names of the files in it, in lower case."""


@dataclass(frozen=True, slots=True)
class WindowsHost:
    """All of it; ``None`` or empty where it was not seen."""

    kept_routes: tuple[KeptRoute, ...] | None = None
    image: ImageState | None = None
    events: tuple[Event, ...] = ()
    launch_agents: tuple[LaunchAgent, ...] = ()
    firewall: WindowsFirewall | None = None
    name_rules: tuple[NameRule, ...] = ()
    tls: TlsSettings = field(default_factory=TlsSettings)
    roots: RootStore | None = None
    folder: AgentFolder | None = None


def read_windows(evidence: Evidence) -> WindowsHost:
    """The facts of a Windows host that have no counterpart on others."""

    def output(probe: str) -> bytes | None:
        result = evidence.probe(probe)
        seen = result.status in (Status.OK, Status.TRUNCATED) or bool(result.output.strip())
        return result.output[:MAX_BYTES] if seen else None

    kept, events = output("persistent-routes"), output("service-events")
    return WindowsHost(
        None if kept is None else parse_kept_routes(kept),
        parse_image_state(output("image-state") or b""),
        parse_events(events or b""),
        parse_launch_agents(output("launch-agents") or b""),
        parse_firewall(output("firewall") or b""),
        parse_name_rules(output("resolv-conf") or b""),
        parse_schannel(output("schannel") or b""),
        parse_roots(output("roots") or b""),
        parse_folder(output("agent-files") or b""),
    )


def parse_image_state(output: bytes, source: str = "probes/image-state") -> ImageState | None:
    """Of the registry's ``Setup\\State``."""
    thing = next(things_of(output, source, "image-state"), None)
    return ImageState(thing.at, thing.text("state")) if thing is not None else None


_KIB = 1024
_SCRAPS = 1024
"""KiB that NTFS may show as free and give to nobody."""


def parse_disks(output: bytes, source: str = "probes/disk-space") -> Disk:
    """The fixed disks; their sizes are in bytes."""
    usages = []
    for thing in things_of(output, source, "disk"):
        total, free = (thing.number("size") or 0) // _KIB, (thing.number("free") or 0) // _KIB
        if total > 0 and thing.number("free") is not None:
            available = free if free > _SCRAPS else 0
            device = thing.text("device")
            usages.append(Usage(thing.at, device, total, max(0, total - free), available, device))
    return Disk(tuple(usages))


def parse_launch_agents(output: bytes, source: str = "probes/launch-agents") -> tuple[LaunchAgent, ...]:
    """Of the ``launch-agents`` probe: each agent that is there, with the lines of its log."""
    things = list(things_of(output, source, "agent", "log"))
    return tuple(
        LaunchAgent(
            thing.at,
            thing.text("agent"),
            thing.text("version"),
            tuple(t.at for t in things if t.kind == "log" and t.text("agent") == thing.text("agent")),
        )
        for thing in things
        if thing.kind == "agent"
    )


_PROGRAMS = "\\amazon\\ssm\\"


def parse_folder(output: bytes, source: str = "probes/agent-files") -> AgentFolder | None:
    """Of the ``agent-files`` probe; ``None`` where the agent's core program is not listed."""
    found: dict[str, Line] = {}
    for thing in things_of(output, source, "file"):
        folder, _, name = thing.text("path").lower().rpartition("\\")
        if f"{folder}\\".endswith(_PROGRAMS) and "programdata" not in folder:
            found[name] = thing.at
    core = found.get("amazon-ssm-agent.exe")
    return AgentFolder(core, frozenset(found)) if core is not None else None
