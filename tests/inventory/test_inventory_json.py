"""The JSON of the real ``ansible-inventory --list``, from a file and from a pipe."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from collector.inventory import Inventory, load, resolve

SAMPLES = Path(__file__).parent / "samples"
SOURCE = SAMPLES / "var_folders" / "hosts.ini"


@pytest.fixture(scope="module", params=["--list", "--list --export"])
def answer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    home = tmp_path_factory.mktemp("ansible")
    command = [
        str(Path(sys.executable).with_name("ansible-inventory")),
        "-i",
        str(SOURCE),
        *request.param.split(),
    ]
    environment = {
        **os.environ,
        "ANSIBLE_HOME": str(home),
        "ANSIBLE_LOCAL_TEMP": str(home),
        "LC_ALL": "C.UTF-8",
    }
    return subprocess.run(command, env=environment, capture_output=True, check=True, timeout=60).stdout


def effective(inventory: Inventory) -> dict[str, dict[str, object]]:
    return {
        host.name: {name: var.value for name, var in host.vars.items()} for host in inventory.hosts.values()
    }


def test_the_answer_is_the_inventory(answer: bytes, tmp_path: Path) -> None:
    direct = load([str(SOURCE)])
    piped = load(["-"], stdin=io.BytesIO(answer))
    (tmp_path / "answer.json").write_bytes(answer)
    from_file = load([str(tmp_path / "answer.json")])
    for found in (piped, from_file):
        assert effective(found) == effective(direct)
        assert {host.name: host.groups for host in found.select()} == {
            host.name: host.groups for host in direct.select()
        }


def test_the_pipe_is_named_where_a_value_came_from(answer: bytes) -> None:
    target = resolve(load(["-"], stdin=io.BytesIO(answer)).hosts["web1"])
    assert dict(target.origins)["user"].startswith("<stdin> (")


def test_ini_and_yaml_come_through_a_pipe_too() -> None:
    assert list(load(["-"], stdin=io.BytesIO(b"[web]\nw1\n")).hosts) == ["w1"]
    assert list(load(["-"], stdin=io.BytesIO(b"web:\n  hosts: {w1: }\n")).hosts) == ["w1"]


def test_what_programs_may_say() -> None:
    said = b"""{"web": ["a", "b"], "db": {"hosts": ["c"], "children": ["web"], "vars": {"x": 1}}, "none": {},
        "_meta": {"hostvars": {"a": {"raw": {"__ansible_unsafe": "{{ x }}"}}, "gone": {}}}}"""
    inventory = load(["-"], stdin=io.BytesIO(said))
    assert [host.name for host in inventory.select("db")] == ["c", "a", "b"]
    assert inventory.hosts["a"].vars["x"].value == 1
    assert inventory.warnings == ("<stdin>: _meta.hostvars names 'gone', which is in no group: left out",)
