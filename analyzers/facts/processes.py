"""The agent's processes and connections."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from analyzers.facts.base import IPAddress, Line, address, integer, lines_of


@dataclass(frozen=True, slots=True)
class AgentProcess:
    """One process of the agent."""

    at: Line
    pid: int
    user: str
    command: str
    parent: int | None = None
    started: datetime | None = None
    """In the host's local time, without a zone."""

    @property
    def name(self) -> str:
        """``amazon-ssm-agent``, ``ssm-agent-worker`` ..."""
        return self.command.split(" ", 1)[0].rpartition("/")[2]

    @property
    def snap(self) -> bool:
        return self.command.startswith("/snap/")


@dataclass(frozen=True, slots=True)
class Processes:
    processes: tuple[AgentProcess, ...] = ()

    @property
    def agents(self) -> tuple[AgentProcess, ...]:
        """The core processes."""
        return tuple(process for process in self.processes if process.name == "amazon-ssm-agent")

    @property
    def workers(self) -> tuple[AgentProcess, ...]:
        return tuple(process for process in self.processes if process.name == "ssm-agent-worker")

    @property
    def users(self) -> frozenset[str]:
        return frozenset(process.user for process in self.processes)


@dataclass(frozen=True, slots=True)
class Socket:
    """One TCP connection of the agent."""

    at: Line
    state: str
    """``ESTAB``, ``SYN-SENT`` ..."""
    local: IPAddress | None
    peer: IPAddress | None
    peer_port: int | None
    process: str = ""
    pid: int | None = None

    @property
    def established(self) -> bool:
        return self.state.upper().startswith("ESTAB")


@dataclass(frozen=True, slots=True)
class Sockets:
    sockets: tuple[Socket, ...] = ()

    @property
    def established(self) -> tuple[Socket, ...]:
        """Connections that stand, to an endpoint (port 443) or a proxy (any)."""
        return tuple(item for item in self.sockets if item.established)

    @property
    def waiting(self) -> tuple[Socket, ...]:
        """Connections that get no answer."""
        return tuple(item for item in self.sockets if item.state.upper().startswith("SYN"))


# Reading -------------------------------------------------------------------------------------------------


def parse_processes(output: bytes, source: str = "probes/processes") -> Processes:
    """Of ``ps``, by the names in its header; of ``lstart`` a start takes five words."""
    lines = list(lines_of(output, source))
    head = lines[0].text.split() if lines else []
    if "PID" not in head:
        return Processes()
    return Processes(tuple(found for line in lines[1:] if (found := _process(line, head)) is not None))


def _process(line: Line, head: list[str]) -> AgentProcess | None:
    words = line.text.split()
    values: dict[str, str] = {}
    for column in head[:-1]:
        count = 5 if column == "STARTED" else 1
        values[column] = " ".join(words[:count])
        words = words[count:]
    pid = integer(values.get("PID"))
    if pid is None or not words:
        return None
    user = values.get("USER") or values.get("UID") or ""
    started = _started(values.get("STARTED", ""))
    return AgentProcess(line, pid, user, " ".join(words), integer(values.get("PPID")), started)


def _started(text: str) -> datetime | None:
    """``Mon Nov 23 06:38:45 2026``, in the C locale."""
    try:
        return datetime.strptime(text, "%a %b %d %H:%M:%S %Y")  # noqa: DTZ007  ps prints local time, no zone
    except ValueError:
        return None


_OWNER = re.compile(r'\(\("(?P<name>[^"]{0,64})",pid=(?P<pid>[0-9]{1,9})')


def parse_sockets(output: bytes, source: str = "probes/sockets") -> Sockets:
    """Of ``ss -tnp``."""
    found = []
    for line in lines_of(output, source):
        words = line.text.split()
        if len(words) < 5 or integer(words[1]) is None:
            continue
        owner = _OWNER.search(line.text)
        local, _ = _end(words[3])
        peer, port = _end(words[4])
        name, pid = (owner["name"], integer(owner["pid"])) if owner else ("", None)
        found.append(Socket(line, words[0], local, peer, port, name, pid))
    return Sockets(tuple(found))


def _end(text: str) -> tuple[IPAddress | None, int | None]:
    """``10.0.1.5:443``, ``[2600::1]:443``, ``10.0.1.5%eth0:443``."""
    host, _, port = text.rpartition(":")
    return address(host.strip("[]").removeprefix("::ffff:")), integer(port)
