"""Objects of Windows, read into the facts that every host has.

The cases are made by us, after the properties and numbers that Microsoft documents for these classes
(MSFT_NetRoute, MSFT_NetAdapter, MSFT_NetNeighbor, Win32_IP4RouteTable, Win32_Service,
SERVICE_FAILURE_ACTIONS, MIB_TCP_STATE) and, for ``PersistentRoutes`` and the rules of the firewall, after
their form in the registry.  None was captured from a live host.
"""

from __future__ import annotations

import json
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analyzers.facts import Facts, Known, Unknown
from analyzers.facts.routes import RouteKind, RouteOutcome
from analyzers.facts.service import ServiceState
from analyzers.facts.windows.firewall import parse_firewall
from analyzers.facts.windows.host import parse_image_state, parse_launch_agents
from analyzers.facts.windows.network import (
    parse_addresses,
    parse_kept_routes,
    parse_neighbours,
    parse_resolvers,
    parse_routes,
    parse_sockets,
    parse_ways,
)
from analyzers.facts.windows.proxy import parse_layers, server_for
from analyzers.facts.windows.service import (
    parse_events,
    parse_processes,
    parse_service,
    restarts_on_failure,
)
from collector.evidence import ProbeResult, Status, Subject
from collector.evidence.memory import evidence_of
from collector.probes.windows import WINDOWS
from collector.target import Platform

IMDS = IPv4Address("169.254.169.254")


def lines(*objects: dict[str, Any]) -> bytes:
    return "".join(json.dumps(one) + "\n" for one in objects).encode()


def route(**more: Any) -> dict[str, Any]:
    plain = {
        "kind": "route",
        "store": "active",
        "prefix": "169.254.169.254/32",
        "next_hop": "172.31.48.1",
        "if_index": 5,
        "if_alias": "Ethernet",
        "metric": 30,
        "if_metric": 15,
        "protocol": 3,
        "state": 0,
    }
    return {**plain, **more}


# Routes --------------------------------------------------------------------------------------------------


def test_a_route_in_force() -> None:
    (found,) = parse_routes(lines(route()))
    assert found.destination == IPv4Network("169.254.169.254/32")
    assert found.gateway == IPv4Address("172.31.48.1")
    assert (found.device, found.metric, found.table, found.kind) == (
        "Ethernet",
        45,
        "main",
        RouteKind.UNICAST,
    )
    assert found.at.number == 1
    assert "next_hop: 172.31.48.1" in found.at.text


def test_metrics_are_added() -> None:
    """Windows compares the sum of the route's and its interface's metric."""
    first, second = parse_routes(lines(route(metric=1, if_metric=75), route(metric=30, if_metric=15)))
    assert second.metric < first.metric


def test_the_classic_class_has_the_sum_already_and_a_mask() -> None:
    classic = {
        "kind": "route",
        "store": "active",
        "prefix": "10.0.16.0/255.255.240.0",
        "next_hop": "0.0.0.0",
        "if_index": 5,
        "metric": 271,
        "protocol": 2,
        "type": 3,
    }
    (found,) = parse_routes(lines(classic))
    assert (found.destination, found.gateway, found.metric) == (IPv4Network("10.0.16.0/20"), None, 271)
    assert (found.device, found.scope) == ("#5", "link")


@pytest.mark.parametrize(
    ("prefix", "kind"),
    [
        ("224.0.0.0/4", RouteKind.MULTICAST),
        ("255.255.255.255/32", RouteKind.BROADCAST),
        ("::/0", RouteKind.UNICAST),
    ],
)
def test_kinds(prefix: str, kind: RouteKind) -> None:
    (found,) = parse_routes(lines(route(prefix=prefix, next_hop="::" if ":" in prefix else "0.0.0.0")))
    assert (found.kind, found.gateway) == (kind, None)


def test_kept_routes_of_three_places() -> None:
    found = parse_kept_routes(
        lines(
            route(store="persistent"),
            {
                "kind": "route",
                "store": "persisted",
                "prefix": "169.254.169.250/255.255.255.255",
                "next_hop": "172.31.48.1",
                "metric": 1,
            },
            {"kind": "value", "store": "registry", "value": "169.254.169.251,255.255.255.255,172.31.48.1,-1"},
            {"kind": "value", "store": "registry", "value": "nonsense"},
            {"kind": "looked", "cmdlet": True, "registry": True},
        )
    )
    assert [(k.store, str(k.destination)) for k in found] == [
        ("persistent", "169.254.169.254/32"),
        ("persisted", "169.254.169.250/32"),
        ("registry", "169.254.169.251/32"),
    ]
    assert {str(k.gateway) for k in found} == {"172.31.48.1"}
    assert found[0].index == 5


def test_ways() -> None:
    found = parse_ways(
        lines(
            {
                "kind": "way",
                "target": str(IMDS),
                "prefix": "169.254.169.254/32",
                "next_hop": "172.31.48.1",
                "if_index": 5,
                "if_alias": "이더넷",
                "source": "10.0.20.37",
            },
            {"kind": "way", "target": "169.254.169.250", "error": "NetworkUnreachable"},
        )
    )
    assert (found[0].outcome, found[0].service, found[0].device) == (RouteOutcome.FORWARD, "imds", "이더넷")
    assert (found[1].outcome, found[1].error) == (None, "NetworkUnreachable")


# Adapters ------------------------------------------------------------------------------------------------


def test_adapters_and_addresses() -> None:
    found = parse_addresses(
        lines(
            {
                "kind": "adapter",
                "if_index": 5,
                "name": "イーサネット",
                "description": "Amazon Elastic Network Adapter",
                "mac": "0A-1B-2C-3D-4E-5F",
                "status": 1,
                "mtu": 9001,
            },
            {
                "kind": "adapter",
                "if_index": 9,
                "name": "VPN",
                "description": "TAP-Windows Adapter V9",
                "status": 2,
            },
            {"kind": "address", "if_index": 5, "if_alias": "x", "address": "10.0.20.37", "prefix_length": 20},
            {"kind": "address", "if_index": 5, "address": "fe80::1%5", "prefix_length": 64},
            {
                "kind": "address",
                "if_index": 1,
                "if_alias": "Loopback Pseudo-Interface 1",
                "address": "127.0.0.1",
                "prefix_length": 8,
            },
            {"kind": "address", "if_index": 5, "address": "10.0.20.38", "mask": "255.255.240.0"},
        )
    )
    assert found is not None
    first, tap, loop = found.interfaces
    assert (first.name, first.index, first.mac, first.up) == ("イーサネット", 5, "0a:1b:2c:3d:4e:5f", True)
    assert [str(a.interface) for a in first.addresses] == ["10.0.20.37/20", "fe80::1/64", "10.0.20.38/20"]
    assert (tap.up, tap.virtual) == (False, True)
    assert loop.loopback
    assert parse_addresses(b"") is None


def test_neighbours_servers_and_sockets() -> None:
    (found,) = parse_neighbours(
        lines({"kind": "neighbour", "address": "10.0.16.1", "if_index": 5, "state": 0})
    )
    assert (found.device, found.dead) == ("#5", True)
    servers = parse_resolvers(
        lines(
            {"kind": "servers", "if_index": 5, "servers": ["10.0.0.2", "fec0:0:0:ffff::1"]},
            {"kind": "search", "list": "corp.example, example", "domain": ""},
        )
    )
    assert [str(s.address) for s in servers.nameservers] == ["10.0.0.2"]
    assert servers.search == ("corp.example", "example")
    (held,) = parse_sockets(
        lines(
            {"kind": "socket", "process": "ssm-agent-worker.exe", "pid": 7, "peer": "10.0.30.13", "state": 5}
        )
    ).sockets
    assert (held.process, held.established) == ("ssm-agent-worker", True)


# The service ---------------------------------------------------------------------------------------------

SERVICE = {
    "kind": "service",
    "name": "AmazonSSMAgent",
    "exists": True,
    "account": "LocalSystem",
    "start_mode": "Auto",
}


@pytest.mark.parametrize(
    ("more", "state"),
    [
        ({"state": "Running"}, ServiceState.RUNNING),
        ({"state": "Start Pending"}, ServiceState.STARTING),
        ({"state": "Stopped", "exit_code": 0}, ServiceState.STOPPED),
        ({"state": "Stopped", "exit_code": 1077}, ServiceState.STOPPED),
        ({"state": "Stopped", "exit_code": 1053}, ServiceState.FAILED),
        ({"state": "Stopped", "start_mode": "Disabled"}, ServiceState.DISABLED),
        ({"exists": False}, ServiceState.ABSENT),
        ({"state": "Wird beendet"}, ServiceState.UNKNOWN),
    ],
)
def test_states(more: dict[str, Any], state: ServiceState) -> None:
    found = parse_service(
        lines({**SERVICE, **more}, {"kind": "service", "name": "W32Time", "state": "Running"})
    )
    assert [unit.state for unit in found.units] == [state]


def test_the_account() -> None:
    (plain,) = parse_service(lines({**SERVICE, "state": "Running"})).units
    (other,) = parse_service(lines({**SERVICE, "state": "Running", "account": ".\\ssm"})).units
    assert (plain.user, other.user) == ("", ".\\ssm")


@pytest.mark.parametrize(
    ("actions", "restarts"),
    [
        ("", None),
        ("zz", None),
        ("80-51-01-00", None),
        ("80-51-01-00-00-00-00-00-00-00-00-00-01-00-00-00-14-00-00-00-01-00-00-00-30-75-00-00", True),
        ("80-51-01-00-00-00-00-00-00-00-00-00-01-00-00-00-14-00-00-00-00-00-00-00-00-00-00-00", False),
    ],
)
def test_failure_actions(actions: str, restarts: bool | None) -> None:
    assert restarts_on_failure(actions) is restarts


def test_processes_and_events() -> None:
    found = parse_processes(lines({"kind": "process", "pid": 4, "parent": 1, "name": "amazon-ssm-agent.exe"}))
    assert [p.pid for p in found.agents] == [4]
    first, second = parse_events(
        lines(
            {
                "kind": "event",
                "log": "System",
                "id": 7009,
                "time": "2026-11-23T05:34:31Z",
                "values": ["30000", "Amazon SSM Agent"],
            },
            {
                "kind": "event",
                "log": "System",
                "provider": "EventLog",
                "id": 6005,
                "time": None,
                "values": [1],
            },
        )
    )
    assert (first.id, first.of_agent, first.provider) == (7009, True, "Service Control Manager")
    assert (second.time, second.of_agent) == (None, False)


# Proxy ---------------------------------------------------------------------------------------------------


def setting(layer: str, name: str, value: str) -> dict[str, Any]:
    return {"kind": "setting", "layer": layer, "origin": layer, "name": name, "value": value}


LOOKED = [
    {"kind": "looked", "layer": layer}
    for layer in ("service", "machine", "system-user", "system-inet", "winhttp")
]


@pytest.mark.parametrize(
    ("settings_", "origin", "https", "spares"),
    [
        ([], None, None, True),
        (
            [setting("winhttp", "server", "p:1"), setting("winhttp", "bypass", "<local>;*.x")],
            "winhttp",
            "p:1",
            False,
        ),
        (
            [setting("winhttp", "server", "p:1"), setting("winhttp", "bypass", "169.254.169.254")],
            "winhttp",
            "p:1",
            True,
        ),
        (
            [setting("winhttp", "server", "p:1"), setting("winhttp", "bypass", "169.254.*")],
            "winhttp",
            "p:1",
            False,
        ),
        (
            [setting("winhttp", "server", "p:1"), setting("service", "https_proxy", "http://q:2")],
            "service",
            "http://q:2",
            True,
        ),
        (
            [setting("machine", "no_proxy", "x"), setting("system-inet", "server", "http=a:1;https=b:2")],
            "system-inet",
            "b:2",
            False,
        ),
        ([setting("login", "server", "p:1")], None, None, True),
    ],
)
def test_layers(settings_: list[dict[str, Any]], origin: str | None, https: str | None, spares: bool) -> None:
    """The first layer that sets a proxy wins, whole; without one, the agent goes direct."""
    found = parse_layers(lines(*settings_, *LOOKED))
    assert found is not None
    assert found.agent is not None
    variable = found.agent.variable("https_proxy")
    assert (variable.value if variable else None) == https
    assert (variable.origin if variable else None) == origin
    assert (found.agent.imds is None) is spares


def test_layers_that_were_not_all_seen() -> None:
    found = parse_layers(lines(LOOKED[0]))
    assert found is not None
    assert found.agent is None, "not known is not none"
    assert parse_layers(b"") is None


@pytest.mark.parametrize(
    ("text", "server"), [("p:1", "p:1"), ("http=a;https=b:2", "b:2"), ("http=a", ""), ("", "")]
)
def test_servers(text: str, server: str) -> None:
    assert server_for(text, "https") == server


# Firewall ------------------------------------------------------------------------------------------------

PROFILE = {"kind": "profile", "name": "PublicProfile", "enabled": 1, "outbound": 0}


def rule(text: str) -> dict[str, Any]:
    return {"kind": "rule", "name": "{1}", "rule": f"v2.31|{text}|Name=x|"}


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("Action=Block|Active=TRUE|Dir=Out|RA4=169.254.169.254", True),
        ("Action=Block|Active=TRUE|Dir=Out|RA4=169.254.0.0/255.255.0.0|Protocol=6|RPort=80", True),
        ("Action=Block|Active=TRUE|Dir=Out|RA4=169.254.0.0-169.254.255.255", True),
        ("Action=Block|Active=TRUE|Dir=Out|RPort=1-1023", True),
        ("Action=Block|Active=TRUE|Dir=Out|App=%ProgramFiles%\\Amazon\\SSM\\amazon-ssm-agent.exe", True),
        ("Action=Block|Active=FALSE|Dir=Out|RA4=169.254.169.254", False),
        ("Action=Block|Active=TRUE|Dir=In|RA4=169.254.169.254", False),
        ("Action=Allow|Active=TRUE|Dir=Out|RA4=169.254.169.254", False),
        ("Action=Block|Active=TRUE|Dir=Out|RA4=10.0.0.0/8", False),
        ("Action=Block|Active=TRUE|Dir=Out|Protocol=17", False),
        ("Action=Block|Active=TRUE|Dir=Out|RPort=443", False),
        ("Action=Block|Active=TRUE|Dir=Out|App=C:\\other.exe", False),
        ("Action=Block|Active=TRUE|Dir=Out|RA4=LocalSubnet", False),
    ],
)
def test_rules_of_the_firewall(text: str, blocks: bool) -> None:
    firewall = parse_firewall(lines(PROFILE, rule(text)))
    assert firewall is not None
    assert firewall.judge(IMDS, 80).blocks is blocks


def test_a_profile_that_blocks_by_default_leaves_it_open() -> None:
    firewall = parse_firewall(lines({**PROFILE, "outbound": 1}))
    assert firewall is not None
    assert str(firewall.judge(IMDS, 80).fate) == "unknown"
    assert parse_firewall(b"") is None


# Set-up --------------------------------------------------------------------------------------------------


def test_image_and_launch_agents() -> None:
    state = parse_image_state(lines({"kind": "image-state", "state": "IMAGE_STATE_UNDEPLOYABLE"}))
    assert state is not None
    assert not state.complete
    (agent,) = parse_launch_agents(
        lines(
            {"kind": "agent", "agent": "EC2Launch v1", "version": "1.3.1"},
            {
                "kind": "log",
                "agent": "EC2Launch v1",
                "text": "Successfully added the Route: 169.254.169.254/32",
            },
            {"kind": "log", "agent": "EC2Config", "text": "x"},
        )
    )
    assert (agent.name, agent.version, len(agent.log)) == ("EC2Launch v1", "1.3.1", 1)


# Hostile -------------------------------------------------------------------------------------------------

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(
        ["169.254.169.254/32", "10.0.0.1", "::", "1" * 400, "v2.31|Action=Block|RA4=1-2|RPort=9-9999999999"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)
KEYS = [
    "store", "prefix", "next_hop", "if_index", "if_alias", "metric", "value", "target", "address",
    "prefix_length", "mask", "name", "state", "status", "servers", "rule", "layer", "values",
    "id", "time", "pid", "exit_code", "outbound", "size", "free", "device",
]  # fmt: skip
KINDS = [
    "route", "value", "way", "adapter", "address", "interface", "neighbour", "servers", "search",
    "socket", "service", "process", "event", "setting", "looked", "profile", "rule", "image-state",
    "agent", "log", "disk",
]  # fmt: skip
OBJECTS = st.builds(
    lambda kind, fields: json.dumps({**fields, "kind": kind}).encode(),
    st.sampled_from(KINDS),
    st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=6),
)
OUTPUT = st.lists(OBJECTS | st.binary(max_size=30), max_size=6).map(b"\n".join)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from([probe.id for probe in WINDOWS]), OUTPUT, max_size=10))
def test_no_output_makes_a_fact_raise(outputs: dict[str, bytes]) -> None:
    subject = Subject("host", platform=Platform.WINDOWS)
    facts = Facts(
        evidence_of((ProbeResult(p, Status.OK, out) for p, out in outputs.items()), subject=subject)
    )
    for name in dir(type(facts)):
        if not name.startswith("_"):
            fact = getattr(facts, name)
            assert isinstance(fact, (Known, Unknown, dict))
    routing = facts.routing.or_none()
    if routing is not None:
        routing.lookup(IMDS)
        assert routing.expected_gateway is None or routing.expected_gateway.version in (4, 6)
    firewall = facts.firewall.or_none()
    if firewall is not None:
        firewall.judge(IMDS, 80)


def test_only_a_windows_host_has_windows_facts() -> None:
    assert isinstance(Facts(evidence_of()).windows, Unknown)
