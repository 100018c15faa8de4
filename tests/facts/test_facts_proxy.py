"""Proxy settings, judged as Go's httpproxy judges them, and read from every layer."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzers.facts.base import Line
from analyzers.facts.proxy import (
    Proxy,
    ProxyLayer,
    ProxySettings,
    ProxyVariable,
    parse_agent_environ,
    parse_proxy_files,
    parse_proxy_url,
    spared,
    unit_proxy,
)
from analyzers.facts.service import parse_unit_files

DATA = Path(__file__).parent / "data"


def settings(**values: str) -> ProxySettings:
    at = Line("probes/agent-environ", "")
    variables = tuple(ProxyVariable(at, k, v, ProxyLayer.PROCESS, "") for k, v in values.items())
    return ProxySettings(ProxyLayer.PROCESS, variables)


@pytest.mark.parametrize(
    ("no_proxy", "host", "port", "direct"),
    [
        # as golang.org/x/net/http/httpproxy documents and tests it
        ("", "localhost", 80, True),
        ("", "127.0.0.1", 80, True),
        ("", "127.0.0.2", 80, True),
        ("", "::1", 80, True),
        ("", "169.254.169.254", 80, False),
        ("*", "anything.example", 443, True),
        ("foobar.com, .barbaz.net", "foobar.com", 80, True),
        ("foobar.com, .barbaz.net", "www.foobar.com", 80, True),
        ("foobar.com, .barbaz.net", "xfoobar.com", 80, False),
        ("foobar.com, .barbaz.net", "www.barbaz.net", 80, True),
        ("foobar.com, .barbaz.net", "barbaz.net", 80, False),
        ("*.barbaz.net", "www.barbaz.net", 80, True),
        ("*.barbaz.net", "barbaz.net", 80, False),
        ("FOOBAR.com", "foobar.COM", 80, True),
        ("192.168.1.1", "192.168.1.1", 80, True),
        ("192.168.1.1", "192.168.1.2", 80, False),
        ("192.168.0.0/16", "192.168.10.3", 80, True),
        ("192.168.0.0/16", "192.169.10.3", 80, False),
        ("192.168.0.0/99", "192.168.10.3", 80, False),
        ("10.0.0.1:443", "10.0.0.1", 443, True),
        ("10.0.0.1:443", "10.0.0.1", 80, False),
        ("example.com:80", "example.com", 80, True),
        ("example.com:80", "example.com", 443, False),
        ("[2001:db8::1]:443", "2001:db8::1", 443, True),
        ("2001:db8::/32", "2001:db8::1", 443, True),
        (":1", "example.com", 1, False),
        # the agent's own two
        ("169.254.169.254", "169.254.169.254", 80, True),
        ("localhost,169.254.169.254,.amazonaws.com", "ssm.us-east-1.amazonaws.com", 443, True),
        ("169.254.0.0/16", "169.254.169.254", 80, True),
        ("169.254.169.*", "169.254.169.254", 80, False),
        ("169.254.169.254;10.0.0.1", "169.254.169.254", 80, False),
        ("http://169.254.169.254", "169.254.169.254", 80, False),
        ("169.254", "169.254.169.254", 80, True),  # taken for a domain, and the address ends in it
        ("169.254.", "169.254.169.254", 80, False),
        ("169.254.169.254/32", "169.254.169.254", 80, True),
        ("169.254.169.254 ", "169.254.169.254", 80, True),
    ],
)
def test_no_proxy_as_go_reads_it(no_proxy: str, host: str, port: int, direct: bool) -> None:
    assert spared(no_proxy, host, port) is direct


@pytest.mark.parametrize(
    ("text", "scheme", "host", "port"),
    [
        ("http://proxy.corp:3128", "http", "proxy.corp", 3128),
        ("https://proxy.corp:3128", "https", "proxy.corp", 3128),
        ("proxy.corp:3128", "http", "proxy.corp", 3128),
        ("10.77.200.10:3128", "http", "10.77.200.10", 3128),
        ("http://***@proxy.corp:8080/", "http", "proxy.corp", 8080),
        ("http://[2001:db8::1]:3128", "http", "2001:db8::1", 3128),
        ("socks5://proxy:1080", "socks5", "proxy", 1080),
        ("HTTP://proxy", "http", "proxy", None),
    ],
)
def test_a_proxys_url(text: str, scheme: str, host: str, port: int | None) -> None:
    url = parse_proxy_url(text)
    assert url is not None
    assert (url.scheme, url.host, url.port, url.valid) == (scheme, host, port, True)


def test_a_url_that_go_cannot_read_is_tried_behind_http() -> None:
    url = parse_proxy_url("http://pro xy:3128")
    assert url is not None
    assert url.host == "http"  # what Go then asks the resolver for
    assert parse_proxy_url("") is None


@pytest.mark.parametrize(
    ("values", "imds", "endpoint"),
    [
        ({}, False, False),
        ({"http_proxy": "http://p:1"}, True, False),
        ({"https_proxy": "http://p:1"}, False, True),
        (
            {"http_proxy": "http://p:1", "https_proxy": "http://p:1", "no_proxy": "169.254.169.254"},
            False,
            True,
        ),
        ({"HTTP_PROXY": "http://p:1", "HTTPS_PROXY": "http://p:1", "NO_PROXY": "amazonaws.com"}, True, False),
        ({"HTTP_PROXY": "", "http_proxy": "http://p:1"}, True, False),
        ({"https_proxy": ""}, False, False),
        ({"all_proxy": "http://p:1"}, False, False),
    ],
)
def test_which_requests_a_proxy_takes(values: dict[str, str], imds: bool, endpoint: bool) -> None:
    found = settings(**values)
    assert (found.imds is not None) is imds
    assert (found.endpoint("ssm.eu-west-1.amazonaws.com") is not None) is endpoint


def test_upper_case_wins() -> None:
    found = settings(https_proxy="http://lower:1", HTTPS_PROXY="http://upper:1").variable("https_proxy")
    assert found is not None
    assert found.value == "http://upper:1"


def test_the_environment_of_a_running_agent() -> None:
    found = parse_agent_environ((DATA / "healthy-proxy" / "agent_environ.txt").read_bytes())
    assert found is not None
    assert found.no_proxy == "169.254.169.254"
    assert found.imds is None
    used = found.endpoint("ssm.us-east-1.amazonaws.com")
    assert used is not None
    assert (used.value, used.at.text) == ("http://10.77.200.10:3128", "https_proxy=http://10.77.200.10:3128")
    assert parse_agent_environ(b"") is None


UNIT = b"""\
# /usr/lib/systemd/system/amazon-ssm-agent.service
[Unit]
Description=amazon-ssm-agent
After=network-online.target
[Service]
Type=simple
ExecStart=/usr/bin/amazon-ssm-agent
KillMode=process
Restart=always
# /etc/systemd/system/amazon-ssm-agent.service.d/override.conf
[Service]
Environment="http_proxy=http://10.77.200.10:3128" "https_proxy=http://10.77.200.10:3128"
Environment=no_proxy=169.254.169.254
EnvironmentFile=-/etc/sysconfig/proxy
"""


def test_a_units_drop_in() -> None:
    files = parse_unit_files(UNIT)
    found = unit_proxy(files, {})
    assert [v.name for v in found.variables] == ["http_proxy", "https_proxy", "no_proxy"]
    assert found.variables[0].origin.endswith("override.conf")
    assert not files.waits_for_network
    assert [s.value for s in files.values("ExecStart")] == ["/usr/bin/amazon-ssm-agent"]


def test_an_empty_environment_resets_what_came_before() -> None:
    assert not unit_proxy(
        parse_unit_files(UNIT + b"# /etc/systemd/x.conf\n[Service]\nEnvironment=\n"), {}
    ).any


FILES = b"""\
# /etc/environment
https_proxy="http://proxy.corp:3128"
# /etc/profile.d/proxy.sh
export HTTP_PROXY=http://proxy.corp:3128; export NO_PROXY='localhost,127.0.0.1'
#export http_proxy=http://old:1
# /etc/sysconfig/proxy
HTTPS_PROXY=http://other.corp:8080
# /etc/systemd/system.conf
DefaultEnvironment="NO_PROXY=169.254.169.254" "LANG=C"
# login
http_proxy=http://login:1
"""


def test_files_that_no_service_reads() -> None:
    system, login, by_path = parse_proxy_files(FILES)
    assert [(v.name, v.value) for v in system.variables] == [
        ("https_proxy", "http://proxy.corp:3128"),
        ("HTTP_PROXY", "http://proxy.corp:3128"),
        ("NO_PROXY", "localhost,127.0.0.1"),
        ("HTTPS_PROXY", "http://other.corp:8080"),
    ]
    assert [v.value for v in login.variables] == ["http://login:1"]
    unit = unit_proxy(parse_unit_files(UNIT), by_path)
    used = unit.endpoint("ssm.us-east-1.amazonaws.com")
    assert used is not None
    assert (unit.no_proxy, system.no_proxy) == ("169.254.169.254", "localhost,127.0.0.1")
    assert used.value == "http://other.corp:8080"  # EnvironmentFile= comes last, and upper case wins
    assert [v.value for v in Proxy(None, None, system, login).elsewhere][-1] == "http://login:1"


def test_a_change_without_a_restart() -> None:
    unit = unit_proxy(parse_unit_files(UNIT), {})
    assert Proxy(ProxySettings(ProxyLayer.PROCESS), unit, None, None).restart_pending
    assert not Proxy(unit, unit, None, None).restart_pending


def test_an_old_build_takes_http_proxy_for_https_too() -> None:
    at = Line("probes/agent-environ", "http_proxy=http://p:3128")
    one = (ProxyVariable(at, "http_proxy", "http://p:3128", ProxyLayer.PROCESS, "60"),)
    new, old = (ProxySettings(ProxyLayer.PROCESS, one, old_go=old_go) for old_go in (False, True))
    assert new.endpoint("ssm.eu-west-1.amazonaws.com") is None
    assert old.endpoint("ssm.eu-west-1.amazonaws.com") is one[0]
