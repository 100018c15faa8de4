"""Every fact of one host, read on first use."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from analyzers.facts.addresses import Addresses, Neighbour, parse_addresses, parse_neighbours
from analyzers.facts.agent_config import (
    AgentConfig,
    IdentityConfig,
    Seelog,
    parse_agent_config,
    parse_identity_config,
    parse_seelog,
)
from analyzers.facts.base import MAX_BYTES, Fact, Known, T, Unknown
from analyzers.facts.clock import COLLECTION, NO_TIME, ClockComparison, HostClock, Skew, parse_clock
from analyzers.facts.disk import Disk, Mounts, parse_df, parse_mounts
from analyzers.facts.endpoints import Endpoint, parse_endpoint
from analyzers.facts.files import AgentFiles, parse_files
from analyzers.facts.firewall import Firewall
from analyzers.facts.hosts import (
    HostsFile,
    NameSwitch,
    Resolvers,
    parse_hosts,
    parse_name_switch,
    parse_resolvers,
)
from analyzers.facts.identity import (
    Registration,
    StrayCredentials,
    parse_registration,
    parse_stray_credentials,
)
from analyzers.facts.imds import Imds, ImdsState, parse_imds
from analyzers.facts.journal import Journal, Update, parse_journal, parse_update
from analyzers.facts.limits import (
    FileLimits,
    Inotify,
    Memory,
    OomKill,
    parse_file_limits,
    parse_inotify,
    parse_memory,
    parse_oom,
)
from analyzers.facts.packages import AgentVersion, Packages, Version, parse_agent_version, parse_packages
from analyzers.facts.processes import Processes, Sockets, parse_processes, parse_sockets
from analyzers.facts.proxy import Proxy, parse_agent_environ, parse_proxy_files, unit_proxy
from analyzers.facts.routes import (
    PolicyRule,
    Route,
    RouteAnswer,
    parse_route_answers,
    parse_routes,
    parse_rules,
)
from analyzers.facts.routing import Routing
from analyzers.facts.service import Service, ServiceState, UnitFiles, parse_service, parse_unit_files
from analyzers.facts.ssm_cli import Diagnostics, parse_diagnostics
from analyzers.facts.system import (
    OsRelease,
    Security,
    Uname,
    Virtualization,
    Whoami,
    parse_os_release,
    parse_security,
    parse_uname,
    parse_virtualization,
    parse_whoami,
)
from analyzers.facts.windows import READERS, WindowsHost, read_windows
from analyzers.facts.windows.firewall import WindowsFirewall, parse_firewall
from analyzers.facts.windows.proxy import parse_layers
from collector.evidence import Evidence, ProbeResult, Status
from collector.target import Platform

SERVICES = ("ssm", "ssmmessages", "ec2messages")

_READABLE = (Status.OK, Status.TRUNCATED, Status.TIMEOUT, Status.ERROR)
"""What a probe printed before it was cut, timed out or failed is still worth reading."""


class Facts:
    """The facts of one host.  Each attribute is read from evidence once, when it is first asked for.

    Nothing here raises: what cannot be read is ``Unknown`` with the reason.
    """

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self._windows = evidence.manifest.subject.platform is Platform.WINDOWS

    # The system ------------------------------------------------------------------------------------------

    @cached_property
    def clock(self) -> Fact[HostClock]:
        return self._read("clock", parse_clock)

    @cached_property
    def skew(self) -> Fact[ClockComparison]:
        """The host's clock against ours and against the ``Date`` of everyone who answered it."""
        if not isinstance(self.clock, Known) or self.clock.value.utc is None:
            return _why(self.clock, "the host's clock was not read")
        return Known(ClockComparison(self.clock.value, tuple(self._skews())), self.clock.source)

    @cached_property
    def os(self) -> Fact[OsRelease]:
        return self._read("os-release", parse_os_release)

    @cached_property
    def uname(self) -> Fact[Uname]:
        return self._read("uname", parse_uname)

    @cached_property
    def hostname(self) -> Fact[str]:
        return self._read(
            "hostname", lambda output, _: output[:1024].decode("utf-8", "replace").strip() or None
        )

    @cached_property
    def whoami(self) -> Fact[Whoami]:
        return self._read("whoami", parse_whoami)

    @cached_property
    def virtualization(self) -> Fact[Virtualization]:
        return self._read("virtualization", parse_virtualization)

    @cached_property
    def windows(self) -> Fact[WindowsHost]:
        """What only a Windows host has."""
        if not self._windows:
            return Unknown("this is no Windows host")
        return Known(read_windows(self.evidence), "probes")

    @cached_property
    def security(self) -> Fact[Security]:
        return self._read("security", parse_security)

    # The agent -------------------------------------------------------------------------------------------

    @cached_property
    def packages(self) -> Fact[Packages]:
        return self._read("packages", parse_packages)

    @cached_property
    def agent_version(self) -> Fact[AgentVersion]:
        return self._read("agent-version", parse_agent_version)

    @cached_property
    def version(self) -> Fact[Version]:
        """The version that counts: the binary's own word, else that of the only package."""
        if isinstance(self.agent_version, Known):
            return Known(self.agent_version.value.version, self.agent_version.source)
        if isinstance(self.packages, Known):
            found = {p.version for p in self.packages.value.installed if p.version is not None}
            if len(found) == 1:
                return Known(found.pop(), self.packages.source)
        return self.agent_version

    @cached_property
    def installed(self) -> Fact[bool]:
        """Whether the agent is installed, by package, binary, process or unit; any one of them is enough, and
        "not installed" is only said where packages and units could both be asked."""
        found_packages, units = self.packages.or_none(), self.service.or_none()
        listing = self.files.or_none()
        if found_packages is not None and found_packages.installed:
            return Known(True, self.packages.source)
        if isinstance(self.agent_version, Known):
            return Known(True, self.agent_version.source)
        if listing is not None and listing.binary("amazon-ssm-agent") is not None:
            return Known(True, self.files.source)
        if units is not None and any(u.state is ServiceState.RUNNING for u in units.units):
            return Known(True, self.service.source)
        asked = found_packages is not None or _absent(self.packages)
        if asked and units is not None and units.units and not units.existing:
            return Known(False, self.service.source)
        if asked and (_absent(self.files) or (listing is not None and not listing.denied)):
            return Known(False, self.files.source)
        return Unknown("neither packages nor units tell", self.packages.source)

    @cached_property
    def service(self) -> Fact[Service]:
        return self._read("service", parse_service)

    @cached_property
    def unit_files(self) -> Fact[UnitFiles]:
        return self._read("unit", parse_unit_files, absent=UnitFiles())

    @cached_property
    def processes(self) -> Fact[Processes]:
        return self._read("processes", parse_processes)

    @cached_property
    def sockets(self) -> Fact[Sockets]:
        return self._read("sockets", parse_sockets)

    @cached_property
    def files(self) -> Fact[AgentFiles]:
        return self._read("agent-files", parse_files)

    @cached_property
    def agent_config(self) -> Fact[AgentConfig]:
        """Known too where there is no such file: the agent then has its defaults."""
        return self._read("agent-config", parse_agent_config, absent=AgentConfig(present=False))

    @cached_property
    def seelog(self) -> Fact[Seelog]:
        return self._read("seelog", parse_seelog, absent=Seelog(present=False))

    @cached_property
    def identity_config(self) -> Fact[IdentityConfig]:
        none = IdentityConfig(present=False)
        return self._read("identity-config", parse_identity_config, absent=none)

    @cached_property
    def registration(self) -> Fact[Registration]:
        """Known too where there is none: its ``at`` is then ``None``."""
        return self._read("registration", parse_registration, absent=Registration(None))

    @cached_property
    def credentials(self) -> Fact[tuple[StrayCredentials, ...]]:
        """Credentials that lie about; empty where there are none."""
        return self._read("stray-credentials", parse_stray_credentials, absent=())

    @cached_property
    def ssm_cli(self) -> Fact[Diagnostics]:
        return self._read("ssm-cli", parse_diagnostics)

    @cached_property
    def journal(self) -> Fact[Journal]:
        return self._read("journal", parse_journal)

    @cached_property
    def update(self) -> Fact[Update]:
        return self._read("update", parse_update, absent=Update())

    # The network -----------------------------------------------------------------------------------------

    @cached_property
    def addresses(self) -> Fact[Addresses]:
        return self._read("addresses", parse_addresses)

    @cached_property
    def neighbours(self) -> Fact[tuple[Neighbour, ...]]:
        return self._read("neighbours", parse_neighbours)

    @cached_property
    def routes(self) -> Fact[tuple[Route, ...]]:
        return self._read("routes", parse_routes)

    @cached_property
    def rules(self) -> Fact[tuple[PolicyRule, ...]]:
        return self._read("rules", parse_rules)

    @cached_property
    def route_answers(self) -> Fact[tuple[RouteAnswer, ...]]:
        return self._read("route-get", parse_route_answers)

    @cached_property
    def routing(self) -> Fact[Routing]:
        """Routes, rules, addresses and the kernel's answers together: look-ups and the expected gateway."""
        if not isinstance(self.routes, Known):
            return self.routes
        return Known(
            Routing(
                self.routes.value,
                self.rules.or_none() or (),
                self.addresses.or_none(),
                self.route_answers.or_none() or (),
                self.neighbours.or_none() or (),
            ),
            self.routes.source,
            self.routes.complete,
        )

    @cached_property
    def resolvers(self) -> Fact[Resolvers]:
        """Known without a nameserver where there is no resolv.conf."""
        return self._read("resolv-conf", parse_resolvers, absent=Resolvers())

    @cached_property
    def name_switch(self) -> Fact[NameSwitch]:
        return self._read("nsswitch-conf", parse_name_switch)

    @cached_property
    def hosts_file(self) -> Fact[HostsFile]:
        return self._read("hosts-file", parse_hosts, absent=HostsFile())

    @cached_property
    def firewall(self) -> Fact[Firewall | WindowsFirewall]:
        """Known where at least one of iptables, ip6tables and nft, or Windows Firewall, could be listed."""
        if self._windows:
            return self._read("firewall", parse_firewall)
        parts: list[Fact[bytes]] = [
            self._read(probe, lambda output, _: output) for probe in ("iptables", "ip6tables", "nft")
        ]
        seen = next((part for part in parts if isinstance(part, Known)), None)
        if seen is None:
            return _why(parts[0], "no firewall was listed")
        complete = all(part.complete for part in parts if isinstance(part, Known))
        return Known(Firewall(*(part.or_none() for part in parts)), seen.source, complete)

    @cached_property
    def proxy(self) -> Fact[Proxy]:
        """Known where any layer could be seen."""
        if self._windows:
            return self._read("proxy-layers", parse_layers)
        process = self._read("agent-environ", parse_agent_environ)
        set_in = self._read("proxy-files", parse_proxy_files)
        layers, login, by_path = set_in.or_none() or (None, None, {})
        files_of_unit = self.unit_files.or_none()
        unit = unit_proxy(files_of_unit, by_path) if files_of_unit is not None else None
        if process.or_none() is None and unit is None and layers is None:
            return _why(process, "no layer of proxy settings was seen")
        source = next(f.source for f in (process, self.unit_files, set_in) if isinstance(f, Known))
        return Known(Proxy(process.or_none(), unit, layers, login), source)

    @cached_property
    def imds(self) -> Fact[Imds]:
        machine = self.virtualization.or_none()
        expected = (machine.instance_id if machine else None) or self.evidence.manifest.subject.instance_id
        expected = expected if expected and expected.startswith("i-") else None
        return self._read("imds", lambda output, source: parse_imds(output, source, expected_id=expected))

    @cached_property
    def endpoints(self) -> dict[str, Fact[Endpoint]]:
        """By service: ``ssm``, ``ssmmessages``, ``ec2messages``; every one of them is there."""
        known_hosts, known_resolvers = self.hosts_file.or_none(), self.resolvers.or_none()

        def parse(output: bytes, source: str) -> Endpoint | None:
            return parse_endpoint(output, source, hosts=known_hosts, resolvers=known_resolvers)

        return {name: self._read(f"endpoint-{name}", parse) for name in SERVICES}

    # The resources ---------------------------------------------------------------------------------------

    @cached_property
    def disk(self) -> Fact[Disk]:
        return self._read("disk-space", parse_df)

    @cached_property
    def inodes(self) -> Fact[Disk]:
        return self._read("disk-inodes", parse_df)

    @cached_property
    def mounts(self) -> Fact[Mounts]:
        return self._read("mounts", parse_mounts)

    @cached_property
    def inotify(self) -> Fact[Inotify]:
        return self._read("inotify", parse_inotify)

    @cached_property
    def fds(self) -> Fact[FileLimits]:
        return self._read("fd-limits", parse_file_limits)

    @cached_property
    def memory(self) -> Fact[Memory]:
        return self._read("memory", parse_memory)

    @cached_property
    def oom(self) -> Fact[tuple[OomKill, ...]]:
        return self._read("oom", parse_oom)

    # How -------------------------------------------------------------------------------------------------

    def _read(
        self, probe: str, parse: Callable[[bytes, str], T | None], *, absent: T | None = None
    ) -> Fact[T]:
        """One fact from one probe.  ``absent``: its value where the thing looked for is not there."""
        result = self.evidence.probe(probe)
        source = f"probes/{probe}"
        if result.status is Status.ABSENT and absent is not None:
            return Known(absent, source)
        failed_empty = result.status in (Status.TIMEOUT, Status.ERROR) and not result.output.strip()
        if result.status not in _READABLE or failed_empty:
            return Unknown(_reason(result), source, result.status)
        if self._windows:
            parse = READERS.get(probe, parse)
        value = parse(result.output[:MAX_BYTES], source)
        if value is None:
            return Unknown("the output says nothing that can be read", source, result.status)
        complete = result.status is Status.OK and len(result.output) <= MAX_BYTES
        return Known(value, source, complete)

    def _skews(self) -> list[Skew]:
        """The host's clock less ours, IMDS's and the endpoints'."""
        host_clock = self.clock.or_none()
        ours = self.evidence.manifest.clock
        if host_clock is None or host_clock.utc is None:
            return []
        host = host_clock.utc
        took = max(ours.finished - ours.started, NO_TIME) if ours else COLLECTION
        skews = []
        if ours is not None:
            skews.append(Skew("us", host - ours.started, took, ours.started, host, host_clock.at))
        metadata = self.imds.or_none()
        if metadata is not None and metadata.state is not ImdsState.IMPOSTOR:
            dated = next((a for a in metadata.answers.values() if a.date is not None), None)
            if dated is not None and dated.date is not None:
                skews.append(Skew("imds", host - dated.date, took, dated.date, host, dated.at))
        for name, fact in self.endpoints.items():
            endpoint = fact.or_none()
            for date, at in endpoint.dates[:1] if endpoint is not None else ():
                skews.append(Skew(name, host - date, took, date, host, at))
        return skews


def _reason(result: ProbeResult) -> str:
    return result.note or f"the probe's status is {result.status}"


def _absent(fact: Fact[T]) -> bool:
    return isinstance(fact, Unknown) and fact.status is Status.ABSENT


def _why(fact: Fact[T], otherwise: str) -> Unknown:
    return fact if isinstance(fact, Unknown) else Unknown(otherwise, fact.source)
