"""The picture of the path, the timeline, the excerpts and the times."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_samples import at, endpoint_unreachable, evidence, imds_no_route, proxy_no_noproxy

from analyzers.diagnosis import Citation, Hop, TimelineEvent
from analyzers.text import say
from collector.probes.compile import compile_script
from collector.probes.linux import LINUX
from collector.target import Platform
from reports.excerpts import Caps, Excerpt, excerpts
from reports.i18n import languages, translator
from reports.picture import MOST, WIDTH, Picture, draw
from reports.probe_names import COMMANDS, command_of
from reports.timeline import timeline
from reports.times import between, host_text, span_text, utc_text

CAPS = Caps(citations=3, lines=4, chars=80, items=10)


def where(picture: Picture, kind: str, name: str = "") -> int:
    return next(
        n for n, box in enumerate(picture.boxes) if box.hop.kind == kind and box.hop.name.startswith(name)
    )


def test_endpoints_hang_on_the_proxy_and_imds_on_the_host() -> None:
    diagnosis, _ = proxy_no_noproxy()
    picture = draw("batch-11", diagnosis.path)
    host, gateway, proxy = (picture.boxes[where(picture, kind)] for kind in ("host", "gateway", "proxy"))
    starts = {(leg.mark_y, leg.reached.split("H")[0]) for leg in picture.legs}
    for kind, parent in (("imds", host), ("resolver", gateway), ("endpoint", proxy), ("proxy", gateway)):
        box = picture.boxes[where(picture, kind)]
        assert (box.middle, f"M{parent.right} {parent.middle}") in starts, kind


def test_what_lies_behind_a_failed_gateway_is_cut_off() -> None:
    diagnosis, _ = imds_no_route()
    picture = draw("web-03", diagnosis.path)
    cut = {leg.mark_y for leg in picture.legs if leg.cut_off}
    assert cut == {box.middle for box in picture.boxes if box.hop.kind in ("resolver", "endpoint")}


def test_a_line_that_several_share_fails_only_where_it_leaves_what_works() -> None:
    diagnosis, _ = endpoint_unreachable()
    states = [leg.state for leg in draw("api-07", diagnosis.path).legs]
    assert {"failed", "ok"} <= set(states)
    assert states.index("ok") > len(states) - 1 - states[::-1].index("failed")


def test_a_proxy_that_is_not_used_carries_nothing() -> None:
    diagnosis, _ = endpoint_unreachable()
    picture = draw("api-07", diagnosis.path)
    proxy = picture.boxes[where(picture, "proxy")]
    assert not any(leg.reached.startswith(f"M{proxy.right} ") for leg in picture.legs)


HOPS = st.builds(
    Hop,
    st.sampled_from(["gateway", "imds", "resolver", "proxy", "endpoint", "other"]),
    st.text(max_size=60),
    st.sampled_from(["ok", "failed", "unknown", "unused"]),
)


@given(st.lists(HOPS, max_size=30))
def test_boxes_never_overlap_or_leave_the_picture(hops: list[Hop]) -> None:
    picture = draw("host", hops)
    boxes = picture.boxes
    assert len(boxes) <= MOST + 3
    for n, box in enumerate(boxes):
        assert box.x >= 0
        assert box.right <= WIDTH
        assert box.y >= 0
        assert box.y + 46 <= picture.height
        for other in boxes[n + 1 :]:
            apart = box.right <= other.x or other.right <= box.x or abs(box.y - other.y) >= 46
            assert apart, (box, other)


def one(citation: Citation, caps: Caps = CAPS) -> Excerpt:
    return excerpts([citation], evidence("x"), caps)[0]


def test_the_mark_is_found_and_kept_in_sight() -> None:
    shown = one(Citation("logs/a.log", "x" * 500 + "NEEDLE" + "y" * 500, mark="NEEDLE"))
    assert shown.marked == "NEEDLE"
    assert shown.before.startswith("… x")
    assert len(shown.before + shown.marked + shown.after) < 120


def test_lines_around_the_mark_and_how_many_more() -> None:
    text = "\n".join(f"line {n}" for n in range(100))
    shown = one(Citation("logs/a.log", text, mark="line 50"))
    assert f"{shown.before}{shown.marked}{shown.after}" == "line 49\nline 50\nline 51\nline 52"
    assert shown.more_lines == 96


def test_a_mark_that_is_not_there_marks_nothing() -> None:
    shown = one(Citation("logs/a.log", "text", mark="other"))
    assert (shown.before, shown.marked, shown.after) == ("", "", "text")


def test_a_mark_of_hidden_characters_is_still_found() -> None:
    shown = one(Citation("logs/a.log", "a\u202eb", mark="\u202e"))
    assert shown.marked == "⟨U+202E⟩"


def test_a_probe_tells_how_and_as_whom() -> None:
    citation = Citation("probes/routes", "default via 10.0.0.1")
    linux, windows = (
        excerpts([citation], evidence("x"), CAPS, platform)[0]
        for platform in (Platform.LINUX, Platform.WINDOWS)
    )
    assert (linux.how, linux.whom) == ("ip route show table all", "root")
    assert (windows.how, windows.whom) == ("ip", "root")


@pytest.mark.parametrize("probe", COMMANDS)
def test_a_probe_runs_the_command_that_is_told(probe: str) -> None:
    script = compile_script([one for one in LINUX if one.id == probe], nonce="0" * 16).decode()
    assert all(word in script for word in COMMANDS[probe].split())


def test_another_way_is_told_instead_of_the_command() -> None:
    assert command_of("routes", "/proc/net/route", Platform.LINUX) == "/proc/net/route"
    assert command_of("imds", "", Platform.LINUX) == ""


def test_the_timeline_marks_pauses_and_our_own_visit() -> None:
    diagnosis, found = imds_no_route()
    quiet = replace(
        diagnosis,
        timeline=(
            TimelineEvent("boot", at(0), at(0), say("booted")),
            TimelineEvent("failure", at(0, 10), at(0, 20), say("failed"), 9),
            TimelineEvent("failure", at(3, 0), at(3, 1), say("failed")),
        ),
    )
    entries = timeline(quiet, found, 50).entries
    assert [(entry.event.kind, entry.gap) for entry in entries] == [
        ("boot", None),
        ("failure", None),
        ("failure", timedelta(hours=2, minutes=40)),
        ("collected", timedelta(hours=3, minutes=57, seconds=44)),
        ("retry", None),
    ]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["boot", "failure", "good", "odd"]),
            st.integers(0, 10**8).map(lambda seconds: at(0) + timedelta(seconds=seconds)),
        ),
        min_size=1,
        max_size=60,
    ),
    st.integers(8, 40),
)
def test_thinning_keeps_the_first_and_last_of_each_kind(
    moments: list[tuple[str, datetime]], most: int
) -> None:
    diagnosis, found = imds_no_route()
    events = tuple(TimelineEvent(kind, when, when, say(str(n))) for n, (kind, when) in enumerate(moments))
    shown = timeline(replace(diagnosis, timeline=events, causes=()), found, most)
    kept = [entry.event for entry in shown.entries]
    assert len(kept) <= max(most, 10)
    assert len(kept) + shown.left_out == len(events) + 1
    for kind in {event.kind for event in events}:
        whens = [event.first for event in events if event.kind == kind]
        those = [event.first for event in kept if event.kind == kind]
        assert (min(those), max(those)) == (min(whens), max(whens))
    assert all(0 <= bar.x <= bar.x + bar.width <= 1_000 for bar in shown.bars)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3_599, "59 min"), (7_800, "2 h 10 min"), (-90_000, "1 d 1 h")],
)
def test_spans(seconds: int, text: str) -> None:
    assert span_text(timedelta(seconds=seconds), translator()) == text


@pytest.mark.parametrize(
    ("offset", "text"),
    [
        (timedelta(hours=9), "2026-11-24 05:30:00 +09:00"),
        (timedelta(hours=-3, minutes=-30), "17:00:00 -03:30"),
        (timedelta(), ""),
        (None, ""),
    ],
)
def test_host_time(offset: timedelta | None, text: str) -> None:
    assert host_text(at(20, 30), offset) == text


def test_a_moment_without_a_zone_claims_none() -> None:
    naive = at(6).replace(tzinfo=None)
    assert utc_text(naive) == "2026-11-23 06:00:00"
    assert between(naive, at(7)) is None


def test_english_is_there() -> None:
    assert languages()[0] == "en"
    assert translator().ngettext("{n} host", "{n} hosts", 1_200) == "1,200 hosts"
