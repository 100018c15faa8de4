"""Lines to copy: right for the host's shell and service manager, and safe to paste there."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Iterator

import casebook as book
import pytest

from analyzers.causes.case import Case
from analyzers.causes.catalogue import DIALECTS, WINDOWS, catalogue
from analyzers.causes.texts import WORDS, gaps, steps
from analyzers.diagnose import diagnose
from analyzers.diagnosis import Owner, Step

CAUSES = [text for text in catalogue() if not text.symptom and text.family != "verdict"]
EVERY_GAP = {
    gap for text in CAUSES for step in (*text.mend, *text.verify) for line in step.lines for gap in gaps(line)
}
HOSTILE = ["x'; touch gone; '", 'x"; touch gone; "', "$(touch gone)", "`touch gone`", "a b", "x|y>z", "!x"]
SHELLS = [None, "upstart", "sysv"]


def told(value: str, dialect: str | None) -> Iterator[Step]:
    """Every step of every cause with one value in all gaps, as a host of that dialect is told."""
    needs = {need for text in CAUSES for step in text.mend for need in step.needs} - DIALECTS
    values = {gap: "x2" if gap in WORDS else value for gap in EVERY_GAP | needs}
    values |= {dialect: "yes"} if dialect else {}
    for text in CAUSES:
        if dialect == WINDOWS or not text.slug.startswith(("win-", "sysprep")):
            yield from steps(text.mend, values)
            yield from steps(text.verify, values)


def shell_lines(value: str, dialect: str | None) -> list[str]:
    found = [step for step in told(value, dialect) if dialect != WINDOWS or step.where is not Owner.HOST]
    return [line for step in found for line in step.lines]


def words(line: str) -> list[str]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.commenters = ""
    lexer.whitespace_split = True
    return list(lexer)


@pytest.mark.parametrize("dialect", SHELLS)
@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_value_stays_one_word_of_the_shell(value: str, dialect: str | None) -> None:
    tame, wild = shell_lines("x1", dialect), shell_lines(value, dialect)
    for line, hostile in zip(tame, wild, strict=True):
        assert words(hostile) == [word.replace("x1", value) for word in words(line)], hostile


def test_each_of_several_words_is_one() -> None:
    route = {"bad_route": "10.0.0.0/8 via $(gone) dev x;gone"}
    line = steps(catalogue()["imds-wrong-route"].mend, route)[0].lines[0]
    assert line == "sudo ip route del 10.0.0.0/8 via '$(gone)' dev 'x;gone'"


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is missing")
@pytest.mark.parametrize("dialect", SHELLS)
def test_lines_to_copy_are_shell(dialect: str | None) -> None:
    for line in (*shell_lines("x1", dialect), *shell_lines(HOSTILE[0], dialect)):
        checked = subprocess.run(["bash", "-n", "-c", line], capture_output=True, text=True, check=False)
        assert checked.returncode == 0, f"{line}: {checked.stderr}"


def powershell_words(line: str) -> str:
    """A line of PowerShell with each quotation as ``Q``; where one never ends, the rest of it."""
    found, open_quote = [], ""
    characters = iter(line)
    for character in characters:
        mark = (
            "'"
            if character in "'\u2018\u2019\u201a\u201b"
            else '"'
            if character in '"\u201c\u201d\u201e'
            else ""
        )
        if character == "`" and open_quote != "'":
            next(characters, "")
        elif mark and mark == open_quote:
            open_quote = ""
            found.append("Q")
        elif mark and not open_quote:
            open_quote = mark
        elif not open_quote:
            found.append(character)
    assert not open_quote, line
    return "".join(found).replace("QQ", "Q")


@pytest.mark.parametrize("value", [*HOSTILE, "x\u2019; touch gone; \u2018"])
def test_a_hostile_value_stays_one_word_of_powershell(value: str) -> None:
    lines = [line for step in told(value, WINDOWS) if step.where is Owner.HOST for line in step.lines]
    assert lines
    assert not [line for line in lines if "touch" in powershell_words(line)]


def test_what_no_terminal_should_be_fed_stays_open() -> None:
    for value in ("x\x1b[201~", "x\ny", "--exec"):
        assert not [line for line in shell_lines(value, None) if value in line]


def test_a_masked_password_is_for_the_reader_to_fill_in() -> None:
    lines = shell_lines("http://***@proxy:3128", None)
    assert any("http://USER:PASSWORD@proxy:3128" in line for line in lines)
    assert not [line for line in lines if "***" in line]


DROP_INS = "/etc/systemd/system/amazon-ssm-agent.service.d"


def proxied(unit: str = "", environ: str = "", **probes: str) -> Case:
    """A host whose agent's proxy does not spare the metadata service."""
    process = (
        environ
        or "# pid 60 /usr/bin/amazon-ssm-agent\nhttp_proxy=http://10.77.200.10:3128\nno_proxy=.corp,10.0.0.0/8\n"
    )
    dead = book.imds() + "[proxied]\nproxy=http://10.77.200.10:3128\noutcome=answered\nhttp=503\n"
    return book.case({"agent-environ": process, "unit": unit, "imds": dead, **probes})


def remedy(case: Case, slug: str = "proxy-no-noproxy-imds") -> list[str]:
    """What is told to mend it."""
    return [line for step in steps(catalogue()[slug].mend, case.values) for line in step.lines]


def written(line: str) -> str:
    """What a line would write, with the writing taken off it."""
    printed, _, target = line.partition(" | sudo tee ")
    assert target
    return subprocess.run(["sh", "-c", printed], capture_output=True, text=True, check=True).stdout


def test_the_proxy_keeps_what_it_spares_and_the_unit_its_drop_ins() -> None:
    unit = f"# {DROP_INS}/proxy.conf\n[Service]\nEnvironment=no_proxy=.corp,10.0.0.0/8\n"
    line = next(line for line in remedy(proxied(unit)) if "tee" in line)
    assert line.endswith(f"| sudo tee {DROP_INS}/zz-proxy.conf")
    spared = ".corp,10.0.0.0/8,169.254.169.254"
    assert written(line) == f'[Service]\nEnvironment="no_proxy={spared}" "NO_PROXY={spared}"\n'


@pytest.mark.parametrize("there", ["zz-proxy.conf", "zz-proxy.conf.d.conf", "zzz.conf"])
def test_our_drop_in_is_another_file_and_read_last(there: str) -> None:
    line = next(line for line in remedy(proxied(f"# {DROP_INS}/{there}\n[Service]\n")) if "tee" in line)
    assert line.rpartition("/")[2] > there


def test_a_file_of_variables_outweighs_the_unit_and_is_mended_itself() -> None:
    unit = "# /lib/systemd/system/amazon-ssm-agent.service\n[Service]\nEnvironmentFile=-/etc/default/ssm\n"
    files = "# /etc/default/ssm\nhttp_proxy=http://10.77.200.10:3128\nno_proxy=.corp,10.0.0.0/8\n"
    lines = remedy(proxied(unit, **{"proxy-files": files}))
    assert lines[0] == "sudoedit /etc/default/ssm   # no_proxy=.corp,10.0.0.0/8,169.254.169.254"
    assert not [line for line in lines if "tee" in line]


def test_what_systemd_would_expand_is_escaped() -> None:
    environ = '# pid 60 /usr/bin/amazon-ssm-agent\nhttp_proxy=http://p:1\nno_proxy=a%b"c\\d\n'
    line = next(line for line in remedy(proxied(environ=environ)) if "tee" in line)
    assert 'no_proxy=a%%b\\"c\\\\d,169.254.169.254"' in written(line)


@pytest.mark.parametrize(
    ("manager", "line"),
    [
        ("systemd", "sudo systemctl daemon-reload && sudo systemctl restart amazon-ssm-agent.service"),
        ("upstart", "sudo stop amazon-ssm-agent; sudo start amazon-ssm-agent"),
        ("sysv", "sudo service amazon-ssm-agent restart"),
        ("openrc", "sudo service amazon-ssm-agent restart"),
    ],
)
def test_each_service_manager_is_told_in_its_own_words(manager: str, line: str) -> None:
    service = (
        f"[amazon-ssm-agent.service]\nmanager={manager}\nActiveState=active\nSubState=running\nMainPID=60\n"
    )
    lines = remedy(proxied(service=service))
    assert lines[-1] == line
    assert manager == "systemd" or not [line for line in lines if "systemctl" in line]


@pytest.mark.parametrize("dialect", ["upstart", "sysv"])
def test_no_host_without_systemd_is_told_of_it(dialect: str) -> None:
    lines = [line for step in told("x1", dialect) for line in step.lines]
    systemd = ("list-units", "disable --now", "unmask")  # two installs, and masks, are systemd's alone
    assert not [line for line in lines if "systemctl" in line and not any(word in line for word in systemd)]


@pytest.mark.parametrize(
    ("probes", "fits"),
    [
        ({"packages": "[rpm]\nversion=3.3.1142.0\nstate=installed\n"}, "rpm"),
        ({"packages": "[snap]\nversion=3.3.1142.0\nstate=installed\n"}, "snap"),
        ({"packages": "", "os-release": "ID=debian\nNAME=Debian\n"}, "deb"),
        ({"packages": "", "os-release": 'ID=amzn\nID_LIKE="fedora"\nNAME=A\n'}, "rpm"),
        ({"packages": "", "os-release": "ID=ubuntu\nID_LIKE=debian\nNAME=U\n"}, "snap"),
    ],
)
def test_the_package_is_of_this_host(probes: dict[str, str], fits: str) -> None:
    arm = "Linux h 6.1.0 #1 SMP aarch64 GNU/Linux\n"
    lines = remedy(book.case({**probes, "uname": arm}), "agent-absent")
    wanted = {"rpm": "linux_arm64/amazon-ssm-agent.rpm", "deb": "debian_arm64", "snap": "snap install"}[fits]
    assert [wanted in line for line in lines] == [True, False]


def test_china_has_names_of_its_own() -> None:
    case = book.case({"imds": "", "endpoint-ssm": ""}, bare=True)
    object.__setattr__(case.manifest.subject, "region", "cn-north-1")
    assert case.values["host"] == "ssm.cn-north-1.amazonaws.com.cn"
    assert "arn:aws-cn:iam::aws:policy" in "".join(remedy(case, "iam-access-denied"))


def test_a_limit_is_never_lowered() -> None:
    case = book.case({"inotify": "max_user_watches=1048576\nmax_user_instances=8192\n"})
    assert "max_user_watches=2097152 fs.inotify.max_user_instances=16384" in "".join(
        remedy(case, "inotify-exhausted")
    )


def test_the_trust_policy_is_not_replaced_unread() -> None:
    lines = remedy(book.case(), "trust-policy")
    assert lines[0].endswith("> trust.json")
    assert lines[-1].endswith("--policy-document file://trust.json")


def test_an_unknown_windows_host_is_looked_at_in_powershell() -> None:
    logs = {"ssm-agent-worker.log": b"2026-11-23 06:36:36 INFO nothing\n"}
    evidence = book.evidence_of([], logs, subject=book.Subject("win"))
    look = diagnose(evidence, now=book.NOW).next_look
    assert look is not None
    assert "Win32_Service" in look.lines[0]
