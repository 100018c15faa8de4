"""The parts of the script that decide something, each by itself, under every shell there is."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from probe_support import NONCE

from collector.probes.compile import compile_script, probe_table
from collector.probes.linux import LINUX
from collector.probes.model import Lane

SHELLS = [shell for shell in ("dash", "bash", "busybox", "mksh") if shutil.which(shell)]


def run(shell: str, tail: str, stdin: str = "") -> str:
    """What ``tail`` prints behind the library; the script's own start is left out."""
    script = compile_script(nonce=NONCE).decode().removesuffix("main </dev/null\nexit 0\n")
    command = [shell, "ash"] if shell == "busybox" else [shell]
    done = subprocess.run(
        [*command, "-c", script + tail], input=stdin, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    return done.stdout


# The rules of golang.org/x/net/http/httpproxy (its documentation of NoProxy), which the agent follows.
SPARED = [
    ("169.254.169.254", "169.254.169.254", 80, True),
    (" 10.0.0.1 , 169.254.169.254 ", "169.254.169.254", 80, True),
    ("169.254.169.254:80", "169.254.169.254", 80, True),
    ("169.254.169.254:8080", "169.254.169.254", 80, False),
    ("169.254.0.0/16", "169.254.169.254", 80, True),
    ("169.253.0.0/15", "169.254.169.254", 80, False),
    ("0.0.0.0/0", "169.254.169.254", 80, True),
    ("169.254.169.254/32", "169.254.169.254", 80, True),
    ("169.254.0.0/99", "169.254.169.254", 80, False),
    ("169.254.0.0/x[$(exit)]", "169.254.169.254", 80, False),
    ("169.254.169", "169.254.169.254", 80, False),
    (".169.254", "169.254.169.254", 80, False),
    ("*", "169.254.169.254", 80, True),
    ("", "169.254.169.254", 80, False),
    ("amazonaws.com", "ssm.us-east-1.amazonaws.com", 443, True),
    (".amazonaws.com", "ssm.us-east-1.amazonaws.com", 443, True),
    ("*.amazonaws.com", "ssm.us-east-1.amazonaws.com", 443, True),
    ("amazonaws.com:443", "ssm.us-east-1.amazonaws.com", 443, True),
    ("aws.com", "ssm.us-east-1.amazonaws.com", 443, False),
    (".ssm.us-east-1.amazonaws.com", "ssm.us-east-1.amazonaws.com", 443, False),
    ("ssm.us-east-1.amazonaws.com", "ssm.us-east-1.amazonaws.com", 443, True),
    ("SSM.us-east-1.AMAZONAWS.com", "ssm.us-east-1.amazonaws.com", 443, True),
    ("10.0.0.0/8", "ssm.us-east-1.amazonaws.com", 443, False),
]


@pytest.mark.parametrize("shell", SHELLS)
def test_no_proxy_is_read_as_the_agent_reads_it(shell: str) -> None:
    tail = "".join(
        f"PROXY_SPARED='{spared}'\nif spared {host} {port}; then line True; else line False; fi\n"
        for spared, host, port, _ in SPARED
    )
    answers = run(shell, tail).split()
    assert [(row[0], row[1], answer) for row, answer in zip(SPARED, answers, strict=True)] == [
        (row[0], row[1], str(row[3])) for row in SPARED
    ]


MASKED = [
    ("http_proxy=http://user:pass@proxy:3128", "http_proxy=http://***@proxy:3128"),
    ("HTTPS_PROXY=user:pass@proxy:3128", "HTTPS_PROXY=***@proxy:3128"),
    (
        'Environment="https_proxy=http://u:p=1@h:1" "no_proxy=x"',
        'Environment="https_proxy=http://***@h:1" "no_proxy=x"',
    ),
    ("https_proxy=http://u:pa/ss@wo@rd@h:1", "https_proxy=http://***@h:1"),
    ("http://a.test/ http://u:p@h/", "http://a.test/ http://***@h/"),
    ("no_proxy=10.0.0.1,localhost", "no_proxy=10.0.0.1,localhost"),
    ("mail to root@localhost", "mail to root@localhost"),
    ('Environment="AWS_SECRET_ACCESS_KEY=x/y+z" "A=1"', 'Environment="AWS_SECRET_ACCESS_KEY=***" "A=1"'),
    (
        "Environment=AWS_ACCESS_KEY_ID=AKIA1 AWS_SESSION_TOKEN=t==",
        "Environment=AWS_ACCESS_KEY_ID=*** AWS_SESSION_TOKEN=***",
    ),
    ("Environment=AWS_REGION=eu-west-1", "Environment=AWS_REGION=eu-west-1"),
]


@pytest.mark.parametrize("shell", SHELLS)
def test_passwords_in_urls_are_covered(shell: str) -> None:
    said = run(shell, "mask\n", "".join(f"{line}\n" for line, _ in MASKED))
    assert said.splitlines() == [masked for _, masked in MASKED]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("region", "config", "host"),
    [
        ("us-east-1", "", "ssm.us-east-1.amazonaws.com"),
        ("cn-north-1", "", "ssm.cn-north-1.amazonaws.com.cn"),
        ("us-gov-west-1", "", "ssm.us-gov-west-1.amazonaws.com"),
        ("us-iso-east-1", "", "ssm.us-iso-east-1.c2s.ic.gov"),
        ("us-isob-east-1", "", "ssm.us-isob-east-1.sc2s.sgov.gov"),
        ("us-east-1", '{"Agent":{"Region":"eu-west-1"}}', "ssm.eu-west-1.amazonaws.com"),
        ("us-east-1", '{"Ssm":{"Endpoint":"https://vpce-1.test/"},"Mds":{"Endpoint":"x"}}', "vpce-1.test"),
        ("us-east-1", '{"Ssm":{"Endpoint":""}}', "ssm.us-east-1.amazonaws.com"),
        ("", "", ""),
    ],
)
def test_the_endpoint_is_the_one_that_the_agent_asks(shell: str, region: str, config: str, host: str) -> None:
    assert (
        run(shell, f"REGION='{region}' CONFIG='{config}'\nendpoint_of ssm\nline \"$HOST\"\n") == f"{host}\n"
    )


@pytest.mark.parametrize("shell", SHELLS)
def test_curl_gets_a_secret_quoted(shell: str) -> None:
    assert run(shell, r"""line "$(quoted 'a"b\c"')" """) == 'a\\"b\\\\c\\"\n'


def test_probe_ids_are_unique_and_told_in_the_table() -> None:
    rows = probe_table()
    assert len({row.id for row in rows}) == len(rows) == len(LINUX)
    assert all(row.title and row.id == row.id.lower() for row in rows)


def test_a_rescue_asks_no_network_and_no_process() -> None:
    assert all(probe.lane is not Lane.NETWORK for probe in LINUX if probe.rescue)
    script = compile_script(nonce=NONCE, root="/mnt/rescue").decode()
    assert "mark end imds skipped" in script
    assert "bounded 20 ask imds" not in script
