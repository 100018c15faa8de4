"""What the hosts of a sweep share: told where it sets the broken ones apart, and else not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from analyzers.diagnose import diagnose
from analyzers.diagnosis import Trait
from analyzers.fleet import FEWEST, Member, Shared, shared
from lab.corpus import load_case
from lab.demo import PERSONAS

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def members(n: int, cause: str, image: str = "", since: datetime | None = None, **more: str) -> list[Member]:
    traits = ({"image": image} if image else {}) | more
    return [Member(cause, tuple(Trait(*item) for item in traits.items()), since)] * n


def told(found: tuple[Shared, ...]) -> list[str]:
    return [str(one.sentence) for one in found]


def test_an_image_that_the_broken_hosts_share() -> None:
    sweep = members(37, "imds-wrong-route", "ami-123") + members(4, "imds-wrong-route", "ami-9")
    sweep += members(200, "", "ami-9")
    assert told(shared(sweep)) == ["37 of 41 hosts with imds-wrong-route come from the image ami-123."]


def test_what_everybody_has_tells_nothing() -> None:
    assert shared(members(9, "disk-full", "ami-1") + members(9, "", "ami-1")) == ()


def test_two_hosts_may_share_anything() -> None:
    assert shared(members(2, "disk-full", "ami-1") + members(9, "", "ami-2")) == ()


def test_what_all_broken_hosts_share_whatever_their_cause() -> None:
    sweep = members(2, "dns-timeout", subnet="10.0.3.0/24") + members(2, "tls-trust", subnet="10.0.3.0/24")
    sweep += members(20, "", subnet="10.0.4.0/24")
    assert told(shared(sweep)) == ["4 of 4 broken hosts are in the subnet 10.0.3.0/24."]


def test_the_minute_in_which_they_began_to_fail() -> None:
    sweep = [
        Member("imds-no-route", (), NOON + timedelta(seconds=seconds)) for seconds in (0, 20, 40, 59, 9_000)
    ]
    assert told(shared(sweep)) == [
        "4 of 5 hosts with imds-no-route began to fail within one minute, at 2026-11-23 12:00 UTC."
    ]


def test_a_host_says_what_it_is_like() -> None:
    found = {trait.kind: trait.value for trait in diagnose(load_case(PERSONAS / "batch-01")).traits}
    assert found["image"] == "ami-0123456789abcdef0"
    assert found["subnet"] == "10.77.1.0/24"
    assert found["role"] == "AppServerRole"


TRAITS = st.builds(Trait, st.sampled_from(["image", "subnet", "role", "odd"]), st.sampled_from("abc"))
TIMES = st.none() | st.datetimes(timezones=st.sampled_from([None, UTC]))


@given(st.lists(st.builds(Member, st.sampled_from(["", "x", "y"]), st.lists(TRAITS).map(tuple), TIMES)))
def test_no_count_exceeds_its_whole(sweep: list[Member]) -> None:
    for one in shared(sweep):
        assert FEWEST <= one.hosts <= one.of <= len(sweep)
        assert str(one.sentence)
