# ruff: noqa: E501 - lines of real logs stay whole; the times of a log are naive
"""Whatever a log holds: no exception, bounded time, bounded memory."""

from __future__ import annotations

import io
import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from log_samples import DATA, read_bytes

from analyzers.logs import load_signatures
from analyzers.logs.grammar import plain_blocks
from analyzers.logs.scan import Scanned, Scanner

REAL = (DATA / "midlife-iam-denied" / "amazon-ssm-agent.log").read_bytes()
PIECES = [b"2026-11-23 06:37:38.5654 ERROR ", b"0000-00-00 00:00:00 ", b"\n", b"caused by: ", b"[", b"] ", b"\0", b"\xff\xfe", b"\r\n",
          b"9999-99-99 99:99:99.9999 INFO ", b"Sleeping for 99999h before retrying retrieve credentials", b"amazon-ssm-agent - v9.9",
          b"sleeping for 999999.9 minutes before retrying registration", b"9999-12-31 23:59:59 INFO [CredentialRefresher] "]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=60)), max_size=30))
def test_anything_can_be_read(parts: list[bytes]) -> None:
    data = b"".join(parts)
    read_bytes(
        offset="+1400", utc="2026-11-23T00:00:00Z", agent=data, errors=data, hibernate=data, journal=data
    )


@settings(max_examples=40, deadline=None)
@given(st.integers(0, len(REAL)), st.integers(0, len(REAL)))
def test_a_log_cut_anywhere_can_be_read(start: int, end: int) -> None:
    read_bytes(agent=REAL[start:end])


@pytest.mark.parametrize(
    "line",
    [
        b"2026-11-23 06:37:38 ERROR " + b"a" * 10_000_000,
        b"2026-11-23 06:37:38 ERROR " + b"caused by: " * 900_000,
        b"2026-11-23 06:37:38 ERROR " + b'Post "https://' * 700_000,
        b"2026-11-23 06:37:38 ERROR " + b"User: arn:aws is not authorized to perform: " * 200_000,
        b"[" * 10_000_000,
        b"0" * 10_000_000,
        b"\n" * 10_000_000,
        b"2026-11-23 06:37:38" * 500_000,
    ],
    ids=["letters", "causes", "urls", "denials", "brackets", "digits", "line-feeds", "stamps"],
)
def test_ten_megabytes_on_one_line_take_little_time(line: bytes) -> None:
    before = time.process_time()
    read_bytes(agent=line + b"\n2026-11-23 06:37:39 INFO Proxy environment variables:\n")
    assert time.process_time() - before < 20


def test_memory_does_not_grow_with_the_log() -> None:
    class Endless(io.RawIOBase):
        """The same log again and again, without ever holding it."""

        def __init__(self, size: int) -> None:
            self.left = size

        def read(self, size: int = -1) -> bytes:
            part = (REAL * 40)[: min(size, self.left)]
            self.left -= len(part)
            return part

    def peak(size: int) -> int:
        scanner = Scanner(load_signatures())
        tracemalloc.start()
        for _ in scanner.scan(plain_blocks(Endless(size).read), Scanned()):
            pass
        _, top = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return top

    assert peak(24 << 20) < peak(6 << 20) * 1.5
