"""What differs on a Windows host with a fault, and the slug that it must be given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lab.windows_personas.editions import Edition, Language
from lab.windows_personas.host import (
    GATEWAY,
    INDEX,
    LOOPBACK,
    PEERS,
    REGION,
    STALE,
    Object,
    adapter,
    address,
    agent_files,
    base_routes,
    broken_tls,
    dead_imds,
    endpoint,
    event,
    healthy,
    image,
    imds,
    layers,
    link_local,
    objects,
    processes,
    service,
    setting,
    text,
    unresolved,
    untrusted,
    ways,
)

Host = tuple[dict[str, bytes], dict[str, bytes]]
Make = Callable[[Edition, Language], Host]


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: its slug, and the host that has it."""

    cause: str
    make: Make


_SSM = f"ssm.{REGION}.amazonaws.com"


# Logs ----------------------------------------------------------------------------------------------------


def _log(language: Language, *entries: str, minute: int = 36) -> bytes:
    """Entries of the agent's log, in the host's local time, a second apart."""
    hours = timedelta(hours=int(language.offset[:3]), minutes=int(language.offset[0] + language.offset[3:]))
    start = datetime(2026, 11, 23, 6, minute, tzinfo=UTC) + hours
    stamped = (
        f"{start + timedelta(seconds=n):%Y-%m-%d %H:%M:%S}.1000 {one}" for n, one in enumerate(entries)
    )
    return "".join(f"{line}\n" for line in stamped).encode()


def _start(language: Language, *entries: str, proxy: str = "", spared: str = "") -> dict[str, bytes]:
    head = (
        "INFO Starting up windows agent", "INFO Proxy environment variables:", f"INFO http_proxy: {proxy}",
        f"INFO https_proxy: {proxy}", f"INFO no_proxy: {spared}",
        "INFO Checking if agent identity type OnPrem can be assumed",
        "INFO Checking if agent identity type EC2 can be assumed",
    )  # fmt: skip
    return {"amazon-ssm-agent.log": _log(language, *head, *entries)}


_NO_IMDS = (
    "ERROR [EC2Identity] Failed to get instance info from IMDS. Err: failed to get identity instance id. "
    "Error: RequestError: send request failed\n"
    'caused by: Get "http://169.254.169.254/latest/meta-data/instance-id": dial tcp 169.254.169.254:80: '
    "connectex: A connection attempt failed because the connected party did not properly respond after a "
    "period of time, or established connection failed because connected host has failed to respond.",
    "ERROR Agent failed to assume any identity",
    "ERROR failed to find identity, retrying: failed to find agent identity",
)


# Hosts ---------------------------------------------------------------------------------------------------


def _healthy(edition: Edition, language: Language) -> Host:
    return healthy(edition, language), {}


def _without_imds(
    edition: Edition, language: Language, *, outcome: str = "timeout", error: str = "TimedOut"
) -> Host:
    probes = healthy(edition, language)
    del probes["sockets"]
    probes["imds"] = dead_imds(outcome, error)
    return probes, _start(language, *_NO_IMDS)


def _routed(host: Host, active: list[Object], kept: list[Object], found: list[Object]) -> Host:
    probes, logs = host
    probes["routes"] = objects(*active)
    probes["persistent-routes"] = objects(*kept, {"kind": "looked", "cmdlet": True, "registry": bool(kept)})
    probes["route-get"] = objects(*found)
    return probes, logs


def _stale_persistent(edition: Edition, language: Language) -> Host:
    """The image was made in another subnet, and its routes are kept."""
    alias = language.adapter
    wrong = link_local(STALE, alias, metric=15)
    values: list[Object] = [
        {"kind": "value", "store": "registry", "value": f"169.254.169.{n},255.255.255.255,{STALE},-1"}
        for n in ("254", "250", "251")
    ]
    kept = [*link_local(STALE, alias, store="persistent"), *values]
    return _routed(_without_imds(edition, language), [*wrong, *base_routes(alias)], kept, ways(STALE, alias))


def _stale_active(edition: Edition, language: Language) -> Host:
    """The same in the active store only: somebody added them since the last boot."""
    alias = language.adapter
    active = [*link_local(STALE, alias, metric=30), *base_routes(alias)]
    return _routed(_without_imds(edition, language), active, [], ways(STALE, alias))


def _two_routes(edition: Edition, language: Language) -> Host:
    """The launch agent added the right one; the kept one has the lower metric."""
    alias = language.adapter
    wrong, right = link_local(STALE, alias, metric=1), link_local(GATEWAY, alias, metric=15)
    kept = link_local(STALE, alias, metric=1, store="persistent")
    return _routed(
        _without_imds(edition, language), [*right, *wrong, *base_routes(alias)], kept, ways(STALE, alias)
    )


def _vanished(edition: Edition, language: Language) -> Host:
    """The routes are on an adapter that the image had and this instance has not."""
    alias, old = language.adapter, f"{language.adapter} 2"
    wrong = link_local(GATEWAY, old, index=12)
    kept = link_local(GATEWAY, old, index=12, store="persistent")
    found = ways(GATEWAY, old, index=12)
    return _routed(_without_imds(edition, language), [*wrong, *base_routes(alias)], kept, found)


def _container(edition: Edition, language: Language) -> Host:
    """The host network service made a switch; the address went to it, the routes stayed behind."""
    alias, port = language.adapter, f"vEthernet ({language.adapter})"
    host = _without_imds(edition, language, outcome="no-route", error="NetworkUnreachable")
    probes, logs = _routed(
        host,
        base_routes(port, index=21),
        [],
        [{"kind": "way", "target": "169.254.169.254", "error": "NetworkUnreachable"}],
    )
    description = "Hyper-V Virtual Ethernet Adapter"
    probes["addresses"] = objects(
        adapter(INDEX, alias),
        adapter(21, port, description=description, virtual=True),
        address(21, port),
        LOOPBACK,
    )
    return probes, logs


def _winhttp(edition: Edition, language: Language) -> Host:
    """WinHTTP alone has a proxy, without an exception for the metadata service; the agent takes it."""
    probes = healthy(edition, language)
    del probes["sockets"]
    proxy, origin = "proxy.corp.example:3128", "WinHTTP (netsh winhttp)"
    probes["proxy-layers"] = layers(
        setting("winhttp", "server", proxy, origin),
        setting("winhttp", "bypass", "<local>;*.corp.example", origin),
    )
    proxied = f"method=PUT;outcome=answered;http=503;server=squid;proxy={proxy};source=winhttp"
    probes["imds"] = imds() + text("[proxied]", *proxied.split(";"))
    probes.update({f"endpoint-{name}": endpoint(name, outcome="timeout") for name in PEERS})
    failed = (
        "ERROR [EC2Identity] Failed to get instance info from IMDS. Err: failed to get identity instance id. "
        "Error: EC2MetadataError: failed to make EC2Metadata request\n\tstatus code: 503, request id: ",
        "ERROR Agent failed to assume any identity",
    )
    return probes, _start(language, *failed, proxy=proxy, spared="*.corp.example")


def _disabled(edition: Edition, language: Language) -> Host:
    """The agent's own update ended half-way and left the service disabled."""
    probes = healthy(edition, language)
    for name in ("sockets", "processes"):
        probes[name] = b""
    probes["service"] = objects(service("Stopped", "Disabled"))
    probes["service-events"] = objects(
        event(7040, "2026-11-23T05:10:04Z", "Amazon SSM Agent", "auto start", "disabled", "AmazonSSMAgent")
    )
    folder = "C:\\ProgramData\\Amazon\\SSM\\Update"
    probes["update"] = text(
        f"2026-11-23T05:10:03Z Directory {folder}\\amazon-ssm-agent-updater", f"# {folder}\\stdout.log",
        "Updating amazon-ssm-agent from 3.3.987.0 to 3.3.1142.0",
        "moved file C:\\Program Files\\Amazon\\SSM\\Update to installationDir",
    )  # fmt: skip
    return probes, {}


def _sysprep(edition: Edition, language: Language) -> Host:
    """Set-up stopped in the middle; the agent waits for it."""
    probes = healthy(edition, language)
    del probes["sockets"]
    probes["image-state"] = image("IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE")
    probes["service"] = objects(service("Stopped", "Auto"))
    probes["processes"] = b""
    return probes, {
        "amazon-ssm-agent.log": _log(language, "INFO System not ready, not starting agent: isSysPrepEC true")
    }


def _start_timeout(edition: Edition, language: Language) -> Host:
    """After a patch reboot the service control manager gave up waiting."""
    probes = healthy(edition, language)
    for name in ("sockets", "processes"):
        probes[name] = b""
    probes["service"] = objects(service("Stopped", "Auto", exit_code=1053))
    probes["service-events"] = objects(
        event(7000, "2026-11-23T05:34:31Z", "Amazon SSM Agent", "%%1053"),
        event(7009, "2026-11-23T05:34:31Z", "30000", "Amazon SSM Agent"),
    )
    return probes, {}


def _no_route_of_its_own(edition: Edition, language: Language) -> Host:
    """No launch agent has run: the default route carries the metadata service, and all is well."""
    alias = language.adapter
    found = ways(GATEWAY, alias, prefix="0.0.0.0/0")
    return _routed(_healthy(edition, language), base_routes(alias), [], found)


def _login_proxy(edition: Edition, language: Language) -> Host:
    """The proxy that the network needs is set for whoever logs in, and for no service."""
    probes = healthy(edition, language)
    del probes["sockets"]
    origin = "CurrentUser\\Software\\Microsoft\\Windows\\CurrentVersion\\Internet Settings"
    probes["proxy-layers"] = layers(setting("login", "server", "proxy.corp.example:3128", origin))
    probes.update({f"endpoint-{name}": endpoint(name, outcome="timeout") for name in PEERS})
    return probes, {}


def _firewall(edition: Edition, language: Language) -> Host:
    """A rule of a group policy blocks the metadata service for everybody."""
    probes, logs = _without_imds(edition, language, outcome="denied", error="AccessDenied")
    rule = "v2.31|Action=Block|Active=TRUE|Dir=Out|RA4=169.254.169.254|Name=No metadata|"
    probes["firewall"] += objects({"kind": "rule", "name": "{1}", "rule": rule, "policy": True})
    return probes, logs


def _name_rule(edition: Edition, language: Language) -> Host:
    """A name resolution rule of a group policy sends Amazon's names to a resolver that is no more."""
    probes = healthy(edition, language)
    del probes["sockets"]
    path = "SOFTWARE\\Policies\\Microsoft\\Windows NT\\DNSClient\\DnsPolicyConfig\\{5f1c}"
    rule: Object = {"kind": "nrpt", "names": [".amazonaws.com"], "servers": "10.9.9.53", "path": path}
    probes["resolv-conf"] += objects(rule)
    probes.update({f"endpoint-{name}": unresolved(name, f"address={PEERS[name]}") for name in PEERS})
    return probes, _registered(
        language, f'Post "https://{_SSM}/": dial tcp: lookup {_SSM}: getaddrinfow: '
        "This is usually a temporary error during hostname resolution and means that the local "
        "server did not receive a response from an authoritative server.",
    )  # fmt: skip


def _roots_missing(edition: Edition, language: Language) -> Host:
    """Hardening emptied the machine's roots and forbade their update: Amazon's certificate is not trusted."""
    probes = healthy(edition, language)
    del probes["sockets"]
    probes["roots"] = objects(
        {"kind": "store", "store": "Root", "count": 3}, {"kind": "store", "store": "AuthRoot", "count": 0},
        {"kind": "store", "store": "Disallowed", "count": 0},
        {"kind": "policy", "disable_root_auto_update": 1},
    )  # fmt: skip
    probes.update({f"endpoint-{name}": untrusted(name) for name in PEERS})
    return probes, _registered(
        language, f'Post "https://{_SSM}/": tls: failed to verify certificate: x509: '
        "certificate signed by unknown authority",
    )  # fmt: skip


def _tls12_off(edition: Edition, language: Language) -> Host:
    """Windows' own TLS has 1.2 switched off: our look at the endpoints fails, and that says little."""
    probes = healthy(edition, language)
    del probes["sockets"]
    probes["schannel"] = objects(
        {"kind": "protocol", "name": "TLS 1.2", "enabled": 0, "disabled_by_default": 1}
    )
    probes.update({f"endpoint-{name}": broken_tls(name) for name in PEERS})
    return probes, {}


def _applocker(edition: Edition, language: Language) -> Host:
    """A rule of AppLocker forbids the agent's program."""
    probes = healthy(edition, language)
    for name in ("sockets", "processes"):
        probes[name] = b""
    probes["service"] = objects(service("Stopped", "Auto", exit_code=1260))
    probes["service-events"] = objects(
        {
            "kind": "event", "log": "Microsoft-Windows-AppLocker/EXE and DLL",
            "provider": "Microsoft-Windows-AppLocker", "id": 8004, "time": "2026-11-23T05:34:31Z", "level": 2,
            "values": ["EXE", "%PROGRAMFILES%\\AMAZON\\SSM\\AMAZON-SSM-AGENT.EXE", "S-1-5-18"],
        },
    )  # fmt: skip
    return probes, {}


def _out_of_memory(edition: Edition, language: Language) -> Host:
    """Another program took all the memory, and the agent's ended."""
    probes = healthy(edition, language)
    for name in ("sockets", "processes"):
        probes[name] = b""
    probes["service"] = objects(service("Stopped", "Auto", exit_code=1067))
    exhausted: Object = {
        "kind": "event", "log": "System", "provider": "Microsoft-Windows-Resource-Exhaustion-Detector",
        "id": 2004, "time": "2026-11-23T06:01:12Z", "level": 3, "values": ["sqlservr.exe"],
    }  # fmt: skip
    ended = event(7031, "2026-11-23T06:01:40Z", "Amazon SSM Agent", "1", "30000", "1", "")
    probes["service-events"] = objects(ended, exhausted)
    return probes, {}


def _worker_gone(edition: Edition, language: Language) -> Host:
    """A virus scanner took the worker's program away."""
    probes = healthy(edition, language)
    del probes["sockets"]
    probes["agent-files"] = agent_files("amazon-ssm-agent.exe", "ssm-cli.exe")
    probes["processes"] = processes(worker=False)
    return probes, {}


def _launch_failed(edition: Edition, language: Language) -> Host:
    """No default route, and the launch agent could not make the routes of its own."""
    alias = language.adapter
    active = [one for one in base_routes(alias) if one["prefix"] != "0.0.0.0/0"]
    host = _without_imds(edition, language, outcome="no-route", error="NetworkUnreachable")
    missed: list[Object] = [{"kind": "way", "target": "169.254.169.254", "error": "NetworkUnreachable"}]
    probes, logs = _routed(host, active, [], missed)
    probes["launch-agents"] += objects(
        {
            "kind": "log", "agent": edition.launch_agent, "path": "C:\\",
            "text": "2026/11/23 05:33:41Z: Failed to add routes: no gateway was found",
        },
    )  # fmt: skip
    return probes, logs


def _registered(language: Language, error: str) -> dict[str, bytes]:
    """A start that knows who it is, and whose registration fails."""
    return _start(
        language, "INFO Agent will take identity from EC2",
        "ERROR [Registrar] failed to register identity: error calling RegisterManagedInstance API: "
        f"RequestError: send request failed\ncaused by: {error}",
    )  # fmt: skip


FAULTS = {
    "healthy": Fault("healthy", _healthy),
    "no-route-of-its-own": Fault("healthy", _no_route_of_its_own),
    "stale-persistent-route": Fault("win-stale-imds-route", _stale_persistent),
    "stale-active-route": Fault("win-stale-imds-route", _stale_active),
    "two-routes": Fault("win-stale-imds-route", _two_routes),
    "vanished-interface": Fault("win-stale-imds-route", _vanished),
    "container-vswitch": Fault("win-container-vswitch", _container),
    "winhttp-proxy": Fault("proxy-no-noproxy-imds", _winhttp),
    "login-proxy": Fault("proxy-missing-or-wrong-layer", _login_proxy),
    "disabled-by-update": Fault("update-left-service-disabled", _disabled),
    "sysprep-unfinished": Fault("sysprep-incomplete", _sysprep),
    "service-start-timeout": Fault("win-service-start-timeout", _start_timeout),
    "firewall-blocks-imds": Fault("imds-blocked-on-host", _firewall),
    "name-rule": Fault("dns-timeout", _name_rule),
    "roots-missing": Fault("tls-trust", _roots_missing),
    "tls12-off": Fault("unknown", _tls12_off),
    "applocker": Fault("security-software-block", _applocker),
    "out-of-memory": Fault("resource-starvation", _out_of_memory),
    "worker-gone": Fault("worker-broken", _worker_gone),
    "launch-failed": Fault("imds-no-route", _launch_failed),
}
