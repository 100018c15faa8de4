"""How packets leave the host: routes, addresses, names, firewall."""

from __future__ import annotations

from collector.probes.model import Probe

PROBES = (
    Probe(
        id="routes",
        title="Routes in all tables",
        feeds=("routes",),
        script=r"""
if have ip; then
    VIA=ip
    limit 3 ip route show table all 2>/dev/null | cut_stream
elif [ -r /proc/net/route ]; then
    VIA=/proc/net/route
    cut_file /proc/net/route
else
    absent 'no ip, no /proc/net/route'
fi
""",
    ),
    Probe(
        id="rules",
        title="Routing rules",
        feeds=("routes",),
        script=r"""
have ip || { absent 'no ip'; return; }
limit 3 ip rule 2>&1 | cut_stream
""",
    ),
    Probe(
        id="addresses",
        title="Interfaces and addresses",
        feeds=("addresses",),
        script=r"""
if have ip; then
    VIA=ip
    limit 3 ip addr | cut_stream
elif have ifconfig; then
    VIA=ifconfig
    limit 3 ifconfig -a | cut_stream
elif [ -r /proc/net/fib_trie ]; then
    VIA=/proc/net/fib_trie
    cut_file /proc/net/fib_trie
else
    absent 'no ip, no ifconfig'
fi
""",
    ),
    Probe(
        id="neighbours",
        title="Neighbours (ARP)",
        feeds=("neighbours",),
        script=r"""
if have ip; then
    VIA=ip
    limit 3 ip neigh | cut_stream
elif [ -r /proc/net/arp ]; then
    VIA=/proc/net/arp
    cut_file /proc/net/arp
else
    absent 'no ip, no /proc/net/arp'
fi
""",
    ),
    Probe(
        id="resolv-conf",
        title="Resolver configuration",
        feeds=("dns",),
        rescue=True,
        script="show /etc/resolv.conf\n",
    ),
    Probe(
        id="nsswitch-conf",
        title="Name service order",
        feeds=("dns",),
        rescue=True,
        script="show /etc/nsswitch.conf\n",
    ),
    Probe(id="hosts-file", title="Hosts file", feeds=("dns",), rescue=True, script="show /etc/hosts\n"),
    Probe(
        id="iptables",
        title="Firewall rules that could affect the agent",
        feeds=("firewall",),
        needs_root=True,
        script="firewall_rules iptables-save\n",
    ),
    Probe(
        id="ip6tables",
        title="IPv6 firewall rules",
        feeds=("firewall",),
        needs_root=True,
        script="firewall_rules ip6tables-save\n",
    ),
    Probe(
        id="nft",
        title="nftables rule set",
        feeds=("firewall",),
        needs_root=True,
        script=r"""
have nft || { absent 'no nft'; return; }
in_kernel nf_tables || { absent 'nf_tables is not in use'; return; }
limit 3 nft list ruleset 2>&1 | cut_stream
""",
    ),
    Probe(
        id="sockets",
        title="The agent's connections",
        feeds=("sockets",),
        script=r"""
have ss || { absent 'no ss'; return; }
limit 3 ss -tnp | sed -n -e 1p -e '/amazon-ssm-agen/p' -e '/ssm-/p' | cut_stream
""",
    ),
)
