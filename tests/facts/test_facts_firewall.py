"""The fate of a packet in iptables-save and nft listings."""

# ruff: noqa: E501  real output is as wide as it is

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import pytest

from analyzers.facts.firewall import Fate, Firewall

DATA = Path(__file__).parent / "data"
IMDS = ip_address("169.254.169.254")
ENDPOINT = ip_address("10.77.100.12")
HEAD = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n"


@pytest.mark.parametrize(
    ("case", "target", "port", "fate", "words"),
    [
        # listings of a real kernel: iptables 1.8.9 (nf_tables), Debian 12
        ("imds-dnat-dead-proxy", IMDS, 80, Fate.REDIRECT, "10.77.1.25:8181"),
        ("imds-dnat-dead-proxy", ENDPOINT, 443, Fate.PASS, ""),
        ("imds-local-firewall-reject", IMDS, 80, Fate.REJECT, "skuid 0|--uid-owner 0"),
        ("imds-local-firewall-reject", ENDPOINT, 443, Fate.PASS, ""),
        ("ep-local-firewall-reject", ENDPOINT, 443, Fate.REJECT, "dport 443"),
        ("ep-local-firewall-reject", IMDS, 80, Fate.PASS, ""),
    ],
)
@pytest.mark.parametrize("tool", ["iptables", "nft"])
def test_real_listings(case: str, target: object, port: int, fate: Fate, words: str, tool: str) -> None:
    saved = (DATA / case / "iptables_save.txt").read_bytes()
    listed = (DATA / case / "nft_ruleset.txt").read_bytes()
    firewall = Firewall(iptables=saved) if tool == "iptables" else Firewall(nft=listed)
    judgement = firewall.judge(target, port)  # type: ignore[arg-type]  parametrize knows no types
    assert judgement.fate is fate
    if words:
        assert judgement.at is not None
        assert any(word in judgement.at.text for word in words.split("|"))
        assert judgement.at.source == f"probes/{tool}"


@pytest.mark.parametrize(
    ("rules", "fate"),
    [
        ("", "pass"),
        ("-A OUTPUT -d 169.254.169.254/32 -j DROP", "drop"),
        ("-A OUTPUT -d 169.254.0.0/16 -j DROP", "drop"),
        ("-A OUTPUT -d 10.0.0.0/8 -j DROP", "pass"),
        ("-A OUTPUT ! -d 10.0.0.0/8 -j DROP", "drop"),
        ("-A OUTPUT -p udp -j DROP", "pass"),
        ("-A OUTPUT -p tcp -m tcp --dport 443 -j DROP", "pass"),
        ("-A OUTPUT -p tcp -m multiport --dports 80,443 -j DROP", "drop"),
        ("-A OUTPUT -p tcp -m tcp --dport 1:1024 -j REJECT", "reject"),
        # CIS: only root may ask, or only others
        ("-A OUTPUT -d 169.254.169.254/32 -p tcp -m owner ! --uid-owner 0 -j DROP", "pass"),
        ("-A OUTPUT -d 169.254.169.254/32 -p tcp -m owner ! --uid-owner root -j DROP", "pass"),
        ("-A OUTPUT -d 169.254.169.254/32 -m owner --uid-owner ec2-user -j REJECT --reject-with icmp-port-unreachable", "pass"),
        ("-A OUTPUT -d 169.254.169.254/32 -m owner --uid-owner 0-999 -j DROP", "drop"),
        ("-A OUTPUT -d 169.254.169.254/32 -m owner --uid-owner 1000-65535 -j DROP", "pass"),
        # the first that fits wins
        ("-A OUTPUT -d 169.254.169.254/32 -j ACCEPT\n-A OUTPUT -d 169.254.0.0/16 -j DROP", "pass"),
        ("-A OUTPUT -o lo -j ACCEPT\n-A OUTPUT -j DROP", "drop"),
        ("-A OUTPUT -o eth0 -j ACCEPT\n-A OUTPUT -j DROP", "pass"),
        ("-A OUTPUT -o eth+ -j DROP", "drop"),
        ("-A OUTPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n-A OUTPUT -j REJECT", "reject"),
        ("-A OUTPUT -m state --state NEW -j DROP", "drop"),
        ("-A OUTPUT -m conntrack --ctstate INVALID -j DROP", "pass"),
        # chains of the user's own
        ("-A OUTPUT -j CHECKS\n-A CHECKS -d 169.254.169.254/32 -j DROP", "drop"),
        ("-A OUTPUT -j CHECKS\n-A CHECKS -d 169.254.169.254/32 -j RETURN\n-A CHECKS -j DROP", "pass"),
        ("-A OUTPUT -g CHECKS\n-A OUTPUT -j DROP\n-A CHECKS -p udp -j DROP", "pass"),
        ("-A OUTPUT -j LOG --log-prefix \"out: \"\n-A OUTPUT -j DROP", "drop"),
        ("-A OUTPUT -m comment --comment \"no metadata - here\" -d 169.254.169.254/32 -j DROP", "drop"),
        ("[12:720] -A OUTPUT -d 169.254.169.254/32 -j DROP", "drop"),
        # a blanket block behind a chain of which the listing may lack a rule
        ("-A OUTPUT -j CHECKS\n-A OUTPUT -j DROP", "unknown"),
        ("-A OUTPUT -j CHECKS\n-A CHECKS -j DROP", "unknown"),
        ("-A OUTPUT -j CHECKS\n-A OUTPUT -d 169.254.169.254/32 -j DROP", "drop"),
        # what cannot be judged from here
        ("-A OUTPUT -m set --match-set blocked dst -j DROP", "unknown"),
        ("-A OUTPUT -m limit --limit 5/sec -j ACCEPT\n-A OUTPUT -j DROP", "unknown"),
        ("-A OUTPUT -m set --match-set blocked dst -j LOG\n-A OUTPUT -j ACCEPT", "pass"),
        ("-A OUTPUT -m set --match-set blocked dst -j DROP\n-A OUTPUT -d 169.254.0.0/16 -j DROP", "drop"),
        ("-A OUTPUT -s 10.77.1.25/32 -j DROP", "drop"),
        ("-A OUTPUT -s 10.77.2.0/24 -j DROP", "pass"),
        ("-A OUTPUT -j NFQUEUE --queue-num 1", "unknown"),
        ("-A OUTPUT -j LOOP\n-A LOOP -j LOOP", "unknown"),
    ],
)  # fmt: skip
def test_iptables_rules(rules: str, fate: str) -> None:
    chains = "".join(f":{name} - [0:0]\n" for name in ("CHECKS", "LOOP") if name in rules)
    saved = f"{HEAD}{chains}{rules}\nCOMMIT\n".encode()
    assert judge(Firewall(iptables=saved)) == fate


def judge(firewall: Firewall) -> str:
    return str(firewall.judge(IMDS, 80, device="eth0", sources=(ip_address("10.77.1.25"),)).fate)


def test_a_chains_policy() -> None:
    saved = b"*filter\n:OUTPUT DROP [0:0]\n-A OUTPUT -p tcp -m tcp --dport 443 -j ACCEPT\nCOMMIT\n"
    judgement = Firewall(iptables=saved).judge(IMDS, 80)
    assert judgement.fate is Fate.DROP
    assert judgement.at is not None
    assert judgement.at.text == ":OUTPUT DROP [0:0]"
    assert Firewall(iptables=saved).judge(ENDPOINT, 443).fate is Fate.PASS


def test_redirect_to_a_local_proxy() -> None:
    # kube2iam and kiam do this; the rule is of their documentation's form
    saved = b"*nat\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -d 169.254.169.254/32 -p tcp -m tcp --dport 80 -j REDIRECT --to-ports 8181\nCOMMIT\n"
    judgement = Firewall(iptables=saved).judge(IMDS, 80)
    assert (judgement.fate, judgement.target) == (Fate.REDIRECT, "8181")


NFT = "table inet filter {\n\tchain output {\n\t\ttype filter hook output priority filter; policy %s;\n\t\t%s\n\t}\n\tchain other {\n\t\tip daddr 169.254.169.254 drop\n\t}\n}\n"


@pytest.mark.parametrize(
    ("policy", "rule", "fate"),
    [
        ("accept", "", "pass"),
        ("drop", "", "drop"),
        ("drop", "ct state established,related accept", "drop"),
        ("drop", "ct state { established, new } accept", "pass"),
        ("accept", "ip daddr 169.254.169.254 tcp dport 80 counter packets 1 bytes 60 drop", "drop"),
        (
            "accept",
            "ip daddr { 10.0.0.1, 169.254.169.254 } tcp dport { 80, 443 } reject with tcp reset",
            "reject",
        ),
        ("accept", "ip daddr != 10.0.0.0/8 drop", "drop"),
        ("accept", "ip daddr 169.254.169.254 meta skuid != 0 drop", "pass"),
        ("accept", 'ip daddr 169.254.169.254 skuid "root" drop', "drop"),
        ("accept", "ip6 daddr fd00:ec2::254 drop", "pass"),
        ("accept", "udp dport 53 drop", "pass"),
        ("accept", 'oifname "eth0" drop', "drop"),
        ("accept", 'oifname != "eth*" drop', "pass"),
        ("accept", 'meta l4proto tcp log prefix "x" level info drop', "drop"),
        ("accept", "jump other", "drop"),
        ("accept", "tcp dport 80 redirect to :8080", "redirect"),
        ("accept", "ip daddr 169.254.169.254 dnat ip to 127.0.0.1:8181", "redirect"),
        ("accept", "limit rate 5/second drop", "unknown"),
        ("accept", "numgen random mod 2 0 accept", "pass"),
        ("accept", 'ip daddr 169.254.169.254 counter drop comment "CIS 3.4"', "drop"),
        ("accept", "ip daddr 169.254.169.254 return\n\t\tdrop", "pass"),
    ],
)
def test_nft_rules(policy: str, rule: str, fate: str) -> None:
    assert judge(Firewall(nft=(NFT % (policy, rule)).encode())) == fate


def test_a_named_set() -> None:
    text = "table ip t {\n\tset blocked {\n\t\ttype ipv4_addr\n\t\telements = { 10.0.0.1, 169.254.169.254 }\n\t}\n\tchain o {\n\t\ttype filter hook output priority 0; policy accept;\n\t\tip daddr @blocked drop\n\t}\n}\n"
    assert judge(Firewall(nft=text.encode())) == "drop"


def test_nothing_seen_is_said() -> None:
    assert not Firewall().seen
