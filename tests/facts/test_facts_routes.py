"""Routes, rules and what is reckoned from them, on output as the tools print it."""

# ruff: noqa: E501  real output is as wide as it is

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from analyzers.facts.addresses import parse_addresses, parse_neighbours
from analyzers.facts.routes import (
    Route,
    RouteKind,
    RouteOutcome,
    parse_route_answers,
    parse_routes,
    parse_rules,
)
from analyzers.facts.routing import IMDS, Routing

ETH0 = b"""\
1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000
    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00
    inet 127.0.0.1/8 scope host lo
2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 9001 qdisc mq state UP group default qlen 1000
    link/ether 0a:11:22:33:44:55 brd ff:ff:ff:ff:ff:ff
    inet 10.77.1.25/24 brd 10.77.1.255 scope global dynamic eth0
       valid_lft 2880sec preferred_lft 2880sec
    inet6 fe80::811:22ff:fe33:4455/64 scope link
3: docker0: <NO-CARRIER,BROADCAST,MULTICAST,UP> mtu 1500 qdisc noqueue state DOWN group default
    link/ether 02:42:ac:11:00:01 brd ff:ff:ff:ff:ff:ff
    inet 172.17.0.1/16 brd 172.17.255.255 scope global docker0
"""
BASE = (
    "default via 10.77.1.1 dev eth0 proto dhcp src 10.77.1.25 metric 100\n10.77.1.0/24 dev eth0 scope link\n"
)


def one(text: str) -> Route:
    (route,) = parse_routes(text.encode())
    return route


def routing(routes: str, rules: str = "", addresses: bytes = ETH0) -> Routing:
    return Routing(parse_routes(routes.encode()), parse_rules(rules.encode()), parse_addresses(addresses))


@pytest.mark.parametrize(
    ("text", "kind", "destination", "gateway", "device", "table", "metric"),
    [
        # Amazon Linux 2023, systemd-networkd
        ("default via 10.0.16.1 dev ens5 proto dhcp src 10.0.16.7 metric 512 ", "unicast", "0.0.0.0/0", "10.0.16.1", "ens5", "main", 512),
        # Amazon Linux 2, dhclient; ec2-net-utils' table for a second interface
        ("default via 10.0.0.1 dev eth0", "unicast", "0.0.0.0/0", "10.0.0.1", "eth0", "main", 0),
        ("169.254.169.254 dev eth0", "unicast", "169.254.169.254/32", None, "eth0", "main", 0),
        ("default via 10.0.1.1 dev eth1 table 10001 metric 10001", "unicast", "0.0.0.0/0", "10.0.1.1", "eth1", "10001", 10001),
        # RHEL 7 zeroconf
        ("169.254.0.0/16 dev eth0 scope link metric 1002 ", "unicast", "169.254.0.0/16", None, "eth0", "main", 1002),
        # iproute2 6.1
        ("blackhole 169.254.169.254 ", "blackhole", "169.254.169.254/32", None, None, "main", 0),
        ("unreachable 169.254.169.254 metric 5", "unreachable", "169.254.169.254/32", None, None, "main", 5),
        ("prohibit 169.254.0.0/16 table 100", "prohibit", "169.254.0.0/16", None, None, "100", 0),
        ("throw 10.0.0.0/8 table vpn", "throw", "10.0.0.0/8", None, None, "vpn", 0),
        ("local 10.77.1.25 dev eth0 table local proto kernel scope host src 10.77.1.25 ", "local", "10.77.1.25/32", None, "eth0", "local", 0),
        ("broadcast 10.77.1.255 dev eth0 table 255 proto kernel scope link", "broadcast", "10.77.1.255/32", None, "eth0", "local", 0),
        ("multicast ff00::/8 dev eth0 table local proto kernel metric 256 pref medium", "multicast", "ff00::/8", None, "eth0", "local", 256),
        ("fe80::/64 dev eth0 proto kernel metric 256 pref medium", "unicast", "fe80::/64", None, "eth0", "main", 256),
        ("default via fe80::1 dev eth0 proto ra metric 512 expires 1796sec pref medium", "unicast", "::/0", "fe80::1", "eth0", "main", 512),
        ("unreachable default dev lo table unspec proto kernel metric 4294967295 error -101 pref medium", "unreachable", "::/0", None, "lo", "unspec", 4294967295),
        ("default via inet6 fe80::1 dev eth0", "unicast", "0.0.0.0/0", "fe80::1", "eth0", "main", 0),
        ("169.254.169.254 via 172.31.48.1 dev eth0 onlink ", "unicast", "169.254.169.254/32", "172.31.48.1", "eth0", "main", 0),
        ("172.17.0.0/16 dev docker0 proto kernel scope link src 172.17.0.1 linkdown ", "unicast", "172.17.0.0/16", None, "docker0", "main", 0),
        # Alpine, busybox ip: two blanks after "link"
        ("10.77.1.0/24 dev eth0 scope link  src 10.77.1.25 ", "unicast", "10.77.1.0/24", None, "eth0", "main", 0),
        ("default via 10.77.1.1 dev eth0  metric 202 ", "unicast", "0.0.0.0/0", "10.77.1.1", "eth0", "main", 202),
        # iproute2 of the 2.4 days
        ("10/8 via 10.0.0.1 dev eth0", "unicast", "10.0.0.0/8", "10.0.0.1", "eth0", "main", 0),
    ],
)  # fmt: skip
def test_a_route_of_ip(
    text: str, kind: str, destination: str, gateway: str | None, device: str | None, table: str, metric: int
) -> None:
    route = one(text)
    assert route.kind == kind
    assert route.destination == ip_network(destination)
    assert route.gateway == (ip_address(gateway) if gateway else None)
    assert (route.device, route.table, route.metric) == (device, table, metric)
    assert (route.at.source, route.at.number, route.at.text) == ("probes/routes", 1, text)


@pytest.mark.parametrize(
    ("word", "field"), [("onlink", "onlink"), ("linkdown", "linkdown"), ("dead", "dead")]
)
def test_flags_of_a_route(word: str, field: str) -> None:
    assert getattr(one(f"10.1.0.0/16 via 10.0.0.1 dev eth0 {word} "), field)


def test_a_route_with_several_next_hops() -> None:
    route = one(
        "default proto static metric 5 \n\tnexthop via 10.0.0.1 dev eth0 weight 1 \n\tnexthop via 10.0.1.1 dev eth1 weight 3 \n"
    )
    assert [str(g) for g in route.gateways] == ["10.0.0.1", "10.0.1.1"]
    assert route.devices == ("eth0", "eth1")
    assert route.nexthops[1].weight == 3


def test_a_default_behind_ipv6_routes_is_ipv6() -> None:
    routes = parse_routes(
        b"default via 10.0.0.1 dev eth0\n2001:db8::/64 dev eth0 metric 256\ndefault dev eth0 metric 1024\n"
    )
    assert [r.destination.version for r in routes] == [4, 6, 6]


PROC = b"""\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t01014D0A\t0003\t0\t0\t100\t00000000\t0\t0\t0
eth0\t00014D0A\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
*\tFEA9FEA9\t00000000\t0205\t0\t0\t0\tFFFFFFFF\t0\t0\t0
*\tFDA9FEA9\t00000000\t0005\t0\t0\t0\tFFFFFFFF\t0\t0\t0
"""


def test_proc_net_route() -> None:
    default, subnet, reject, blackhole = parse_routes(PROC)
    assert default.is_default
    assert (default.gateway, default.device, default.metric) == (ip_address("10.77.1.1"), "eth0", 100)
    assert (subnet.destination, subnet.gateway, subnet.scope) == (ip_network("10.77.1.0/24"), None, "link")
    assert (reject.kind, reject.destination) == (RouteKind.UNREACHABLE, ip_network("169.254.169.254/32"))
    assert blackhole.kind is RouteKind.BLACKHOLE


def test_route_n() -> None:
    text = b"""\
Kernel IP routing table
Destination     Gateway         Genmask         Flags Metric Ref    Use Iface
0.0.0.0         10.77.1.1       0.0.0.0         UG    512    0        0 eth0
10.77.1.0       0.0.0.0         255.255.255.0   U     512    0        0 eth0
169.254.169.254 -               255.255.255.255 !H    0      -        0 -
"""
    default, subnet, reject = parse_routes(text)
    assert default.gateway == ip_address("10.77.1.1")
    assert (subnet.gateway, subnet.scope) == (None, "link")
    assert (reject.kind, reject.device) == (RouteKind.UNREACHABLE, None)


@pytest.mark.parametrize(
    ("rules", "routes", "outcome", "gateway"),
    [
        ("", BASE, "forward", "10.77.1.1"),
        ("", "10.77.1.0/24 dev eth0 scope link\n", "no-route", None),
        ("", BASE + "blackhole 169.254.169.254\n", "blackhole", None),
        ("", BASE + "prohibit 169.254.0.0/16\n", "prohibit", None),
        ("", BASE + "169.254.169.254 via 10.77.1.99 dev eth0\n169.254.0.0/16 dev docker0\n", "forward", "10.77.1.99"),
        ("", BASE + "169.254.169.254 via 10.77.1.7 dev eth0 metric 10\n169.254.169.254 via 10.77.1.8 dev eth0 metric 5\n", "forward", "10.77.1.8"),
        ("", BASE + "local 169.254.169.254 dev lo table local\n", "local", None),
        ("", BASE + "unreachable 169.254.169.254 dead\n", "forward", "10.77.1.1"),
        # a rule before main
        ("0:\tfrom all lookup local\n99:\tfrom all to 169.254.169.254 lookup 99\n32766:\tfrom all lookup main\n", BASE + "169.254.169.254 via 10.77.1.66 dev eth0 table 99\n", "forward", "10.77.1.66"),
        ("99:\tfrom all to 169.254.169.254 unreachable\n32766:\tfrom all lookup main\n", BASE, "unreachable", None),
        ("99:\tfrom all to 169.254.169.254 blackhole\n32766:\tfrom all lookup main\n", BASE, "blackhole", None),
        # throw sends the search on; so does a table without a match
        ("99:\tfrom all lookup 99\n32766:\tfrom all lookup main\n", BASE + "throw 169.254.0.0/16 table 99\ndefault via 10.9.9.9 dev tun0 table 99\n", "forward", "10.77.1.1"),
        # WireGuard: wg-quick's rules
        ("32764:\tfrom all lookup main suppress_prefixlength 0\n32765:\tnot from all fwmark 0xca6c lookup 51820\n32766:\tfrom all lookup main\n", BASE + "default dev wg0 table 51820 scope link\n", "forward", None),
        # of the source only once the first look has chosen one
        ("100:\tfrom 10.77.1.25 lookup 100\n32766:\tfrom all lookup main\n", BASE + "default via 10.77.1.3 dev eth0 table 100\n", "forward", "10.77.1.3"),
        ("100:\tfrom 10.99.0.0/16 lookup 100\n32766:\tfrom all lookup main\n", BASE + "default via 10.77.1.3 dev eth0 table 100\n", "forward", "10.77.1.1"),
        # marks, interfaces and users
        ("100:\tfrom all fwmark 0x80000/0xff0000 lookup 100\n32766:\tfrom all lookup main\n", BASE + "default via 10.77.1.3 dev eth0 table 100\n", "forward", "10.77.1.1"),
        ("100:\tfrom all iif eth1 lookup 100\n32766:\tfrom all lookup main\n", BASE + "default via 10.77.1.3 dev eth0 table 100\n", "forward", "10.77.1.1"),
        ("100:\tfrom all uidrange 0-0 lookup 100\n32766:\tfrom all lookup main\n", BASE + "default via 10.77.1.3 dev eth0 table 100\n", "forward", "10.77.1.3"),
        ("100:\tfrom all uidrange 1000-2000 lookup 100\n32766:\tfrom all lookup main\n", BASE + "default via 10.77.1.3 dev eth0 table 100\n", "forward", "10.77.1.1"),
        ("1:\tfrom all goto 32766\n100:\tfrom all blackhole\n32766:\tfrom all lookup main\n", BASE, "forward", "10.77.1.1"),
    ],
)  # fmt: skip
def test_the_effective_route(rules: str, routes: str, outcome: str, gateway: str | None) -> None:
    found = routing(routes, rules).lookup(IMDS)
    assert found.outcome == outcome
    assert [str(g) for g in (found.route.gateways if found.route else ())] == ([gateway] if gateway else [])
    assert found.sure


def test_a_selector_that_nobody_can_judge_from_here_is_said() -> None:
    rules = "100:\tfrom all dport 80 lookup 100\n32766:\tfrom all lookup main\n"
    assert not routing(BASE, rules).lookup(IMDS).sure


def test_what_the_path_to_imds_should_be() -> None:
    wrong = routing(BASE + "169.254.169.254 via 172.31.48.1 dev eth0 onlink\n")
    stale = wrong.lookup(IMDS).route
    assert stale is not None
    assert wrong.gateway_outside(stale) == ip_address("172.31.48.1")
    assert wrong.gateway_outside(wrong.default_routes()[0]) is None
    assert wrong.expected_gateway == wrong.vpc_router == ip_address("10.77.1.1")
    assert wrong.primary_device == "eth0"
    assert ip_network("172.17.0.0/16") in wrong.connected
    assert routing("10.77.1.0/24 dev eth0 scope link\n").expected_gateway == ip_address("10.77.1.1")


def test_a_vpn_default_route_is_not_the_way_to_imds() -> None:
    found = routing("default via 10.8.0.1 dev tun0\ndefault via 10.77.1.2 dev eth0 metric 100\n")
    assert found.expected_gateway == ip_address("10.77.1.2")


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("RTNETLINK answers: Network is unreachable", "no-route"),
        ("RTNETLINK answers: No route to host", "unreachable"),
        ("RTNETLINK answers: Permission denied", "prohibit"),
        ("RTNETLINK answers: Invalid argument", "blackhole"),
        ("ip: RTNETLINK answers: Network unreachable", "no-route"),  # busybox with musl
        ("169.254.169.254 via 10.77.1.1 dev eth0 src 10.77.1.25 uid 0 \n    cache ", "forward"),
        ("169.254.169.254 dev eth0  src 10.77.1.25 ", "forward"),
        ("local 169.254.169.254 dev lo src 169.254.169.254 uid 0 \n    cache <local> ", "local"),
        ("unreachable 169.254.169.254 dev lo table unspec error -101", "no-route"),
        ("sh: ip: not found", None),
    ],
)
def test_the_kernels_answer(text: str, outcome: str | None) -> None:
    (answer,) = parse_route_answers(f"# 169.254.169.254\n{text}\n".encode())
    assert (answer.service, answer.outcome) == ("imds", outcome)


def test_our_reckoning_is_compared_with_the_kernels() -> None:
    answers = parse_route_answers(
        b"# 169.254.169.254\n169.254.169.254 via 10.77.1.1 dev eth0 src 10.77.1.25 uid 0 \n"
    )
    same = Routing(parse_routes(BASE.encode()), answers=answers)
    other = Routing(parse_routes(b"default via 10.77.1.3 dev eth0\n"), answers=answers)
    assert same.agrees(IMDS) is True
    assert other.agrees(IMDS) is False
    assert Routing(()).agrees(IMDS) is None


def test_addresses_of_ip() -> None:
    found = parse_addresses(ETH0)
    assert found is not None
    lo, eth0, docker0 = found.interfaces
    assert lo.loopback
    assert (eth0.index, eth0.mac, eth0.mtu, eth0.up, eth0.carrier) == (
        2,
        "0a:11:22:33:44:55",
        9001,
        True,
        True,
    )
    assert [str(a.interface) for a in eth0.addresses] == ["10.77.1.25/24", "fe80::811:22ff:fe33:4455/64"]
    assert (docker0.carrier, docker0.virtual, eth0.virtual) == (False, True, False)
    owner = found.owner(ip_address("10.77.1.25"))
    assert owner is not None
    assert owner.name == "eth0"


@pytest.mark.parametrize(
    "text",
    [
        # net-tools 2.10 (RHEL, Debian)
        "eth0: flags=4163<UP,BROADCAST,RUNNING,MULTICAST>  mtu 9001\n        inet 10.77.1.25  netmask 255.255.255.0  broadcast 10.77.1.255\n        ether 0a:11:22:33:44:55  txqueuelen 1000  (Ethernet)\n",
        # busybox
        "eth0      Link encap:Ethernet  HWaddr 0A:11:22:33:44:55\n          inet addr:10.77.1.25  Bcast:10.77.1.255  Mask:255.255.255.0\n          UP BROADCAST RUNNING MULTICAST  MTU:9001  Metric:1\n",
    ],
)  # fmt: skip
def test_addresses_of_ifconfig(text: str) -> None:
    found = parse_addresses(text.encode())
    assert found is not None
    (eth0,) = found.interfaces
    assert (eth0.name, eth0.mac, eth0.mtu, eth0.up) == ("eth0", "0a:11:22:33:44:55", 9001, True)
    assert str(eth0.addresses[0].interface) == "10.77.1.25/24"


def test_neighbours() -> None:
    good, dead = parse_neighbours(
        b"10.77.1.1 dev eth0 lladdr 0a:ff:ee:dd:cc:01 REACHABLE\n10.77.1.99 dev eth0  FAILED\n"
    )
    assert (good.mac, good.dead, dead.dead, dead.device) == ("0a:ff:ee:dd:cc:01", False, True, "eth0")
    arp = parse_neighbours(
        b"IP address       HW type     Flags       HW address            Mask     Device\n"
        b"10.77.1.1        0x1         0x2         0a:ff:ee:dd:cc:01     *        eth0\n"
        b"10.77.1.99       0x1         0x0         00:00:00:00:00:00     *        eth0\n"
    )
    assert [(n.device, n.dead) for n in arp] == [("eth0", False), ("eth0", True)]
    assert parse_addresses(b"Main:\n  +-- 0.0.0.0/0 3 0 5\n") is None
    assert Routing((), neighbours=(good, dead)).neighbour(ip_address("10.77.1.99")) is dead


def test_outcomes_are_named_as_in_the_contract() -> None:
    assert RouteOutcome("no-route") is RouteOutcome.NO_ROUTE
