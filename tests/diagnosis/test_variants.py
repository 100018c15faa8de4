# ruff: noqa: E501  one row per host
"""The same causes in other clothes: other routes, rules, resolvers, proxies, outcomes."""

from __future__ import annotations

import casebook as b
import pytest

from analyzers.diagnose import diagnose

Row = tuple[str, dict[str, str], str | None]


def rg(answer: str) -> str:
    return f"# 169.254.169.254\n{answer}\n"


LINK = {
    "routes": b.ROUTES + "169.254.169.254 dev eth0 scope link\n",
    "route-get": rg("169.254.169.254 dev eth0 src 10.77.1.25 uid 0"),
}
NO_DEFAULT = b.ROUTES.partition("\n")[2]
PROXY = "# pid 60 /usr/bin/amazon-ssm-agent\nhttps_proxy=http://10.77.200.10:3128\nno_proxy=169.254.169.254\n"
HTTP_PROXY = "# pid 60 /usr/bin/amazon-ssm-agent\nhttp_proxy=http://10.77.200.10:3128\n"
LATE = (
    b.HEALTHY["clock"]
    .replace("epoch=1795415925", "epoch=1785415925")
    .replace("2026-11-23T06:38:45", "2026-07-30T12:52:05")
)
EARLY = b.HEALTHY["clock"].replace("epoch=1795415925", "epoch=1895415925").replace("2026-11-23", "2030-01-23")
GONE = {
    "service": b.SERVICE.replace("ActiveState=active", "ActiveState=inactive").replace("running", "dead"),
    "processes": "",
}


def fw(*rules: str, policy: str = "ACCEPT") -> str:
    return "\n".join(("*filter", f":OUTPUT {policy} [0:0]", *rules, "COMMIT", ""))


def by_proxy(record: str) -> dict[str, str]:
    """A host whose direct way is shut and whose agent has a proxy that answers so."""
    told = {
        f"endpoint-{s}": b.endpoint(
            s,
            f"[tcp]\naddress={ip}\noutcome=timeout\n",
            f"[proxy]\nproxy=http://10.77.200.10:3128\n{record}\n",
        )
        for s, ip in b.ADDRESSES.items()
    }
    return {"agent-environ": PROXY, **told}


def rejecting(kind: str, error: str, outcome: str) -> Row:
    probes = {
        "imds": b.dead_imds(outcome),
        "routes": f"{b.ROUTES}{kind} 169.254.169.254\n",
        "route-get": rg(f"RTNETLINK answers: {error}"),
    }
    return "imds-no-route", probes, None


ROWS: dict[str, Row] = {
    **{f"{kind} route, {outcome}": rejecting(kind, error, outcome) for kind, error in (("prohibit", "Permission denied"), ("blackhole", "Invalid argument"), ("unreachable", "No route to host")) for outcome in ("denied", "invalid", "host-unreachable", "error")},
    "the zeroconf route": ("imds-wrong-route", {"imds": b.dead_imds("host-unreachable"), "routes": b.ROUTES + "169.254.0.0/16 dev eth0 scope link\n", "route-get": LINK["route-get"], "neighbours": "169.254.169.254 dev eth0  FAILED\n"}, None),
    "a VPN took it": ("imds-wrong-route", {"imds": b.dead_imds("timeout"), "routes": b.ROUTES + "169.254.169.254 dev tun0 scope link\n", "route-get": rg("169.254.169.254 dev tun0 src 10.8.0.2 uid 0")}, None),
    "a link route is right": ("imds-no-response", {"imds": b.dead_imds("no-answer"), **LINK}, None),
    "a dropping rule": ("imds-blocked-on-host", {"imds": b.dead_imds("timeout"), "iptables": fw("-A OUTPUT -d 169.254.169.254/32 -j DROP")}, None),
    "an owner rule": ("imds-blocked-on-host", {"imds": b.dead_imds("timeout"), "iptables": fw("-A OUTPUT -d 169.254.169.254/32 -p tcp -m owner --uid-owner 0 -j DROP")}, None),
    "a dropping policy": ("endpoint-blocked-on-host", {**b.endpoints("timeout"), "iptables": fw("-A OUTPUT -d 169.254.169.254/32 -j ACCEPT", "-A OUTPUT -p udp --dport 53 -j ACCEPT", policy="DROP")}, None),
    "IMDS by a link route, no default": ("no-default-route", {**b.endpoints("no-route"), "routes": NO_DEFAULT + "169.254.169.254 dev eth0 scope link\n", "route-get": LINK["route-get"] + "# 10.77.100.11 ssm\nRTNETLINK answers: Network is unreachable\n"}, None),
    "no route at all": ("imds-no-route", {"imds": b.dead_imds("no-route"), **b.dns("[dns 10.77.0.2]\noutcome=no-route\n"), "routes": NO_DEFAULT, "route-get": rg("RTNETLINK answers: Network is unreachable")}, None),
    "resolv.conf is gone": ("dns-no-resolver", {**b.dns("[dns 127.0.0.1]\noutcome=refused\n"), "resolv-conf": ""}, None),
    "resolv.conf was not understood": ("dns-no-such-host", {**b.dns("[dns 10.77.0.2]\nrcode=NXDOMAIN\n"), "resolv-conf": ""}, None),
    "resolv.conf without a server": ("dns-no-resolver", {**b.dns("[dns ::1]\noutcome=refused\n"), "resolv-conf": "search x\n"}, None),
    "the stub is down": ("dns-resolver-down", {**b.dns("[dns 127.0.0.53]\noutcome=refused\n"), "resolv-conf": "nameserver 127.0.0.53\n"}, None),
    **{rcode: (slug, b.dns(f"[dns 10.77.0.2]\nrcode={rcode}\n"), b.registrar("RequestError: send request failed")) for rcode, slug in (("SERVFAIL", "dns-servfail"), ("REFUSED", "dns-servfail"), ("NXDOMAIN", "dns-no-such-host"))},
    "a silent resolver": ("dns-timeout", b.dns("[dns 10.77.0.2]\noutcome=timeout\n"), None),
    "names only by the proxy": ("proxy-missing-or-wrong-layer", {**b.dns("[dns 10.77.0.2]\nrcode=NXDOMAIN\n"), "proxy-files": "# /etc/environment\nhttps_proxy=http://10.77.200.10:3128\n"}, None),
    **{f"TLS {outcome}": (slug, b.tls(outcome), None) for outcome, slug in (("timeout", "endpoint-tls-timeout"), ("eof", "endpoint-tls-reset"), ("version", "endpoint-tls-version"), ("not-tls", "endpoint-not-tls"), ("wrong-host", "tls-wrong-host"), ("expired", "tls-certificate-expired"))},
    "not yet valid by a late clock": ("clock-skew", {**b.tls("not-yet-valid"), "clock": LATE}, None),
    "expired by an early clock": ("clock-skew", {**b.tls("expired"), "clock": EARLY}, None),
    "HTTP 503": ("endpoint-server-error", b.http("outcome=answered\nhttp=503\ntype=application/x-amz-json-1.1"), None),
    "no HTTP answer": ("endpoint-no-response", b.http("outcome=no-answer"), None),
    "a dead proxy": ("proxy-unreachable", by_proxy("outcome=timeout"), None),
    "a proxy with a login": ("proxy-auth-required", by_proxy("outcome=answered\nconnect=407"), None),
    "a proxy that forbids": ("proxy-denies-endpoint", by_proxy("outcome=answered\nconnect=403"), None),
    "a proxy without a name": ("proxy-name-not-resolved", by_proxy("outcome=error\nerror=curl: (5) Could not resolve proxy: proxy.corp"), None),
    "a proxy that serves": ("healthy", by_proxy("outcome=answered\nconnect=200\nhttp=400"), b.START + b.ONLINE),
    "a proxy that opens TLS": ("tls-trust", by_proxy("outcome=untrusted\nconnect=200\nissuer=CN = Corp"), b.request_failed("x509: certificate signed by unknown authority")),
    "IMDS by a proxy": ("proxy-no-noproxy-imds", {"agent-environ": HTTP_PROXY, "imds": b.imds(proxied="method=PUT;outcome=answered;http=503;server=squid")}, None),
    "masked": ("agent-stopped", {**GONE, "service": GONE["service"].replace("loaded", "masked").replace("enabled", "masked")}, b.START + b.ONLINE),
    "stopped after good days": ("agent-stopped", GONE, b.START + b.ONLINE),
    "no inodes": ("disk-full", {"disk-inodes": b.DF_FULL}, b.START),
    "a bad activation on premises": ("hybrid-activation-invalid", {"imds": b.dead_imds("timeout")}, "2026-11-23 06:46:22 ERROR Registration failed due to error registering the instance with AWS SSM. InvalidActivation: \n"),
    "a dead way on premises": ("endpoint-unreachable", {"imds": b.dead_imds("timeout"), **b.endpoints("timeout")}, b.HYBRID),
    "healthy on premises": ("healthy", {"imds": b.dead_imds("timeout")}, b.HYBRID + b.ONLINE),
    "two causes, the nearer first": ("imds-disabled", {"imds": b.imds(token="method=PUT;outcome=answered;http=403", v1="outcome=answered;http=403", instance_id=""), **b.endpoints("timeout")}, None),
    "another region's endpoint": ("config-override", {"agent-config": '{"Agent":{"Region":"eu-west-1"}}'}, b.request_failed("dial tcp 10.1.1.1:443: i/o timeout", "ssm.eu-west-1.amazonaws.com")),
    "a FIPS endpoint that is not": ("config-override", {}, b.request_failed("dial tcp: lookup ssm-fips.eu-west-1.amazonaws.com on 10.77.0.2:53: no such host", "ssm-fips.eu-west-1.amazonaws.com")),
    "typographic quotes": ("config-override", {}, b.request_failed("dial tcp: lookup ssm.xn--us-east-1-x67d.amazonaws.com on 10.77.0.2:53: no such host", "ssm.xn--us-east-1-x67d.amazonaws.com")),
    "an agent of 2018": ("agent-too-old-for-imdsv2", {"agent-version": "SSM Agent version: 2.2.355.0", "packages": ""}, None),
    "never installed": ("agent-absent", {"packages": "", "service": "[amazon-ssm-agent.service]\nLoadState=not-found\nActiveState=inactive\nmanager=systemd\n", "processes": "", "agent-version": ""}, None),
    "never installed, no service manager": ("agent-absent", {"packages": "", "service": "[amazon-ssm-agent]\nmanager=none\nActiveState=inactive\n", "processes": "USER PID PPID STARTED COMMAND\n", "agent-version": ""}, None),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_variant(name: str) -> None:
    expected, probes, log = ROWS[name]
    found = diagnose(b.evidence(probes, log), now=b.NOW)
    assert (found.causes[0].slug if found.causes else found.verdict.value) == expected
    if not name.startswith("two"):
        assert len(found.causes) == (expected != "healthy"), [cause.slug for cause in found.causes]
