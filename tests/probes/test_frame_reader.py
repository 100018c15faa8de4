"""The answer stream: whole, cut, noisy, damaged, forged, in any chunking."""

from __future__ import annotations

import gzip
import itertools
import zlib

from hypothesis import given, settings
from hypothesis import strategies as st
from probe_support import NONCE, KeepingSink, read_answer

from collector.evidence.model import Status
from collector.probes.frame import FrameReader
from collector.probes.linux import LINUX

unhurried = settings(deadline=None)

LOG = b"2026-11-23 06:26:14 INFO line\n" * 500 + b"torn"


def mark(words: str) -> bytes:
    return f"\n@@{NONCE} {words}\n".encode()


def probe(name: str, output: bytes, end: str = "ok 0 12.51 ip") -> bytes:
    return mark(f"begin {name} 12.34") + output + mark(f"end {name} {end}")


def log(body: bytes, name: str = "amazon-ssm-agent.log") -> bytes:
    return (
        mark(f"log gzip 30000 1795485171 100 7 {name} /var/log/amazon/ssm/{name}")
        + gzip.compress(body, 1)
        + mark("log-end ok")
    )


STREAM = (
    b"Welcome to the bastion\n"
    + mark("hello 1 gzip uid=0 privilege=root")
    + mark("local gzip")
    + gzip.compress(probe("routes", b"default via 10.0.0.1\n") + probe("nft", b"", "absent 0 12.60 - no nft"))
    + mark("network gzip")
    + gzip.compress(
        probe("imds", b"[token]\nhttp=200\n")
        + mark("begin endpoint-ssm 13.00")
        + b"[resolve]\n"
        + mark("stop")
    )
    + mark("begin agent-logs 14.00")
    + log(LOG)
    + log(b"", "errors.log")
    + mark("end agent-logs ok 0 14.50 -")
    + mark("bye")
)


def outcome(sink: KeepingSink) -> object:
    return (
        sink.probes,
        [(log.name, log.offset, log.packed, log.sent, log.status) for log in sink.logs],
    )


def test_a_whole_answer() -> None:
    answer = read_answer(STREAM)
    routes = answer.sink.probes["routes"]
    assert (routes.status, routes.output, routes.via) == (Status.OK, b"default via 10.0.0.1\n", "ip")
    assert (routes.exit_code, routes.duration_ms) == (0, 170)
    assert (answer.sink.probes["nft"].status, answer.sink.probes["nft"].note) == (Status.ABSENT, "no nft")
    assert answer.sink.probes["endpoint-ssm"].status is Status.TIMEOUT
    assert answer.sink.probes["endpoint-ssm"].output == b"[resolve]\n"
    assert answer.sink.probes["uname"].status is Status.ERROR
    body = answer.sink.logs[0]
    assert (body.plain, body.status, body.is_whole) == (LOG, Status.OK, True)
    assert (body.size, body.offset, body.first_line) == (30000, 100, 7)
    assert answer.sink.logs[1].plain == b""
    assert answer.reader.noise == b"Welcome to the bastion\n"
    assert answer.reader.hello == {"uid": "0", "privilege": "root"}
    assert answer.reader.complete


def test_a_plain_answer_keeps_every_byte_of_a_log() -> None:
    stream = (
        mark("hello 1 plain")
        + mark("local plain")
        + probe("uname", b"Linux")
        + mark("log plain 5 - 0 1 a /a")
    )
    answer = read_answer(stream + b"\n@@no\n\n" + mark("log-end ok") + mark("bye"))
    assert answer.sink.probes["uname"].output == b"Linux"
    assert (answer.sink.logs[0].sent, answer.sink.logs[0].packed) == (b"\n@@no\n\n", False)
    assert answer.sink.logs[0].modified is None


@unhurried
@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_any_chunking_gives_the_same(cuts: list[int]) -> None:
    sink = KeepingSink()
    reader = FrameReader(NONCE, sink, LINUX)
    edges = [0, *sorted(cuts), len(STREAM)]
    for begin, end in itertools.pairwise(edges):
        reader.feed(STREAM[begin:end])
    reader.finish()
    assert outcome(sink) == outcome(read_answer(STREAM).sink)


def test_one_byte_at_a_time_gives_the_same() -> None:
    sink = KeepingSink()
    reader = FrameReader(NONCE, sink, LINUX)
    for byte in STREAM:
        reader.feed(bytes([byte]))
    reader.finish()
    assert outcome(sink) == outcome(read_answer(STREAM).sink)


@unhurried
@given(st.integers(0, len(STREAM)))
def test_a_cut_answer_gives_what_was_whole_and_every_probe_once(cut: int) -> None:
    whole, answer = read_answer(STREAM), read_answer(STREAM[:cut])
    assert set(answer.sink.probes) == {probe.id for probe in LINUX}
    for name, result in answer.sink.probes.items():
        if result.status is Status.OK:
            assert result == whole.sink.probes[name]
    for log, true in zip(answer.sink.logs, whole.sink.logs, strict=False):
        assert true.plain.startswith(log.plain)
        assert log.status in (Status.OK, Status.TRUNCATED)
        if log.status is Status.OK:
            assert log.plain == true.plain


@unhurried
@given(st.binary(max_size=400))
def test_no_bytes_can_make_it_fail(data: bytes) -> None:
    for before in (b"", STREAM[:60], STREAM[:-300], mark("hello 1 gzip") + mark("local gzip")):
        assert len(read_answer(before + data).sink.probes) == len(LINUX)


WORDS = st.sampled_from(
    (
        *(
            "hello",
            "local",
            "network",
            "gzip",
            "plain",
            "begin",
            "end",
            "stop",
            "log",
            "log-end",
            "bye",
            "ok",
        ),
        *("0", "1", "-1", "9" * 20, "routes", "imds", "-", "a/../b", "é"),
    )
)


@unhurried
@given(
    st.lists(
        st.one_of(
            st.lists(WORDS, max_size=9).map(" ".join).map(mark), st.just(gzip.compress(STREAM)), st.binary()
        )
    )
)
def test_no_order_of_frames_can_make_it_fail(frames: list[bytes]) -> None:
    answer = read_answer(b"".join(frames))
    assert set(answer.sink.probes) == {probe.id for probe in LINUX}
    assert all(log.status is not None for log in answer.sink.logs)


@unhurried
@given(st.integers(0, len(STREAM) - 1), st.integers(1, 255))
def test_a_damaged_byte_never_makes_a_log_look_whole(at: int, flip: int) -> None:
    damaged = bytearray(STREAM)
    damaged[at] ^= flip
    for log in read_answer(bytes(damaged)).sink.logs:
        if log.status is Status.OK and log.packed and log.is_whole:
            assert log.plain in (LOG, b"")


def test_content_cannot_forge_a_frame() -> None:
    evil = b"\n@@" + b"00" * 16 + b" end routes ok 0 1 x\n\n@@ end routes ok\n"
    stream = mark("hello 1 plain") + probe("routes", evil) + mark("bye")
    assert read_answer(stream).sink.probes["routes"].output == evil


def test_a_bomb_of_outputs_is_refused() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(64)) + packer.flush()
    reader = FrameReader(NONCE, KeepingSink(), LINUX, max_total=4 << 20)
    reader.feed(mark("hello 1 gzip") + mark("local gzip") + bomb + mark("bye"))
    reader.finish()
    assert not reader.complete


def test_a_log_without_an_end_is_refused() -> None:
    sink = KeepingSink()
    reader = FrameReader(NONCE, sink, LINUX, max_total=4 << 20)
    reader.feed(mark("hello 1 gzip") + mark("log gzip 9 9 0 1 a /a"))
    for _ in range(64):
        reader.feed(bytes(1 << 20))
    reader.feed(mark("log-end ok") + mark("bye"))
    reader.finish()
    assert len(sink.logs[0].sent) <= 4 << 20
    assert sink.logs[0].status is Status.TRUNCATED
    assert not reader.complete


def test_a_probe_that_says_too_much_is_cut() -> None:
    limit = next(probe.max_bytes for probe in LINUX if probe.id == "uname")
    stream = mark("hello 1 gzip") + mark("local gzip") + gzip.compress(probe("uname", b"x" * (limit + 9)))
    result = read_answer(stream).sink.probes["uname"]
    assert (result.status, len(result.output)) == (Status.TRUNCATED, limit)


def test_a_log_that_the_host_may_not_read_is_denied() -> None:
    stream = mark("hello 1 gzip") + mark("log gzip 0 - 0 1 errors.log /x y/errors.log")
    answer = read_answer(stream + mark("log-end denied permission denied"))
    assert (answer.sink.logs[0].status, answer.sink.logs[0].path) == (Status.DENIED, "/x y/errors.log")
    assert not answer.sink.logs[0].sent


def test_a_log_name_cannot_leave_the_evidence() -> None:
    stream = (
        mark("hello 1 plain") + mark("log plain 1 1 0 1 ../../etc/./cron.d/\x01x /p") + mark("log-end ok")
    )
    assert read_answer(stream).sink.logs[0].name == "etc/cron.d/_x"
