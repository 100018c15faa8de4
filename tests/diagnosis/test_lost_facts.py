# ruff: noqa: E501  a row per host
"""What is claimed shrinks with what was seen: the same host, with and without a probe that would tell."""

from __future__ import annotations

import casebook as book
import phrasebook as pb
import pytest

from analyzers.diagnose import diagnose
from analyzers.diagnosis import Diagnosis

GOOD = pb.start("3.3.1142.0") + pb.online("3.3.1142.0")
ROUTING = ("routes", "rules", "addresses", "route-get", "neighbours")
ASTRAY = "# 169.254.169.254\n169.254.169.254 via 10.77.1.98 dev eth0 src 10.77.1.25 uid 0\n# 10.77.100.11 ssm\n10.77.100.11 via 10.77.1.1 dev eth0 src 10.77.1.25 uid 0\n"
SHELLS = {"proxy-files": "# /etc/environment\nLANG=C\n"}
LATE = "utc=2026-11-23T09:38:45Z\nepoch=1795426725\noffset=+0000\nboot=1795400000\n"
LATE_ANSWERS = {f"endpoint-{s}": book.endpoint(s).replace("06:38:45", "09:38:45") for s in book.ADDRESSES}
HELD = {"sockets": 'ESTAB 0 0 10.77.1.25:40000 10.77.100.13:443 users:(("ssm-agent-worke",pid=72,fd=12))\n'}
NO_ROLE = book.imds(role="outcome=answered;http=404", credentials="", iam_info="outcome=answered;http=404")
ONLY_PUT = "[token]\nmethod=PUT\noutcome=no-answer\n"
BEFORE_ITS_TIME = book.tls("not-yet-valid", not_before="Nov 23 06:50:00 2026 GMT")
NAMELESS = {
    name: text.replace("exit=2", "exit=2\nerror=Name or service not known")
    for name, text in book.dns("").items()
}

# What is wrong, what was not seen, and what is told: cause, scope and confidence, or the candidates.
ROWS: dict[str, tuple[dict[str, str], tuple[str, ...], object]] = {
    "imds dropped, all seen": ({"imds": book.dead_imds("timeout")}, (), ("imds-no-response", None, "likely")),
    "imds dropped, no routes": ({"imds": book.dead_imds("timeout")}, ROUTING, {"imds-no-response"}),
    "imds dropped, no firewall": ({"imds": book.dead_imds("timeout")}, ("iptables",), {"imds-no-response", "imds-blocked-on-host"}),
    "imds refused, no firewall": ({"imds": book.dead_imds("refused")}, ("iptables",), {"imds-no-response", "imds-blocked-on-host", "imds-redirected"}),
    "imds astray, no routes": ({"imds": book.dead_imds("timeout"), "route-get": ASTRAY}, ("routes", "rules", "addresses"), ("imds-wrong-route", None, "likely")),
    "no token, all seen": ({"imds": book.dead_imds("no-answer")}, (), ("imds-no-response", None, "certain")),
    "no token, nothing else asked": ({"imds": ONLY_PUT}, (), {"imds-no-response", "imds-hop-limit"}),
    "no role, no iam/info": ({"imds": NO_ROLE.partition("[iam-info]")[0] + "[role]" + NO_ROLE.partition("[role]")[2]}, (), ("iam-no-instance-profile", None, "likely")),
    "no role, all seen": ({"imds": NO_ROLE}, (), ("iam-no-instance-profile", None, "certain")),
    "endpoints dropped, all seen": ({**book.endpoints("timeout"), **SHELLS}, (), ("endpoint-unreachable", None, "certain")),
    "endpoints dropped, no proxy files": (book.endpoints("timeout"), (), ("endpoint-unreachable", None, "likely")),
    "endpoints dropped, no hosts file": ({**book.endpoints("timeout"), **SHELLS}, ("hosts-file",), ("endpoint-unreachable", None, "likely")),
    "endpoints refused, no firewall": (book.endpoints("refused"), ("iptables",), {"endpoint-unreachable"}),
    "one endpoint seen": ({"endpoint-ssm": book.tcp("ssm", "timeout")}, ("endpoint-ssmmessages", "endpoint-ec2messages"), ("endpoint-unreachable", None, "likely")),
    "one of three": ({"endpoint-ssm": book.tcp("ssm", "timeout")}, (), ("endpoint-unreachable", "ssm", "likely")),
    "some blocked, of others no address": ({**book.endpoints("refused"), "iptables": "*filter\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -p tcp -m tcp --dport 443 -j REJECT --reject-with tcp-reset\nCOMMIT\n", "endpoint-ec2messages": "[endpoint]\nservice=ec2messages\nhost=ec2messages.us-east-1.amazonaws.com\nport=443\n[tcp]\noutcome=refused\n"}, (), ("endpoint-blocked-on-host", None, "certain")),
    "names fail, no resolver asked": (NAMELESS, (), ("dns-no-such-host", None, "likely")),
    "certificates to come, no clock": (BEFORE_ITS_TIME, ("clock",), ("clock-skew", None, "likely")),
    "certificates to come, a right clock": ({**BEFORE_ITS_TIME, "imds": book.imds()}, (), ("tls-certificate-expired", None, "certain")),
}  # fmt: skip


def told(found: Diagnosis) -> object:
    if found.causes:
        return (found.causes[0].slug, found.causes[0].scope, str(found.causes[0].confidence))
    return set(found.candidates)


@pytest.mark.parametrize("name", ROWS)
def test_what_is_claimed(name: str) -> None:
    probes, unseen, expected = ROWS[name]
    found = diagnose(book.evidence({**probes, **dict.fromkeys(unseen, "")}), now=book.NOW)
    assert told(found) == expected


def test_a_log_that_ended_long_ago_proves_nothing() -> None:
    probes = {"clock": LATE, **LATE_ANSWERS, "service": "", "processes": ""}
    assert diagnose(book.evidence(probes, GOOD), now=book.NOW).verdict == "unknown"
    probes = {"clock": LATE, **LATE_ANSWERS, **HELD}
    assert diagnose(book.evidence(probes, GOOD), now=book.NOW).verdict == "healthy"


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        (
            "ActiveState=activating\nSubState=auto-restart\nResult=signal\nExecMainCode=2\nExecMainStatus=9\n",
            "agent-stopped",
        ),
        (
            "ActiveState=activating\nSubState=auto-restart\nResult=exit-code\nExecMainCode=1\nExecMainStatus=1\n",
            "unknown",
        ),
        ("ActiveState=inactive\nSubState=dead\nResult=success\n", "agent-stopped"),
    ],
)
def test_an_agent_that_is_gone_is_not_healthy(service: str, expected: str) -> None:
    unit = f"[amazon-ssm-agent.service]\nmanager=systemd\nLoadState=loaded\nUnitFileState=enabled\nMainPID=0\n{service}"
    probes = {"service": unit, "processes": book.PS.partition("\n")[0] + "\n"}
    found = diagnose(book.evidence(probes, GOOD), now=book.NOW)
    assert (found.causes[0].slug if found.causes else found.verdict) == expected


def test_a_clean_bill_by_the_log_alone_says_so() -> None:
    assert "its log" in str(diagnose(book.evidence(log=GOOD, bare=True), now=book.NOW).headline)
    assert "its log" not in str(diagnose(book.evidence(log=GOOD), now=book.NOW).headline)


def test_a_resolver_that_refuses_may_look_silent() -> None:
    """Its refusals are ICMP, which hosts send sparingly: one question of several is refused, the rest time out."""
    log = book.request_failed(
        "dial tcp: lookup ssm.us-east-1.amazonaws.com on 10.77.0.2:53: read udp 10.77.1.25:5->10.77.0.2:53: read: connection refused"
    )
    found = diagnose(book.evidence(book.dns("[dns 10.77.0.2]\noutcome=timeout\n"), log), now=book.NOW)
    assert found.causes[0].slug == "dns-resolver-down"


def test_a_shell_s_proxy_is_not_missed_where_one_endpoint_answers() -> None:
    proxy = {"proxy-files": "# /etc/environment\nhttps_proxy=http://10.77.200.10:3128\n"}
    one = {"endpoint-ssm": book.tcp("ssm", "timeout"), **proxy}
    assert diagnose(book.evidence(one), now=book.NOW).causes[0].slug == "endpoint-unreachable"
    lost = {
        "endpoint-ssm": book.tcp("ssm", "timeout"),
        "endpoint-ec2messages": "",
        "endpoint-ssmmessages": "",
        **proxy,
    }
    assert diagnose(book.evidence(lost), now=book.NOW).causes[0].slug == "proxy-missing-or-wrong-layer"


def test_a_log_with_an_open_complaint_proves_nothing() -> None:
    refused = pb.request(
        "dial tcp 10.77.100.12:443: connect: connection refused",
        "3.3.1142.0",
        "ec2messages.us-east-1.amazonaws.com",
    )
    log = GOOD + pb.lines(
        "3.3.1142.0",
        (
            90,
            f"ERROR [ssm-agent-worker] [MessageService] [MDSInteractor] error when calling AWS APIs. error details - GetMessages Error: {refused}",
        ),
    )
    assert diagnose(book.evidence(log=log, bare=True), now=book.NOW).verdict != "healthy"


def test_a_channel_by_kept_credentials_does_not_prove_ssm() -> None:
    """Newer agents open it with what they have kept, and say themselves when ssm has answered."""
    version = "3.3.1142.0"
    failed = pb.refused(version, pb.request("dial tcp 10.77.100.11:443: i/o timeout", version), "first-boot")
    opened = "".join(
        line + "\n"
        for line in pb.online(version, 602).splitlines()
        if "websocket" in line or "channel status" in line
    )
    found = diagnose(book.evidence(log=failed + pb.start(version, 600) + opened, bare=True), now=book.NOW)
    assert found.verdict != "healthy"


def test_the_instance_s_own_identity_is_no_stranger() -> None:
    """The agent registers by a role that every instance has, beside its profile's."""
    denied = "AccessDeniedException: User: arn:aws:sts::123456789012:assumed-role/aws:ec2-instance/i-0a1b2c3d4e5f60718 is not authorized to perform: ssm:RegisterManagedInstance on resource: * because no VPC endpoint policy allows the ssm:RegisterManagedInstance action"
    log = pb.start("3.3.1142.0") + pb.lines(
        "3.3.1142.0",
        (
            5,
            f"ERROR [Registrar] failed to register identity: error calling RegisterManagedInstance API: {denied}",
        ),
    )
    found = diagnose(book.evidence(log=log), now=book.NOW)
    assert [(cause.slug, cause.scope) for cause in found.causes] == [
        ("policy-explicit-deny", "vpc-endpoint-policy")
    ]


def test_an_error_that_nobody_knows_is_no_certainty() -> None:
    error = "ValidationException: nope\n\tstatus code: 400, request id: f38f01be-2160-4d84-bacb-6f427a67128b"
    found = diagnose(book.evidence(log=pb.refused("3.3.1142.0", error, "mid-life")), now=book.NOW)
    assert found.verdict == "unknown"
    assert "endpoint-server-error" in found.candidates
