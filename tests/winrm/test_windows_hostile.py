"""Whatever a host says, in whatever pieces: nothing is raised that is not a failure, nothing grows."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from collector.connections.bootstrap import MARK
from collector.connections.clixml import spoken
from collector.connections.windows_bootstrap import WindowsHandover, packed
from collector.errors import ConnectionFailed
from lab.windows.powershell import Shell

unhurried = settings(deadline=None)

_XML = st.lists(
    st.sampled_from(
        [b"#< CLIXML\r\n", b"<Objs", b">", b'<S S="Error">', b"</S>", b"</Objs>", b"_x000A_", b"_xD83D_",
         b"&amp;", b"&#xFFFFFFFF;", b"&bogus;", b"words ", b"\xff", b'<S S="verbose">', b"\0", b"\r\n"]
    ),
    max_size=40,
).map(b"".join)  # fmt: skip


@unhurried
@given(st.one_of(st.binary(max_size=300), _XML))
def test_any_standard_error_has_words(data: bytes) -> None:
    text = spoken(data)
    assert len(text) <= len(data) * 2
    text.encode()


def test_much_clixml_is_read_in_no_time() -> None:
    for data in (b"<Objs" * 13_000, b'<S S="Error">' * 5_000, b"<Objs>" + b'<S S="Error">' * 5_000):
        spoken(data)


@unhurried
@given(st.binary(max_size=200), st.binary(max_size=200), st.lists(st.integers(1, 60), max_size=12))
def test_pieces_do_not_matter(noise: bytes, answer: bytes, cuts: list[int]) -> None:
    noise = noise.replace(MARK, b"")
    whole = noise + b"\r\n" + MARK + b"FullLanguage\r\n" + answer
    got = bytearray()
    handover = WindowsHandover(b"", got.extend, 1000)
    for cut in cuts:
        handover.output(whole[:cut])
        whole = whole[cut:]
    handover.output(whole)
    assert bytes(got) == answer
    assert handover.language_mode == "FullLanguage"


@unhurried
@given(st.binary(max_size=300), st.binary(max_size=300), st.one_of(st.none(), st.integers(0, 2**32 - 1)))
def test_any_end_is_a_result_or_a_failure(output: bytes, errors: bytes, code: int | None) -> None:
    handover = WindowsHandover(b"x", lambda data: None, 100)
    handover.output(output)
    handover.error_output(errors)
    said = ""
    try:
        assert handover.finish("host port 1", code).received <= 100
    except ConnectionFailed as failed:
        said = str(failed)
    assert said.isprintable()


@unhurried
@given(st.integers(0, 3000), st.data())
def test_a_script_that_lost_something_is_not_run(size: int, data: st.DataObject) -> None:
    ran: list[bytes] = []
    shell = Shell(lambda script: ran.append(script) or b"", {})  # type: ignore[func-returns-value]
    script = random.Random(size).randbytes(size)
    whole = packed(script)
    at = data.draw(st.integers(0, len(whole) - 1))
    shell._read(whole[:at])
    assert ran in ([], [script])  # only the end of the last line may be missing
