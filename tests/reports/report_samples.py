"""Diagnoses built by hand: one of each kind that a report must be able to show, and hostile ones."""
# ruff: noqa: E501 - log lines stand as they are found

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from analyzers.diagnosis import (
    AgentFacts,
    Attempt,
    Citation,
    Confidence,
    Diagnosis,
    Excluded,
    Hop,
    Judgement,
    Opinion,
    Owner,
    ProxyRow,
    RootCause,
    RouteRow,
    Stage,
    Step,
    Symptom,
    TimelineEvent,
    Unseen,
    Verdict,
)
from analyzers.text import say
from collector.errors import FailureKind
from collector.evidence import (
    Clock,
    ConnectionFacts,
    Failure,
    Manifest,
    ProbeResult,
    Status,
    Subject,
)
from collector.evidence.memory import evidence_of
from collector.target import HostKeyChecking, Platform, Transport
from reports.provenance import Provenance, provenance

RULES = "2026.11 sha256:6b1f0c52d1e0"
SEOUL = timedelta(hours=9)


def at(hour: int, minute: int = 0, second: int = 0, day: int = 23) -> datetime:
    return datetime(2026, 11, day, hour, minute, second, tzinfo=UTC)


def subject(name: str, instance_id: str | None = "i-0a1b2c3d4e5f60718") -> Subject:
    return Subject(name, "10.20.3.17", Platform.LINUX, ("web", "seoul"), instance_id, "ap-northeast-2")


PROBES = (
    ProbeResult("clock", Status.OK, b"utc=2026-11-23T06:58:45Z\n", 0, 12),
    ProbeResult(
        "routes", Status.OK, b"10.20.3.0/24 dev ens5 proto kernel scope link src 10.20.3.17\n", 0, 9, "ip"
    ),
    ProbeResult("imds", Status.OK, b"[token]\noutcome=no-route\n", 7, 3_004, "curl"),
    ProbeResult("endpoint-ssm", Status.OK, b"[tcp]\noutcome=connected\n", 0, 420, "curl"),
    ProbeResult(
        "iptables", Status.DENIED, b"", 4, 8, "", "iptables-save: Permission denied (you must be root)"
    ),
    ProbeResult("ssm-cli", Status.ABSENT, b"", 127, 2, "", "ssm-cli is not installed"),
    ProbeResult("oom", Status.TIMEOUT, b"", None, 5_000, "", "no answer within 5 s"),
)
LOGS = {"amazon-ssm-agent.log": b"x" * 184_221, "errors.log": b"x" * 20_482}


def evidence(
    name: str,
    *,
    checking: HostKeyChecking = HostKeyChecking.STRICT,
    failure: Failure | None = None,
    probes: tuple[ProbeResult, ...] = PROBES,
) -> Provenance:
    connection = ConnectionFacts(
        Transport.SSH,
        "10.20.3.17",
        22,
        "ec2-user",
        "publickey ed25519 SHA256:q3c0Xk3mYJr0fWv2Jm1v3m8mB2m0i0o5cQeVx0qg0kA",
        "ssh-ed25519 SHA256:0mC2x5WcXl3x8VdUqk2Qm8Y4b8v1T3e6p3Jq0r7o2Zs",
        checking,
        ("bastion.example.net",),
        "SSH-2.0-OpenSSH_8.7",
        ("ssh_config: GSSAPIAuthentication is not honoured",),
    )
    manifest = Manifest(
        1,
        "ssm-triage 0.1.0",
        "collected",
        subject(name),
        None if failure else Clock(at(6, 58, 44), at(6, 58, 51)),
        None if failure else connection,
        failure,
        "" if failure else "root",
        "" if failure else "sudo",
        digest="" if failure else "9f2c4b6e8d0a1c3e5f7092b4d6f8a1c3e5d7f9b1a3c5e7092b4d6f8a1c3e5d7f",
    )
    logs = {} if failure else LOGS
    return provenance(evidence_of(() if failure else probes, logs, manifest=manifest), f"evidence/{name}.zip")


ENDPOINTS = tuple(
    Hop(
        "endpoint",
        f"{service}.ap-northeast-2.amazonaws.com",
        "ok",
        say("HTTP 400 in {ms} ms, as it should", ms=84),
    )
    for service in ("ssm", "ssmmessages", "ec2messages")
)
IMDS_OK = Hop("imds", "169.254.169.254", "ok", say("token in {ms} ms", ms=2))
GATEWAY = Hop("gateway", "10.20.3.1", "ok", say("answers on {device}", device="ens5"))
RESOLVER = Hop("resolver", "10.20.0.2", "ok", say("NOERROR in {ms} ms", ms=3))
UNSEEN = (
    Unseen(
        "iptables", "Firewall rules", Status.DENIED, "iptables-save: Permission denied (you must be root)"
    ),
    Unseen("oom", "Out-of-memory kills", Status.TIMEOUT, "no answer within 5 s"),
)
AGENT = AgentFacts("3.3.1611.0", "running", "i-0a1b2c3d4e5f60718", at(6, 37, 20))
RESTART = Step(
    say("Restart the agent and look at the end of its log."),
    ("sudo systemctl restart amazon-ssm-agent", "sudo tail -n 20 /var/log/amazon/ssm/amazon-ssm-agent.log"),
)
ONLINE = Step(
    say("Within five minutes the host is {status}.", status="Online"),
    (
        "aws ssm describe-instance-information --region ap-northeast-2 \\\n"
        "  --filters Key=InstanceIds,Values=i-0a1b2c3d4e5f60718 --query 'InstanceInformationList[].PingStatus'",
    ),
    Owner.IAM,
)


GOOD, BAD, NEUTRAL = Judgement.GOOD, Judgement.BAD, Judgement.NEUTRAL
ANSWERING = (
    Stage("dns", "10.20.4.11", GOOD),
    Stage("tcp", "connected, 1 ms", GOOD),
    Stage("tls", "TLSv1.3, C = US, O = Amazon, CN = Amazon RSA 2048 M01", GOOD),
    Stage("http", "HTTP 400", GOOD),
)
OPINIONS = (
    Opinion("EC2 IMDS", "Failed", "Failed to query IMDS: instance id request timeout"),
    Opinion(
        "Connectivity to ssm endpoint",
        "Success",
        "ssm.ap-northeast-2.amazonaws.com is reachable",
        say("It only opens a TCP connection; here the request itself fails ({state}).", state="timeout"),
    ),
    Opinion("AWS Credentials", "Skipped", "", say("Skipped is not a pass: it was not checked.")),
)


def imds_no_route(name: str = "web-03") -> tuple[Diagnosis, Provenance]:
    cause = RootCause(
        "imds-no-route",
        say(
            "{name} has no route to the instance metadata service at {address}, so the agent cannot learn who it is.",
            name=name,
            address="169.254.169.254",
        ),
        Confidence.CERTAIN,
        Owner.HOST,
        evidence=(
            Citation(
                "probes/route-get",
                "# 169.254.169.254\nRTNETLINK answers: Network is unreachable",
                2,
                mark="Network is unreachable",
                note=say("The kernel knows no way to {address}.", address="169.254.169.254"),
            ),
            Citation(
                "probes/routes",
                "10.20.3.0/24 dev ens5 proto kernel scope link src 10.20.3.17 metric 512",
                1,
                note=say("This is the whole table: there is no default route."),
            ),
            Citation(
                "logs/amazon-ssm-agent.log",
                "2026-11-23 15:38:04 ERROR Agent failed to assume any identity\n"
                "2026-11-23 15:38:04 ERROR failed to find identity, retrying: failed to find agent identity",
                1_204,
                at(6, 38, 4),
                "failed to assume any identity",
            ),
        ),
        against=(
            Citation(
                "logs/amazon-ssm-agent.log",
                "2026-11-23 11:02:11 INFO [ssm-agent-worker] [HealthCheck] HealthCheck reporting agent health.",
                988,
                at(2, 2, 11),
                note=say("It worked this morning, so the route was lost since then."),
            ),
        ),
        symptoms=(
            Symptom(
                "identity-not-found",
                say("The agent found no identity, {count} times.", count=41),
                (
                    Citation(
                        "logs/errors.log",
                        "2026-11-23 15:58:31 ERROR failed to find agent identity",
                        77,
                        at(6, 58, 31),
                    ),
                ),
            ),
            Symptom("agent-restarting", say("systemd started the agent again, {count} times.", count=14)),
        ),
        since=at(4, 12, 9),
        next_retry=at(7, 8, 31),
        needs_restart=True,
        remedy=(
            Step(
                say(
                    "Put the default route back, by way of {gateway} on {device}.",
                    gateway="10.20.3.1",
                    device="ens5",
                ),
                ("sudo ip route add default via 10.20.3.1 dev ens5",),
            ),
            Step(
                say(
                    "Make it stay: {file} has an empty gateway line.",
                    file="/etc/sysconfig/network-scripts/route-ens5",
                ),
                ("sudo cat /etc/sysconfig/network-scripts/route-ens5",),
            ),
            RESTART,
        ),
        verify=(
            Step(say("The kernel has a way again."), ("ip route get 169.254.169.254",)),
            ONLINE,
        ),
    )
    diagnosis = Diagnosis(
        subject(name),
        Verdict.BROKEN,
        cause.sentence,
        (cause,),
        (
            Excluded("imds-disabled", say("The request never left the host, so IMDS was not asked at all.")),
            Excluded(
                "clock-skew",
                say("The host's clock is {seconds} s from ours.", seconds="0.4"),
                (Citation("probes/clock", "utc=2026-11-23T06:58:45Z", 1),),
            ),
            Excluded(
                "disk-full",
                say("The fullest file system is {mount}, {percent} % used.", mount="/", percent=31),
            ),
        ),
        UNSEEN,
        timeline=(
            TimelineEvent("boot", at(22, 10, 2, 20), at(22, 10, 2, 20), say("The host booted")),
            TimelineEvent(
                "agent-start",
                at(22, 10, 31, 20),
                at(22, 10, 31, 20),
                say("The agent {v} started", v="3.3.1611.0"),
            ),
            TimelineEvent("good", at(22, 10, 40, 20), at(4, 7, 9), say("Health reports were accepted"), 660),
            TimelineEvent(
                "state", at(4, 12, 9), at(4, 12, 9), say("The DHCP lease of {d} was renewed", d="ens5")
            ),
            TimelineEvent(
                "failure", at(4, 12, 9), at(6, 37, 20), say("No route to {a}", a="169.254.169.254"), 1_284
            ),
            TimelineEvent("agent-start", at(6, 37, 20), at(6, 37, 20), say("The agent started again"), 14),
            TimelineEvent("failure", at(6, 37, 22), at(6, 58, 31), say("No identity was found"), 41),
        ),
        path=(
            Hop("gateway", "none", "failed", say("there is no default route")),
            Hop("imds", "169.254.169.254", "failed", say("{error}", error="connect: Network is unreachable")),
            Hop("resolver", "10.20.0.2", "failed", say("{error}", error="connect: Network is unreachable")),
            *(
                Hop("endpoint", hop.name, "unknown", say("its name could not be resolved"))
                for hop in ENDPOINTS
            ),
        ),
        agent=AGENT,
        host_time=at(6, 58, 45),
        utc_offset=SEOUL,
        clock_skew=timedelta(seconds=0.4),
        last_good=at(4, 7, 9),
        rules=RULES,
        second_opinion=OPINIONS,
        routes=(
            RouteRow(
                "default", "default", "", "via 10.20.3.1 dev ens5", BAD, say("There is no default route.")
            ),
            RouteRow(
                "imds",
                "169.254.169.254",
                "RTNETLINK answers: Network is unreachable",
                "via 10.20.3.1 dev ens5",
                BAD,
                say("The kernel has no route to it."),
            ),
            RouteRow("ssm", "10.20.3.99", "10.20.3.99 dev ens5 src 10.20.3.17", "", GOOD),
        ),
        attempts=(
            Attempt("imds", "169.254.169.254", (Stage("tcp", "no-route", BAD),)),
            Attempt("ssm", ENDPOINTS[0].name, (Stage("dns", "timeout", BAD),)),
        ),
    )
    return diagnosis, evidence(name)


def proxy_no_noproxy(name: str = "batch-11") -> tuple[Diagnosis, Provenance]:
    cause = RootCause(
        "proxy-no-noproxy-imds",
        say(
            "The agent asks the proxy {proxy} for instance metadata, because {file} has no {variable}.",
            proxy="http://proxy.example.net:3128",
            file="/etc/systemd/system/amazon-ssm-agent.service.d/proxy.conf",
            variable="no_proxy",
        ),
        Confidence.CERTAIN,
        Owner.HOST,
        evidence=(
            Citation(
                "probes/agent-environ",
                "# pid 812 /usr/bin/amazon-ssm-agent\nhttp_proxy=http://***@proxy.example.net:3128\n"
                "https_proxy=http://***@proxy.example.net:3128",
                1,
                mark="http_proxy=http://***@proxy.example.net:3128",
            ),
            Citation(
                "probes/imds", "[proxied]\noutcome=answered\nhttp=403\nserver=squid/5.7", 12, mark="http=403"
            ),
        ),
        since=at(1, 0, 4),
        remedy=(
            Step(
                say(
                    "Add the exception to {file}.",
                    file="/etc/systemd/system/amazon-ssm-agent.service.d/proxy.conf",
                ),
                (
                    "sudo systemctl edit amazon-ssm-agent",
                    "# below [Service]:",
                    'Environment="no_proxy=169.254.169.254"',
                ),
            ),
            RESTART,
        ),
        verify=(ONLINE,),
        needs_restart=True,
    )
    diagnosis = Diagnosis(
        subject(name),
        Verdict.BROKEN,
        cause.sentence,
        (cause,),
        unseen=UNSEEN[:1],
        timeline=(
            TimelineEvent("agent-start", at(1, 0), at(1, 0), say("The agent started")),
            TimelineEvent("failure", at(1, 0, 4), at(6, 55), say("{code} from the proxy", code=403), 212),
        ),
        path=(
            Hop("imds", "169.254.169.254", "failed", say("asked through the proxy: HTTP {code}", code=403)),
            GATEWAY,
            RESOLVER,
            Hop("proxy", "proxy.example.net:3128", "ok", say("CONNECT {code}", code=200)),
            *ENDPOINTS,
        ),
        agent=AGENT,
        utc_offset=timedelta(),
        rules=RULES,
        proxies=(
            ProxyRow(
                "process",
                "http_proxy",
                "http://***@proxy.example.net:3128",
                "pid 812 /usr/bin/amazon-ssm-agent",
            ),
            ProxyRow(
                "process",
                "no_proxy",
                "",
                "pid 812 /usr/bin/amazon-ssm-agent",
                "169.254.169.254",
                BAD,
                say("Requests for instance metadata go to the proxy."),
            ),
            ProxyRow(
                "login", "https_proxy", "http://other:8080", "login", "", NEUTRAL, say("Only shells see it.")
            ),
        ),
        attempts=tuple(
            Attempt(hop.name.split(".")[0], hop.name, (*ANSWERING, Stage("proxy", "HTTP 400", GOOD)))
            for hop in ENDPOINTS
        ),
    )
    return diagnosis, evidence(name, checking=HostKeyChecking.OFF)


def endpoint_unreachable(name: str = "api-07") -> tuple[Diagnosis, Provenance]:
    cause = RootCause(
        "endpoint-unreachable",
        say(
            "Connections to {host} on port 443 get no answer; the other endpoints do answer.",
            host="ssmmessages.ap-northeast-2.amazonaws.com",
        ),
        Confidence.LIKELY,
        Owner.NETWORK,
        "ssmmessages",
        (
            Citation(
                "probes/endpoint-ssmmessages",
                "[tcp]\naddress=10.20.9.44\noutcome=timeout\nms=5003",
                7,
                mark="outcome=timeout",
            ),
            Citation(
                "logs/amazon-ssm-agent.log",
                "2026-11-23 06:41:12.7289 ERROR [SetWebSocket @ controlchannel.go.92] [ssm-agent-worker] [MessageService] "
                "[MGSInteractor] Failed to get controlchannel token, error: CreateControlChannel failed with error: "
                "createControlChannel request failed: failed to make http client call: Post "
                '"https://ssmmessages.ap-northeast-2.amazonaws.com/v1/control-channel/i-0a1b2c3d4e5f60718": '
                "dial tcp 10.20.9.44:443: i/o timeout",
                2_117,
                at(6, 41, 12),
                "dial tcp 10.20.9.44:443: i/o timeout",
            ),
        ),
        since=at(5, 30),
        needs_restart=False,
        remedy=(
            Step(
                say(
                    "Let port 443 from {source} into the security group of the {service} endpoint.",
                    source="10.20.3.0/24",
                    service="ssmmessages",
                ),
                (
                    "aws ec2 describe-vpc-endpoints --region ap-northeast-2 \\\n"
                    "  --filters Name=service-name,Values=com.amazonaws.ap-northeast-2.ssmmessages",
                ),
                Owner.NETWORK,
            ),
        ),
        verify=(ONLINE,),
    )
    diagnosis = Diagnosis(
        subject(name),
        Verdict.BROKEN,
        cause.sentence,
        (cause,),
        (
            Excluded(
                "dns-wrong-address",
                say("{address} is inside the VPC, as a private endpoint is.", address="10.20.9.44"),
            ),
        ),
        UNSEEN[1:],
        path=(
            IMDS_OK,
            GATEWAY,
            RESOLVER,
            Hop("proxy", "none", "unused"),
            ENDPOINTS[0],
            Hop(
                "endpoint",
                ENDPOINTS[1].name,
                "failed",
                say("TCP to {a}: no answer in 5 s", a="10.20.9.44:443"),
            ),
            ENDPOINTS[2],
        ),
        agent=AGENT,
        utc_offset=SEOUL,
        last_good=at(5, 29, 40),
        rules=RULES,
    )
    return diagnosis, evidence(name)


def iam_access_denied(name: str = "app-21") -> tuple[Diagnosis, Provenance]:
    denied = (
        "2026-11-23 06:15:51.3148 WARN EC2RoleProvider Failed to connect to Systems Manager with instance profile role "
        "credentials. Err: retrieved credentials failed to report to ssm. Error: AccessDeniedException: User: "
        "arn:aws:sts::123456789012:assumed-role/AppServerRole/i-0a1b2c3d4e5f60718 is not authorized to perform: "
        "ssm:UpdateInstanceInformation on resource: arn:aws:ec2:ap-northeast-2:123456789012:instance/i-0a1b2c3d4e5f60718 "
        "because no identity-based policy allows the ssm:UpdateInstanceInformation action"
    )
    cause = RootCause(
        "iam-access-denied",
        say(
            "The role {role} may not call {action}.",
            role="AppServerRole",
            action="ssm:UpdateInstanceInformation",
        ),
        Confidence.CERTAIN,
        Owner.IAM,
        evidence=(
            Citation(
                "logs/errors.log",
                denied,
                31,
                at(6, 15, 51),
                "no identity-based policy allows the ssm:UpdateInstanceInformation action",
            ),
        ),
        since=at(3, 2, 10),
        needs_restart=False,
        next_retry=at(7, 15, 51),
        remedy=(
            Step(
                say(
                    "Attach {policy} to the role {role}.",
                    policy="AmazonSSMManagedInstanceCore",
                    role="AppServerRole",
                ),
                (
                    "aws iam attach-role-policy --role-name AppServerRole \\\n"
                    "  --policy-arn arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore",
                ),
                Owner.IAM,
            ),
        ),
        verify=(ONLINE,),
    )
    return (
        Diagnosis(
            subject(name),
            Verdict.BROKEN,
            cause.sentence,
            (cause,),
            path=(IMDS_OK, GATEWAY, RESOLVER, *ENDPOINTS),
            agent=AGENT,
            rules=RULES,
        ),
        evidence(name),
    )


def healthy(name: str = "web-01") -> tuple[Diagnosis, Provenance]:
    diagnosis = Diagnosis(
        subject(name),
        Verdict.HEALTHY,
        say(
            "The agent is registered and {service} accepted its last report {minutes} minutes ago.",
            service="ssm",
            minutes=3,
        ),
        excluded=(Excluded("throttling", say("No throttled call since the last start.")),),
        proof=(
            Citation(
                "logs/amazon-ssm-agent.log",
                "2026-11-23 15:55:11 INFO [ssm-agent-worker] [HealthCheck] HealthCheck reporting agent health.",
                4_412,
                at(6, 55, 11),
                "HealthCheck reporting agent health",
            ),
        ),
        timeline=(TimelineEvent("good", at(1, 0), at(6, 55, 11), say("Health reports were accepted"), 71),),
        path=(IMDS_OK, GATEWAY, RESOLVER, *ENDPOINTS),
        agent=AGENT,
        utc_offset=SEOUL,
        last_good=at(6, 55, 11),
        rules=RULES,
    )
    return diagnosis, evidence(name, probes=PROBES[:4])


def unknown(name: str = "legacy-02") -> tuple[Diagnosis, Provenance]:
    diagnosis = Diagnosis(
        subject(name, None),
        Verdict.UNKNOWN,
        say(
            "The agent has written nothing since {when}, and what would tell why could not be read.",
            when="05:10 UTC",
        ),
        unseen=UNSEEN,
        candidates=("agent-stopped", "disk-full", "resource-starvation"),
        next_look=Step(
            say("Ask the service manager."), ("sudo systemctl status amazon-ssm-agent --no-pager",)
        ),
        timeline=(
            TimelineEvent("good", at(1, 0), at(5, 10), say("Health reports were accepted"), 50),
            TimelineEvent("silence", at(5, 10), at(6, 58), say("Not a line in any log")),
        ),
        path=(Hop("imds", "169.254.169.254", "unknown"), GATEWAY),
        agent=AgentFacts("2.3.701.0"),
        last_good=at(5, 10),
        rules=RULES,
    )
    return diagnosis, evidence(name)


def not_reached(name: str = "db-04") -> tuple[Diagnosis, Provenance]:
    failure = Failure(
        FailureKind.HOST_KEY,
        "the key of 10.20.3.17 is not the one in ~/.ssh/known_hosts line 14:\n"
        "  known    ssh-ed25519 SHA256:0mC2x5WcXl3x8VdUqk2Qm8Y4b8v1T3e6p3Jq0r7o2Zs\n"
        "  offered  ssh-ed25519 SHA256:9Zp4v8c1Qm7x0JrT5w2Xl3e6b8Y1kUd3o5Vq2s0a7Ff",
        "find out whether the host was rebuilt; then remove the old key with: ssh-keygen -R 10.20.3.17",
    )
    diagnosis = Diagnosis(
        subject(name),
        Verdict.NOT_REACHED,
        say(
            "{name} showed another host key than the one that is known, so nothing was asked of it.",
            name=name,
        ),
        rules=RULES,
    )
    return diagnosis, evidence(name, failure=failure)


def two_causes(name: str = "edge-05") -> tuple[Diagnosis, Provenance]:
    first, _ = imds_no_route(name)
    second, _ = iam_access_denied(name)
    diagnosis = Diagnosis(
        subject(name),
        Verdict.BROKEN,
        say("{name} is broken twice over: no route to IMDS, and a role without permission.", name=name),
        (*first.causes, *second.causes),
        first.excluded,
        first.unseen,
        timeline=first.timeline,
        path=first.path,
        agent=AGENT,
        utc_offset=SEOUL,
        clock_skew=timedelta(minutes=-7),
        rules=RULES,
    )
    return diagnosis, evidence(name)


SAMPLES = {
    make.__name__: make
    for make in (
        imds_no_route,
        proxy_no_noproxy,
        endpoint_unreachable,
        iam_access_denied,
        healthy,
        unknown,
        not_reached,
        two_causes,
    )
}
