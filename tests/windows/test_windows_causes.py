# ruff: noqa: E501  a row per cause, with log lines as the agent writes them
"""Every cause of the Linux set that the facts of a Windows host can show: shown by one, it is diagnosed right."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from test_windows_personas import NOW, collected, told

from analyzers.causes import built_in
from analyzers.diagnose import case_of, diagnose
from lab.windows_personas import WindowsPersona, persona
from lab.windows_personas.host import (
    BOOT,
    GATEWAY,
    INDEX,
    INSTANCE,
    PEERS,
    REGION,
    STALE,
    adapter,
    address,
    base_routes,
    dead_imds,
    endpoint,
    imds,
    layers,
    link_local,
    objects,
    route,
    service,
    setting,
    text,
    ways,
)

ALIAS = "Ethernet"
PROXY = "http://10.0.40.10:3128"
SERVICE = "HKLM\\SYSTEM\\CurrentControlSet\\Services\\AmazonSSMAgent\\Environment"
HOSTS = {name: f"{name}.{REGION}.amazonaws.com" for name in PEERS}


# Logs ----------------------------------------------------------------------------------------------------


def log(*entries: str) -> dict[str, bytes]:
    """A start of the agent and what came after, a second apart."""
    start = (
        "INFO Proxy environment variables:", "INFO https_proxy: ", "INFO http_proxy: ", "INFO no_proxy: ",
        "INFO Checking if agent identity type OnPrem can be assumed",
        "INFO Checking if agent identity type EC2 can be assumed",
        "INFO Agent will take identity from EC2", "INFO [amazon-ssm-agent] amazon-ssm-agent - v3.3.1142.0",
    )  # fmt: skip
    lines = (f"2026-11-23 06:36:{n:02}.1000 {entry}\n" for n, entry in enumerate((*start, *entries)))
    return {"amazon-ssm-agent.log": "".join(lines).encode()}


def registrar(error: str) -> dict[str, bytes]:
    """A start whose registration fails with ``error``."""
    return log(
        f"ERROR [Registrar] failed to register identity: error calling RegisterManagedInstance API: {error}"
    )


ONLINE = (
    "INFO EC2RoleProvider Successfully connected with instance profile role credentials",
    "INFO [CredentialRefresher] Credentials ready",
    f"INFO [ssm-agent-worker] [MessageService] [MGSInteractor] Successfully opened websocket connection to: {PEERS['ssmmessages']}:443",
    "INFO [ssm-agent-worker] [MessageService] [MGSInteractor] SSM Connection channel status is set to ssmmessages",
)
DENIED = (
    f"AccessDeniedException: User: arn:aws:sts::123456789012:assumed-role/WindowsServerRole/{INSTANCE} is not "
    "authorized to perform: ssm:UpdateInstanceInformation on resource: "
    f"arn:aws:ec2:{REGION}:123456789012:instance/{INSTANCE}"
)
USER_DENIED = DENIED.replace(
    f"sts::123456789012:assumed-role/WindowsServerRole/{INSTANCE}", "iam::999988887777:user/build"
)
UNRECOGNIZED = "UnrecognizedClientException: The security token included in the request is invalid."
SIGNATURE = "InvalidSignatureException: Signature expired: 20261123T061845Z is now earlier than 20261123T063345Z (20261123T063845Z - 5 min.)"
DHMC = "ERROR EC2RoleProvider Failed to connect to Systems Manager with SSM role credentials. error calling RequestManagedInstanceRoleToken: AccessDeniedException: Systems Manager's instance management role is not configured for account: 123456789012"
NOT_STARTED = "ERROR [amazon-ssm-agent] [LongRunningWorkerContainer] [WorkerProvider] failed to start worker ssm-agent-worker, fork/exec C:\\Program Files\\Amazon\\SSM\\ssm-agent-worker.exe: The system cannot find the file specified."


# Probes --------------------------------------------------------------------------------------------------


def each(make: str, **more: bytes) -> dict[str, bytes]:
    """The three endpoints with one TCP outcome."""
    return {**{f"endpoint-{name}": endpoint(name, outcome=make) for name in PEERS}, **more}


def staged(*stages: str, ip: str | None = None, resolved: str = "exit=0") -> dict[str, bytes]:
    """The three endpoints with these records (fields between ``;``) behind the name's resolution."""
    found = {}
    for name in PEERS:
        head = (
            "[endpoint]",
            f"service={name}",
            f"host={HOSTS[name]}",
            "port=443",
            "source=region",
            f"region={REGION}",
        )
        where = PEERS[name] if ip is None else ip
        resolve = (
            "[resolve]",
            "tool=dotnet",
            *resolved.split(";"),
            *((f"address={where}",) if where else ()),
        )
        rest = (line for stage in stages for line in stage.format(ip=where).split(";"))
        found[f"endpoint-{name}"] = text(*head, *resolve, *rest)
    return found


def tls(outcome: str, *fields: str) -> dict[str, bytes]:
    return staged("[tcp];address={ip};outcome=connected", ";".join(("[tls]", f"outcome={outcome}", *fields)))


def http(*fields: str) -> dict[str, bytes]:
    return staged("[tcp];address={ip};outcome=connected", "[tls];outcome=ok", ";".join(("[http]", *fields)))


def names(error: str, *direct: str) -> dict[str, bytes]:
    """Names that do not resolve, and what the resolver says when it is asked itself."""
    return staged(*direct, ip="", resolved=f"exit=1;error={error}")


def by_proxy(*fields: str) -> dict[str, bytes]:
    """The agent's service has a proxy that spares IMDS; the direct way is shut."""
    rest = ";".join(("[proxy]", f"proxy={PROXY}", *fields))
    probes = staged("[tcp];address={ip};outcome=timeout", rest)
    return {**probes, "proxy-layers": own_proxy("no_proxy=169.254.169.254")}


def own_proxy(*more: str, url: str = PROXY) -> bytes:
    pairs = (f"http_proxy={url}", f"https_proxy={url}", *more)
    return layers(*(setting("service", *pair.split("=", 1), SERVICE) for pair in pairs))


def clock(epoch: int, utc: str) -> bytes:
    return text(f"utc={utc}", f"epoch={epoch}", "offset=+0000", f"boot={BOOT}", "uptime=3925")


def stopped(state: str = "Stopped", mode: str = "Auto", **more: bytes) -> dict[str, bytes]:
    return {"service": objects(service(state, mode)), "processes": b"", **more}


def blocked(rule: str) -> bytes:
    return objects(
        {"kind": "profile", "name": "DomainProfile", "enabled": 1, "outbound": 0, "policy": False},
        {
            "kind": "rule",
            "name": "{1}",
            "rule": f"v2.31|Action=Block|Active=TRUE|Dir=Out|{rule}|Name=x|",
            "policy": True,
        },
    )


NO_DEFAULT = objects(*(one for one in base_routes(ALIAS) if one["prefix"] != "0.0.0.0/0"))
NO_WAY = objects(
    {"kind": "way", "target": "169.254.169.254", "error": "NetworkUnreachable"},
    {"kind": "way", "target": "8.8.8.8", "error": "NetworkUnreachable"},
)
AGENT_FOLDER = "C:\\Program Files\\Amazon\\SSM"


@dataclass(frozen=True)
class Host:
    """What a host has that the healthy one has not."""

    probes: Mapping[str, bytes] = field(default_factory=dict)
    logs: Mapping[str, bytes] = field(default_factory=dict)


SICK: dict[str, Host] = {
    # The agent
    "agent-absent": Host({
        "service": objects({"kind": "service", "name": "AmazonSSMAgent", "exists": False}), "processes": b"",
        "packages": b"", "agent-version": b"",
        "agent-files": objects({"kind": "missing", "path": AGENT_FOLDER}),
    }),
    "agent-stopped": Host(stopped()),
    "agent-wrong-user": Host({"service": objects({**service(), "account": ".\\svc-ssm"})}),
    "worker-broken": Host({}, log(NOT_STARTED)),
    "update-left-service-disabled": Host(stopped(mode="Disabled", update=text("moved file C:\\Program Files\\Amazon\\SSM\\Update to installationDir"))),
    "security-software-block": Host(stopped(**{"service-events": objects(
        {"kind": "event", "log": "Microsoft-Windows-AppLocker/EXE and DLL", "provider": "Microsoft-Windows-AppLocker", "id": 8004, "time": "2026-11-23T05:40:00Z", "level": 2, "values": ["%PROGRAMFILES%\\AMAZON\\SSM\\AMAZON-SSM-AGENT.EXE"]}
    )})),
    "boot-race": Host({"clock": clock(1795415925, "2026-11-23T06:38:45Z").replace(str(BOOT).encode(), b"1795415760")}, registrar(f'RequestError: send request failed\ncaused by: Post "https://{HOSTS["ssm"]}/": dial tcp {PEERS["ssm"]}:443: connectex: A socket operation was attempted to an unreachable network.')),
    "throttling": Host({}, registrar("ThrottlingException: Rate exceeded")),
    # Its configuration
    "config-corrupt": Host({"agent-config": b'{"Agent": {"Region": }\n'}, log("ERROR error occurred when starting amazon-ssm-agent: app config could not be loaded - invalid character '}' looking for beginning of value")),
    "config-override": Host({"agent-config": b'{"Agent": {"Region": "eu-cental-1"}}\n'}),
    "hybrid-registration-residue": Host({"registration": text("[registration]", "path=C:\\x", "instance=mi-0a1b2c3d4e5f60718", f"region={REGION}")}, {"amazon-ssm-agent.log": registrar("InvalidInstanceId: Not existing InstanceId mi-0a1b2c3d4e5f60718")["amazon-ssm-agent.log"].replace(b"from EC2", b"from OnPrem")}),
    "stray-credentials": Host({"stray-credentials": text("[C:\\Windows\\System32\\config\\systemprofile\\.aws\\credentials]", "profile=default")}, registrar(USER_DENIED)),
    # The host
    "disk-full": Host({"disk-space": objects({"kind": "disk", "device": "C:", "size": 32210153472, "free": 0})}),
    "clock-skew": Host({"clock": clock(1795414725, "2026-11-23T06:18:45Z")}, registrar(SIGNATURE)),
    "resource-starvation": Host({"service-events": objects(
        {"kind": "event", "log": "System", "provider": "Microsoft-Windows-Resource-Exhaustion-Detector", "id": 2004, "time": "2026-11-23T06:20:00Z", "level": 3, "values": ["sqlservr.exe"]}
    )}, log(*["WARN [amazon-ssm-agent] [LongRunningWorkerContainer] [WorkerProvider] Process ssm-agent-worker (pid:2280) has been terminated, remove from worker pool"] * 2)),
    # IMDS
    "imds-no-route": Host({"imds": dead_imds("no-route", "NetworkUnreachable"), "routes": NO_DEFAULT, "persistent-routes": objects({"kind": "looked", "cmdlet": True}), "route-get": NO_WAY}),
    "win-stale-imds-route": Host({"imds": dead_imds("timeout", "TimedOut"), "routes": objects(*link_local(STALE, ALIAS), *base_routes(ALIAS)), "route-get": objects(*ways(STALE, ALIAS))}),
    "imds-blocked-on-host": Host({"imds": dead_imds("denied", "AccessDenied"), "firewall": blocked("RA4=169.254.169.254")}),
    "imds-no-response": Host({"imds": dead_imds("timeout", "TimedOut")}),
    "imds-disabled": Host({"imds": imds(token="method=PUT;outcome=answered;http=403", v1="outcome=answered;http=403", instance_id="outcome=answered;http=403")}),
    "imds-hop-limit": Host({"imds": imds(token="method=PUT;outcome=no-answer")}),
    "imds-server-error": Host({"imds": imds(token="method=PUT;outcome=answered;http=500", v1="outcome=answered;http=500", instance_id="outcome=answered;http=500")}),
    "imds-impostor": Host({"imds": text("[token]", "method=PUT", "outcome=answered", "http=200", "server=nginx", "type=text/html", "| <html><body>Please log in</body></html>")}),
    "agent-too-old-for-imdsv2": Host({"agent-version": text("SSM Agent version: 2.2.355.0"), "packages": text("[msi]", "version=2.2.355.0", "state=installed")}),
    # Who the agent is
    "iam-no-instance-profile": Host({"imds": imds(role="outcome=answered;http=404", iam_info="outcome=answered;http=404", credentials="outcome=answered;http=404")}),
    "iam-access-denied": Host({}, registrar(DENIED)),
    "policy-explicit-deny": Host({}, registrar(DENIED + " with an explicit deny in a service control policy")),
    "trust-policy": Host({"imds": imds(credentials='outcome=answered;http=200;| "Code": "AssumeRoleUnauthorizedAccess"')}),
    "credentials-expired": Host({"imds": imds(credentials='outcome=answered;http=200;| "Code": "Success";| "Expiration": "2026-11-23T05:00:00Z"')}),
    "credentials-invalid": Host({}, registrar(UNRECOGNIZED)),
    "dhmc-not-ready": Host({}, log(DHMC)),
    # The proxy
    "proxy-no-noproxy-imds": Host({"proxy-layers": own_proxy(), "imds": imds() + text("[proxied]", "method=PUT", "outcome=answered", "http=503", "server=squid", f"proxy={PROXY}")}),
    "proxy-missing-or-wrong-layer": Host(each("timeout", **{"proxy-layers": layers(setting("login", "server", "10.0.40.10:3128", "CurrentUser"))})),
    "proxy-unreachable": Host(by_proxy("outcome=refused", "error=ConnectionRefused")),
    "proxy-name-not-resolved": Host(by_proxy("outcome=unresolved", "error=could not resolve proxy: HostNotFound")),
    "proxy-auth-required": Host(by_proxy("connect=407", "outcome=answered")),
    "proxy-denies-endpoint": Host(by_proxy("connect=403", "outcome=answered")),
    "proxy-scheme-https": Host({**by_proxy("outcome=error", "error=no TLS record from the proxy: IOException"), "proxy-layers": own_proxy("no_proxy=169.254.169.254", url="https://10.0.40.10:3128")}),
    # The network
    "no-default-route": Host(each("no-route", routes=objects(*(r for r in (*link_local(GATEWAY, ALIAS), *base_routes(ALIAS)) if r["prefix"] != "0.0.0.0/0")), **{"route-get": objects(*(w for w in ways(GATEWAY, ALIAS) if w["target"] != "8.8.8.8"))})),
    "endpoint-unreachable": Host(each("timeout")),
    "endpoint-blocked-on-host": Host(each("denied", firewall=blocked("Protocol=6|RPort=443"))),
    "vpc-endpoint-missing": Host({f"endpoint-{n}": endpoint(n, outcome="timeout").replace(b"10.0.30.", b"198.51.100.") for n in ("ssmmessages", "ec2messages")}),
    "ipv6-only": Host(each("no-route", addresses=objects(adapter(INDEX, ALIAS), address(INDEX, ALIAS, "2600:1f18::25", 64)), routes=objects(route("::/0", "fe80::1", ALIAS)), **{"route-get": b""})),
    "endpoint-tls-reset": Host(tls("reset", "error=ConnectionReset")),
    "endpoint-tls-timeout": Host(tls("timeout", "error=TimedOut")),
    "endpoint-no-response": Host(http("outcome=no-answer", "error=TimedOut")),
    "endpoint-server-error": Host(http("outcome=answered", "http=503")),
    "endpoint-block-page": Host(http("outcome=answered", "http=403", "type=text/html", "| <html>Blocked</html>")),
    "tls-trust": Host(tls("untrusted", "issuer=CN=Corporate CA", "verify=RemoteCertificateChainErrors: UntrustedRoot")),
    "tls-wrong-host": Host(tls("wrong-host", "subject=CN=intranet.corp.example", "issuer=CN=Amazon RSA 2048 M02, O=Amazon, C=US")),
    "tls-certificate-expired": Host(tls("expired", "issuer=CN=Corporate CA", "not_before=2024-01-01T00:00:00Z", "not_after=2025-01-01T00:00:00Z")),
    # Names
    "dns-no-such-host": Host(names("HostNotFound: the name does not resolve", "[dns 10.0.0.2];tool=Resolve-DnsName;rcode=NXDOMAIN")),
    "dns-servfail": Host(names("TryAgain", "[dns 10.0.0.2];tool=Resolve-DnsName;rcode=SERVFAIL")),
    "dns-timeout": Host(names("TryAgain", "[dns 10.0.0.2];tool=Resolve-DnsName;outcome=timeout;error=ERROR_TIMEOUT")),
    "dns-no-resolver": Host({**names("HostNotFound: the name does not resolve"), "resolv-conf": objects({"kind": "search", "list": ""})}),
    "dns-wrong-address": Host(staged("[tcp];address={ip};outcome=refused", ip=GATEWAY)),
    "hosts-file-override": Host({**staged("[tcp];address={ip};outcome=timeout", ip="10.0.9.9"), "hosts-file": text(*(f"10.0.9.9 {name}" for name in HOSTS.values()))}),
}  # fmt: skip


def sick(slug: str) -> WindowsPersona:
    """The healthy host, not seen to be connected, with what differs."""
    probes = {**persona("healthy").probes, **SICK[slug].probes}
    probes.pop("sockets")
    return WindowsPersona(slug, slug, probes, SICK[slug].logs)


@pytest.mark.parametrize("slug", SICK)
def test_it_is_diagnosed_right(slug: str) -> None:
    found = diagnose(collected(sick(slug)), now=NOW)
    assert told(found) == [slug]
    cause = found.causes[0]
    assert cause.evidence
    said = [str(cause.sentence), *(line for step in (*cause.remedy, *cause.verify) for line in step.lines)]
    assert not [
        text for text in said if re.search(r"\bsudo\b|systemctl|/etc/|/root/|/var/|/usr/|\broot\b", text)
    ]


# Near misses ---------------------------------------------------------------------------------------------


def rules_of(case: str, **other: bytes) -> set[str]:
    """The rules of Windows that tell something of a persona with these probes instead."""
    host = persona(case)
    changed = WindowsPersona(case, host.cause, {**host.probes, **other}, host.logs)
    looked = case_of(collected(changed), now=NOW)
    return {rule.name for rule in built_in() if rule.name.startswith("windows") and any(rule(looked))}


NRPT = {"kind": "nrpt", "names": [".amazonaws.com"], "servers": "10.9.9.53", "path": "x"}
RESOLVERS = {"kind": "servers", "if_index": INDEX, "servers": ["10.0.0.2"]}
ROOT = {"kind": "store", "store": "Root", "count": 19}
AMAZON = {"kind": "certificate", "store": "AuthRoot", "subject": "CN=Amazon Root CA 1, O=Amazon, C=US"}
BLOCKED = {
    "kind": "event",
    "log": "Microsoft-Windows-AppLocker/EXE and DLL",
    "id": 8004,
    "time": "2026-11-23T05:40:00Z",
}
EXHAUSTED = {
    "kind": "event",
    "log": "System",
    "id": 2004,
    "time": "2026-11-23T06:01:12Z",
    "values": ["x.exe"],
}
ENDED = {
    "kind": "event",
    "log": "System",
    "id": 7031,
    "time": "2026-11-23T06:01:40Z",
    "values": ["Amazon SSM Agent"],
}
LAUNCH = {"kind": "agent", "agent": "EC2Launch v2", "version": "2.0.1739"}


@pytest.mark.parametrize(
    ("rule", "case", "other"),
    [
        ("windows_policies.name_rule", "name-rule", {"resolv-conf": objects(RESOLVERS, {**NRPT, "names": [".corp.example"]})}),
        ("windows_policies.name_rule", "name-rule", {"resolv-conf": objects(RESOLVERS, NRPT, {**NRPT, "names": [HOSTS[n] for n in HOSTS], "servers": ""})}),
        ("windows_policies.name_rule", "name-rule", names("HostNotFound: the name does not resolve", "[dns 10.0.0.2];rcode=NXDOMAIN")),
        ("windows_policies.name_rule", "healthy", {"resolv-conf": objects(RESOLVERS, NRPT)}),
        ("windows_policies.roots", "roots-missing", {"roots": objects(ROOT, AMAZON)}),
        ("windows_policies.roots", "roots-missing", {"roots": b""}),
        ("windows_policies.roots", "roots-missing", tls("untrusted", "issuer=CN=Corporate CA")),
        ("windows_policies.roots", "healthy", {"roots": objects(ROOT)}),
        ("windows_policies.old_tls", "tls12-off", {"schannel": objects({"kind": "protocol", "name": "TLS 1.0", "enabled": 0})}),
        ("windows_policies.old_tls", "healthy", {"schannel": objects({"kind": "protocol", "name": "TLS 1.2", "enabled": 0})}),
        ("windows_policies.application_control", "applocker", {"service-events": objects({**BLOCKED, "values": ["C:\\Other\\x.exe"]})}),
        ("windows_policies.application_control", "applocker", {"service-events": objects({**BLOCKED, "time": "2026-11-20T05:40:00Z", "values": ["\\Amazon\\SSM\\x.exe"]})}),
        ("windows_policies.application_control", "applocker", {"service": objects(service())}),
        ("windows_policies.out_of_memory", "out-of-memory", {"service-events": objects(EXHAUSTED)}),
        ("windows_policies.out_of_memory", "out-of-memory", {"service-events": objects(ENDED)}),
        ("windows_policies.worker_gone", "worker-gone", {"agent-version": text("SSM Agent version: 2.3.1319.0"), "packages": text("[msi]", "version=2.3.1319.0", "state=installed")}),
        ("windows_policies.worker_gone", "worker-gone", {"agent-files": b""}),
        ("windows.launch_failed", "launch-failed", {"launch-agents": objects(LAUNCH, {"kind": "log", "agent": "EC2Launch v2", "text": "Adding routes: done"})}),
        ("windows.launch_failed", "stale-persistent-route", {"launch-agents": objects(LAUNCH, {"kind": "log", "agent": "EC2Launch v2", "text": "Failed to add route"})}),
    ],
)  # fmt: skip
def test_nearly_is_not(rule: str, case: str, other: dict[str, bytes]) -> None:
    assert rule not in rules_of(case, **other)


def test_an_old_tls_of_windows_blames_no_device() -> None:
    """Without that setting the same break is the network's; with an open channel, nothing is wrong."""
    host = persona("tls12-off")
    without = WindowsPersona("x", "x", {**host.probes, "schannel": b""}, host.logs)
    assert told(diagnose(collected(without), now=NOW)) == ["endpoint-tls-reset"]
    assert told(diagnose(collected(WindowsPersona("x", "x", host.probes, log(*ONLINE))), now=NOW)) == [
        "healthy"
    ]
    found = diagnose(collected(host), now=NOW)
    assert "endpoint-tls-version" in found.candidates


def test_a_root_that_is_not_to_be_trusted_is_told() -> None:
    host = persona("roots-missing")
    distrusted = objects(ROOT, AMAZON, {**AMAZON, "store": "Disallowed"})
    found = diagnose(
        collected(WindowsPersona("x", "x", {**host.probes, "roots": distrusted}, host.logs)), now=NOW
    )
    assert "list of untrusted certificates" in str(found.causes[0].sentence)


def test_what_the_launch_agent_logged_is_quoted() -> None:
    host = persona("stale-persistent-route", 2019)
    line = {
        "kind": "log",
        "agent": "EC2Launch v1",
        "text": f"2026/05/02 11:01:12Z: Added route 169.254.169.254 via {STALE}",
    }
    more = objects(
        {**LAUNCH, "agent": "EC2Launch v1"}, line, {**line, "text": "2026/05/02 11:01:13Z: version 1.3"}
    )
    changed = WindowsPersona("x", "x", {**host.probes, "launch-agents": more}, host.logs)
    cited = [citation.text for citation in diagnose(collected(changed), now=NOW).causes[0].evidence]
    assert [text for text in cited if "Added route" in text]
    assert not [text for text in cited if "version 1.3" in text]
