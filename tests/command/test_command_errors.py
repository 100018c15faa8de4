"""Whatever a user gets wrong ends in one clear line, and never in a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command.conftest import Command

INVENTORY = "all:\n  hosts:\n    web01:\n"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["run"], "Missing option '-i' / '--inventory'"),
        (["run", "-i", "none.yaml"], "none.yaml"),
        (["run", "-i", "i.yaml", "-l", "db*"], "db*"),
        (["run", "-i", "i.yaml", "--reporter", "pdf:x"], "pdf"),
        (["run", "-i", "i.yaml", "--log-budget", "many"], "'many' is no size"),
        (["run", "-i", "i.yaml", "--timeout", "0"], "'0' is no time"),
        (["run", "-i", "i.yaml", "-o", "full"], "full: the folder is not empty"),
        (["run", "-i", "i.yaml", "-o", "i.yaml"], "i.yaml: cannot make the folder"),
        (["run", "-i", "i.yaml", "--root", "mnt"], "--root mnt"),
        (["run", "-i", "i.yaml", "--password-from", "env:NOT_THERE", "-k"], "contradict"),
        (["run", "-i", "i.yaml", "--password-from", "nonsense"], "--password-from"),
        (["run", "-i", "i.yaml", "--signatures", "nowhere"], "nowhere"),
        (["collect", "-i", "i.yaml", "--forks", "0"], "--forks"),
        (["analyze", "nothing-here"], "nothing-here"),
        (["analyze", "full"], "full"),
        (["report", "broken.json"], "broken.json"),
        (["run", "-i", "i.yaml", "--only", "route"], "did you mean routes"),
        (["collect", "-i", "i.yaml", "--skip", "local,network,log"], "leave no probe"),
        (["run", "-i", "i.yaml", "--mute", "none.yaml"], "none.yaml: cannot be read"),
        (["run", "-i", "i.yaml", "--lang", "xx"], "no language of the reports: say en"),
        (["run", "-i", "i.yaml", "--package", "full"], "full"),
        (["probes", "--only", "rotues"], "did you mean routes"),
        (["diff", "nothing-here", "full"], "nothing-here"),
        (["diff", "one"], "Missing argument 'B'"),
        (["redact", "nothing-here", "-o", "out"], "nothing-here"),
        (["redact", "full"], "--output"),
        (["explain", "imds-wrong-rout"], "did you mean imds-wrong-route"),
        (["probes", "--platform", "vms"], "vms"),
        (["nonsense"], "nonsense"),
    ],
)
def test_one_line(ssm_triage: Command, tmp_path: Path, args: list[str], said: str) -> None:
    (tmp_path / "i.yaml").write_text(INVENTORY)
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").write_text("x")
    (tmp_path / "broken.json").write_text("{")
    done = ssm_triage(*args)
    assert done.returncode == 1, done.stdout
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("ssm-triage: ")
    assert said in lines[0]


def test_a_closed_pipe_is_no_crash(ssm_triage: Command) -> None:
    import subprocess
    import sys

    done = subprocess.run(
        f"{sys.executable} -m ssm_triage probes --script | head -c 10",
        shell=True, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stderr == ""


def test_the_help_page_loads_nothing_but_click_and_itself() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from ssm_triage.cli import run; run(['--help'])\n"
        "ours = ('ssm_triage', 'reports', 'analyzers', 'collector', 'lab')\n"
        "print(*sorted(name for name in sys.modules if name.split('.')[0] in ours), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.split() == [
        *("collector", "collector.errors", "ssm_triage", "ssm_triage.cli", "ssm_triage.exits"),
    ]


def test_completion(ssm_triage: Command) -> None:
    done = ssm_triage(_SSM_TRIAGE_COMPLETE="bash_source")
    assert "complete" in done.stdout


@pytest.mark.parametrize(
    ("words", "offered"),
    [("ssm-triage re", "redact"), ("ssm-triage analyze --m", "--mute"), ("ssm-triage run --lang e", "en")],
)
def test_completed(ssm_triage: Command, words: str, offered: str) -> None:
    done = ssm_triage(
        _SSM_TRIAGE_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=str(len(words.split()) - 1)
    )
    assert f"plain,{offered}" in done.stdout.split()


@pytest.mark.parametrize(
    "verb", ["run", "collect", "analyze", "report", "verify", "diff", "redact", "probes"]
)
def test_help(ssm_triage: Command, verb: str) -> None:
    assert f"ssm-triage {verb}" in ssm_triage(verb, "--help").stdout
    assert f"  {verb} " in ssm_triage("--help").stdout
