"""The agent's own checks beside ours."""

from __future__ import annotations

import json

import casebook as book

from analyzers.diagnose import diagnose


def rows(*checks: tuple[str, str, str]) -> dict[str, str]:
    told = [{"Check": name, "Status": status, "Note": note} for name, status, note in checks]
    return {"ssm-cli": json.dumps({"DiagnosticsOutput": told}, indent=2)}


def comments(probes: dict[str, str], log: str | None = None) -> dict[str, str]:
    found = diagnose(book.evidence(probes, log), now=book.NOW)
    return {row.check: str(row.comment or "") for row in found.second_opinion}


def test_reachable_is_only_tcp() -> None:
    row = ("Connectivity to ssm endpoint", "Success", "ssm.us-east-1.amazonaws.com is reachable")
    assert "only opens a TCP connection" in comments({**rows(row), **book.tls("untrusted")})[row[0]]
    assert comments(rows(row))[row[0]] == ""


def test_credentials_that_sts_likes() -> None:
    row = ("AWS Credentials", "Success", "Credentials are for arn")
    assert "asks STS" in comments(rows(row), book.registrar("ThrottlingException: Rate exceeded"))[row[0]]
    assert comments(rows(row), book.START + book.ONLINE)[row[0]] == ""


def test_skipped_is_no_pass() -> None:
    row = ("Connectivity to ssm endpoint", "Skipped", "Unable to fetch AWS region details")
    assert "not a pass" in comments(rows(row))[row[0]]


def test_imds_by_the_old_way() -> None:
    row = ("EC2 IMDS", "Success", "IMDS is accessible")
    assert (
        "IMDSv1" in comments({**rows(row), "imds": book.imds(token="method=PUT;outcome=no-answer")})[row[0]]
    )


def test_a_service_manager_that_was_not_there() -> None:
    row = ("Agent service", "Failed", "Unexpected exit code from systemctl status: 1")
    assert "could not query" in comments(rows(row))[row[0]]


def test_without_it_nothing_is_said() -> None:
    assert comments({}) == {}
