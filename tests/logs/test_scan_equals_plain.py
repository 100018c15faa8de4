# ruff: noqa: E501 - lines of real logs stay whole; the times of a log are naive
"""The fast scan gives exactly what the plain loop over every entry and pattern gives."""

from __future__ import annotations

import io
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from log_samples import DATA
from plain_reader import plain_reading, without_shortcuts

from analyzers.logs import load_signatures
from analyzers.logs.grammar import plain_blocks
from analyzers.logs.scan import Scanned, Scanner
from analyzers.logs.signatures import Meaning

SIGNATURES = load_signatures()
PLAIN = without_shortcuts(SIGNATURES)
LOGS = sorted(DATA.rglob("*.log"))
EXAMPLES = [example for signature in SIGNATURES.all for example in signature.examples]

Key = tuple[str, str, str, str]


def key(meaning: Meaning) -> Key:
    operation = meaning.operation.id if meaning.operation else ""
    return meaning.signature.id, operation, str(meaning.leg or ""), meaning.target


def fast(
    data: bytes, block: int
) -> tuple[Counter[Key], dict[Key, int], dict[Key, int], list[tuple[int, Key]]]:
    scanned, counts, firsts, lasts, loud = Scanned(), Counter[Key](), dict[Key, int](), dict[Key, int](), []
    blocks = [data[at : at + block] for at in range(0, len(data), block)]
    for batch in Scanner(SIGNATURES).scan(blocks, scanned):
        for _, meaning, begin, _, count in batch.records:
            counts[key(meaning)] += count
            line = batch.line_at(begin)
            firsts.setdefault(key(meaning), line)
            lasts[key(meaning)] = line
            if meaning.loud:
                loud.append((line, key(meaning)))
    return counts, firsts, lasts, loud


def same(data: bytes, block: int = 1 << 20) -> None:
    expected = [(line, key(meaning), meaning.loud) for line, meaning in plain_reading(data, PLAIN)]
    counts, firsts, lasts, loud = fast(data, block)
    assert counts == Counter(found for _, found, _ in expected)
    assert loud == [(line, found) for line, found, is_loud in expected if is_loud]
    assert lasts == {found: line for line, found, _ in expected}
    assert firsts == {found: line for line, found, _ in reversed(expected)}


@pytest.mark.parametrize("log", LOGS, ids=lambda path: path.relative_to(DATA).as_posix())
def test_real_logs(log) -> None:
    same(log.read_bytes())


@pytest.mark.parametrize("seed", range(4))
def test_every_signature_many_times_with_other_times_addresses_and_ids(seed: int) -> None:
    dice = random.Random(seed)

    def other(text: str) -> str:
        head, tail = text[:30], text[30:]
        keep = any(
            number in tail for number in ("169.254", "status code", "- Forbidden", "Internal Server", "#100")
        )
        return head + (
            "".join(str(dice.randrange(10)) if c.isdigit() and dice.random() < 0.2 else c for c in tail)
            if not keep
            else tail
        )

    entries = [other(dice.choice(EXAMPLES)) for _ in range(600)]
    same("\n".join(entries).encode())


@pytest.mark.parametrize("status", [401, 403, 404, 500, 502, 503, 504])
def test_digits_that_a_signature_asks_for_are_told_apart(status: int) -> None:
    line = "2026-11-23 06:37:34.3169 ERROR [EC2Identity] Failed to get instance info from IMDS. Err: X\ncaused by: {0} - {1}\n"
    texts = {
        401: "Unauthorized",
        403: "Forbidden",
        500: "Internal Server Error",
        502: "Bad Gateway",
        503: "Service Unavailable",
        504: "Gateway Timeout",
    }
    both = (
        line.format(404, "Not Found")
        + line.format(status, texts.get(status, "Not Found"))
        + line.format(999, "Forbidden")
    )
    same(both.encode() * 3)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(LOGS),
    st.randoms(use_true_random=False),
    st.integers(min_value=1, max_value=12),
    st.sampled_from([257, 4096, 1 << 20]),
)
def test_mutated_real_logs(log, dice: random.Random, wounds: int, block: int) -> None:
    data = bytearray(log.read_bytes()[:20_000])
    for _ in range(wounds):
        at = dice.randrange(max(len(data), 1))
        wound = dice.randrange(4)
        if wound == 0:
            del data[at : at + dice.randrange(200)]
        elif wound == 1 and data:
            data[min(at, len(data) - 1)] ^= 1 << dice.randrange(8)
        elif wound == 2:
            data[at:at] = dice.choice(EXAMPLES).encode()
        else:
            lines = bytes(data).split(b"\n")
            dice.shuffle(lines)
            data = bytearray(b"\n".join(lines))
    cleaned = b"".join(plain_blocks(io.BytesIO(bytes(data)).read))
    same(cleaned, block)
