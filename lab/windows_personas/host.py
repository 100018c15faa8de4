"""A healthy Windows Server on EC2, probe by probe.

Made by us, after the properties that Microsoft documents of its objects (MSFT_NetRoute, MSFT_NetAdapter,
Win32_Service ...) and AWS of its agents; no part was captured from a live host.
"""

from __future__ import annotations

import json
from typing import Any

from lab.windows_personas.editions import Edition, Language

INSTANCE = "i-0a1b2c3d4e5f60718"
REGION = "eu-central-1"
ADDRESS, SUBNET, GATEWAY = "10.0.20.37", "10.0.16.0/20", "10.0.16.1"
STALE = "172.31.48.1"
"""The router of the subnet that an image was made in."""
INDEX = 5
"""Of the adapter of the first network interface."""
MAC = "0A-1B-2C-3D-4E-5F"
LINK_LOCAL = ("254", "253", "250", "251", "123", "249")
DATE = "Mon, 23 Nov 2026 06:38:45 GMT"
BOOT = 1795412000
PEERS = {"ssm": "10.0.30.11", "ssmmessages": "10.0.30.13", "ec2messages": "10.0.30.12"}

_RESTARTS = "80-51-01-00-00-00-00-00-00-00-00-00-01-00-00-00-14-00-00-00-01-00-00-00-30-75-00-00"
"""SERVICE_FAILURE_ACTIONS: one action, a restart after 30 seconds."""

Object = dict[str, Any]


def objects(*found: Object) -> bytes:
    """One object per line, in ASCII, as the script writes them."""
    return "".join(json.dumps(one, separators=(",", ":")) + "\n" for one in found).encode("ascii")


def text(*lines: str) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def route(
    prefix: str,
    hop: str,
    alias: str,
    *,
    index: int = INDEX,
    metric: int = 0,
    if_metric: int = 15,
    store: str = "active",
    protocol: int = 3,
) -> Object:
    return {
        "kind": "route",
        "store": store,
        "prefix": prefix,
        "next_hop": hop,
        "if_index": index,
        "if_alias": alias,
        "metric": metric,
        "if_metric": if_metric,
        "protocol": protocol,
        "state": 2,
    }


def link_local(
    hop: str, alias: str, *, index: int = INDEX, metric: int = 15, store: str = "active"
) -> list[Object]:
    """The routes that a launch agent adds."""
    return [
        route(f"169.254.169.{number}/32", hop, alias, index=index, metric=metric, store=store)
        for number in LINK_LOCAL
    ]


def base_routes(alias: str, *, index: int = INDEX) -> list[Object]:
    """What Windows itself has, with its default route."""
    loop = "Loopback Pseudo-Interface 1"
    return [
        route("0.0.0.0/0", GATEWAY, alias, index=index),
        route(SUBNET, "0.0.0.0", alias, index=index, metric=256, protocol=2),
        route(f"{ADDRESS}/32", "0.0.0.0", alias, index=index, metric=256, protocol=2),
        route("10.0.31.255/32", "0.0.0.0", alias, index=index, metric=256, protocol=2),
        route("127.0.0.0/8", "0.0.0.0", loop, index=1, metric=256, if_metric=75, protocol=2),
        route("224.0.0.0/4", "0.0.0.0", alias, index=index, metric=256, protocol=2),
        route("255.255.255.255/32", "0.0.0.0", alias, index=index, metric=256, protocol=2),
        route("fe80::/64", "::", alias, index=index, metric=256, protocol=2),
    ]


def way(target: str, prefix: str, hop: str, alias: str, *, index: int = INDEX) -> Object:
    return {
        "kind": "way",
        "target": target,
        "prefix": prefix,
        "next_hop": hop,
        "if_index": index,
        "if_alias": alias,
        "source": ADDRESS,
    }


def ways(hop: str, alias: str, *, index: int = INDEX, prefix: str = "") -> list[Object]:
    """What Find-NetRoute says of each link-local service: its own route, or (``prefix``) another."""
    own = [f"169.254.169.{number}" for number in LINK_LOCAL]
    found = [way(target, prefix or f"{target}/32", hop, alias, index=index) for target in own]
    return [*found, way("8.8.8.8", "0.0.0.0/0", GATEWAY, alias, index=index)]


def adapter(
    index: int,
    name: str,
    *,
    description: str = "Amazon Elastic Network Adapter",
    up: bool = True,
    mac: str = MAC,
    virtual: bool = False,
) -> Object:
    return {
        "kind": "adapter",
        "if_index": index,
        "name": name,
        "description": description,
        "mac": mac,
        "status": 1 if up else 2,
        "admin": 1,
        "virtual": virtual,
        "hidden": False,
        "mtu": 9001,
    }


def address(index: int, alias: str, ip: str = ADDRESS, length: int = 20, origin: int = 3) -> Object:
    return {
        "kind": "address",
        "if_index": index,
        "if_alias": alias,
        "address": ip,
        "prefix_length": length,
        "origin": origin,
        "state": 4,
    }


LOOPBACK = address(1, "Loopback Pseudo-Interface 1", "127.0.0.1", 8, 2)


def service(state: str = "Running", mode: str = "Auto", *, pid: int = 2104, exit_code: int = 0) -> Object:
    return {
        "kind": "service",
        "name": "AmazonSSMAgent",
        "exists": True,
        "state": state,
        "start_mode": mode,
        "start": {"Auto": 2, "Manual": 3, "Disabled": 4}[mode],
        "delayed": None,
        "account": "LocalSystem",
        "path": '"C:\\Program Files\\Amazon\\SSM\\amazon-ssm-agent.exe"',
        "pid": pid if state == "Running" else 0,
        "exit_code": exit_code,
        "service_exit_code": 0,
        "failure_actions": _RESTARTS,
        "depends_on": [],
    }


def event(number: int, time: str, *values: str) -> Object:
    return {
        "kind": "event",
        "log": "System",
        "id": number,
        "time": time,
        "level": 2,
        "record": 1,
        "values": values,
    }


def setting(layer: str, name: str, value: str, origin: str) -> Object:
    return {"kind": "setting", "layer": layer, "origin": origin, "name": name, "value": value}


LAYERS = ("service", "machine", "system-user", "system-inet", "winhttp", "login")


def layers(*settings: Object) -> bytes:
    """Settings, and the word that every layer was looked at."""
    return objects(*settings, *({"kind": "looked", "layer": layer} for layer in LAYERS))


def imds(**records: str) -> bytes:
    """The ``imds`` probe of a host whose metadata service answers; ``records`` replace whole records."""
    told = {
        "token": "method=PUT;outcome=answered;http=200",
        "v1": "outcome=answered;http=401",
        "instance-id": f"outcome=answered;http=200;| {INSTANCE}",
        "region": f"outcome=answered;http=200;| {REGION}",
        "role": "outcome=answered;http=200;| WindowsServerRole",
        "credentials": 'outcome=answered;http=200;| "Code": "Success";| "Expiration": "2026-11-23T12:00:00Z"',
        "document": f'outcome=answered;http=200;| {{"accountId": "123456789012", "region": "{REGION}"}}',
        **{name.replace("_", "-"): words for name, words in records.items()},
    }
    head = ("tool=dotnet", "server=EC2ws", f"date={DATE}")
    return text(*(line for name, words in told.items() for line in (f"[{name}]", *head, *words.split(";"))))


def dead_imds(outcome: str, error: str) -> bytes:
    """The ``imds`` probe where no request comes further than ``outcome``."""
    tried = (f"outcome={outcome}", f"error={error}", "http=000", "connect_s=3.001")
    return text("[token]", "tool=dotnet", "method=PUT", *tried, "[v1]", "tool=dotnet", "method=GET", *tried)


ISSUER = "CN=Amazon RSA 2048 M02, O=Amazon, C=US"


def endpoint(name: str, *, outcome: str = "connected") -> bytes:
    """One ``endpoint-*`` probe; all is well where a connection comes to stand."""
    tcp = ("[tcp]", f"address={PEERS[name]}", f"outcome={outcome}")
    answered = ("[http]", "outcome=answered", "http=400", f"date={DATE}", "type=application/x-amz-json-1.1")
    rest = ("[tls]", "outcome=ok", "protocol=Tls12", f"issuer={ISSUER}", *answered)
    return text(*_resolved(name), *tcp, *(rest if outcome == "connected" else ()))


def untrusted(name: str) -> bytes:
    """One endpoint that shows Amazon's certificate, which this machine does not trust."""
    tcp = ("[tcp]", f"address={PEERS[name]}", "outcome=connected")
    verdict = "verify=RemoteCertificateChainErrors: PartialChain"
    return text(*_resolved(name), *tcp, "[tls]", "outcome=untrusted", f"issuer={ISSUER}", verdict)


def broken_tls(name: str) -> bytes:
    """One endpoint with which Windows finds no version of TLS in common."""
    tcp = ("[tcp]", f"address={PEERS[name]}", "outcome=connected")
    return text(*_resolved(name), *tcp, "[tls]", "outcome=eof", "error=IOException")


def unresolved(name: str, *direct: str) -> bytes:
    """One endpoint whose name Windows does not resolve; the adapter's own name server says ``direct``."""
    asked = ("[dns 10.0.0.2]", "tool=Resolve-DnsName", "rcode=NOERROR", *direct)
    return text(*_named(name), "[resolve]", "tool=dotnet", "exit=1", "error=TryAgain", "ms=11020", *asked)


def _resolved(name: str) -> tuple[str, ...]:
    return (*_named(name), "[resolve]", "tool=dotnet", "exit=0", f"address={PEERS[name]}")


def _named(name: str) -> tuple[str, ...]:
    host = f"host={name}.{REGION}.amazonaws.com"
    return (
        "[endpoint]",
        f"service={name}",
        host,
        "port=443",
        "source=region",
        f"region={REGION}",
        "region_source=imds",
    )


def healthy(edition: Edition, language: Language) -> dict[str, bytes]:
    """Every probe of a host that works."""
    alias = language.adapter
    kept = link_local(GATEWAY, alias, store="persistent") if edition.keeps_routes else []
    active = link_local(GATEWAY, alias)
    return {
        "clock": text(
            "utc=2026-11-23T06:38:45Z",
            "epoch=1795415925",
            f"offset={language.offset}",
            f"zone={language.zone}",
            "source=w32time NTP 169.254.169.123,0x9",
            "service=Running",
            f"boot={BOOT}",
            "uptime=3925",
        ),
        "whoami": text(
            "user=WIN\\Administrator",
            "login=WIN\\Administrator",
            "privilege=administrator",
            "language=FullLanguage",
            f"culture={language.tag}",
            f"oem={language.oem}",
        ),
        "hostname": text("EC2AMAZ-PERSONA"),
        "os-release": text(
            "ID=windows",
            f"VERSION_ID={edition.version}.{edition.build_revision}",
            f"PRETTY_NAME={edition.name}",
            f"LOCALE={language.locale}",
        ),
        "virtualization": text(
            "vendor=Amazon EC2",
            "product=m6i.large",
            "uuid=EC2A1B2C-0000-0000-0000-000000000000",
            f"asset_tag={INSTANCE}",
        ),
        "image-state": image("IMAGE_STATE_COMPLETE"),
        "packages": text("[msi]", "version=3.3.1142.0", "state=installed"),
        "agent-version": text("SSM Agent version: 3.3.1142.0"),
        "agent-files": agent_files(*PROGRAMS),
        "service": objects(service()),
        "service-events": b"",
        "processes": processes(),
        "sockets": objects(
            {
                "kind": "socket",
                "process": "ssm-agent-worker.exe",
                "pid": 2280,
                "local": ADDRESS,
                "peer": PEERS["ssmmessages"],
                "peer_port": 443,
                "state": 5,
            }
        ),
        "routes": objects(*active, *base_routes(alias)),
        "persistent-routes": objects(*kept, {"kind": "looked", "cmdlet": True, "registry": False}),
        "route-get": objects(*ways(GATEWAY, alias)),
        "addresses": objects(adapter(INDEX, alias), address(INDEX, alias), LOOPBACK),
        "neighbours": objects(
            {"kind": "neighbour", "address": GATEWAY, "if_index": INDEX, "if_alias": alias, "state": 5}
        ),
        "resolv-conf": objects(
            {"kind": "servers", "if_index": INDEX, "if_alias": alias, "servers": ["10.0.0.2"]}
        ),
        "hosts-file": b"# localhost name resolution is handled within DNS itself.\n",
        "firewall": objects(
            *(
                {"kind": "profile", "name": name, "enabled": 1, "outbound": 0, "policy": False}
                for name in ("DomainProfile", "PublicProfile", "StandardProfile")
            )
        ),
        "proxy-layers": layers(),
        "launch-agents": objects(
            {
                "kind": "agent",
                "agent": edition.launch_agent,
                "path": "C:\\",
                "version": edition.launch_version,
            }
        ),
        "schannel": objects({"kind": "protocol", "name": "TLS 1.2", "enabled": 1, "disabled_by_default": 0}),
        "roots": objects(
            *(
                {"kind": "store", "store": name, "count": n}
                for name, n in (("Root", 19), ("AuthRoot", 24), ("Disallowed", 0))
            ),
            {
                "kind": "certificate",
                "store": "AuthRoot",
                "subject": "CN=Amazon Root CA 1, O=Amazon, C=US",
                "thumbprint": "8DA7F965EC5EFC37910F1C6E59FDC1CC6A6EDE16",
                "not_after": "2038-01-17T00:00:00Z",
            },
        ),
        "disk-space": objects({"kind": "disk", "device": "C:", "size": 32210153472, "free": 16384000000}),
        "exhibits": text(f"# route print (code page {language.oem})", language.active_routes),
        "imds": imds(),
        **{f"endpoint-{name}": endpoint(name) for name in PEERS},
    }


def image(state: str) -> bytes:
    return objects(
        {"kind": "image-state", "state": state, "setup_in_progress": int(state != "IMAGE_STATE_COMPLETE")}
    )


def processes(*, worker: bool = True) -> bytes:
    core: Object = {
        "kind": "process",
        "pid": 2104,
        "parent": 640,
        "name": "amazon-ssm-agent.exe",
        "session": 0,
    }
    other: Object = {
        "kind": "process",
        "pid": 2280,
        "parent": 2104,
        "name": "ssm-agent-worker.exe",
        "session": 0,
    }
    return objects(core, *([other] if worker else []))


PROGRAMS = ("amazon-ssm-agent.exe", "ssm-agent-worker.exe", "ssm-cli.exe", "ssm-document-worker.exe")


def agent_files(*programs: str) -> bytes:
    """The folder of the agent's programs."""
    folder = "C:\\Program Files\\Amazon\\SSM"
    return objects(
        *(
            {"kind": "file", "path": f"{folder}\\{name}", "size": 24000000, "attributes": "Archive"}
            for name in programs
        )
    )
