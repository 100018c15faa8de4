# ruff: noqa: E501, DTZ001 - lines of real logs stay whole; the times of a log are naive
"""The grammar of every generation, and the dresses in which logs arrive."""

from __future__ import annotations

import io
from datetime import datetime

import pytest

from analyzers.logs.grammar import MAX_ENTRY, parse_entry, plain_blocks, text_of

# lines of real agents; the last two as Windows and a torn file leave them
LINES = [
    (
        "2026-11-23 06:26:14.7432 INFO Proxy environment variables:",
        ("2026-11-23T06:26:14.743200", "INFO", "", (), "Proxy environment variables:"),
    ),
    (
        "2026-11-23 06:32:55 INFO [amazon-ssm-agent] Bye.",
        ("2026-11-23T06:32:55", "INFO", "", ("amazon-ssm-agent",), "Bye."),
    ),
    (
        "2026-11-23 06:37:38.5654 ERROR [minLog @ credentialrefresher.go.280] [CredentialRefresher] Retrieve X",
        (
            "2026-11-23T06:37:38.565400",
            "ERROR",
            "minLog @ credentialrefresher.go.280",
            ("CredentialRefresher",),
            "Retrieve X",
        ),
    ),
    (
        "2026-11-23 06:49:41.4442 ERROR [ssm-agent-worker] [MessageService] [MDSInteractor] error",
        (
            "2026-11-23T06:49:41.444200",
            "ERROR",
            "",
            ("ssm-agent-worker", "MessageService", "MDSInteractor"),
            "error",
        ),
    ),
    (
        "2026-11-23 06:44:43.9782 WARN EC2RoleProvider Failed to",
        ("2026-11-23T06:44:43.978200", "WARN", "", ("EC2RoleProvider",), "Failed to"),
    ),
    ("2026-13-45 06:44:43 WARN x", (None, "WARN", "", (), "x")),
    ("seelog internal error: x", (None, "", "", (), "seelog internal error: x")),
]


@pytest.mark.parametrize(("line", "parts"), LINES)
def test_one_line(line: str, parts: tuple[str | None, str, str, tuple[str, ...], str]) -> None:
    entry = parse_entry(line)
    time = entry.time.isoformat() if entry.time else None
    assert (time, entry.level, entry.func, entry.context, entry.message) == parts


WANTED = b"2026-11-23 06:56:52.3638 INFO Proxy environment variables:\n"


@pytest.mark.parametrize(
    "dressed",
    [
        WANTED.replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + WANTED,
        WANTED.decode().encode("utf-16"),
        WANTED.decode().encode("utf-16-le"),
        WANTED.decode().encode("utf-16-be"),
        WANTED.replace(b"INFO", b"IN\0FO"),
        b"2026-11-23T06:56:52+0000 ip-10-77-1-25 amazon-ssm-agent[312]: " + WANTED,
        b"Nov 23 06:56:52 ip-10-77-1-25 amazon-ssm-agent[312]: " + WANTED,
    ],
)
def test_the_same_line_in_another_dress(dressed: bytes) -> None:
    assert b"".join(plain_blocks(io.BytesIO(dressed).read)) == WANTED


@pytest.mark.parametrize(
    ("line", "time", "level", "message"),
    [  # patterns that a custom seelog.xml may have
        (
            b"[ERROR] 2026/11/23 06:26:14 [HealthCheck] it failed",
            datetime(2026, 11, 23, 6, 26, 14),
            "ERROR",
            "it failed",
        ),
        (
            b"2026-11-23T06:26:14.123Z WARN it failed",
            datetime(2026, 11, 23, 6, 26, 14, 123000),
            "WARN",
            "it failed",
        ),
        (b"2026-11-23 06:26:14 [Inf] it failed", datetime(2026, 11, 23, 6, 26, 14), "INFO", "it failed"),
        (b"CRITICAL: it failed", None, "CRITICAL", "it failed"),
    ],
)
def test_a_custom_pattern(line: bytes, time: datetime | None, level: str, message: str) -> None:
    entry = parse_entry(b"".join(plain_blocks(io.BytesIO(line + b"\n").read)).decode().rstrip("\n"))
    assert (entry.time, entry.level) == (time, level)
    assert entry.message.endswith(message)


def test_console_messages_and_go_s_own_lines_become_entries() -> None:
    console = (
        b"2026/11/23 06:37:04 Failed to load instance info from vault. RegistrationKey does not exist.\n"
        b"seelog internal error: open /var/log/amazon/ssm/errors.log: permission denied\n"
        b"#011status code: 400\n"
    )
    lines = b"".join(plain_blocks(io.BytesIO(console).read, console=True)).split(b"\n")
    assert lines[0].startswith(b"2026-11-23 06:37:04 Failed to load")
    assert lines[1].startswith(b"0000-00-00 00:00:00 seelog internal error")


def test_tabs_that_syslog_wrote_as_numbers() -> None:
    line = b"Nov 23 06:56:52 host amazon-ssm-agent[312]: #011status code: 400\n"
    assert b"".join(plain_blocks(io.BytesIO(line).read, console=True)) == b"\tstatus code: 400\n"


def test_a_log_that_quotes_a_syslog_stays_as_it_is() -> None:
    log = (
        b"2026-11-23 06:26:14.7432 ERROR [ssm-agent-worker] the command said:\n"
        b"Nov 23 06:26:13 web-1 sshd[411]: Connection closed\n"
        b"2026-11-23 06:26:15.0001 INFO [ssm-agent-worker] Exiting\n"
    )
    assert b"".join(plain_blocks(io.BytesIO(log).read)) == log


def test_a_huge_entry_keeps_its_beginning_and_its_end() -> None:
    text = text_of(b"A" * 5000 + b"x" * 10_000_000 + b"Z" * 5000)
    assert text.startswith("AAAA")
    assert text.endswith("ZZZZ")
    assert len(text) < MAX_ENTRY + 20


def test_passwords_in_urls_are_masked() -> None:
    assert (
        text_of(b"INFO https_proxy: http://bob:s3cret@proxy:3128")
        == "INFO https_proxy: http://***@proxy:3128"
    )
