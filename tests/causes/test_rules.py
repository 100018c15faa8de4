# ruff: noqa: E501  a row per rule, with log lines as the agent writes them
"""Every rule fires on a host that has its cause, and keeps quiet on one that nearly has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import casebook as book
import pytest

from analyzers.causes import built_in
from analyzers.causes.catalogue import catalogue
from analyzers.causes.rule import Exclusion, Finding


@dataclass(frozen=True)
class Host:
    """What a host has that the healthy one has not."""

    probes: Mapping[str, str] = field(default_factory=dict)
    log: str | None = None
    bare: bool = False


NO_ROUTE = {
    "imds": book.dead_imds("no-route"),
    "routes": book.ROUTES.partition("\n")[2],
    "route-get": "# 169.254.169.254\nRTNETLINK answers: Network is unreachable\n",
}
STALE = {
    "imds": book.dead_imds("timeout"),
    "routes": book.ROUTES + "169.254.169.254 via 10.77.1.98 dev eth0\n",
    "route-get": "# 169.254.169.254\n169.254.169.254 via 10.77.1.98 dev eth0 src 10.77.1.25 uid 0\n",
}
REJECT_IMDS = "*filter\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -d 169.254.169.254/32 -p tcp -j REJECT --reject-with tcp-reset\nCOMMIT\n"
DNAT = "*nat\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -d 169.254.169.254/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.77.1.25:8181\nCOMMIT\n"
REJECT_443 = "*filter\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -p tcp -m tcp --dport 443 -j REJECT --reject-with tcp-reset\nCOMMIT\n"
PROXY = "# pid 60 /usr/bin/amazon-ssm-agent\nhttp_proxy=http://10.77.200.10:3128\nhttps_proxy=http://10.77.200.10:3128\n"
PROXY_SPARED = PROXY + "no_proxy=169.254.169.254\n"
HTTPS_PROXY = (
    "# pid 60 /usr/bin/amazon-ssm-agent\nhttps_proxy=https://10.77.200.10:3128\nno_proxy=169.254.169.254\n"
)
ETC_PROXY = "# /etc/environment\nhttps_proxy=http://10.77.200.10:3128\n"
OLD = {
    "agent-version": "SSM Agent version: 2.2.355.0\n",
    "packages": "[deb]\nversion=2.2.355.0\nstate=installed\n",
}
DENIED = "AccessDeniedException: User: arn:aws:sts::123456789012:assumed-role/AppServerRole/i-0a1b2c3d4e5f60718 is not authorized to perform: ssm:UpdateInstanceInformation on resource: arn:aws:ec2:us-east-1:123456789012:instance/i-0a1b2c3d4e5f60718"
USER_DENIED = DENIED.replace(
    "sts::123456789012:assumed-role/AppServerRole/i-0a1b2c3d4e5f60718", "iam::999988887777:user/build"
)
EXPIRED_SIGNATURE = "InvalidSignatureException: Signature expired: 20261123T064521Z is now earlier than 20261123T070021Z (20261123T070521Z - 5 min.)"
UNRECOGNIZED = "UnrecognizedClientException: The security token included in the request is invalid."
NOT_EXISTING = "InvalidInstanceId: Not existing InstanceId mi-0a1b2c3d4e5f60718"
LATE_CLOCK = (
    book.HEALTHY["clock"].replace("epoch=1795415925", "epoch=1795414725").replace("06:38:45", "06:18:45")
)
STRAY = {"stray-credentials": "[/root/.aws/credentials]\nmode=0600\nprofile=default\n"}
REFRESHER = "2026-11-23 06:54:31.4942 ERROR [CredentialRefresher] Retrieve credentials produced error: "
LISTEN = "2026-11-23 06:36:50.0000 ERROR failed to start message bus, failed to start health channel: failed to listen on the channel: ipc:///var/lib/amazon/ssm/ipc/health, address in use\n"


UNAUTHORIZED = "2026-11-23 06:36:36 INFO [amazon-ssm-agent] amazon-ssm-agent - v{version}\n2026-11-23 06:36:40 ERROR error fetching the instanceID, Failed to fetch instance ID. Data from vault is empty. EC2MetadataError: failed to make EC2Metadata request\n\tstatus code: 401, request id: \n"
RENEWAL = "2026-11-23 {time} INFO [CredentialRefresher] Next credential rotation will be in 29.99 minutes\n"
ORPHANED = (
    book.START
    + book.ONLINE
    + RENEWAL.format(time="06:36:37")
    + "".join(
        f"2026-11-23 {8 + n // 60:02}:{n % 60:02}:15 INFO [ssm-agent-worker] [HealthCheck] HealthCheck reporting agent health.\n"
        for n in (0, 5)
    )
)
"""The core was due at 07:06; its worker reports until 08:05."""
RENEWED = RENEWAL.format(time="08:05:20")


def died(*minutes: int) -> str:
    """A worker that ends and is started anew, at these minutes."""
    pool = "[amazon-ssm-agent] [LongRunningWorkerContainer] [WorkerProvider]"
    return "".join(
        f"2026-11-23 06:{n}:10.1000 INFO {pool} Process ssm-agent-worker (pid:{n}) has been terminated, remove from worker pool\n"
        f"2026-11-23 06:{n}:10.2000 INFO {pool} Worker ssm-agent-worker (pid:{n + 1}) started\n"
        for n in minutes
    )


def service(**fields: str) -> dict[str, str]:
    """The service with other fields, and no process."""
    told = dict(line.split("=", 1) for line in book.SERVICE.splitlines()[1:])
    body = "".join(f"{key}={value}\n" for key, value in {**told, "MainPID": "0", **fields}.items())
    return {"service": "[amazon-ssm-agent.service]\n" + body, "processes": book.PS.partition("\n")[0] + "\n"}


STOPPED = service(ActiveState="inactive", SubState="dead")
DISABLED = service(ActiveState="inactive", SubState="dead", UnitFileState="disabled")

BAD_AWS_CONFIG = "2026-11-23 06:37:10.1000 ERROR Failed to create session with aws config. Err: SharedConfigLoadError: failed to load config file, /root/.aws/config\ncaused by: INIParseError: invalid state with ASTKind\n"
UNTRIED = dict.fromkeys((f"endpoint-{service}" for service in book.ADDRESSES), "")

# Rule: (a host on which it tells of this slug, a host on which it does not).
TRIED: dict[str, tuple[str, Host, Host]] = {
    # imds
    "imds.no_route": ("imds-no-route", Host(NO_ROUTE), Host(STALE)),
    "imds.wrong_route": ("imds-wrong-route", Host(STALE), Host({"imds": book.dead_imds("timeout")})),
    "imds.another_way": ("imds-wrong-route", Host({**STALE, "routes": "", "route-get": STALE["route-get"] + "# 10.77.100.11 ssm\n10.77.100.11 via 10.77.1.1 dev eth0 src 10.77.1.25 uid 0\n"}), Host({**STALE, "routes": ""})),
    "identity.unreadable": ("stray-credentials", Host({}, BAD_AWS_CONFIG, bare=True), Host({}, book.START + book.ONLINE, bare=True)),
    "imds.unasked": ("imds-no-route", Host({**NO_ROUTE, "imds": ""}, book.no_imds("context deadline exceeded")), Host({**NO_ROUTE, "imds": ""}, book.START + book.ONLINE)),
    "imds.blocked": ("imds-blocked-on-host", Host({"imds": book.dead_imds("refused"), "iptables": REJECT_IMDS}), Host({"iptables": REJECT_IMDS})),
    "imds.redirected": ("imds-redirected", Host({"imds": book.dead_imds("refused"), "iptables": DNAT}), Host({"imds": book.dead_imds("refused"), "iptables": REJECT_IMDS})),
    "imds.no_response": ("imds-no-response", Host({"imds": book.dead_imds("no-answer")}), Host()),
    "imds.disabled": ("imds-disabled", Host({"imds": book.imds(token="method=PUT;outcome=answered;http=403", v1="outcome=answered;http=403", instance_id="")}), Host({"imds": book.imds(role="outcome=answered;http=404")})),
    "imds.hop_limit": ("imds-hop-limit", Host({"imds": book.imds(token="method=PUT;outcome=no-answer")}), Host({"imds": book.imds(token="method=PUT;outcome=no-answer", v1="outcome=answered;http=200;| i-0a1b2c3d4e5f60718"), "agent-version": "SSM Agent version: 3.0.529.0\n", "packages": "[deb]\nversion=3.0.529.0\nstate=installed\n"})),
    "imds.server_error": ("imds-server-error", Host({"imds": book.imds(token="method=PUT;outcome=answered;http=500", v1="outcome=answered;http=500", instance_id="")}), Host()),
    "imds.impostor": ("imds-impostor", Host({"imds": "[token]\nmethod=PUT\noutcome=answered\nhttp=200\nserver=nginx\ntype=text/html\n| <html><body>Please log in</body></html>\n"}), Host()),
    "imds.too_old": ("agent-too-old-for-imdsv2", Host(OLD), Host()),
    "imds.token_never_came": ("imds-hop-limit", Host({}, UNAUTHORIZED.replace("{version}", "3.1.1732.0"), bare=True), Host({}, UNAUTHORIZED.replace("{version}", "2.3.612.0"), bare=True)),
    "imds.fine": ("imds-*", Host(), Host(STALE)),
    # proxy
    "proxy.imds_by_proxy": ("proxy-no-noproxy-imds", Host({"agent-environ": PROXY}, book.no_imds("503 Service Unavailable: Service Unavailable")), Host({"agent-environ": PROXY_SPARED}, book.no_imds("503 Service Unavailable: Service Unavailable"))),
    "proxy.not_for_the_service": ("proxy-missing-or-wrong-layer", Host(book.endpoints("timeout", **{"proxy-files": ETC_PROXY})), Host({"proxy-files": ETC_PROXY})),
    "proxy.proxy_fails": ("proxy-unreachable", Host({"agent-environ": PROXY_SPARED, "endpoint-ssm": book.endpoint("ssm", "[proxy]\nproxy=http://10.77.200.10:3128\noutcome=refused\n")}), Host({"agent-environ": PROXY_SPARED, "endpoint-ssm": book.endpoint("ssm", "[proxy]\nproxy=http://10.77.200.10:3128\nconnect=200\nhttp=400\noutcome=answered\n")})),
    "proxy.wrong_scheme": ("proxy-scheme-https", Host({"agent-environ": HTTPS_PROXY}, book.request_failed("proxyconnect tcp: tls: first record does not look like a TLS handshake")), Host({"agent-environ": PROXY_SPARED}, book.request_failed("EOF"))),
    "proxy.nothing_by_proxy": ("proxy-unreachable", Host({"agent-environ": PROXY_SPARED}, book.registrar("RequestError: send request failed")), Host({}, book.registrar("RequestError: send request failed"))),
    "proxy.proxy_serves": ("proxy-no-noproxy-imds", Host(), Host({"agent-environ": PROXY_SPARED})),
    # network
    "network.no_way_out": ("no-default-route", Host(book.endpoints("no-route", routes=book.ROUTES.partition("\n")[2])), Host(book.endpoints("no-route"))),
    "network.blocked": ("endpoint-blocked-on-host", Host(book.endpoints("refused", iptables=REJECT_443)), Host(book.endpoints("refused"))),
    "network.missing": ("vpc-endpoint-missing", Host({"endpoint-ssmmessages": book.tcp("ssmmessages", "timeout", "198.51.100.13"), "endpoint-ec2messages": book.tcp("ec2messages", "timeout", "198.51.100.12")}), Host({"endpoint-ssmmessages": book.tcp("ssmmessages", "timeout")})),
    "network.only_ipv6": ("ipv6-only", Host(book.endpoints("no-route", addresses="2: eth0: <BROADCAST,UP,LOWER_UP> mtu 9001 state UP\n    inet6 2600:1f18::25/64 scope global\n")), Host(book.endpoints("no-route"))),
    "network.unreachable": ("endpoint-unreachable", Host({"endpoint-ssm": book.tcp("ssm", "timeout")}), Host({"endpoint-ssm": book.tcp("ssm", "timeout"), "agent-environ": PROXY_SPARED})),
    "network.told_apart": ("endpoint-unreachable", Host({}, book.START + book.ONLINE + book.request_failed("dial tcp 10.77.100.11:443: i/o timeout"), bare=True), Host({}, book.request_failed("dial tcp 10.77.100.11:443: i/o timeout"), bare=True)),
    "network.slow_polls": ("endpoint-unreachable", Host({}, book.START + book.ONLINE + "".join(f"2026-11-23 06:4{n}:17.7359 WARN [ssm-agent-worker] [MessageService] [MDSInteractor] Server terminated MDS long poll connection after 80.3{n} seconds\n" for n in (1, 2, 3)), bare=True), Host({}, book.START + book.ONLINE + "2026-11-23 06:42:17.7359 WARN [ssm-agent-worker] [MessageService] [MDSInteractor] Server terminated MDS long poll connection after 20.1 seconds\n", bare=True)),
    "network.handshake": ("endpoint-tls-reset", Host(book.tls("reset")), Host()),
    "network.answers": ("endpoint-block-page", Host(book.http("outcome=answered\nhttp=403\ntype=text/html\n| <html>Blocked</html>")), Host()),
    "network.fine": ("endpoint-*", Host(), Host({"endpoint-ssm": book.tcp("ssm", "timeout")})),
    # dns
    "dns.resolution": ("dns-no-such-host", Host(book.dns("[dns 10.77.0.2]\nrcode=NXDOMAIN\n")), Host()),
    "dns.pinned": ("hosts-file-override", Host({"hosts-file": "10.77.9.11 ssm.us-east-1.amazonaws.com\n", "endpoint-ssm": book.tcp("ssm", "timeout", "10.77.9.11")}), Host({"hosts-file": "10.77.100.11 ssm.us-east-1.amazonaws.com\n"})),
    "dns.astray": ("dns-wrong-address", Host({f"endpoint-{s}": book.tcp(s, "refused", "10.77.1.1") for s in book.ADDRESSES}), Host(book.endpoints("refused"))),
    # tls
    "tls.certificate": ("tls-trust", Host(book.tls("untrusted", issuer="CN = Corporate CA")), Host()),
    "tls.not_the_certificate": ("clock-skew", Host(), Host({"clock": ""})),
    # host
    "host.disk_full": ("disk-full", Host({"disk-space": book.DF_FULL}), Host({"disk-space": book.DF + book.DF_FULL.splitlines()[1].replace(" /", " /tmp") + "\n"})),
    "host.read_only": ("filesystem-read-only", Host({"mounts": "/dev/nvme0n1p1 / ext4 ro,relatime 0 0\n"}), Host({"mounts": "/dev/nvme0n1p1 / ext4 rw,relatime 0 0\n/dev/sr0 /mnt iso9660 ro 0 0\n"})),
    "host.inotify": ("inotify-exhausted", Host({"inotify": "max_user_watches=8192\nroot_watches=8192\nmax_user_instances=128\nroot_instances=3\n"}), Host({"inotify": "max_user_watches=8192\nroot_watches=100\nmax_user_instances=128\nroot_instances=3\n"})),
    "host.descriptors": ("fd-limit", Host({"fd-limits": "[pid 60]\nsoft=1024\nhard=4096\nused=1024\n"}), Host({"fd-limits": "[pid 60]\nsoft=1024\nhard=4096\nused=24\n"})),
    "host.starved": ("resource-starvation", Host({"oom": "Nov 23 06:40:00 web01 kernel: Out of memory: Killed process 72 (ssm-agent-worke) total-vm:1kB\n"}), Host({"oom": "Nov 23 06:40:00 web01 kernel: Out of memory: Killed process 99 (java) total-vm:1kB\n"})),
    "host.skewed": ("clock-skew", Host({"clock": LATE_CLOCK}), Host()),
    "host.signature": ("clock-skew", Host({}, book.registrar(EXPIRED_SIGNATURE)), Host({}, book.registrar("InvalidSignatureException: Credential should be scoped to a valid region, not 'x'"))),
    # identity
    "identity.no_profile": ("iam-no-instance-profile", Host({"imds": book.imds(role="outcome=answered;http=404", iam_info="outcome=answered;http=404")}), Host({"imds": book.imds(role="outcome=answered;http=404")}, book.START + book.ONLINE)),
    "identity.trust": ("trust-policy", Host({"imds": book.imds(credentials='outcome=answered;http=200;| {"Code": "AssumeRoleUnauthorizedAccess"}')}), Host()),
    "identity.expired": ("credentials-expired", Host({"imds": book.imds(credentials='outcome=answered;http=200;| {"Code": "Success", "Expiration": "2026-11-23T05:00:00Z"}')}), Host()),
    "identity.somebody_else": ("stray-credentials", Host({}, book.registrar(USER_DENIED)), Host({}, book.registrar(DENIED))),
    "identity.refused_keys": ("stray-credentials", Host({**OLD, **STRAY}, book.registrar(UNRECOGNIZED).replace("3.3.1142.0", "2.2.355.0")), Host(STRAY, book.registrar(UNRECOGNIZED))),
    "identity.unknown_keys": ("credentials-invalid", Host({}, book.registrar(UNRECOGNIZED)), Host(OLD, book.registrar(UNRECOGNIZED).replace("3.3.1142.0", "2.2.355.0"))),
    "identity.denied": ("iam-access-denied", Host({}, book.registrar(DENIED)), Host({}, book.registrar(DENIED + " with an explicit deny in a service control policy"))),
    "identity.dhmc": ("dhmc-not-ready", Host({}, book.START + "2026-11-23 06:44:43.9830 ERROR EC2RoleProvider Failed to connect to Systems Manager with SSM role credentials. error calling RequestManagedInstanceRoleToken: AccessDeniedException: Systems Manager's instance management role is not configured for account: 123456789012\n"), Host({}, book.registrar(DENIED) + "2026-11-23 06:44:43.9830 ERROR EC2RoleProvider Failed to connect to Systems Manager with SSM role credentials. error calling RequestManagedInstanceRoleToken: AccessDeniedException: Systems Manager's instance management role is not configured for account: 123456789012\n")),
    "identity.has_role": ("iam-no-instance-profile", Host(), Host({"imds": book.imds(role="outcome=answered;http=404", credentials="")})),
    # hybrid
    "hybrid.residue": ("hybrid-registration-residue", Host({}, book.HYBRID + REFRESHER + NOT_EXISTING + "\n"), Host({"imds": book.dead_imds("timeout")}, book.HYBRID + REFRESHER + NOT_EXISTING + "\n")),
    "hybrid.invalid": ("hybrid-registration-invalid", Host({"imds": book.dead_imds("timeout")}, book.HYBRID + REFRESHER + UNRECOGNIZED + "\n"), Host({}, book.START + REFRESHER + UNRECOGNIZED + "\n")),
    "hybrid.not_residue": ("hybrid-*", Host({}, book.START + book.ONLINE), Host({}, book.HYBRID)),
    # agent
    "agent.absent": ("agent-absent", Host({"packages": "[deb]\nstate=not-installed\n", "service": "[amazon-ssm-agent.service]\nLoadState=not-found\nActiveState=inactive\n", "processes": "", "agent-version": ""}), Host(STOPPED)),
    "agent.stopped": ("agent-stopped", Host(STOPPED), Host(service(ActiveState="activating", SubState="auto-restart"))),
    "processes.told_to_stop": ("agent-stopped", Host({}, book.START + book.ONLINE + "2026-11-23 06:57:13.2396 INFO [amazon-ssm-agent] amazon-ssm-agent got signal:terminated value:0x9217a0\n2026-11-23 06:57:20.0000 INFO [amazon-ssm-agent] Bye.\n", bare=True), Host({}, book.START + book.ONLINE, bare=True)),
    "agent.wrong_user": ("agent-wrong-user", Host({"processes": book.PS.replace("root  ", "nobody")}), Host()),
    "agent.worker_file": ("worker-broken", Host({"agent-files": "-rwxr-xr-x 1 root root 15323288 Nov 23 06:38 /usr/bin/amazon-ssm-agent\n-rw-r--r-- 1 root root 23851160 Nov 23 06:38 /usr/bin/ssm-agent-worker\n"}), Host({"agent-files": "-rwxr-xr-x 1 root root 15323288 Nov 23 06:38 /usr/bin/amazon-ssm-agent\n-rwxr-xr-x 1 root root 23851160 Nov 23 06:38 /usr/bin/ssm-agent-worker\n"})),
    "agent.worker_log": ("worker-broken", Host({}, book.START + "2026-11-23 06:47:26.5345 ERROR [amazon-ssm-agent] [LongRunningWorkerContainer] [WorkerProvider] failed to start worker ssm-agent-worker, fork/exec /usr/bin/ssm-agent-worker: exec format error\n"), Host({}, book.START + book.ONLINE)),
    "agent.twice": ("duplicate-agent", Host({"packages": "[deb]\nversion=3.3.1142.0\nstate=installed\n[snap]\nversion=3.3.900.0\nstate=installed\n"}, book.START + LISTEN), Host()),
    "agent.after_update": ("update-left-service-disabled", Host({**DISABLED, "update": "2026-11-23 06:00:00 INFO moved file to installationDir\n"}), Host(DISABLED)),
    "agent.forbidden": ("security-software-block", Host({**STOPPED, "security": 'selinux=Enforcing\navc=type=AVC msg=audit(1): avc: denied { execute } comm="amazon-ssm-agen"\n'}), Host({"security": "selinux=Enforcing\n"})),
    "agent.too_early": ("boot-race", Host({"clock": book.HEALTHY["clock"].replace("boot=1795400000", "boot=1795415760")}, book.request_failed("dial tcp 10.77.100.11:443: connect: network is unreachable")), Host({}, book.request_failed("dial tcp 10.77.100.11:443: connect: network is unreachable"))),
    "agent.runs": ("agent-stopped", Host(), Host(STOPPED)),
    "processes.core_fell_silent": ("agent-stopped", Host({}, ORPHANED, bare=True), Host({}, ORPHANED + RENEWED, bare=True)),
    "processes.dies_again_and_again": ("worker-broken", Host({}, book.START + book.ONLINE + died(40, 42, 44), bare=True), Host({}, book.START + book.ONLINE + died(40, 42), bare=True)),
    # config
    "config.corrupt": ("config-corrupt", Host({"agent-config": '{"Agent": {"Region": }\n'}), Host({"agent-config": '{"Agent": {"Region": ""}}\n'})),
    "config.corrupt_by_log": ("config-corrupt", Host({}, "2026-11-23 06:46:50 ERROR error occurred when starting amazon-ssm-agent: app config could not be loaded - invalid character '}' looking for beginning of object key string\n"), Host({}, book.START + book.ONLINE)),
    "config.other_region": ("config-override", Host({"agent-config": '{"Agent": {"Region": "us-esat-1"}}\n'}), Host({"agent-config": '{"Agent": {"Region": "us-east-1"}}\n'})),
    "config.strange_names": ("config-override", Host({}, book.request_failed("dial tcp: lookup ssm.us-esat-1.amazonaws.com on 10.77.0.2:53: no such host", "ssm.us-esat-1.amazonaws.com")), Host({}, book.request_failed("dial tcp: lookup ssm.us-east-1.amazonaws.com on 10.77.0.2:53: no such host"))),
    "config.other_endpoint": ("config-override", Host({"agent-config": '{"Ssm": {"Endpoint": "vpce-0dead.ssm.us-east-1.vpce.amazonaws.com"}}\n', "endpoint-ssm": book.endpoint("ssm", "[dns 10.77.0.2]\nrcode=NXDOMAIN\n", address="", host="vpce-0dead.ssm.us-east-1.vpce.amazonaws.com")}), Host({"agent-config": '{"Ssm": {"Endpoint": "vpce-0live.ssm.us-east-1.vpce.amazonaws.com"}}\n', "endpoint-ssm": book.endpoint("ssm", host="vpce-0live.ssm.us-east-1.vpce.amazonaws.com")})),
    "config.other_identity": ("config-override", Host({"agent-config": '{"Identity": {"ConsumptionOrder": ["OnPrem"]}}\n'}), Host({"agent-config": '{"Identity": {"ConsumptionOrder": ["OnPrem", "EC2"]}}\n'})),
    "network.by_its_address": ("hosts-file-override", Host({**UNTRIED, "hosts-file": "10.77.100.11 ssm.us-east-1.amazonaws.com\n"}, book.request_failed("dial tcp 10.77.100.11:443: i/o timeout")), Host({**UNTRIED, "hosts-file": "10.77.100.12 ssm.us-east-1.amazonaws.com\n"}, book.request_failed("dial tcp 10.77.100.11:443: i/o timeout"))),
    # service, log
    "service.throttled": ("throttling", Host({}, book.registrar("ThrottlingException: Rate exceeded")), Host({}, book.START + book.ONLINE)),
    "logged.supported": ("tls-trust", Host({}, book.request_failed("x509: certificate signed by unknown authority"), bare=True), Host({}, book.START + book.ONLINE, bare=True)),
    "logged.symptoms": ("no-identity", Host({}, book.no_imds("403 Forbidden: Forbidden"), bare=True), Host({}, book.START + book.ONLINE, bare=True)),
}  # fmt: skip


def told(name: str, host: Host) -> set[str]:
    """The slugs that one rule tells of on a host."""
    rule = next(rule for rule in built_in() if rule.name == name)
    return {told.slug for told in rule(book.case(host.probes, host.log, bare=host.bare))}


@pytest.mark.parametrize("name", sorted(TRIED))
def test_fires(name: str) -> None:
    slug, sick, _ = TRIED[name]
    assert slug in told(name, sick)


@pytest.mark.parametrize("name", sorted(TRIED))
def test_near_miss(name: str) -> None:
    slug, _, nearly = TRIED[name]
    assert slug not in told(name, nearly)


def test_every_rule_is_tried() -> None:
    """Those of Windows hosts are tried where such hosts are: in ``tests/windows``."""
    assert {rule.name for rule in built_in() if not rule.name.startswith("windows")} == set(TRIED)


@pytest.mark.parametrize("name", sorted(TRIED))
def test_only_known_slugs(name: str) -> None:
    rule = next(rule for rule in built_in() if rule.name == name)
    for host in TRIED[name][1:]:
        for one in rule(book.case(host.probes, host.log, bare=host.bare)):
            assert one.slug in catalogue() or isinstance(one, Exclusion), one.slug
            assert not isinstance(one, Finding) or one.evidence, "a finding without evidence"
