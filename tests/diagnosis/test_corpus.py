# ruff: noqa: E501  log lines as the agent writes them
"""Real agents, really broken: the cases that are kept with the tests."""

from __future__ import annotations

import io
import json
import random
import shutil
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from analyzers.diagnosis import Confidence
from lab.score import Label, labels, outcome, score

CORPUS = Path(__file__).parent.parent / "corpus"
CASES = {label.case: (folder, label) for folder, label in labels(CORPUS)}


@pytest.mark.parametrize("case", sorted(CASES))
def test_with_facts(case: str) -> None:
    folder, label = CASES[case]
    found = outcome(folder, label, with_facts=True)
    assert not found.error
    assert (found.slug, found.scope if label.scope else None) == (label.cause, label.scope)


@pytest.mark.parametrize("case", sorted(CASES))
def test_by_the_log_alone(case: str) -> None:
    folder, label = CASES[case]
    found = outcome(folder, label, with_facts=False)
    assert not found.error
    if label.log_suffices:
        assert (found.slug, found.scope if label.scope else None) == (label.cause, label.scope)
    else:
        assert found.verdict != "wrong" or found.confidence is not Confidence.CERTAIN


@pytest.mark.parametrize("case", sorted(CASES))
def test_with_facts_lost(case: str) -> None:
    """One file of the facts, or half of them: the verdict may be open or less sure, never wrongly certain."""
    folder, label = CASES[case]
    chance = random.Random(case)
    files = sorted(json.loads((folder / "facts" / "INDEX.json").read_text("utf-8")))
    lost = [{file} for file in chance.sample(files, 3)] + [
        set(chance.sample(files, len(files) // 2)) for _ in "12"
    ]
    by_log = outcome(folder, label, with_facts=False)
    for files_lost in lost:
        found = outcome(folder, label, with_facts=True, without=files_lost)
        assert not found.error, (files_lost, found.error)
        if found.verdict == "wrong":
            assert found.confidence is not Confidence.CERTAIN, (files_lost, found)
            assert found.slug != "healthy" or by_log.slug == "healthy", (files_lost, found)


def test_there_are_cases_of_both_kinds() -> None:
    assert any(label.cause == "healthy" for _, label in CASES.values())
    assert any(not label.log_suffices for _, label in CASES.values())


# The scorer ----------------------------------------------------------------------------------------------


def case_folder(corpus: Path, name: str, label: object, log: str = "") -> None:
    logs = corpus / name / "logs"
    logs.mkdir(parents=True)
    if log:
        (logs / "amazon-ssm-agent.log").write_text(log)
    (corpus / name / "label.json").write_text(label if isinstance(label, str) else json.dumps(label))


def test_the_last_line_is_one_json_object(tmp_path: Path) -> None:
    throttled = "2026-11-23 06:45:19 ERROR [HealthCheck] error when calling AWS APIs. error details - ThrottlingException: Rate exceeded\n"
    case_folder(tmp_path, "a", {"cause": "throttling", "scope": None, "log_alone_suffices": True}, throttled)
    case_folder(tmp_path, "b", {"cause": "healthy", "log_alone_suffices": False}, throttled)
    case_folder(tmp_path, "c", {"cause": "disk-full", "scope": "space", "log_alone_suffices": True})
    case_folder(tmp_path, "d", "not json")
    (tmp_path / "e").mkdir()
    said = io.StringIO()
    with redirect_stdout(said):
        score(tmp_path)
    assert json.loads(said.getvalue().splitlines()[-1]) == {
        "cases": 3,
        "with_facts": {"right": 1, "wrong": 1, "unknown": 1},
        "logs_alone": {"right": 1, "wrong": 1, "unknown": 1, "of_sufficient": {"right": 1, "of": 2}},
        "healthy": {"cases": 1, "false_causes": 1},
    }


def test_a_scope_counts_where_the_label_has_one(tmp_path: Path) -> None:
    log = "2026-11-23 06:45:19 ERROR [ssm-agent-worker] [MessageService] [MGSInteractor] Error adding directory to watcher: no space left on device\n"
    case_folder(tmp_path, "a", {}, log)
    for scope, expected in ((None, "right"), ("instances", "wrong")):
        label = Label("a", "inotify-exhausted", scope, True)
        assert outcome(tmp_path / "a", label, with_facts=False).verdict == expected


THROTTLED = "2026-11-23 06:45:19 ERROR [HealthCheck] error when calling AWS APIs. error details - ThrottlingException: Rate exceeded\n"


@pytest.mark.parametrize(
    "label",
    [
        {"cause": "throttling"},
        {"cause": "throttling", "scope": ""},
        {"cause": "throttling", "scope": None, "log_alone_suffices": None},
        {"cause": ["throttling", "endpoint-server-error"], "scope": ""},
        {"cause": "endpoint-server-error", "scope": "ssm", "acceptable": ["throttling"]},
    ],
)
def test_a_label_may_say_it_otherwise(tmp_path: Path, label: dict[str, object]) -> None:
    case_folder(tmp_path, "a", "\ufeff" + json.dumps(label), THROTTLED)
    ((folder, found),) = labels(tmp_path)
    assert outcome(folder, found, with_facts=True).verdict == "right"


@pytest.mark.parametrize(
    "label", ["", "[]", "null", "{}", '{"cause": null}', '{"cause": []}', '"throttling"']
)
def test_a_case_without_a_label_is_left_out(tmp_path: Path, label: str) -> None:
    case_folder(tmp_path, "a", label, THROTTLED)
    assert list(labels(tmp_path)) == []


# Cases that are not whole ----------------------------------------------------------------------------------


def copied(case: str, tmp_path: Path) -> Path:
    folder = tmp_path / case
    shutil.copytree(CASES[case][0], folder)
    return folder


@pytest.mark.parametrize("case", sorted(CASES))
def test_without_its_index(case: str, tmp_path: Path) -> None:
    """The commands' own words tell what was asked; what printed nothing is then not known to have been run."""
    folder = copied(case, tmp_path)
    (folder / "facts" / "INDEX.json").unlink()
    found = outcome(folder, CASES[case][1], with_facts=True)
    assert not found.error
    assert found.verdict != "wrong", found


@pytest.mark.parametrize("case", sorted(CASES))
def test_with_damaged_files(case: str, tmp_path: Path) -> None:
    folder, chance = copied(case, tmp_path), random.Random(case)
    damages = (
        lambda body: b"",
        lambda body: body[: chance.randrange(len(body) + 1)],
        lambda body: body[len(body) // 2 :],
        lambda body: bytes(byte ^ (chance.random() < 0.02) * 0x15 for byte in body),
        lambda body: b"".join(chance.sample(body.splitlines(True), len(body.splitlines()))),
    )
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != "label.json" and chance.random() < 0.4:
            path.write_bytes(chance.choice(damages)(path.read_bytes()))
    for with_facts in (True, False):
        assert not outcome(folder, CASES[case][1], with_facts=with_facts).error


def test_a_case_of_nothing_is_unknown(tmp_path: Path) -> None:
    case_folder(tmp_path, "a", {"cause": "healthy"})
    (tmp_path / "a" / "facts").write_text("not a folder")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "label.json").write_text('{"cause": "healthy"}')
    for folder, label in labels(tmp_path):
        assert outcome(folder, label, with_facts=True).verdict == "unknown"
        assert outcome(folder, label, with_facts=False).verdict == "unknown"
