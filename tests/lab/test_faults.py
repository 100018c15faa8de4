"""Faults made for real, in network namespaces; swept by the command itself; told by their cause.

Network, services and files are real; the agent's own logs are recordings of the real agent under the same
fault (``tests/corpus``), as the agent itself cannot be had.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lab.doubles import Behaviour
from lab.network import HostPlan, Lab

CORPUS = Path(__file__).parents[1] / "corpus"
PROXY = "http://10.77.200.10:3128"
NEEDED = ("ip", "sshd", "iptables", "curl", "openssl", "unshare")


def logs(case: str) -> Path:
    return CORPUS / case / "logs"


def drop(*addresses: str) -> tuple[str, ...]:
    return tuple(f"iptables -A INPUT -p tcp -d {address} -j DROP" for address in addresses)


ENDPOINTS = ("10.77.100.11", "10.77.100.12", "10.77.100.13")
KEEP_VPC = "ip route add 10.77.0.0/16 via 10.77.1.1"

FAULTS: dict[str, tuple[str, HostPlan]] = {
    plan.name: (cause, plan)
    for cause, plan in [
        ("healthy", HostPlan("healthy", logs=logs("healthy-malformed-seelog"))),
        (
            "imds-no-route",
            HostPlan("no-route", host=("ip route del default", KEEP_VPC), logs=logs("imds-no-route-3.1")),
        ),
        (
            "imds-wrong-route",
            HostPlan(
                "wrong-gateway",
                host=("ip route add 169.254.169.254 via 10.77.1.99 dev eth0",),
                logs=logs("imds-wrong-gateway-noarp"),
            ),
        ),
        (
            "imds-no-route",
            HostPlan(
                "blackhole", host=("ip route add blackhole 169.254.169.254",), logs=logs("imds-no-route-3.1")
            ),
        ),
        (
            "imds-blocked-on-host",
            HostPlan(
                "refused",
                host=("iptables -A OUTPUT -p tcp -d 169.254.169.254 -j REJECT --reject-with tcp-reset",),
                logs=logs("imds-local-firewall-reject"),
            ),
        ),
        (
            "imds-no-response",
            HostPlan("imds-drops", vpc=drop("169.254.169.254"), logs=logs("imds-no-route-3.1")),
        ),
        (
            "imds-disabled",
            HostPlan("disabled", Behaviour(imds="disabled"), logs=logs("imds-disabled-403-3.1")),
        ),
        (
            "proxy-no-noproxy-imds",
            HostPlan(
                "proxied-imds",
                Behaviour(proxy="no-imds"),
                environ=(f"http_proxy={PROXY}", f"https_proxy={PROXY}"),
                logs=logs("proxy-alive-imds-503"),
            ),
        ),
        (
            "proxy-unreachable",
            HostPlan(
                "dead-proxy",
                environ=(f"http_proxy={PROXY}", f"https_proxy={PROXY}", "no_proxy=169.254.169.254"),
                logs=logs("registered-proxy-refused"),
            ),
        ),
        ("dns-timeout", HostPlan("silent-dns", Behaviour(resolver="silent"), logs=logs("dns-timeout"))),
        (
            "dns-no-such-host",
            HostPlan("nxdomain", Behaviour(resolver="nxdomain"), logs=logs("dns-nxdomain-3.3")),
        ),
        (
            "endpoint-unreachable",
            HostPlan(
                "refusing-endpoints",
                Behaviour(not_listening=("ssm", "ec2messages", "ssmmessages")),
                logs=logs("only-ec2messages-refused-3.3"),
            ),
        ),
        ("endpoint-unreachable", HostPlan("dropped", vpc=drop(*ENDPOINTS), logs=logs("ep-drop-all-3.3"))),
        ("iam-access-denied", HostPlan("denied", logs=logs("midlife-iam-denied"))),
        (
            "iam-no-instance-profile",
            HostPlan("no-profile", Behaviour(role=None), logs=logs("no-instance-profile-3.3")),
        ),
        (
            "trust-policy",
            HostPlan(
                "trust",
                Behaviour(credentials_code="AssumeRoleUnauthorizedAccess"),
                logs=logs("assume-role-unauthorized-3.1"),
            ),
        ),
        ("throttling", HostPlan("throttled", logs=logs("throttled-3.3"))),
        ("agent-absent", HostPlan("absent", agent="absent")),
        ("agent-stopped", HostPlan("stopped", agent="stopped", logs=logs("agent-killed"))),
    ]
}


@pytest.fixture(scope="module")
def diagnoses(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One sweep over every faulty host, as an operator would run it on the bastion."""
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    if missing := [name for name in NEEDED if shutil.which(name) is None]:
        pytest.skip(f"not installed: {', '.join(missing)}")
    work = tmp_path_factory.mktemp("lab")
    with Lab([plan for _, plan in FAULTS.values()], work) as lab:
        command = [
            sys.executable,
            "-m",
            "ssm_triage",
            "run",
            "-i",
            str(lab.inventory()),
            "-o",
            str(work / "run"),
        ]
        command += [
            "--reporter",
            "json:-",
            "--reporter",
            f"html:{work / 'html'}",
            "--exit-zero",
            "--forks",
            "2",  # each host runs hundreds of commands: more at once, and a probe's own deadline may pass
        ]
        done = subprocess.run(
            lab.on_bastion(*command), capture_output=True, text=True, check=False, timeout=150
        )
        assert done.returncode == 0, done.stderr
    found = {host["subject"]["name"]: host for host in json.loads(done.stdout)["hosts"]}
    return {**found, "__html__": work / "html"}


@pytest.mark.root
@pytest.mark.xdist_group("lab")
@pytest.mark.parametrize("name", FAULTS)
def test_the_cause_is_told_first(diagnoses: dict[str, Any], name: str) -> None:
    cause, _ = FAULTS[name]
    found = diagnoses[name]
    told = found["causes"][0]["slug"] if found["causes"] else found["verdict"]
    assert told == cause, json.dumps(found["headline"])


@pytest.mark.root
@pytest.mark.xdist_group("lab")
def test_every_host_has_a_report(diagnoses: dict[str, Any]) -> None:
    pages = {page.stem for page in diagnoses["__html__"].rglob("*.html")}
    assert pages >= set(FAULTS) | {"index"}
