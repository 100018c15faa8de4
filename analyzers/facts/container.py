"""Every fact of one host, read on first use."""

from __future__ import annotations

from functools import cached_property

from analyzers.facts.addresses import Addresses, Neighbour
from analyzers.facts.agent_config import AgentConfig, IdentityConfig, Seelog
from analyzers.facts.base import Fact
from analyzers.facts.clock import ClockComparison, HostClock
from analyzers.facts.disk import Disk, Mounts
from analyzers.facts.endpoints import Endpoint
from analyzers.facts.files import AgentFiles
from analyzers.facts.firewall import Firewall
from analyzers.facts.hosts import HostsFile, NameSwitch, Resolvers
from analyzers.facts.identity import Registration, StrayCredentials
from analyzers.facts.imds import Imds
from analyzers.facts.journal import Journal, Update
from analyzers.facts.limits import FileLimits, Inotify, Memory, OomKill
from analyzers.facts.packages import AgentVersion, Packages, Version
from analyzers.facts.processes import Processes, Sockets
from analyzers.facts.proxy import Proxy
from analyzers.facts.routes import PolicyRule, Route, RouteAnswer
from analyzers.facts.routing import Routing
from analyzers.facts.service import Service, UnitFiles
from analyzers.facts.ssm_cli import Diagnostics
from analyzers.facts.system import OsRelease, Security, Uname, Virtualization, Whoami
from collector.evidence import Evidence

SERVICES = ("ssm", "ssmmessages", "ec2messages")


class Facts:
    """The facts of one host.  Each attribute is read from evidence once, when it is first asked for."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence

    # The system
    @cached_property
    def clock(self) -> Fact[HostClock]:
        raise NotImplementedError

    @cached_property
    def skew(self) -> Fact[ClockComparison]:
        raise NotImplementedError

    @cached_property
    def os(self) -> Fact[OsRelease]:
        raise NotImplementedError

    @cached_property
    def uname(self) -> Fact[Uname]:
        raise NotImplementedError

    @cached_property
    def hostname(self) -> Fact[str]:
        raise NotImplementedError

    @cached_property
    def whoami(self) -> Fact[Whoami]:
        raise NotImplementedError

    @cached_property
    def virtualization(self) -> Fact[Virtualization]:
        raise NotImplementedError

    @cached_property
    def security(self) -> Fact[Security]:
        raise NotImplementedError

    # The agent
    @cached_property
    def packages(self) -> Fact[Packages]:
        raise NotImplementedError

    @cached_property
    def agent_version(self) -> Fact[AgentVersion]:
        raise NotImplementedError

    @cached_property
    def version(self) -> Fact[Version]:
        """The version that counts: the binary's own word, else the package's, else unknown."""
        raise NotImplementedError

    @cached_property
    def installed(self) -> Fact[bool]:
        """Whether the agent is installed, by package, unit or binary."""
        raise NotImplementedError

    @cached_property
    def service(self) -> Fact[Service]:
        raise NotImplementedError

    @cached_property
    def unit_files(self) -> Fact[UnitFiles]:
        raise NotImplementedError

    @cached_property
    def processes(self) -> Fact[Processes]:
        raise NotImplementedError

    @cached_property
    def sockets(self) -> Fact[Sockets]:
        raise NotImplementedError

    @cached_property
    def files(self) -> Fact[AgentFiles]:
        raise NotImplementedError

    @cached_property
    def agent_config(self) -> Fact[AgentConfig]:
        raise NotImplementedError

    @cached_property
    def seelog(self) -> Fact[Seelog]:
        raise NotImplementedError

    @cached_property
    def identity_config(self) -> Fact[IdentityConfig]:
        raise NotImplementedError

    @cached_property
    def registration(self) -> Fact[Registration]:
        raise NotImplementedError

    @cached_property
    def credentials(self) -> Fact[tuple[StrayCredentials, ...]]:
        raise NotImplementedError

    @cached_property
    def ssm_cli(self) -> Fact[Diagnostics]:
        raise NotImplementedError

    @cached_property
    def journal(self) -> Fact[Journal]:
        raise NotImplementedError

    @cached_property
    def update(self) -> Fact[Update]:
        raise NotImplementedError

    # The network
    @cached_property
    def addresses(self) -> Fact[Addresses]:
        raise NotImplementedError

    @cached_property
    def neighbours(self) -> Fact[tuple[Neighbour, ...]]:
        raise NotImplementedError

    @cached_property
    def routes(self) -> Fact[tuple[Route, ...]]:
        raise NotImplementedError

    @cached_property
    def rules(self) -> Fact[tuple[PolicyRule, ...]]:
        raise NotImplementedError

    @cached_property
    def route_answers(self) -> Fact[tuple[RouteAnswer, ...]]:
        raise NotImplementedError

    @cached_property
    def routing(self) -> Fact[Routing]:
        """Routes, rules, addresses and the kernel's answers together: look-ups and the expected gateway."""
        raise NotImplementedError

    @cached_property
    def resolvers(self) -> Fact[Resolvers]:
        raise NotImplementedError

    @cached_property
    def name_switch(self) -> Fact[NameSwitch]:
        raise NotImplementedError

    @cached_property
    def hosts_file(self) -> Fact[HostsFile]:
        raise NotImplementedError

    @cached_property
    def firewall(self) -> Fact[Firewall]:
        raise NotImplementedError

    @cached_property
    def proxy(self) -> Fact[Proxy]:
        raise NotImplementedError

    @cached_property
    def imds(self) -> Fact[Imds]:
        raise NotImplementedError

    @cached_property
    def endpoints(self) -> dict[str, Fact[Endpoint]]:
        """By service: ``ssm``, ``ssmmessages``, ``ec2messages``; every one of them is there."""
        raise NotImplementedError

    # The resources
    @cached_property
    def disk(self) -> Fact[Disk]:
        raise NotImplementedError

    @cached_property
    def inodes(self) -> Fact[Disk]:
        raise NotImplementedError

    @cached_property
    def mounts(self) -> Fact[Mounts]:
        raise NotImplementedError

    @cached_property
    def inotify(self) -> Fact[Inotify]:
        raise NotImplementedError

    @cached_property
    def fds(self) -> Fact[FileLimits]:
        raise NotImplementedError

    @cached_property
    def memory(self) -> Fact[Memory]:
        raise NotImplementedError

    @cached_property
    def oom(self) -> Fact[tuple[OomKill, ...]]:
        raise NotImplementedError
