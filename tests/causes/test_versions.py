"""The table of what changed in which version."""

from __future__ import annotations

import pytest

from analyzers.causes.versions import TABLE, Abilities, Change
from analyzers.facts.packages import Version


def test_the_table_is_in_order_and_complete() -> None:
    versions = [Version.parse(row.version) for row in TABLE]
    assert all(version is not None for version in versions)
    assert versions == sorted(versions)  # type: ignore[type-var]  # none is None
    assert {row.change for row in TABLE} == set(Change)
    assert all(row.meaning for row in TABLE)


@pytest.mark.parametrize(
    ("version", "change", "has"),
    [
        ("3.3.1142.0", Change.MDS_OPTIONAL, True),
        ("3.3.40.0", Change.MDS_OPTIONAL, True),
        ("3.2.2303.0", Change.MDS_OPTIONAL, False),
        ("2.3.1205.0", Change.IMDS_V2, True),
        ("2.2.355.0", Change.IMDS_V2, False),
        ("2.2.355.0", Change.ROLE_BEFORE_FILES, False),
        ("2.3.1205.0", Change.WORKER, False),
    ],
)
def test_a_version_has_what_came_before_it(version: str, change: Change, has: bool) -> None:
    assert Abilities(Version.parse(version)).has(change) is has


def test_an_unknown_version_has_nothing_for_sure() -> None:
    assert Abilities(None).has(Change.DHMC) is None
