"""The agent's processes and connections."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from analyzers.facts.base import IPAddress, Line


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
        """Connections that stand, to port 443."""
        return tuple(item for item in self.sockets if item.established and item.peer_port == 443)

    @property
    def waiting(self) -> tuple[Socket, ...]:
        """Connections that get no answer."""
        return tuple(item for item in self.sockets if item.state.upper().startswith("SYN"))
