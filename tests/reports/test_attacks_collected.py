"""Attacks that a host and an inventory carry, through real collection into a real browser.

A real sshd in a network namespace serves a host whose logs, file names, proxy settings, files and identity
are an attacker's; the command itself sweeps it, under names that are attacks too; Chromium opens every page.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from report_attacks import ATTACKS
from report_browser import Visitor, assert_harmless

from lab.doubles import Behaviour
from lab.network import HostPlan, Lab

pytestmark = [pytest.mark.root, pytest.mark.xdist_group("lab")]

NEEDED = ("ip", "sshd", "curl", "openssl", "unshare")
SHORT = {name: attack for name, attack in ATTACKS.items() if len(attack) < 500 and "\0" not in attack}
HOSTS = {
    "../../../outside": "svg",
    "<script>window.hurt=1</script>": "bidi",
    '"onfocus=window.hurt=1 autofocus x="': "terminal",
    "{{ 7*7 }}": "nul",
    "wide": "wide",
    "tall": "tall",
}
"""By their name in the inventory: the attack that their failing lines carry."""
FAILING = (
    "ERROR [EC2Identity] Failed to get instance info from IMDS. Err: failed to get identity instance id. "
)
LINES = (
    "INFO Proxy environment variables:\n{stamp} INFO http_proxy: http://{attack}",
    "INFO amazon-ssm-agent - v{attack}",
    "INFO Checking if agent identity type {attack} can be assumed",
    "WARN [{attack}] {attack}",
    FAILING + "Error: EC2MetadataError: {attack}\ncaused by: {attack}",
)
DENIED = (
    "ERROR error when calling AWS APIs. error details - UpdateInstanceInformation AccessDeniedException: "
    "User: {attack} is not authorized to perform: ssm:UpdateInstanceInformation"
)


def lay_logs(place: Path, attack: str) -> Path:
    """A log tree in which every line, and a file name, is an attack; ``attack`` is what fails last."""
    (place / "audits").mkdir(parents=True)
    (place / "audits" / "<img src=x onerror=window.hurt=1>").write_text("<script>window.hurt=1</script>\n")
    lines = [line.replace("{attack}", each) for line in LINES for each in SHORT.values()]
    lines.append(DENIED.replace("{attack}", attack))
    stamps = [f"2026-11-23 06:{n // 60:02d}:{n % 60:02d}.1234" for n in range(len(lines))]
    text = "".join(
        f"{stamp} {line.replace('{stamp}', stamp)}\n" for stamp, line in zip(stamps, lines, strict=True)
    )
    for name in ("amazon-ssm-agent.log", "errors.log"):
        (place / name).write_text(text, errors="surrogateescape", newline="")
    return place


def lay_files() -> tuple[tuple[str, str], ...]:
    """The files that are read on a host, each of attacks."""
    lines = "\n".join(SHORT.values())
    proxies = "".join(f"http_proxy=http://{attack}\nexport no_proxy={attack}\n" for attack in SHORT.values())
    texts = {
        "/etc/environment": proxies,
        "/etc/profile.d/proxy.sh": proxies,
        "/etc/sysconfig/<img src=x onerror=window.hurt=1>": proxies,
        "/etc/amazon/ssm/amazon-ssm-agent.json": json.dumps({"Agent": {"Region": SHORT["script"]}}),
        "/etc/amazon/ssm/seelog.xml": f"<seelog>{lines}</seelog>",
        "/etc/os-release": f'PRETTY_NAME="{SHORT["script"]}"\nVERSION_ID="{SHORT["css"]}"\n',
        "/etc/hosts": f"127.0.0.1 localhost\n192.0.2.9 {SHORT['script']} {SHORT['image']}\n",
        "/etc/nsswitch.conf": lines,
        "/root/.aws/credentials": f"[{SHORT['script']}]\n",
        "/var/lib/amazon/ssm/runtimeconfig/identity_config.json": json.dumps({"InstanceId": SHORT["svg"]}),
    }
    return tuple(
        (path, text.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))
        for path, text in texts.items()
    )


def plan_of(number: int, attack: str, work: Path) -> HostPlan:
    proxy = 'http://x"><script>window.hurt=1</script>:3128'
    return HostPlan(
        f"attacked{number}",
        Behaviour(instance_id=SHORT["script"], role=SHORT["image"], credentials_code=SHORT["svg"]),
        environ=(f"http_proxy={proxy}", f"https_proxy={proxy}", "no_proxy=<img/src=x/onerror=window.hurt=1>"),
        logs=lay_logs(work / f"logs{number}", ATTACKS[attack]),
        files=lay_files(),
    )


@dataclass(frozen=True)
class Swept:
    """What the command left, and what it said."""

    work: Path
    run: Path
    before: frozenset[Path]
    said: str

    @property
    def pages(self) -> list[Path]:
        return sorted(self.run.rglob("*.html"))


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swept]:
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    if missing := [name for name in NEEDED if shutil.which(name) is None]:
        pytest.skip(f"not installed: {', '.join(missing)}")
    work = tmp_path_factory.mktemp("attacked")
    with Lab([plan_of(n, attack, work) for n, attack in enumerate(HOSTS.values())], work) as lab:
        inventory = lab.inventory()
        hosts = "".join(
            f"    {json.dumps(name)}:\n      ansible_host: {lab.address(n)}\n" for n, name in enumerate(HOSTS)
        )
        inventory.write_text(inventory.read_text().partition("    attacked")[0] + hosts)
        run = work / "run"
        command = [
            sys.executable,
            "-m",
            "ssm_triage",
            "run",
            "-i",
            str(inventory),
            "-o",
            str(run),
            "--exit-zero",
        ]
        for form in ("html", "json", "junit", "csv", "markdown", "ndjson"):
            command += ["--reporter", f"{form}:{run / 'out' / form}"]
        command += ["--reporter", "terminal", "--forks", "2"]
        before = frozenset(work.rglob("*"))
        done = subprocess.run(
            lab.on_bastion(*command), capture_output=True, text=True, check=False, timeout=150
        )
        assert done.returncode == 0, done.stderr
        yield Swept(work, run, before, done.stdout + done.stderr)


def test_the_attacks_came_home(swept: Swept) -> None:
    """Else what follows would prove nothing."""
    assert len(swept.pages) == len(HOSTS) + 1
    pages = {page.name: page.read_text("utf-8") for page in swept.pages}
    for said in (
        "&lt;script&gt;window.hurt=1",
        "&lt;svg onload=",
        "⟨U+202E⟩",
        "⟨U+001B⟩",
        "WWWW",
    ):
        assert any(said in page for name, page in pages.items() if name != "index.html"), said
    for page in set(pages) - {"index.html"}:
        assert "/etc/sysconfig/&lt;img src=x onerror=" in pages[page], page
        assert "/audits/" not in pages[page], page  # no log of such a name is fetched


def test_no_page_does_harm(swept: Swept, visit: Visitor) -> None:
    for path in swept.pages:
        page = path.read_text("utf-8")
        assert len(page.encode()) <= 500_000
        assert_harmless(visit, page)


def test_nothing_is_written_outside_of_the_run_folder(swept: Swept) -> None:
    theirs = [swept.work / f"host{n}" for n in range(len(HOSTS))]  # what the lab's own processes write
    written = set(swept.work.rglob("*")) - swept.before
    assert [path for path in written if not any(map(path.is_relative_to, [swept.run, *theirs]))] == []
    assert not (swept.work.parent / "outside").exists()
    assert all(path.parent.name in ("hosts", "html") for path in swept.pages)


def test_no_control_character_reaches_the_terminal(swept: Swept) -> None:
    assert [char for char in swept.said if char != "\n" and not char.isprintable()] == []
