"""The answer of a Windows host, read back: whole, in pieces, damaged, forged."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import zlib
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from windows_support import Kept

from collector.evidence.model import Status
from collector.probes.model import Probe
from collector.probes.windows import WINDOWS
from collector.probes.windows_frame import MAX_FRAME, WindowsFrameReader
from collector.target import Platform
from lab.windows_personas import persona
from lab.windows_personas.frames import answer, frame

NONCE = "ab" * 16


@pytest.fixture
def kept() -> Kept:
    return Kept()


PROBES = (
    Probe("one", "One", "One", Platform.WINDOWS),
    Probe("two", "Two", "Two", Platform.WINDOWS, max_bytes=10),
)
WHOLE = answer(
    NONCE, ["one", "two"], {"one": ("ok", "한글\n".encode()), "two": ("denied", b"")},
    {"amazon-ssm-agent.log": b"first\r\nsecond\r\n"}, "WIN\\me",
)  # fmt: skip


def read(
    stream: bytes, kept: Kept, *, step: int = 0, reason: str = "", max_total: int = 1 << 24
) -> WindowsFrameReader:
    reader = WindowsFrameReader(NONCE, kept, PROBES, max_total=max_total)
    for at in range(0, len(stream), step or len(stream) or 1):
        reader.feed(stream[at : at + (step or len(stream))])
    reader.finish(reason)
    return reader


@pytest.mark.parametrize("step", [0, 1, 7, 4353])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_a_whole_answer(kept: Kept, step: int, ends: str) -> None:
    """However it was cut, and whichever line ends the console made of it."""
    stream = WHOLE.replace(b"\r\n", b"\n").replace(b"\n", ends.encode())
    reader = read(b"Welcome\n" + stream, kept, step=step)
    assert reader.complete
    assert reader.hello["user"] == "WIN\\me"
    assert reader.noise == b"Welcome\n"
    assert {name: result.ran_as for name, result in kept.probes.items()} == {
        "one": "WIN\\me",
        "two": "WIN\\me",
    }
    one = kept.probes["one"]
    assert (one.status, one.output, one.duration_ms) == (Status.OK, "한글\n".encode(), 20)
    assert one.sha256 == hashlib.sha256(one.output).hexdigest()
    assert kept.probes["two"].status is Status.DENIED
    when = datetime.fromtimestamp(1795415900, UTC)
    path = "C:\\ProgramData\\Amazon\\SSM\\Logs\\amazon-ssm-agent.log"
    assert kept.logs == [("amazon-ssm-agent.log", path, 15, when, 0, 1)]
    assert kept.bodies == [b"first\r\nsecond\r\n"]
    assert kept.ends == [(Status.OK, "")]


def test_a_log_in_blocks(kept: Kept) -> None:
    parts = [
        frame(
            NONCE, {"log": {"name": "a.log", "path": "p", "size": 9, "offset": 100, "line": None}}, b"one\n"
        ),
        frame(NONCE, {"more": True}, b"two\n"),
        frame(NONCE, {"log_end": "truncated", "note": "rolled over"}),
    ]
    read(b"".join(parts), kept)
    assert kept.logs[0][4:] == (100, None)
    assert kept.bodies == [b"one\ntwo\n"]
    assert kept.ends == [(Status.TRUNCATED, "rolled over")]


def test_what_came_before_the_break_is_kept(kept: Kept) -> None:
    cut = WHOLE[: WHOLE.index(b"@@BEGIN", WHOLE.index(b"@@BEGIN", 10) + 10) + 150]
    reader = read(cut, kept, reason="the connection was lost")
    assert not reader.complete
    assert kept.probes["one"].status is Status.OK
    assert kept.probes["two"].status is Status.ERROR
    assert kept.probes["two"].note == "the connection was lost"


def test_nothing_came(kept: Kept) -> None:
    reader = read(b"'powershell.exe' is not recognized\n", kept)
    assert not reader.hello
    assert b"not recognized" in reader.noise
    assert {result.status for result in kept.probes.values()} == {Status.ERROR}
    assert all("no answer from the script" in result.note for result in kept.probes.values())


def test_a_log_without_end_is_truncated(kept: Kept) -> None:
    read(frame(NONCE, {"log": {"name": "a.log", "path": "p"}}, b"one\n"), kept)
    assert kept.ends == [(Status.TRUNCATED, "the answer ended before")]


def test_another_nonce_is_noise(kept: Kept) -> None:
    reader = read(frame("cd" * 16, {"hello": {"user": "evil"}}), kept)
    assert not reader.hello


def test_a_frame_within_a_log_is_the_logs(kept: Kept) -> None:
    """What lies on the host comes packed: it cannot pass for a frame, even if it knew the nonce."""
    forged = frame(NONCE, {"probe": "one", "status": "ok"}, b"forged")
    stream = frame(NONCE, {"log": {"name": "a.log", "path": "p"}}, forged) + frame(NONCE, {"log_end": "ok"})
    read(stream, kept)
    assert kept.bodies == [forged]
    assert kept.probes["one"].status is Status.ERROR


def damaged(change: bytes, by: bytes) -> bytes:
    stream = frame(NONCE, {"probe": "one", "status": "ok"}, b"x" * 100)
    assert change in stream
    return stream.replace(change, by)


@pytest.mark.parametrize(
    "stream",
    [
        damaged(b"H4sI", b"H4sJ"),
        damaged(b"H4sI", b"H4 sI"),
        damaged(b"H4sI", b"H4sI\xff"),
        damaged(b"@@END", b"@@BEGIN x\n@@END"),
        damaged(f"@@BEGIN {NONCE} ".encode(), f"@@BEGIN {NONCE} 1".encode()),
    ],
)
def test_a_damaged_frame_is_left_out_and_told(kept: Kept, stream: bytes) -> None:
    read(frame(NONCE, {"hello": {"user": "me"}}) + stream, kept)
    assert kept.probes["one"].status is Status.ERROR
    assert "damaged" in kept.probes["one"].note


def raw_frame(packed: bytes) -> bytes:
    digest = hashlib.sha256(packed).hexdigest()
    text = base64.b64encode(packed).decode()
    return f"@@BEGIN {NONCE} {len(packed)} {digest}\n{text}\n@@END {NONCE} 0\n".encode()


@pytest.mark.parametrize(
    "packed",
    [
        b"", b"no gzip", gzip.compress(b"no json\n"), gzip.compress(b"[1]\n"), gzip.compress(b"[" * 50_000),
        gzip.compress(b'{"probe": "one"}')[:-9], gzip.compress(b'{"a": "' + b"x" * 70_000 + b'"}\nbody'),
    ],
    ids=range(7),
)  # fmt: skip
def test_a_frame_that_holds_something_else(kept: Kept, packed: bytes) -> None:
    read(raw_frame(packed), kept)
    assert kept.probes["one"].status is Status.ERROR


@pytest.mark.parametrize(
    "head",
    [
        {"hello": 1}, {"probe": 1}, {"probe": "three", "status": "ok"}, {"log": "x"}, {"more": True},
        {"log": {"name": "../../etc", "size": -1, "modified": 1 << 61, "offset": "x", "line": True}},
        {"log_end": "ok"}, {"bye": 1}, {},
        {"probe": "one", "status": ["ok"], "ms": 1.5, "note": {}},
    ],
)  # fmt: skip
def test_a_head_that_fits_nothing(kept: Kept, head: dict[str, object]) -> None:
    reader = read(frame(NONCE, head, b"body"), kept)
    assert not reader.complete
    assert set(kept.probes) == {"one", "two"}
    assert all(".." not in log[0] and log[2] >= 0 for log in kept.logs)


def test_a_probe_past_its_limit_is_cut(kept: Kept) -> None:
    read(frame(NONCE, {"probe": "two", "status": "ok"}, b"x" * 11), kept)
    assert (kept.probes["two"].status, kept.probes["two"].output) == (Status.TRUNCATED, b"x" * 10)


def test_a_bomb_is_not_unpacked(kept: Kept) -> None:
    bomb = zlib.compress(b"\0" * (50 << 20), 9)  # zlib's own form is refused, too
    read(raw_frame(bomb), kept)
    packed = gzip.compress(b'{"probe":"one","status":"ok"}\n' + b"\0" * (50 << 20), 9)
    reader = WindowsFrameReader(NONCE, kept2 := Kept(), PROBES, max_total=1 << 20)
    reader.feed(raw_frame(packed))
    reader.finish()
    assert kept2.probes["one"].status is Status.ERROR


def test_memory_is_bounded(kept: Kept) -> None:
    """Neither a line without end nor a frame without end is kept."""
    reader = WindowsFrameReader(NONCE, kept, PROBES)
    reader.feed(f"@@BEGIN {NONCE} {MAX_FRAME + 1} {'0' * 64}\n".encode())
    for _ in range(64):
        reader.feed(b"A" * (1 << 16))
    reader.feed(b"\n" + f"@@BEGIN {NONCE} 9 {'0' * 64}\n".encode())
    for _ in range(64):
        reader.feed(b"A" * 1000 + b"\n")
    held = len(reader._line) + (len(reader._frame._text) if reader._frame else 0)
    assert held < 1 << 17
    assert len(reader.noise) <= 4096
    reader.finish()


PIECES = st.one_of(
    st.binary(max_size=80),
    st.sampled_from(
        [
            WHOLE,
            WHOLE[:500],
            WHOLE[500:],
            f"\n@@BEGIN {NONCE} 20 {'0' * 64}\n".encode(),
            f"\n@@END {NONCE} 0\n".encode(),
        ]
    ),
    st.builds(
        lambda head, body: frame(NONCE, head, body),
        st.dictionaries(
            st.sampled_from(["hello", "probe", "status", "log", "more", "log_end", "bye", "name", "size"]),
            st.recursive(
                st.none() | st.booleans() | st.integers() | st.text(max_size=9),
                lambda c: st.dictionaries(st.text(max_size=4), c, max_size=3),
            ),
            max_size=4,
        ),
        st.binary(max_size=30),
    ),
)


@settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(PIECES, max_size=6), st.integers(1, 600))
def test_nothing_makes_it_raise(pieces: list[bytes], step: int) -> None:
    kept = Kept()
    read(b"".join(pieces), kept, step=step)
    assert set(kept.probes) == {"one", "two"}
    assert len(kept.ends) == len(kept.logs)


def test_a_personas_answer_is_read(kept: Kept) -> None:
    from collector.probes.windows.compile import compile_windows

    host = persona("stale-persistent-route", 2019, "ko")
    reader = WindowsFrameReader(NONCE, kept, WINDOWS)
    reader.feed(host(compile_windows(nonce=NONCE)))
    reader.finish()
    assert reader.complete
    assert json.loads(kept.probes["routes"].output.splitlines()[0])["if_alias"] == "이더넷"
    assert "이더넷".encode() not in kept.probes["routes"].output, "ASCII on the wire"
