# ruff: noqa: E501, DTZ001 - lines of real logs stay whole; the times of a log are naive
"""What the story of real logs is: what is wrong now, what is over, when the agent last provably worked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from log_samples import case_logs, read_bytes

from analyzers.logs import Kind, Leg, LogReading
from analyzers.logs.retry import go_duration, ladder, version_of

Read = Callable[..., LogReading]

# case -> the failures that are current, as (signature, operation, leg, target), in order
CURRENT = {
    "healthy-dhmc": [],
    "proxy-alive-imds-503": [("imds.answered-by-proxy", "imds.identity", Leg.IMDS_PROXY, "imds")],
    "hibernate-iam-denied-3.1": [
        ("iam.denied", "health.first-ping", Leg.SERVICE, "ssm"),
        ("iam.denied", "health.hibernation-ping", Leg.SERVICE, "ssm"),
    ],
    "rebooted-ep-drop": [("net.request-failed", "ssm.profile-ping", Leg.ENDPOINT, "ssm")],
    "ep-drop-all-2.3": [("net.dial-timeout", "health.first-ping", Leg.ENDPOINT, "ssm")],
    "hybrid-leftover-on-ec2-3.0": [("service.instance-unknown", "ssm.hybrid-token", Leg.SERVICE, "ssm")],
    "inotify-watches-exhausted": [("host.inotify-watches", "", Leg.HOST, "")],
    "worker-corrupt-binary": [("host.worker-not-started", "", Leg.HOST, "")],
    "registered-proxy-refused": [("net.refused", "health.first-ping", Leg.PROXY, "ssm")],
    "vpce-missing-two-3.3": [
        ("net.dial-timeout", "mgs.control-channel", Leg.ENDPOINT, "ssmmessages"),
        ("net.no-answer", "mgs.control-channel", Leg.ENDPOINT, "ssmmessages"),
        ("mds.slow-poll", "", Leg.ENDPOINT, "ec2messages"),
    ],
    "imds-no-route-2.2": [("net.unreachable", "imds.region", Leg.IMDS, "imds")],
}


@pytest.mark.parametrize("case", CURRENT)
def test_what_is_wrong_now(read_case: Read, case: str) -> None:
    found = [(s.signature, s.operation, s.leg, s.target) for s in read_case(case).failures()]
    assert sorted(found) == sorted(CURRENT[case])


def test_errors_before_a_recovery_are_history(read_case: Read) -> None:
    reading = read_case("healthy-dhmc")
    assert [s.signature for s in reading.history] == ["iam.no-role"]
    assert reading.last_good is not None
    assert "ssm" in reading.last_good_proves


def test_noise_is_no_failure(read_case: Read) -> None:
    reading = read_case("healthy-dhmc")
    assert any(s.signature == "noise.ecs-identity" for s in reading.sightings)
    assert all(s.kind is not Kind.FAILURE for s in reading.current)


def test_the_deepest_cause_decides_not_its_wrapper() -> None:
    reading = read_bytes(
        agent=b"2026-11-23 06:44:32 INFO Entering SSM Agent hibernate - EC2RoleRequestError: no EC2 instance role found\n"
        b"caused by: RequestError: send request failed\n"
        b'caused by: Get "http://169.254.169.254/latest/meta-data/iam/security-credentials/": dial tcp 169.254.169.254:80: i/o timeout\n'
    )
    (sighting,) = reading.failures()
    assert (sighting.signature, sighting.leg) == ("net.dial-timeout", Leg.IMDS)
    assert sighting.capture("address") == "169.254.169.254"


@pytest.mark.parametrize(
    ("text", "leg", "first_cause"),
    [
        (
            'Post "https://ssm.eu-west-1.amazonaws.com/": dial tcp 10.0.0.4:443: connect: connection refused',
            Leg.ENDPOINT,
            "endpoint-unreachable",
        ),
        (
            'Post "https://ssm.eu-west-1.amazonaws.com/": proxyconnect tcp: dial tcp 10.0.0.9:3128: connect: connection refused',
            Leg.PROXY,
            "proxy-unreachable",
        ),
        (
            'Put "http://169.254.169.254/latest/api/token": dial tcp 169.254.169.254:80: connect: connection refused',
            Leg.IMDS,
            "imds-blocked-on-host",
        ),
        (
            'Put "http://169.254.169.254/latest/api/token": proxyconnect tcp: dial tcp 10.0.0.9:3128: connect: connection refused',
            Leg.IMDS_PROXY,
            "proxy-no-noproxy-imds",
        ),
    ],
)
def test_the_same_words_mean_another_thing_on_another_leg(text: str, leg: Leg, first_cause: str) -> None:
    reading = read_bytes(
        agent=f"2026-11-23 06:44:32 ERROR [X] RequestError: send request failed\ncaused by: {text}\n".encode()
    )
    (sighting,) = reading.failures()
    assert (sighting.leg, sighting.supports[0]) == (leg, first_cause)


def test_the_first_of_a_cycle_leads_and_the_rest_follow(read_case: Read) -> None:
    reading = read_case("proxy-alive-imds-503")
    lead = next(reading.now("imds.answered-by-proxy"))
    assert lead.leads == lead.count
    assert all(s.leads == 0 for s in reading.current if s.kind is Kind.SYMPTOM)


def test_starts_version_proxy_and_identity(read_case: Read) -> None:
    reading = read_case("rebooted-ep-drop")
    assert [(start.version, start.outcome) for start in reading.starts] == [
        ("3.3.1142.0", "stopped"),
        ("3.3.1142.0", "running"),
    ]
    assert (reading.version, reading.identity, reading.channel) == ("3.3.1142.0", "i-0a1b2c3d4e5f60718", None)
    assert reading.proxy is not None
    assert not reading.proxy.is_set


def test_the_zone_makes_times_comparable(read_case: Read) -> None:
    naive = read_case("rebooted-ep-drop").last_event
    reading = read_case("rebooted-ep-drop", offset="+0900", utc="2026-11-22T22:10:00Z")
    assert naive is not None
    assert reading.last_event is not None
    assert naive.time == datetime(2026, 11, 23, 6, 59, 40, 704300)
    assert reading.last_event.time == datetime(2026, 11, 22, 21, 59, 40, 704300, tzinfo=UTC)
    assert reading.silence is not None
    assert reading.silence.length == timedelta(minutes=10, seconds=19.2957)


def test_the_agent_says_when_it_tries_again(read_case: Read) -> None:
    reading = read_case("rebooted-ep-drop", offset="+0000")
    assert reading.next_try is not None
    assert reading.next_try.earliest == datetime(2026, 11, 23, 7, 4, 40, 704300, tzinfo=UTC)


def test_errors_log_does_not_count_twice_but_fills_what_is_gone() -> None:
    error = b"2026-11-23 06:4%d:00 ERROR [HandleAwsError @ awserr.go.50] [HealthCheck] error when calling AWS APIs. error details - ThrottlingException: Rate exceeded\n"
    agent = b"2026-11-23 06:45:00 ERROR [HealthCheck] error when calling AWS APIs. error details - ThrottlingException: Rate exceeded\n2026-11-23 06:46:00 INFO x\n"
    (sighting,) = read_bytes(agent=agent, errors=error % 1 + error % 5).failures()
    assert sighting.count == 2
    assert [event.file for event in sighting.samples] == ["errors.log", "amazon-ssm-agent.log"]
    assert sighting.samples[0].func == "HandleAwsError @ awserr.go.50"


def test_rotated_files_are_read_oldest_first() -> None:
    line = b"2026-11-2%d 06:45:00 ERROR [HealthCheck] error when calling AWS APIs. error details - ThrottlingException: Rate exceeded\n"
    names = {
        "amazon-ssm-agent.log": line % 3,
        "amazon-ssm-agent.log.9": line % 1,
        "amazon-ssm-agent.log.10": line % 2,
    }
    (sighting,) = read_bytes(**names).failures()
    assert (sighting.first.file, sighting.last.file) == ("amazon-ssm-agent.log.9", "amazon-ssm-agent.log")


def test_a_torn_line_gives_both_entries() -> None:
    torn = b"2026-11-23 06:46:332026-11-23 06:48:06.1067 INFO Proxy environment variables:\n2026-11-23 06:48:06.1067 INFO https_proxy: http://u:p@x:1\n"
    reading = read_bytes(agent=torn)
    assert reading.start_count == 1
    assert reading.proxy is not None
    assert reading.proxy.https_proxy == "http://***@x:1"


def test_two_clean_health_pings_end_a_refusal_of_the_service() -> None:
    ping = b"2026-11-23 07:%02d:00 INFO [HealthCheck] HealthCheck reporting agent health.\n"
    error = b"2026-11-23 07:00:01 ERROR [HealthCheck] error when calling AWS APIs. error details - ThrottlingException: Rate exceeded\n"
    assert read_bytes(agent=ping % 0 + error + ping % 5 + ping % 10).failures()
    assert not read_bytes(agent=ping % 0 + error + ping % 5 + ping % 10 + ping % 15).failures()


def test_console_messages_come_from_the_journal_only() -> None:
    reading = read_bytes(**{"journal.txt": case_logs("wrong-user")["journal.txt"]})
    assert "host.log-denied" in {s.signature for s in reading.failures()}


def test_absent_logs_are_an_answer_too() -> None:
    reading = read_bytes()
    assert not reading.has_entries
    assert reading.silence is None


@pytest.mark.parametrize(
    ("version", "hybrid", "denied", "minutes", "silent"),
    [
        ("3.3.1142.0", False, True, (25, 30), 3),
        ("3.2.582.0", False, True, (1440, 1560), None),
        ("3.2.1630.0", False, False, (4.5, 5), 3),
        (None, False, True, (25, 30), 3),
    ],
)
def test_the_ladder_of_each_generation(
    version: str | None, hybrid: bool, denied: bool, minutes: tuple[float, float], silent: int | None
) -> None:
    row = ladder(version, hybrid=hybrid, denied=denied)
    assert row is not None
    assert (row.delays[0], row.silent_after) == (tuple(timedelta(minutes=m) for m in minutes), silent)


def test_versions_and_durations() -> None:
    assert version_of("3.3.1142.0") > version_of("3.2.1630.0")
    assert version_of("x") == ()
    assert go_duration("1h27m42s") == timedelta(hours=1, minutes=27, seconds=42)
    assert go_duration("27x") is None
