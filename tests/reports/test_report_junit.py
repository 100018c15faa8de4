"""JUnit XML as its readers expect it: ``junit.xsd`` is ours, after their documentation."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from report_samples import SAMPLES

from reports.base import SweepInfo
from reports.entry import entry_of
from reports.junit import render_junit

SWEEP = SweepInfo("ssm-triage 0", started=datetime(2026, 11, 23, 6, 58, tzinfo=UTC))


@pytest.fixture(scope="module")
def schema() -> Any:
    xmlschema = pytest.importorskip("xmlschema", reason="the Python package xmlschema is missing")
    return xmlschema.XMLSchema(Path(__file__).with_name("junit.xsd"))


@pytest.mark.parametrize("names", [list(SAMPLES), [], ["healthy"]], ids=["all", "none", "healthy"])
def test_it_is_valid(schema: Any, names: list[str]) -> None:
    document = render_junit([entry_of(*SAMPLES[name]()) for name in names], SWEEP)
    assert list(schema.iter_errors(document)) == []


def test_a_damaged_one_is_not(schema: Any) -> None:
    document = render_junit([entry_of(*SAMPLES["imds_no_route"]())], SWEEP)
    assert not schema.is_valid(document.replace('tests="1"', 'tests="one"'))
    assert not schema.is_valid(document.replace("<testcase ", "<case ").replace("</testcase>", "</case>"))
