"""A manifest comes back from JSON as it went in, whatever a host put into it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from evidence_samples import small_manifest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.errors import EvidenceError
from collector.evidence.manifest import from_json, to_json
from collector.evidence.memory import SCHEMA
from collector.evidence.model import LogFile, LogPart, Manifest, ProbeResult, Status

times = st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  bounds
st.register_type_strategy(datetime, times)
hostile = st.text(st.characters() | st.sampled_from("\ud800\0\n\r<>\u202e"))
parts = st.builds(LogPart, member=hostile)
logs = st.builds(
    LogFile, name=hostile, path=hostile, parts=st.lists(parts, max_size=3).map(tuple), note=hostile
)
probes = st.builds(ProbeResult, probe=hostile, output=st.just(b""), via=hostile, note=hostile)
manifests = st.builds(
    Manifest,
    schema=st.just(SCHEMA),
    probes=st.lists(probes, max_size=3).map(tuple),
    logs=st.lists(logs, max_size=3).map(tuple),
    digest=st.just(""),
)


@settings(deadline=None)
@given(manifests)
def test_round_trip(manifest: Manifest) -> None:
    data = to_json(manifest)
    assert data.isascii()
    assert from_json(data, "a.zip") == manifest
    assert to_json(from_json(data, "a.zip")) == data


scalars = st.none() | st.booleans() | st.integers() | st.text()
json_values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


@settings(deadline=None)
@given(json_values, st.data())
def test_any_json_in_any_place_is_read_or_refused_in_one_line(value: object, data: st.DataObject) -> None:
    document = json.loads(to_json(small_manifest()))
    where = document
    while True:
        keys = list(where) if isinstance(where, dict) else range(len(where))
        key = data.draw(st.sampled_from(list(keys)))
        if isinstance(where[key], dict | list) and where[key] and data.draw(st.booleans()):
            where = where[key]
            continue
        where[key] = value
        break
    try:
        from_json(json.dumps(document).encode(), "a.zip")
    except EvidenceError as error:
        refused = str(error)
        assert refused.startswith("a.zip: ")
        assert "\n" not in refused


def test_times_of_other_zones_are_kept_in_utc() -> None:
    local = datetime(2026, 11, 23, 15, 38, 45, tzinfo=timezone(timedelta(hours=9)))
    manifest = replace(small_manifest(), logs=(LogFile("a", "/a", Status.OK, 1, local),))
    assert b'"2026-11-23T06:38:45Z"' in to_json(manifest)
    assert from_json(to_json(manifest), "a").logs[0].modified == local


def test_lengths_of_outputs_are_told_and_outputs_are_not() -> None:
    manifest = replace(small_manifest(), probes=(ProbeResult("hostname", Status.OK, b"web-1\n"),))
    (entry,) = json.loads(to_json(manifest))["probes"]
    assert entry["bytes"] == 6
    assert "output" not in entry


@pytest.mark.parametrize("schema", [2, 99])
def test_a_newer_schema_says_what_to_do(schema: int) -> None:
    document = json.loads(to_json(small_manifest())) | {"schema": schema}
    with pytest.raises(EvidenceError, match=f"schema {schema}, this one knows 1.; upgrade ssm-triage"):
        from_json(json.dumps(document).encode(), "a.zip")
