"""What each probe looks at, and by which command: the id alone says it only to who knows the tool."""

from __future__ import annotations

from analyzers.text import say
from collector.target import Platform

PROBES = {
    "addresses": say("Interfaces and addresses"),
    "agent-config": say("The agent's configuration"),
    "agent-environ": say("Proxy settings of the agent's processes"),
    "agent-files": say("The agent's files and folders"),
    "agent-logs": say("The agent's log files"),
    "agent-version": say("Version reported by the agent"),
    "clock": say("Clock, time zone, time service, boot"),
    "disk-inodes": say("Free inodes where the agent writes"),
    "disk-space": say("Free space where the agent writes"),
    "endpoint-ec2messages": say("Endpoint ec2messages: name, connection, TLS, answer"),
    "endpoint-ssm": say("Endpoint ssm: name, connection, TLS, answer"),
    "endpoint-ssmmessages": say("Endpoint ssmmessages: name, connection, TLS, answer"),
    "exhibits": say("Output of Windows' own tools, for reference"),
    "fd-limits": say("Open files: limits and use"),
    "firewall": say("Firewall profiles and outbound rules"),
    "hostname": say("Host name"),
    "hosts-file": say("Hosts file"),
    "identity-config": say("The identity that the agent chose"),
    "image-state": say("State of the image (Sysprep)"),
    "imds": say("Instance metadata service, request by request"),
    "inotify": say("inotify limits and their use"),
    "ip6tables": say("IPv6 firewall rules"),
    "iptables": say("Firewall rules that could affect the agent"),
    "journal": say("Journal of the agent and its service"),
    "launch-agents": say("EC2Config and EC2Launch"),
    "memory": say("Memory and load"),
    "mounts": say("Mounts that hold the agent's folders"),
    "neighbours": say("Neighbours (ARP)"),
    "nft": say("nftables rule set"),
    "nsswitch-conf": say("Name service order"),
    "oom": say("Processes killed for lack of memory"),
    "os-release": say("Operating system"),
    "packages": say("Packages that installed the agent"),
    "persistent-routes": say("Persistent routes, in all three stores"),
    "processes": say("The agent's processes"),
    "proxy-files": say("Proxy settings in the host's files and in this login"),
    "proxy-layers": say("Proxy settings in all layers of Windows"),
    "registration": say("Hybrid registration"),
    "resolv-conf": say("Resolver configuration"),
    "roots": say("Root certificates of the endpoints' chain"),
    "route-get": say("The route to the metadata service and to each endpoint"),
    "routes": say("Routes in all tables"),
    "rules": say("Routing rules"),
    "schannel": say("TLS settings of Windows and .NET"),
    "security": say("Security software, and what it denied the agent"),
    "seelog": say("The agent's log settings"),
    "service": say("State of the agent's service"),
    "service-events": say("Windows events about the service"),
    "sockets": say("The agent's connections"),
    "ssm-cli": say("The agent's own checks"),
    "stray-credentials": say("Credentials that could interfere (presence only)"),
    "uname": say("Kernel"),
    "unit": say("Unit file and drop-ins"),
    "update": say("Updates of the agent"),
    "virtualization": say("Machine: vendor, product, container"),
    "whoami": say("The collecting user and its privileges"),
}

COMMANDS = {
    "addresses": "ip addr",
    "agent-config": "/etc/amazon/ssm/amazon-ssm-agent.json",
    "disk-inodes": "df -Pi",
    "disk-space": "df -Pk",
    "hosts-file": "/etc/hosts",
    "identity-config": "/var/lib/amazon/ssm/runtimeconfig/identity_config.json",
    "ip6tables": "ip6tables-save",
    "iptables": "iptables-save",
    "journal": "journalctl -u amazon-ssm-agent",
    "neighbours": "ip neigh",
    "nft": "nft list ruleset",
    "nsswitch-conf": "/etc/nsswitch.conf",
    "os-release": "/etc/os-release",
    "processes": "ps -eo user,pid,ppid,lstart,args",
    "resolv-conf": "/etc/resolv.conf",
    "route-get": "ip route get",
    "routes": "ip route show table all",
    "rules": "ip rule",
    "seelog": "/etc/amazon/ssm/seelog.xml",
    "service": "systemctl show",
    "sockets": "ss -tnp",
    "ssm-cli": "ssm-cli get-diagnostics --output json",
    "uname": "uname -a",
}
"""The command, or the file, whose output a Linux probe gives as it is; on a host that lacks the tool the
probe has another way, which its answer names.  Of the other probes each line tells what it comes from."""


def command_of(probe: str, via: str, platform: Platform | None) -> str:
    """What gave the output of ``probe``, as one would type it; empty where that is not told."""
    command = COMMANDS.get(probe, "") if platform is Platform.LINUX else ""
    return command if via in ("", command.partition(" ")[0]) else via
