"""The metadata service and the endpoints, on records as docs/evidence.md gives them."""

# ruff: noqa: E501  real output is as wide as it is

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from analyzers.facts import Facts, Known
from analyzers.facts.endpoints import Endpoint, certificate_date, parse_endpoint
from analyzers.facts.hosts import parse_hosts, parse_name_switch, parse_resolvers
from analyzers.facts.imds import Imds, RoleState, parse_imds
from collector.evidence import Clock, Manifest, ProbeResult, Status, Subject
from collector.evidence.memory import evidence_of

HEALTHY = {
    "token": "method=PUT\nurl=http://169.254.169.254/latest/api/token\ntool=curl\nexit=0\noutcome=answered\nhttp=200\n"
    "server=EC2ws\ntype=text/plain\ndate=Mon, 23 Nov 2026 06:38:31 GMT",
    "v1": "outcome=answered\nhttp=401\nserver=EC2ws\n| <title>401 - Unauthorized</title>",
    "instance-id": "outcome=answered\nhttp=200\nserver=EC2ws\n| i-0a1b2c3d4e5f60718",
    "region": "outcome=answered\nhttp=200\nserver=EC2ws\n| us-east-1",
    "zone": "outcome=answered\nhttp=200\nserver=EC2ws\n| us-east-1a",
    "mac": "outcome=answered\nhttp=200\nserver=EC2ws\n| 0a:11:22:33:44:55",
    "iam-info": 'outcome=answered\nhttp=200\n| {\n|   "Code": "Success",\n|   "InstanceProfileArn": '
    '"arn:aws:iam::123456789012:instance-profile/AppServerRole",\n|   "InstanceProfileId": "AIPAEXAMPLE"\n| }',
    "role": "outcome=answered\nhttp=200\nserver=EC2ws\n| AppServerRole",
    "credentials": 'outcome=answered\nhttp=200\n|   "Code" : "Success",\n|   "Type" : "AWS-HMAC",\n'
    '|   "LastUpdated" : "2026-11-23T06:30:00Z",\n|   "Expiration" : "2026-11-23T12:40:00Z"',
    "identity": "outcome=answered\nhttp=200\nserver=EC2ws",
    "document": 'outcome=answered\nhttp=200\n| {\n|   "accountId" : "123456789012",\n|   "region" : "us-east-1"\n| }',
}
NO_ROUTE = "outcome=no-route\nhttp=000\nexit=7\nerror=curl: (7) Failed to connect to 169.254.169.254 port 80 after 0 ms"
FORBIDDEN = "outcome=answered\nhttp=403\nserver=EC2ws\ntype=text/html\n| <html><title>403 - Forbidden</title>"
SQUID = "outcome=answered\nhttp=503\nserver=squid/5.7\ntype=text/html\n| <!DOCTYPE html>\n| <title>ERROR: The requested URL"


def imds(changes: dict[str, str | None] | None = None, **keywords: str) -> Imds:
    records = {**HEALTHY, **(changes or {})}
    text = "".join(f"[{name}]\n{body}\n" for name, body in records.items() if body is not None)
    found = parse_imds(text.encode(), **keywords)  # type: ignore[arg-type]  only expected_id is ever given
    assert found is not None
    return found


def every(body: str) -> dict[str, str | None]:
    return dict.fromkeys(HEALTHY, body)


def test_a_healthy_service() -> None:
    found = imds()
    assert (found.state, found.reachable) == ("ok", True)
    assert (found.instance_id, found.region, found.zone) == ("i-0a1b2c3d4e5f60718", "us-east-1", "us-east-1a")
    assert (found.mac, found.account) == ("0a:11:22:33:44:55", "123456789012")
    assert (found.role_state, found.role) == (RoleState.PRESENT, "AppServerRole")
    assert (found.v1_allowed, found.dhmc_path) == (False, True)
    assert found.credentials is not None
    assert found.credentials.code == "Success"
    assert found.credentials.expiration == datetime(2026, 11, 23, 12, 40, tzinfo=UTC)
    assert found.iam_info is not None
    assert found.iam_info.profile_arn.endswith("/AppServerRole")
    assert found.answers["token"].date == datetime(2026, 11, 23, 6, 38, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        (every(NO_ROUTE), "no-route"),
        (every("outcome=host-unreachable\nhttp=000"), "host-unreachable"),
        (every("outcome=refused\nhttp=000"), "refused"),
        (every("outcome=timeout\nhttp=000"), "timeout"),
        (every("outcome=no-answer\nhttp=000"), "no-answer"),
        (every("outcome=denied\nhttp=000"), "denied"),
        (every("outcome=invalid\nhttp=000"), "invalid"),
        (every("outcome=error\nhttp=000"), "other"),
        (every(FORBIDDEN), "disabled"),
        (every("outcome=answered\nhttp=500\nserver=EC2ws\n| <title>500 - Internal"), "server-error"),
        (every(SQUID), "impostor"),
        (every("outcome=answered\nhttp=302\nserver=nginx"), "impostor"),
        (every("outcome=answered\nhttp=404\nserver=Apache"), "impostor"),
        ({"instance-id": "outcome=answered\nhttp=200\n| <html>Welcome to the hotel</html>"}, "impostor"),
        ({"instance-id": "outcome=answered\nhttp=200\n| 7234912348"}, "impostor"),
        ({"instance-id": "outcome=timeout\nhttp=000"}, "partial"),
        ({"instance-id": "outcome=answered\nhttp=404\nserver=EC2ws"}, "partial"),
        # the hop limit: the PUT's answer dies on the way, a plain GET comes through
        ({"token": "outcome=no-answer\nhttp=000"}, "token-blocked"),
        ({"token": "outcome=no-answer\nhttp=000", "v1": "outcome=answered\nhttp=200\n| i-0a1b2c3d4e5f60718"}, "token-blocked"),
        # signs of health
        ({"role": "outcome=answered\nhttp=404\nserver=EC2ws"}, "ok"),
        ({"v1": "outcome=answered\nhttp=200\n| i-0a1b2c3d4e5f60718"}, "ok"),
        ({"v1": None, "document": None, "region": None}, "ok"),
        ({"instance-id": "outcome=answered\nhttp=200\n| i-0abcdef1"}, "ok"),
    ],
)  # fmt: skip
def test_the_state_of_the_service(changes: dict[str, str | None], state: str) -> None:
    assert imds(changes).state == state


def test_another_instances_id() -> None:
    found = imds(expected_id="i-0ffffffffffffffff")
    assert found.state == "impostor"
    assert "i-0ffffffffffffffff" in str(found.why)


@pytest.mark.parametrize(
    ("body", "state", "role"),
    [
        ("outcome=answered\nhttp=404\nserver=EC2ws", RoleState.NONE, None),
        ("outcome=answered\nhttp=200\n| <html>", RoleState.UNKNOWN, None),
        ("outcome=timeout\nhttp=000", RoleState.UNKNOWN, None),
        ("outcome=answered\nhttp=200\n| A_role+=,.@-x", RoleState.PRESENT, "A_role+=,.@-x"),
        (None, RoleState.UNKNOWN, None),
    ],
)
def test_the_role(body: str | None, state: RoleState, role: str | None) -> None:
    found = imds({"role": body})
    assert (found.role_state, found.role) == (state, role)


def test_404_of_a_dead_service_is_no_statement_on_the_role() -> None:
    assert imds({**every(NO_ROUTE), "role": "outcome=answered\nhttp=404"}).role_state is RoleState.UNKNOWN


def test_a_role_that_cannot_be_assumed() -> None:
    body = 'outcome=answered\nhttp=200\n| "Code" : "AssumeRoleUnauthorizedAccess",\n| "Message" : "EC2 cannot assume the role AppServerRole. \\"x\\""'
    found = imds({"credentials": body}).credentials
    assert found is not None
    assert (found.code, found.expiration) == ("AssumeRoleUnauthorizedAccess", None)
    assert found.message == 'EC2 cannot assume the role AppServerRole. "x"'


def test_the_request_through_the_proxy() -> None:
    found = imds({"proxied": f"{SQUID}\nproxy=http://10.77.200.10:3128"})
    assert found.state == "ok"
    assert found.proxied is not None
    assert (found.proxied.proxy, found.proxied.status) == ("http://10.77.200.10:3128", 503)
    assert found.proxied_state == "impostor"


# Endpoints -----------------------------------------------------------------------------------------------

STAGES = {
    "endpoint": "service=ssm\nhost=ssm.us-east-1.amazonaws.com\nport=443\nsource=region\nregion=us-east-1\nregion_source=imds",
    "resolve": "tool=getent\nexit=0\naddress=10.77.100.11",
    "dns 10.77.0.2": "tool=dig\nrcode=NOERROR\naddress=10.77.100.11",
    "tcp": "address=10.77.100.11\noutcome=connected\nms=3",
    "tls": "outcome=ok\nprotocol=TLSv1.3\nsubject=CN = ssm.us-east-1.amazonaws.com\n"
    "issuer=C = US, O = Amazon, CN = Amazon RSA 2048 M01\nnot_before=Oct 24 06:23:20 2026 GMT\n"
    "not_after=Sep 19 06:23:20 2027 GMT",
    "http": "http=404\noutcome=answered\nserver=Server\ndate=Mon, 23 Nov 2026 06:39:52 GMT\n| <UnknownOperationException/>",
}


def endpoint(
    changes: dict[str, str | None], hosts: bytes = b"", resolv: bytes = b"nameserver 10.77.0.2\n"
) -> Endpoint:
    records = {**STAGES, **changes}
    text = "".join(f"[{name}]\n{body}\n" for name, body in records.items() if body is not None)
    found = parse_endpoint(
        text.encode(), "probes/endpoint-ssm", hosts=parse_hosts(hosts), resolvers=parse_resolvers(resolv)
    )
    assert found is not None
    return found


NOTHING: dict[str, str | None] = {"tcp": None, "tls": None, "http": None}
FAILED: dict[str, str | None] = {**NOTHING, "resolve": "tool=getent\nexit=2"}


@pytest.mark.parametrize(
    ("changes", "dns", "state"),
    [
        ({}, "ok", "ok"),
        ({**FAILED, "dns 10.77.0.2": "rcode=NXDOMAIN"}, "nxdomain", "dns"),
        ({**FAILED, "dns 10.77.0.2": "rcode=SERVFAIL"}, "servfail", "dns"),
        ({**FAILED, "dns 10.77.0.2": "rcode=REFUSED"}, "refused", "dns"),
        ({**FAILED, "dns 10.77.0.2": "rcode=NOERROR"}, "no-answer", "dns"),
        ({**FAILED, "dns 10.77.0.2": "outcome=timeout"}, "timeout", "dns"),
        ({**FAILED, "dns 10.77.0.2": "outcome=refused"}, "unreachable", "dns"),
        ({**FAILED, "dns 10.77.0.2": "outcome=no-route"}, "unreachable", "dns"),
        ({**FAILED, "dns 10.77.0.2": "outcome=timeout", "dns 10.77.0.3": "rcode=NXDOMAIN"}, "nxdomain", "dns"),
        (FAILED, "failed", "dns"),  # the nameserver knows it, the host does not get it
        ({**FAILED, "dns 10.77.0.2": None, "resolve": "exit=2\nerror=Name or service not known"}, "nxdomain", "dns"),
        ({**FAILED, "dns 10.77.0.2": None, "resolve": "exit=124"}, "timeout", "dns"),
        ({**FAILED, "dns 10.77.0.2": None}, "failed", "dns"),
        ({**NOTHING, "resolve": None, "dns 10.77.0.2": None}, "unknown", "unknown"),
        ({"tcp": "address=10.77.100.11\noutcome=timeout", "tls": None, "http": None}, "ok", "timeout"),
        ({"tcp": "address=10.77.100.11\noutcome=refused", "tls": None, "http": None}, "ok", "refused"),
        ({"tcp": "address=10.77.100.11\noutcome=no-route", "tls": None, "http": None}, "ok", "no-route"),
        ({"tcp": "address=10.77.100.11\noutcome=host-unreachable", "tls": None, "http": None}, "ok", "no-route"),
        ({"tcp": "address=10.77.100.11\noutcome=denied", "tls": None, "http": None}, "ok", "denied"),
        ({"tls": "outcome=untrusted\nissuer=CN = Corp Root", "http": None}, "ok", "tls-trust"),
        ({"tls": "outcome=not-yet-valid", "http": None}, "ok", "tls-trust"),
        ({"tls": "outcome=wrong-host"}, "ok", "tls-trust"),
        ({"tls": "outcome=eof", "http": None}, "ok", "tls-broken"),
        ({"tls": "outcome=reset", "http": None}, "ok", "tls-broken"),
        ({"tls": "outcome=error\nerror=no such option", }, "ok", "ok"),  # the HTTP answer proves more
        ({"http": "outcome=no-answer\nhttp=000"}, "ok", "no-answer"),
        ({"http": "outcome=timeout\nhttp=000"}, "ok", "no-answer"),
        ({"http": "outcome=answered\nhttp=503\ntype=application/json"}, "ok", "server-error"),
        ({"http": "outcome=answered\nhttp=200\ntype=text/html\n| <html>Sign in"}, "ok", "not-aws"),
        ({"http": "outcome=answered\nhttp=200\ntype=application/x-amz-json-1.1"}, "ok", "ok"),
        ({"http": None}, "ok", "ok"),
        ({"tls": None, "http": None}, "ok", "connected"),
        ({"tcp": None, "tls": None, "http": "outcome=refused\nhttp=000"}, "ok", "refused"),
        ({"tls": "outcome=skipped\nerror=no openssl", "http": "outcome=skipped"}, "ok", "connected"),
    ],
)  # fmt: skip
def test_the_state_of_an_endpoint(changes: dict[str, str | None], dns: str, state: str) -> None:
    found = endpoint(changes)
    assert (found.dns_state, found.state) == (dns, state)


def test_no_nameserver_at_all() -> None:
    found = endpoint({**FAILED, "dns 10.77.0.2": None}, resolv=b"# Generated by NetworkManager\n")
    assert (found.dns_state, found.state) == ("no-resolver", "dns")


def test_what_an_endpoint_tells() -> None:
    found = endpoint({}, hosts=b"127.0.0.1 localhost\n10.9.9.9 ssm.us-east-1.amazonaws.com # old\n")
    assert (found.private, found.disagreement, found.reachable) == (True, False, True)
    assert [entry.at.number for entry in found.hosts_entries] == [2]
    assert found.tls[0].amazon
    assert found.tls[0].not_after == datetime(2027, 9, 19, 6, 23, 20, tzinfo=UTC)
    assert [date.minute for date, _ in found.dates] == [39]
    assert endpoint({"resolve": "address=10.9.9.9"}).disagreement
    assert endpoint({"resolve": "address=52.94.1.1"}).private is False


def test_by_proxy() -> None:
    proxied = "proxy=http://10.77.200.10:3128\nconnect=200\nhttp=404\noutcome=answered\n| <UnknownOperationException/>"
    found = endpoint({"tcp": "outcome=timeout", "tls": None, "http": None, "proxy": proxied})
    assert (found.state, found.reachable) == ("timeout", True)
    refused = endpoint({"proxy": "proxy=http://10.77.200.10:3128\noutcome=refused"})
    assert (refused.state, refused.reachable) == ("ok", False)


@pytest.mark.parametrize("text", ["Oct 99 06:23:20 2026 GMT", "Foo 24 06:23:20 2026 GMT", "", "\u0662"])
def test_no_date(text: str) -> None:
    assert certificate_date(text) is None


def test_names() -> None:
    switch = parse_name_switch(b"passwd: files\nhosts:  files myhostname resolve [!UNAVAIL=return] dns # x\n")
    assert switch is not None
    assert switch.hosts == ("files", "myhostname", "resolve", "[!UNAVAIL=return]", "dns")
    assert switch.uses_dns
    found = parse_resolvers(b"search ec2.internal\nnameserver 127.0.0.53\noptions timeout:2 attempts:5\n")
    assert found.nameservers[0].stub
    assert (found.search, found.options) == (("ec2.internal",), ("timeout:2", "attempts:5"))


# The clock -----------------------------------------------------------------------------------------------


def test_the_hosts_clock_against_every_other() -> None:
    started = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
    manifest = Manifest(
        1, "ssm-triage", "collected", Subject("web01"), clock=Clock(started, started + timedelta(seconds=10))
    )
    text = "".join(f"[{name}]\n{body}\n" for name, body in STAGES.items())
    facts = Facts(
        evidence_of(
            [
                ProbeResult(
                    "clock", Status.OK, b"utc=2026-11-23T06:38:52Z\noffset=+0900\nzone=Asia/Seoul\nntp=no\n"
                ),
                ProbeResult("endpoint-ssm", Status.OK, text.encode()),
            ],
            manifest=manifest,
        )
    )
    assert isinstance(facts.skew, Known)
    by_name = {skew.reference: skew for skew in facts.skew.value.skews}
    assert by_name["us"].skew == -timedelta(minutes=21, seconds=8)
    assert by_name["us"].exceeds()
    assert by_name["ssm"].skew == -timedelta(minutes=1)
    assert not by_name["ssm"].exceeds()
    assert facts.skew.value.best is by_name["ssm"]
    assert facts.skew.value.host.offset == timedelta(hours=9)
    assert facts.skew.value.host.synchronised is False
