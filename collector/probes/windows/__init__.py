"""Everything that is looked at on a Windows host, in the order in which it is asked.

Where a fact has one form on every platform (records, raw files: docs/evidence.md) the output is in that form;
what Windows keeps as objects comes as one JSON object per line, each with a ``kind`` and its fields by name.
Numbers, enumerations and values only: no text that Windows translates.
"""

from __future__ import annotations

from collector.probes.model import Lane, Probe
from collector.target import Platform


def _probe(
    id: str,  # noqa: A002  the field's own name
    title: str,
    call: str,
    *feeds: str,
    lane: Lane = Lane.LOCAL,
    timeout_s: int = 15,
    max_bytes: int = 131_072,
) -> Probe:
    return Probe(id, title, call, Platform.WINDOWS, lane, feeds, False, timeout_s, max_bytes)


WINDOWS: tuple[Probe, ...] = (
    _probe("clock", "Clock, zone, boot, time service", "ProbeClock", "clock"),
    _probe("whoami", "As whom we look, and in which language mode", "ProbeWhoami", "whoami"),
    _probe("hostname", "Name of the machine", "ProbeHostname", "hostname"),
    _probe("os-release", "Edition, build and languages of Windows", "ProbeOs", "os"),
    _probe("virtualization", "Machine, by its firmware", "ProbeVirtualization", "virtualization"),
    _probe("image-state", "Sysprep: the state of the image", "ProbeImageState", "windows"),
    _probe("packages", "Installations of the agent", "ProbePackages", "packages"),
    _probe("agent-version", "Version of the agent's program", "ProbeAgentVersion", "agent_version"),
    _probe("agent-files", "The agent's folders", "ProbeAgentFiles", "windows"),
    _probe("service", "The agent's service, its account, its failure actions", "ProbeService", "service"),
    _probe(
        "service-events",
        "What the service control manager logged of it",
        "ProbeServiceEvents",
        "windows",
        timeout_s=25,
    ),
    _probe("processes", "The agent's processes", "ProbeProcesses", "processes"),
    _probe("routes", "Routes in force", "ProbeRoutes", "routes", timeout_s=20),
    _probe(
        "persistent-routes", "Routes that are kept, in all three places", "ProbePersistentRoutes", "windows"
    ),
    _probe(
        "route-get",
        "The way to each link-local service, as Windows finds it",
        "ProbeFoundRoutes",
        "route_answers",
    ),
    _probe("addresses", "Adapters, addresses, metrics", "ProbeAddresses", "addresses", timeout_s=20),
    _probe("neighbours", "Neighbours (ARP)", "ProbeNeighbours", "neighbours"),
    _probe("resolv-conf", "Name servers, search list, NRPT", "ProbeResolvers", "resolvers"),
    _probe("hosts-file", "The hosts file", "ProbeHostsFile", "hosts_file"),
    _probe("firewall", "Firewall profiles and outbound rules that matter", "ProbeFirewall", "windows"),
    _probe("proxy-layers", "The five layers of proxy settings, and the login's", "ProbeProxy", "proxy"),
    _probe("agent-config", "amazon-ssm-agent.json", "ProbeAgentConfig", "agent_config"),
    _probe("seelog", "seelog.xml", "ProbeSeelog", "seelog"),
    _probe("identity-config", "The identity that the agent kept", "ProbeIdentityConfig", "identity_config"),
    _probe(
        "registration", "Hybrid registration; of the vault only names", "ProbeRegistration", "registration"
    ),
    _probe(
        "stray-credentials",
        "Credentials that lie about, by name only",
        "ProbeStrayCredentials",
        "credentials",
    ),
    _probe("update", "The agent's updates", "ProbeUpdate", "update"),
    _probe("launch-agents", "EC2Config, EC2Launch: versions and log lines", "ProbeLaunchAgents", "windows"),
    _probe("schannel", "TLS settings of Windows and .NET", "ProbeSchannel", "windows"),
    _probe("roots", "Root certificates of the endpoints' chain", "ProbeRoots", "windows"),
    _probe("security", "Security software", "ProbeSecurity", "security"),
    _probe("disk-space", "Free space", "ProbeDisk", "disk"),
    _probe("memory", "Memory", "ProbeMemory", "memory"),
    _probe("sockets", "The agent's connections", "ProbeSockets", "sockets"),
    _probe("exhibits", "route print, ipconfig /all, netsh: for human eyes only", "ProbeExhibits"),
    _probe(
        "imds",
        "Instance metadata service, stage by stage",
        "ProbeImds",
        "imds",
        lane=Lane.NETWORK,
        timeout_s=30,
    ),
    *(
        _probe(
            f"endpoint-{name}",
            f"{name}: name, connection, TLS, answer",
            f"ProbeEndpoint '{name}'",
            "endpoints",
            lane=Lane.NETWORK,
            timeout_s=45,
        )
        for name in ("ssm", "ssmmessages", "ec2messages")
    ),
    _probe("agent-logs", "The agent's logs", "", lane=Lane.LOG),
)

POWERSHELL_FILES = ("library", "system", "network", "agent", "proxy", "http", "logs")
"""What the probes are made of, in ``powershell/*.ps1``; ``main`` closes the script."""
