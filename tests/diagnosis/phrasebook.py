# ruff: noqa: E501  log lines as the agent writes them
"""Every fault in the words of every agent generation, on hosts that look unlike each other.

A fault is what the host's probes see of it and what the agent's HTTP client or the service says; a
generation is how an agent of that time writes such a saying down (its phrases are those of the agent's
source and of real logs); a world is where the host stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import casebook as b

# Worlds --------------------------------------------------------------------------------------------------

WORLDS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "private": (("10.77.100.", "172.31.40."), ("10.77.1.", "172.31.16."), ("10.77.", "172.31."), ("us-east-1", "eu-central-1"), ("eth0", "ens5")),
    "public": (("10.77.100.", "52.119.190."), ("10.77.1.", "192.168.7."), ("10.77.0.2", "192.168.0.2"), ("10.77.", "192.168."), ("us-east-1", "ap-southeast-2"), ("eth0", "enX0")),
}  # fmt: skip


def moved(text: str, world: str) -> str:
    """The same host, elsewhere."""
    for old, new in WORLDS[world]:
        text = text.replace(old, new)
    return text


# Generations ---------------------------------------------------------------------------------------------

GENERATIONS = (
    "2.2.355.0",
    "2.3.1205.0",
    "3.0.529.0",
    "3.1.1732.0",
    "3.2.582.0",
    "3.2.2303.0",
    "3.3.40.0",
    "3.3.1142.0",
)
ID = "i-0a1b2c3d4e5f60718"


def stamp(version: str, second: int) -> str:
    """As that version writes times."""
    minutes, seconds = divmod(second, 60)
    fraction = ".1234" if version == "3.3.1142.0" else ""
    return f"2026-11-23 06:{36 + minutes}:{seconds:02}{fraction}"


def lines(version: str, *told: tuple[int, str]) -> str:
    return "".join(f"{stamp(version, at)} {text}\n" for at, text in told)


def start(version: str, at: int = 0, identity: str = "EC2", proxy: str = "", no_proxy: str = "") -> str:
    """The head of a start that knows its identity."""
    if version < "3.":
        return lines(
            version,
            (at, f"INFO Starting Agent: amazon-ssm-agent - v{version}"),
            (at, "INFO OS: linux, Arch: amd64"),
        )
    block = [
        (at, "INFO Proxy environment variables:"),
        (at, f"INFO https_proxy: {proxy}"),
        (at, f"INFO http_proxy: {proxy}"),
        (at, f"INFO no_proxy: {no_proxy}"),
    ]
    if version < "3.1":
        return lines(version, *block, (at, f"INFO [amazon-ssm-agent] amazon-ssm-agent - v{version}"))
    return lines(
        version,
        *block,
        (at, f"INFO Checking if agent identity type {identity} can be assumed"),
        (at, f"INFO Agent will take identity from {identity}"),
        (at, f"INFO [amazon-ssm-agent] amazon-ssm-agent - v{version}"),
    )


def online(version: str, at: int = 2) -> str:
    """The rest of a good start."""
    if version == "2.2.355.0":
        return lines(
            version,
            (at, f"INFO [instanceID={ID}] [HealthCheck] HealthCheck reporting agent health."),
            (
                at + 1,
                f"INFO [instanceID={ID}] [Association] Schedule manager refreshed with 0 associations, 0 new associations associated",
            ),
        )
    if version < "3.1":
        worker = "[ssm-agent-worker] " if version >= "3." else ""
        return lines(
            version,
            (
                at,
                f"INFO {worker}[MessageGatewayService] Successfully opened websocket connection to: wss://ssmmessages.us-east-1.amazonaws.com/v1/control-channel/{ID}?role=subscribe&stream=input",
            ),
        )
    ready = (
        [(at, "INFO EC2RoleProvider Successfully connected with instance profile role credentials")]
        if version >= "3.2"
        else []
    )
    return lines(
        version,
        *ready,
        (at, "INFO [CredentialRefresher] Credentials ready"),
        (
            at + 1,
            "INFO [ssm-agent-worker] [MessageService] [MGSInteractor] Successfully opened websocket connection to: 10.77.100.13:443",
        ),
        (
            at + 1,
            "INFO [ssm-agent-worker] [MessageService] [MGSInteractor] SSM Connection channel status is set to ssmmessages",
        ),
    )


def no_identity(version: str, error: str, status: str = "") -> str:
    """A start that ends at IMDS: ``error`` is the HTTP client's word."""
    quoted = error if version >= "3." else error.replace('"http', "http").replace('": ', ": ")
    if version < "3.1":
        tail = f"Failed to fetch region. Data from vault is empty. {quoted}"
        return lines(
            version,
            (0, f"INFO Starting Agent: amazon-ssm-agent - v{version}"),
            (9, f"ERROR error fetching the region, {tail}"),
            (9, f"ERROR error occurred when starting amazon-ssm-agent: {tail}"),
        )
    body = ""
    if version >= "3.2.1297":
        body = lines(
            version,
            (
                5,
                f"ERROR [EC2Identity] Failed to get instance info from IMDS. Err: failed to get identity instance id. Error: EC2MetadataError: failed to get IMDSv2 token and fallback to IMDSv1 is disabled\ncaused by: {status or ': '}\n\tstatus code: {status[:3] or '0'}, request id: \ncaused by: {error}",
            ),
        )
    return (
        lines(
            version,
            (0, "INFO Proxy environment variables:"),
            (0, "INFO Checking if agent identity type EC2 can be assumed"),
        )
        + body
        + lines(
            version,
            (6, "ERROR Agent failed to assume any identity"),
            (6, "ERROR failed to find identity, retrying: failed to find agent identity"),
        )
    )


def refused(version: str, error: str, moment: str, identity: str = "EC2") -> str:
    """An agent whose calls to ssm fail with ``error`` (an AWS error, or a request that was not answered).

    ``moment``: ``first-boot``, ``registered`` (a start after good days) or ``mid-life``.
    """
    head = start(version, identity=identity)
    if moment == "mid-life":
        return (
            head
            + online(version)
            + lines(
                version,
                (
                    400,
                    f"ERROR {_worker(version)}[HealthCheck] error when calling AWS APIs. error details - {error}",
                ),
                (400, f"INFO {_worker(version)}[HealthCheck] increasing error count by 1"),
            )
        )
    if moment == "registered":
        head = start(version, 0, identity) + online(version) + start(version, 300, identity)
    at = 330
    if version == "2.2.355.0":
        return head + lines(
            version,
            (
                at,
                f"ERROR [instanceID={ID}] [HealthCheck] error when calling AWS APIs. error details - {error}",
            ),
            (at, f"INFO [instanceID={ID}] [HealthCheck] increasing error count by 1"),
        )
    if version < "3.2":
        return head + lines(version, (at, f"INFO {_worker(version)}Entering SSM Agent hibernate - {error}"))
    registrar = (
        lines(
            version,
            (
                at,
                f"ERROR [Registrar] failed to register identity: error calling RegisterManagedInstance API: {error}",
            ),
        )
        if moment == "first-boot" and error.startswith("RequestError")
        else ""
    )
    if identity == "OnPrem":
        return head + lines(
            version, (at, f"ERROR [CredentialRefresher] Retrieve credentials produced error: {error}")
        )
    if error.startswith("RequestError"):
        cut = "RequestError: send request failed"
        if version == "3.2.582.0":
            return (
                head
                + registrar
                + lines(
                    version,
                    (
                        at,
                        f"ERROR EC2RoleProvider instance profile role could not be checked for ssm permissions. Err: retrieved credentials failed to report to ssm. Error: {error}",
                    ),
                )
            )
        return (
            head
            + registrar
            + lines(
                version,
                (
                    at,
                    f"ERROR [CredentialRefresher] Retrieve credentials produced error: unexpected error getting instance profile role credentials or calling UpdateInstanceInformation. Skipping default host management fallback: retrieved credentials failed to report to ssm. Error: {cut}",
                ),
            )
        )
    dhmc = "AccessDeniedException: Systems Manager's instance management role is not configured for account: 123456789012\n\tstatus code: 400, request id: eafd097c-e3a2-4bcc-a3f1-bd52de987ee1"
    return head + lines(
        version,
        (
            at,
            f"WARN EC2RoleProvider Failed to connect to Systems Manager with instance profile role credentials. Err: retrieved credentials failed to report to ssm. Error: {error}",
        ),
        (
            at,
            f"{'WARN' if version == '3.2.582.0' else 'ERROR'} EC2RoleProvider Failed to connect to Systems Manager with SSM role credentials. error calling RequestManagedInstanceRoleToken: {dhmc}",
        ),
        (
            at,
            f"ERROR [CredentialRefresher] Retrieve credentials produced error: no valid credentials could be retrieved for ec2 identity. Default Host Management Err: error calling RequestManagedInstanceRoleToken: {dhmc}",
        ),
        (at, "INFO [CredentialRefresher] Sleeping for 26m37s before retrying retrieve credentials"),
    )


def _worker(version: str) -> str:
    return "" if version < "3." else "[ssm-agent-worker] "


def request(error: str, version: str, host: str = "ssm.us-east-1.amazonaws.com") -> str:
    """What the SDK says of a request to an endpoint that was not answered, by the Go of that version."""
    quote = "" if version < "2.3" else '"'
    if version < "3.1":
        error = error.replace("tls: failed to verify certificate: ", "").replace(
            "context deadline exceeded (", "net/http: request canceled ("
        )
    return f"RequestError: send request failed\ncaused by: Post {quote}https://{host}/{quote}: {error}"


# Faults --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong."""

    cause: str
    error: str = ""
    """What the HTTP client (for ``imds`` and ``request``) or the service says."""
    probes: Mapping[str, str] = field(default_factory=dict)
    leg: str = "request"
    """``imds``, ``request`` (an endpoint does not answer) or ``service`` (it answers with an error)."""
    scope: str | None = None
    status: str = ""
    log_tells: bool = False
    """Whether the agent's word alone says which cause it is."""
    versions: tuple[str, ...] = GENERATIONS
    moments: tuple[str, ...] = ("first-boot", "registered", "mid-life")
    proxy: str = ""
    """Of the agent's process; spared: IMDS."""
    identity: str = "EC2"


def get(error: str) -> str:
    return f'Get "http://169.254.169.254/latest/dynamic/instance-identity/document": {error}'


def dialled(error: str) -> str:
    return get(f"dial tcp 169.254.169.254:80: {error}")


REFUSING = ("prohibit", "unreachable", "blackhole")
KERNEL = {
    "prohibit": ("denied", "connect: permission denied", "RTNETLINK answers: Permission denied"),
    "unreachable": ("host-unreachable", "connect: no route to host", "RTNETLINK answers: No route to host"),
    "blackhole": ("invalid", "connect: invalid argument", "RTNETLINK answers: Invalid argument"),
}
OUT = "*filter\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n{rule}\nCOMMIT\n"
NEW = ("3.2.2303.0", "3.3.40.0", "3.3.1142.0")
BEFORE_V2 = ("2.2.355.0",)
PROXY = "http://10.77.200.10:3128"
ENV = (
    f"# pid 60 /usr/bin/amazon-ssm-agent\nhttp_proxy={PROXY}\nhttps_proxy={PROXY}\nno_proxy=169.254.169.254\n"
)
ROLE = "arn:aws:sts::123456789012:assumed-role/AppServerRole/i-0a1b2c3d4e5f60718"
DENIED = f"AccessDeniedException: User: {ROLE} is not authorized to perform: ssm:UpdateInstanceInformation on resource: arn:aws:ec2:us-east-1:123456789012:instance/i-0a1b2c3d4e5f60718"
LOOKUP = "dial tcp: lookup ssm.us-east-1.amazonaws.com on 10.77.0.2:53: "
CLOCK_BEHIND = (
    b.HEALTHY["clock"]
    .replace("epoch=1795415925", "epoch=1793255925")
    .replace("2026-11-23T06:38:45Z", "2026-10-29T06:38:45Z")
)
CLOCK_AHEAD = (
    b.HEALTHY["clock"]
    .replace("epoch=1795415925", "epoch=1826951925")
    .replace("2026-11-23T06:38:45Z", "2027-11-23T06:38:45Z")
)


def by_proxy(record: str) -> dict[str, str]:
    """All goes through the agent's proxy, and that fails; the direct way is shut."""
    told = {f"endpoint-{s}": b.tcp(s, "timeout") + f"[proxy]\nproxy={PROXY}\n{record}\n" for s in b.ADDRESSES}
    return {"agent-environ": ENV, **told}


def one(service: str, made: str) -> dict[str, str]:
    return {f"endpoint-{service}": made}


FAULTS: dict[str, Fault] = {
    # --- IMDS
    "imds no default route": Fault("imds-no-route", dialled("connect: network is unreachable"), {"imds": b.dead_imds("no-route"), "routes": b.ROUTES.partition("\n")[2], "route-get": "# 169.254.169.254\nRTNETLINK answers: Network is unreachable\n", **b.endpoints("no-route")}, "imds"),
    **{f"imds {kind} route": Fault("imds-no-route", dialled(KERNEL[kind][1]), {"imds": b.dead_imds(KERNEL[kind][0]), "routes": b.ROUTES + f"{kind} 169.254.169.254\n", "route-get": f"# 169.254.169.254\n{KERNEL[kind][2]}\n"}, "imds") for kind in REFUSING},
    "imds stale gateway drops": Fault("imds-wrong-route", get("context deadline exceeded (Client.Timeout exceeded while awaiting headers)"), {"imds": b.dead_imds("timeout"), "routes": b.ROUTES + "169.254.169.254 via 10.77.9.1 dev eth0 onlink\n", "route-get": "# 169.254.169.254\n169.254.169.254 via 10.77.9.1 dev eth0 src 10.77.1.25 uid 0\n"}, "imds"),
    "imds stale gateway without ARP": Fault("imds-wrong-route", dialled("connect: no route to host"), {"imds": b.dead_imds("host-unreachable"), "routes": b.ROUTES + "169.254.169.254 via 10.77.1.99 dev eth0\n", "route-get": "# 169.254.169.254\n169.254.169.254 via 10.77.1.99 dev eth0 src 10.77.1.25 uid 0\n", "neighbours": "10.77.1.99 dev eth0  FAILED\n10.77.1.1 dev eth0 lladdr 02:00:00:00:00:01 REACHABLE\n"}, "imds"),
    "imds by a tunnel": Fault("imds-wrong-route", dialled("i/o timeout"), {"imds": b.dead_imds("timeout"), "routes": b.ROUTES + "169.254.0.0/16 dev tun0 proto static\n", "route-get": "# 169.254.169.254\n169.254.169.254 dev tun0 src 10.77.1.25 uid 0\n"}, "imds"),
    "imds by a rule's table": Fault("imds-wrong-route", dialled("i/o timeout"), {"imds": b.dead_imds("timeout"), "rules": "0:\tfrom all lookup local\n100:\tfrom all to 169.254.169.254 lookup 100\n32766:\tfrom all lookup main\n32767:\tfrom all lookup default\n", "routes": b.ROUTES + "default via 10.77.1.77 dev eth0 table 100\n", "route-get": "# 169.254.169.254\n169.254.169.254 via 10.77.1.77 dev eth0 table 100 src 10.77.1.25 uid 0\n"}, "imds"),
    "imds rejected with a reset": Fault("imds-blocked-on-host", dialled("connect: connection refused"), {"imds": b.dead_imds("refused"), "iptables": OUT.format(rule="-A OUTPUT -d 169.254.169.254/32 -p tcp -m owner --uid-owner 0 -j REJECT --reject-with tcp-reset")}, "imds"),
    "imds rejected admin-prohibited": Fault("imds-blocked-on-host", dialled("connect: no route to host"), {"imds": b.dead_imds("host-unreachable"), "iptables": OUT.format(rule="-A OUTPUT -d 169.254.169.254/32 -j REJECT --reject-with icmp-admin-prohibited")}, "imds"),
    "imds dropped by nft": Fault("imds-blocked-on-host", get("context deadline exceeded (Client.Timeout exceeded while awaiting headers)"), {"imds": b.dead_imds("timeout"), "iptables": "", "nft": "table inet filter {\n\tchain output {\n\t\ttype filter hook output priority filter; policy accept;\n\t\tip daddr 169.254.169.254 drop\n\t}\n}\n"}, "imds"),
    "imds led astray by DNAT": Fault("imds-redirected", dialled("connect: connection refused"), {"imds": b.dead_imds("refused"), "iptables": "*nat\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -d 169.254.169.254/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.77.1.25:8181\nCOMMIT\n"}, "imds"),
    "imds silent": Fault("imds-no-response", get("context deadline exceeded (Client.Timeout exceeded while awaiting headers)"), {"imds": b.dead_imds("no-answer")}, "imds"),
    "imds dropped on the way": Fault("imds-no-response", dialled("i/o timeout"), {"imds": b.dead_imds("timeout")}, "imds"),
    "imds hop limit": Fault("imds-hop-limit", get("context deadline exceeded (Client.Timeout exceeded while awaiting headers)"), {"imds": b.imds(token="method=PUT;outcome=no-answer", instance_id="", role="", credentials="", document="", iam_info="", region="")}, "imds", versions=NEW),
    "imds off": Fault("imds-disabled", "EC2MetadataError: failed to make EC2Metadata request\n<?xml version=\"1.0\" encoding=\"iso-8859-1\"?>\n<html>\n <head>\n  <title>403 - Forbidden</title>\n </head>\n</html>\n\n\tstatus code: 403, request id: ", {"imds": b.imds(token="method=PUT;outcome=answered;http=403", v1="outcome=answered;http=403", instance_id="", role="", credentials="", document="", iam_info="", region="")}, "imds", status="403 Forbidden: Forbidden"),
    "imds 500": Fault("imds-server-error", "EC2MetadataError: failed to make EC2Metadata request\n<?xml version=\"1.0\" encoding=\"iso-8859-1\"?>\n<html>\n <head>\n  <title>500 - Internal Server Error</title>\n </head>\n</html>\n\n\tstatus code: 500, request id: ", {"imds": b.imds(token="method=PUT;outcome=answered;http=500", v1="outcome=answered;http=500", instance_id="", role="", credentials="", document="", iam_info="", region="")}, "imds", status="500 Internal Server Error: Internal Server Error"),
    "imds of somebody else": Fault("imds-impostor", "ParamFormatInvalidError: unable to parse EC2 token TTL response\ncaused by: strconv.ParseInt: parsing \"\": invalid syntax", {"imds": "[token]\nmethod=PUT\noutcome=answered\nhttp=200\nserver=nginx\ntype=text/html\n| <html><body>Please log in</body></html>\n[v1]\noutcome=answered\nhttp=200\nserver=nginx\ntype=text/html\n| <html><body>Please log in</body></html>\n"}, "imds", versions=NEW),
    "imds wants tokens of an old agent": Fault("agent-too-old-for-imdsv2", "invalid character '<' looking for beginning of value", {}, "imds", versions=BEFORE_V2),
    # --- the way to the endpoints
    "endpoints dropped": Fault("endpoint-unreachable", "dial tcp 10.77.100.11:443: i/o timeout", b.endpoints("timeout")),
    "endpoints refused by the network": Fault("endpoint-unreachable", "dial tcp 10.77.100.11:443: connect: connection refused", b.endpoints("refused")),
    "endpoints admin-prohibited": Fault("endpoint-unreachable", "dial tcp 10.77.100.11:443: connect: no route to host", b.endpoints("no-route")),
    "endpoints rejected on the host": Fault("endpoint-blocked-on-host", "dial tcp 10.77.100.11:443: connect: connection refused", b.endpoints("refused", iptables=OUT.format(rule="-A OUTPUT -p tcp -m tcp --dport 443 -j REJECT --reject-with tcp-reset"))),
    "endpoints dropped on the host": Fault("endpoint-blocked-on-host", "dial tcp 10.77.100.11:443: i/o timeout", b.endpoints("timeout", iptables=OUT.format(rule="-A OUTPUT -p tcp -m tcp --dport 443 -j DROP"))),
    "output policy drop": Fault("endpoint-blocked-on-host", "dial tcp 10.77.100.11:443: i/o timeout", b.endpoints("timeout", iptables="*filter\n:INPUT ACCEPT [0:0]\n:OUTPUT DROP [0:0]\n-A OUTPUT -d 169.254.169.254/32 -j ACCEPT\n-A OUTPUT -p udp -m udp --dport 53 -j ACCEPT\nCOMMIT\n")),
    "no default route": Fault("no-default-route", "dial tcp 10.77.100.11:443: connect: network is unreachable", b.endpoints("no-route", routes=b.ROUTES.partition("\n")[2] + "169.254.169.254 dev eth0 scope link\n", **{"route-get": "# 169.254.169.254\n169.254.169.254 dev eth0 src 10.77.1.25 uid 0\n# 10.77.100.11 ssm\nRTNETLINK answers: Network is unreachable\n"}), log_tells=True),
    "ssm alone dropped": Fault("endpoint-unreachable", "dial tcp 10.77.100.11:443: i/o timeout", one("ssm", b.tcp("ssm", "timeout")), scope="ssm"),
    "tls reset": Fault("endpoint-tls-reset", "read tcp 10.77.1.25:38100->10.77.100.11:443: read: connection reset by peer", b.tls("reset"), log_tells=True),
    "tls eof": Fault("endpoint-tls-reset", "EOF", b.tls("eof"), log_tells=True),
    "broken pipe": Fault("endpoint-tls-reset", "write tcp 10.77.1.25:38100->10.77.100.11:443: write: broken pipe", b.tls("reset"), log_tells=True),
    "plain http to an old agent": Fault("endpoint-not-tls", "tls: oversized record received with length 20527", b.tls("not-tls"), log_tells=True, versions=GENERATIONS[:3]),
    "read times out": Fault("endpoint-no-response", "read tcp 10.77.1.25:38100->10.77.100.11:443: read: connection timed out", b.http("outcome=no-answer"), moments=("first-boot", "registered")),
    "tls stalls": Fault("endpoint-tls-timeout", "net/http: TLS handshake timeout", b.tls("timeout")),
    "tls 1.0": Fault("endpoint-tls-version", "remote error: tls: protocol version not supported", b.tls("version"), log_tells=True),
    "plain http": Fault("endpoint-not-tls", "http: server gave HTTP response to HTTPS client", b.tls("not-tls"), log_tells=True),
    "unknown authority": Fault("tls-trust", "tls: failed to verify certificate: x509: certificate signed by unknown authority", b.tls("untrusted", issuer="CN = Proxy Root CA"), log_tells=True),
    "intercepting certificate of an old kind": Fault("tls-trust", "tls: failed to verify certificate: x509: certificate relies on legacy Common Name field, use SANs instead", b.tls("untrusted", issuer="CN = Proxy Root CA"), log_tells=True),
    "certificate of another": Fault("tls-wrong-host", "tls: failed to verify certificate: x509: certificate is valid for portal.example.org, not ssm.us-east-1.amazonaws.com", b.tls("wrong-host", subject="CN = portal.example.org"), log_tells=True),
    "certificate expired": Fault("tls-certificate-expired", "tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time 2026-11-23T06:42:22Z is after 2026-11-18T06:23:20Z", b.tls("expired", not_after="Nov 18 06:23:20 2026 GMT")),
    "clock behind by weeks": Fault("clock-skew", "tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time 2026-10-29T06:42:29Z is before 2026-11-13T06:23:20Z", {**b.tls("not-yet-valid", not_before="Nov 13 06:23:20 2026 GMT"), "clock": CLOCK_BEHIND}),
    "clock ahead by a year": Fault("clock-skew", "tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time 2027-11-23T06:42:29Z is after 2027-02-13T06:23:20Z", {**b.tls("expired", not_after="Feb 13 06:23:20 2027 GMT"), "clock": CLOCK_AHEAD}),
    "no answer": Fault("endpoint-no-response", "context deadline exceeded (Client.Timeout exceeded while awaiting headers)", b.http("outcome=no-answer"), moments=("first-boot", "registered")),
    "http 503": Fault("endpoint-server-error", "ServiceUnavailableException: \n\tstatus code: 503, request id: f38f01be-2160-4d84-bacb-6f427a67128b", b.http("outcome=answered\nhttp=503\ntype=application/x-amz-json-1.1"), "service", log_tells=True),
    "http 500": Fault("endpoint-server-error", "InternalServerError: \n\tstatus code: 500, request id: f38f01be-2160-4d84-bacb-6f427a67128b", b.http("outcome=answered\nhttp=500\ntype=application/x-amz-json-1.1"), "service", log_tells=True),
    "block page": Fault("endpoint-block-page", "SerializationError: failed to unmarshal response error\n\tstatus code: 403, request id: \ncaused by: UnmarshalError: failed to unmarshal error message\n\t00000000  3c 68 74 6d 6c 3e 3c 68  65 61 64 3e 3c 74 69 74  |<html><head><tit|\n\ncaused by: invalid character '<' looking for beginning of value", b.http("outcome=answered\nhttp=403\ntype=text/html\n| <html><head><title>Blocked</title>"), "service", log_tells=True),
    "endpoints of ssm only": Fault("vpc-endpoint-missing", "", {"endpoint-ssm": b.endpoint("ssm", address="172.20.1.11"), "endpoint-ssmmessages": b.tcp("ssmmessages", "timeout", "52.119.190.13"), "endpoint-ec2messages": b.tcp("ec2messages", "timeout", "52.119.190.12")}, "good"),
    # --- names
    "NXDOMAIN": Fault("dns-no-such-host", LOOKUP + "no such host", b.dns("[dns 10.77.0.2]\nrcode=NXDOMAIN\n"), log_tells=True),
    "SERVFAIL": Fault("dns-servfail", LOOKUP + "server misbehaving", b.dns("[dns 10.77.0.2]\nrcode=SERVFAIL\n"), log_tells=True),
    "resolver talks nonsense": Fault("dns-servfail", LOOKUP + "cannot unmarshal DNS message", b.dns("[dns 10.77.0.2]\nrcode=SERVFAIL\n"), log_tells=True),
    "rcode REFUSED": Fault("dns-servfail", LOOKUP + "server misbehaving", b.dns("[dns 10.77.0.2]\nrcode=REFUSED\n"), log_tells=True),
    "resolver silent": Fault("dns-timeout", LOOKUP + "read udp 10.77.1.25:52180->10.77.0.2:53: i/o timeout", b.dns("[dns 10.77.0.2]\noutcome=timeout\n"), log_tells=True),
    "resolver refuses": Fault("dns-resolver-down", LOOKUP + "read udp 10.77.1.25:52180->10.77.0.2:53: read: connection refused", b.dns("[dns 10.77.0.2]\noutcome=refused\n"), log_tells=True),
    "no nameserver": Fault("dns-no-resolver", "dial tcp: lookup ssm.us-east-1.amazonaws.com on [::1]:53: read udp [::1]:41234->[::1]:53: read: connection refused", {**b.dns(""), "resolv-conf": "# empty\n"}, log_tells=True),
    "hosts file": Fault("hosts-file-override", "dial tcp 10.99.9.11:443: i/o timeout", {"hosts-file": "127.0.0.1 localhost\n10.99.9.11 ssm.us-east-1.amazonaws.com ssm\n", "endpoint-ssm": b.tcp("ssm", "timeout", "10.99.9.11")}, scope="ssm"),
    "all names lead to one dead host": Fault("dns-wrong-address", "dial tcp 10.99.0.5:443: connect: connection refused", {f"endpoint-{s}": b.tcp(s, "refused", "10.99.0.5") for s in b.ADDRESSES}),
    # --- proxy
    "proxy dead": Fault("proxy-unreachable", "proxyconnect tcp: dial tcp 10.77.200.10:3128: connect: connection refused", by_proxy("outcome=refused"), proxy=PROXY, log_tells=True),
    "proxy silent": Fault("proxy-unreachable", "proxyconnect tcp: dial tcp 10.77.200.10:3128: i/o timeout", by_proxy("outcome=timeout"), proxy=PROXY, log_tells=True),
    "proxy without a name": Fault("proxy-name-not-resolved", "proxyconnect tcp: dial tcp: lookup proxy.corp.example.com on 10.77.0.2:53: no such host", by_proxy("outcome=error\nerror=curl: (5) Could not resolve proxy: proxy.corp.example.com"), proxy=PROXY, log_tells=True),
    "proxy wants a login": Fault("proxy-auth-required", "Proxy Authentication Required", by_proxy("outcome=answered\nconnect=407"), proxy=PROXY, log_tells=True),
    "proxy forbids": Fault("proxy-denies-endpoint", "Forbidden", by_proxy("outcome=answered\nconnect=403"), proxy=PROXY, log_tells=True),
    "proxy with the wrong scheme": Fault("proxy-scheme-https", "proxyconnect tcp: tls: first record does not look like a TLS handshake", {**{k: v.replace(PROXY, PROXY.replace("http:", "https:")) for k, v in by_proxy("outcome=error\nerror=curl: (35) error:1408F10B:SSL routines:ssl3_get_record:wrong version number").items()}}, proxy=PROXY.replace("http:", "https:"), log_tells=True, versions=GENERATIONS[1:]),
    "proxy forbids in its own words": Fault("proxy-denies-endpoint", "Access Denied", by_proxy("outcome=answered\nconnect=403"), proxy=PROXY),
    "proxy hangs up on TLS": Fault("proxy-scheme-https", "proxyconnect tcp: EOF", {k: v.replace(PROXY, PROXY.replace("http:", "https:")) for k, v in by_proxy("outcome=error\nerror=curl: (35) error:1408F10B:SSL routines:ssl3_get_record:wrong version number").items()}, proxy=PROXY.replace("http:", "https:"), versions=GENERATIONS[1:]),
    "proxy is silent to TLS": Fault("proxy-scheme-https", "proxyconnect tcp: net/http: TLS handshake timeout", {k: v.replace(PROXY, PROXY.replace("http:", "https:")) for k, v in by_proxy("outcome=error\nerror=curl: (35) error:1408F10B:SSL routines:ssl3_get_record:wrong version number").items()}, proxy=PROXY.replace("http:", "https:"), versions=GENERATIONS[1:]),
    "proxy for shells only": Fault("proxy-missing-or-wrong-layer", "dial tcp 10.77.100.11:443: i/o timeout", b.endpoints("timeout", **{"proxy-files": f"# /etc/environment\nHTTPS_PROXY={PROXY}\n"})),
    # --- who it is
    "no profile": Fault("iam-no-instance-profile", "EC2RoleRequestError: no EC2 instance role found\ncaused by: EC2MetadataError: failed to make EC2Metadata request\n\tstatus code: 404, request id: ", {"imds": b.imds(role="outcome=answered;http=404", credentials="", iam_info="outcome=answered;http=404")}, "service", log_tells=True, moments=("first-boot", "registered")),
    "profile deleted": Fault("iam-instance-profile-deleted", "EC2RoleRequestError: no EC2 instance role found\ncaused by: EC2MetadataError: failed to make EC2Metadata request\n\tstatus code: 404, request id: ", {"imds": b.imds(role="outcome=answered;http=404", credentials="", iam_info='outcome=answered;http=200;| {"Code": "InstanceProfileNotFound", "InstanceProfileArn": ""}')}, "service", moments=("first-boot", "registered")),
    "denied": Fault("iam-access-denied", DENIED, {}, "service", log_tells=True),
    "denied, with a reason": Fault("iam-access-denied", DENIED + " because no identity-based policy allows the ssm:UpdateInstanceInformation action", {}, "service", log_tells=True),
    **{f"denied{words}": Fault("policy-explicit-deny", DENIED + words, {}, "service", scope=scope, log_tells=True) for scope, words in (("service-control-policy", " with an explicit deny in a service control policy"), ("vpc-endpoint-policy", " because no VPC endpoint policy allows the ssm:UpdateInstanceInformation action"), ("permissions-boundary", " because no permissions boundary allows the ssm:UpdateInstanceInformation action"), ("permissions-boundary", " with an explicit deny in a permissions boundary"), ("resource-control-policy", " with an explicit deny in a resource control policy"), ("vpc-endpoint-policy", " with an explicit deny in a VPC endpoint policy"))},
    "trust": Fault("trust-policy", "AssumeRoleUnauthorizedAccess: EC2 cannot assume the role AppServerRole. Please see documentation at https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_iam-ec2.html#troubleshoot_iam-ec2_errors-info-doc.", {"imds": b.imds(credentials='outcome=answered;http=200;| {"Code": "AssumeRoleUnauthorizedAccess", "Message": "EC2 cannot assume the role AppServerRole."}')}, "service", log_tells=True),
    "token expired": Fault("credentials-expired", "ExpiredTokenException: The security token included in the request is expired\n\tstatus code: 400, request id: 2f0543dd-b6ed-4f7d-93a1-52c429e977ce", {}, "service", log_tells=True),
    "token of IMDS expired": Fault("credentials-expired", "ExpiredTokenException: The security token included in the request is expired\n\tstatus code: 400, request id: 2f0543dd-b6ed-4f7d-93a1-52c429e977ce", {"imds": b.imds(credentials='outcome=answered;http=200;| {"Code": "Success", "Expiration": "2026-11-23T05:00:00Z"}')}, "service", log_tells=True),
    "token unknown": Fault("credentials-invalid", "UnrecognizedClientException: The security token included in the request is invalid.\n\tstatus code: 400, request id: f38f01be-2160-4d84-bacb-6f427a67128b", {"stray-credentials": ""}, "service", versions=GENERATIONS[2:]),
    "stray keys before the role": Fault("stray-credentials", "UnrecognizedClientException: The security token included in the request is invalid.\n\tstatus code: 400, request id: f38f01be-2160-4d84-bacb-6f427a67128b", {"stray-credentials": "[/root/.aws/credentials]\nmode=0600\nprofile=default\n"}, "service", scope="shared-file", versions=BEFORE_V2),
    "signature expired": Fault("clock-skew", "InvalidSignatureException: Signature expired: 20261123T064521Z is now earlier than 20261123T070021Z (20261123T070521Z - 5 min.)\n\tstatus code: 400, request id: 2f0543dd-b6ed-4f7d-93a1-52c429e977ce", {"clock": b.HEALTHY["clock"].replace("epoch=1795415925", "epoch=1795414725").replace("06:38:45", "06:18:45")}, "service", log_tells=True),
    "signature not yet current": Fault("clock-skew", "InvalidSignatureException: Signature not yet current: 20261123T070521Z is still later than 20261123T065021Z (20261123T064521Z + 5 min.)\n\tstatus code: 400, request id: 2f0543dd-b6ed-4f7d-93a1-52c429e977ce", {"clock": b.HEALTHY["clock"].replace("epoch=1795415925", "epoch=1795417125").replace("06:38:45", "06:58:45")}, "service", log_tells=True),
    "throttled": Fault("throttling", "ThrottlingException: Rate exceeded\n\tstatus code: 400, request id: f38f01be-2160-4d84-bacb-6f427a67128b", {}, "service", log_tells=True),
    "registration left behind": Fault("hybrid-registration-residue", "InvalidInstanceId: Not existing InstanceId mi-0a1b2c3d4e5f60718", {}, "service", identity="OnPrem", versions=GENERATIONS[3:], moments=("first-boot",)),
    "registration deleted": Fault("hybrid-registration-invalid", "UnrecognizedClientException: The security token included in the request is invalid.\n\tstatus code: 400, request id: f38f01be-2160-4d84-bacb-6f427a67128b", {"imds": b.dead_imds("timeout")}, "service", identity="OnPrem", log_tells=True, versions=GENERATIONS[3:], moments=("first-boot",)),
    "registration unknown": Fault("hybrid-registration-invalid", "InvalidInstanceId: Not existing InstanceId mi-0a1b2c3d4e5f60718", {"imds": b.dead_imds("timeout")}, "service", identity="OnPrem", versions=GENERATIONS[3:], moments=("first-boot",)),
    "another machine": Fault("fingerprint-mismatch", "MachineFingerprintDoesNotMatch: Fingerprint does not match\n\tstatus code: 400, request id: f38f01be-2160-4d84-bacb-6f427a67128b", {"imds": b.dead_imds("timeout")}, "service", identity="OnPrem", log_tells=True, versions=GENERATIONS[3:], moments=("first-boot",)),
}  # fmt: skip


@dataclass(frozen=True)
class Variant:
    """One fault, in the words of one version, at one moment, in one place."""

    name: str
    fault: Fault
    probes: Mapping[str, str]
    log: str
    log_tells: bool
    """By itself: newer agents cut the reason off once they are registered."""


def variants(name: str) -> Iterator[Variant]:
    """All of one fault."""
    fault = FAULTS[name]
    for version in fault.versions:
        for moment in fault.moments if fault.leg in ("request", "service") else ("first-boot",):
            for world in WORLDS:
                yield _variant(name, fault, version, moment, world)


def _variant(name: str, fault: Fault, version: str, moment: str, world: str) -> Variant:
    if fault.leg == "imds":
        error = (
            fault.error.replace("/dynamic/instance-identity/document", "/api/token").replace("Get ", "Put ")
            if version >= "3.2.1297"
            else fault.error
        )
        log = no_identity(
            version,
            f"RequestError: send request failed\ncaused by: {error}"
            if version >= "3.2.1297" and error.startswith("Put")
            else error,
            fault.status,
        )
    elif fault.leg == "good":
        log = start(version)
    else:
        error = request(fault.error, version) if fault.leg == "request" else fault.error
        log = refused(version, error, moment, fault.identity)
        if fault.proxy:
            log = (
                log.replace("https_proxy: \n", f"https_proxy: {fault.proxy}\n")
                .replace("http_proxy: \n", f"http_proxy: {fault.proxy}\n")
                .replace("no_proxy: \n", "no_proxy: 169.254.169.254\n")
            )
    old = version == "2.2.355.0" and fault.cause != "agent-too-old-for-imdsv2"
    own = {
        "agent-version": f"SSM Agent version: {version}\n",
        "packages": f"[deb]\nversion={version}-1\nstate=installed\n",
    }
    told = {
        **b.HEALTHY,
        **own,
        "imds": b.imds(v1=f"outcome=answered;http=200;| {ID}") if old else b.HEALTHY["imds"],
        **fault.probes,
    }
    if old and fault.leg == "service":  # an agent that knows no tokens came that far without
        told["imds"] = told["imds"].replace(
            "[v1]\nserver=EC2ws\ndate=" + b.DATE + "\noutcome=answered\nhttp=401\n",
            "[v1]\nserver=EC2ws\ndate=" + b.DATE + f"\noutcome=answered\nhttp=200\n| {ID}\n",
        )
    probes = {probe: moved(text, world) for probe, text in told.items()}
    cut = fault.leg == "request" and moment == "registered" and version in NEW
    return Variant(
        f"{name}, {version}, {moment}, {world}", fault, probes, moved(log, world), fault.log_tells and not cut
    )
