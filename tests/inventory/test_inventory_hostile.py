"""Whatever stands in a file: an inventory, or one line that says why not; never a traceback, never a hang."""

# ruff: noqa: E501 - the alphabet reads better in wide lines

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from collector.errors import InventoryError
from collector.inventory import load, resolve

QUIET = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

tokens = st.sampled_from(
    ["all", "web", "hosts", "vars", "children", "plugin", "a", "1", "null", "~", "true", "1.5", "2024-01-01", "ansible_host",
     "ansible_port", "ansible_become", "ansible_password", "triage_jump", "_meta", "hostvars", ":", ": ", " ", "  ", "\n",
     "\n  ", "\n    ", "- ", "{", "}", "[", "]", ",", "'", '"', "&a ", "*a", "<<", "!vault ", "!unsafe ", "!!set ", "!!binary ",
     "!!python/object:os.system ", "? ", "| ", "> ", "#", "%YAML 1.1\n", "---", "...", "\t", "=", "[1:3]", "[:", "{{ a }}",
     "{{ 1/0 }}", "{% for x in y %}", "$ANSIBLE_VAULT;1.1;AES256", "\\", "\x00", "\x85", "\u2028", "\x1b[31m", "é"]
)  # fmt: skip
texts = st.lists(tokens, max_size=30).map("".join)


def complaint(path: Path) -> str:
    """The error of reading everything; any other exception than ours passes through and fails the test."""
    try:
        for host in load([str(path)]).select():
            resolve(host)
    except InventoryError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", ["hosts", "hosts.yaml", "hosts.json", "hosts.ini"])
@QUIET
@given(text=texts)
@example(text="all:\n  hosts:\n    a: &a {x: *a}\n")
@example(text='all: {hosts: {"\\e[31m": {}, "\\e[31m": {}}}')
@example(text='all: {hosts: {a: {"\\n": 1, ansible_user: "\\e"}}}')
@example(text="all: {hosts: {a: {ansible_port: " + "9" * 5000 + "}}}")
@example(text="all: {hosts: {a: {ansible_user: 0x" + "f" * 5000 + "}}}")
@example(text='{"web": {"hosts": {"a": {"ansible_port": ' + "9" * 5000 + "}}}}")
@example(text="a ansible_port=" + "9" * 5000)
@example(text="all: {hosts: {a: {x: !!timestamp y, z: !!bool q, i: !!int }}}")
@example(text="{" * 5000)
@example(text="[" * 5000 + "]" * 5000)
@example(text="all: {hosts: {a: {ansible_host: '{{ 9**9**9 if false else x }}', x: b}}}")
@example(text="all: {hosts: {a: {ansible_port: 2024-01-01}}}")
@example(text="all: {hosts: {a: {ansible_host: !!binary gIGC}}}")
@example(text="a x=" + "(" * 300 + ")" * 300)
def test_text(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert complaint(tmp_path / name).isprintable()  # one line, and no terminal escapes


@pytest.mark.parametrize("name", ["hosts", "hosts.yaml"])
@QUIET
@given(content=st.binary(max_size=60))
def test_bytes(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    assert complaint(tmp_path / name).isprintable()


@QUIET
@given(pattern=st.text("wedb*?![]~&:,@.()0-1\\", max_size=12))
def test_patterns(pattern: str, tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("[web]\nweb[1:3]\n[db]\ndb1\n")
    inventory = load([str(tmp_path / "hosts")])
    try:
        found = inventory.select(pattern)
    except InventoryError:
        return
    assert found
