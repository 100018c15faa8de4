"""Names, ports, ranges and values, each compared with ansible-core's own functions."""

# ruff: noqa: E501 - alphabets of test data read better in wide lines

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.utils.addresses import parse_address
from ansible.plugins.inventory import expand_hostname_range
from ansible_oracle import Oracle, plain
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from collector.errors import InventoryError
from collector.inventory import load
from collector.inventory.names import BadName, expand, split_port

pieces = st.sampled_from(
    ["a", "web", "1", "01", "10", "z", "C", ".", "-", "_", ":", "::", "[", "]", "[1:3]", "[01:09:2]", "[a:c]", "ff", "22", "é"]
)  # fmt: skip
addresses = st.lists(pieces, min_size=1, max_size=6).map("".join)


@settings(max_examples=400, deadline=None)
@given(addresses)
@example("[2001:db8::1]:22")
@example("web[01:20]:2222")
@example("::ffff:192.0.2.1")
@example("db-[a:c]-[1:9:3].example.com")
def test_host_and_port(text: str) -> None:
    if re.fullmatch(r"\[.*:[0-9]+\]:[0-9]+", text):
        return  # Ansible takes a second port off what stands in brackets
    try:
        expected = parse_address(text, allow_ranges=True)
    except Exception:
        expected = None
    ours = split_port(text)
    if expected is None and ours is not None:
        assert re.fullmatch(r"[0-9a-f:.\[\]]+", ours[0])  # IPv6 in forms that Ansible's expression misses
    else:
        assert ours == expected


numbers = st.integers(0, 40).map(str) | st.integers(0, 40).map(lambda n: f"{n:02d}")
letters = st.sampled_from("abcxyzABZ")
ends = numbers | letters | st.just("")
ranges = st.tuples(ends, ends, st.none() | st.integers(0, 5)).map(
    lambda parts: f"[{parts[0]}:{parts[1]}{'' if parts[2] is None else f':{parts[2]}'}]"
)


@settings(max_examples=400, deadline=None)
@given(st.lists(ranges | st.sampled_from(["web", "-", ".example.com"]), min_size=1, max_size=3).map("".join))
def test_ranges(text: str) -> None:
    if "[" not in text:
        return
    try:
        expected = expand_hostname_range(text)
    except Exception:
        expected = []
    try:
        names, port = expand(text)
    except BadName:
        names, port = [], None
    assert names == expected
    assert port is None


def test_an_absurd_product_of_ranges_is_refused() -> None:
    with pytest.raises(BadName, match="more than 100000 hosts"):
        expand("[1:1000]-[1:1000]")


literals = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text("ab '\"\\#,=[]{}", max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
words = st.text("abz019.-_:=#'\"[](){}<>,;\\/~*%x \t", max_size=14)
values = words | literals.map(repr) | words.map(repr)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    host=st.lists(st.tuples(st.sampled_from("abc"), values), max_size=3),
    group=st.lists(st.tuples(st.sampled_from("abc"), values), max_size=3),
)
@example(host=[("a", "b'x'")], group=[("a", "{1, 2}")])
@example(host=[("a", "'{1: 2}'")], group=[("a", "[...]")])
@example(host=[], group=[("a", "[]=1")])
def test_ini_values(host: list[tuple[str, str]], group: list[tuple[str, str]], tmp_path: Path) -> None:
    """Whatever stands after ``=``: both read the same, or neither reads it."""
    source = tmp_path / "hosts"
    on_host = " ".join(f"{key}={value}" for key, value in host)
    in_group = "\n".join(f"{key}={value}" for key, value in group)
    source.write_text(f"[g]\nh {on_host}\n[g:vars]\n{in_group}\n")
    assert _ours(source) == _theirs(source)


def _ours(source: Path) -> Any:
    try:
        inventory = load([str(source)])
    except InventoryError:
        return None
    return {key: var.value for key, var in inventory.hosts["h"].vars.items()}


def _theirs(source: Path) -> Any:
    try:
        oracle = Oracle([str(source)])
    except Exception:
        return None
    found = plain(oracle.host_vars("h"))
    return None if "" in found else found  # Ansible lets a variable have no name; we do not


lines = st.sampled_from(
    ["[a]", "[b]", "[a:children]", "[b:children]", "[c:children]", "[a:vars]", "[c:vars]", "[all:vars]", "a", "b", "c",
     "h1", "h2 x=1", "h[1:3] y=2", "x=1", "ansible_group_priority=3", "# c", "", "[ungrouped]", "[bad", "h1:22"]
)  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.lists(lines, max_size=12))
def test_ini_structure(text: list[str], tmp_path: Path) -> None:
    """Sections in any order, declared or not: the same groups, members and variables, or an error in both."""
    source = tmp_path / "hosts"
    source.write_text("\n".join(text) + "\nlast\n")
    try:
        theirs: Oracle | None = Oracle([str(source)])
    except Exception:
        theirs = None
    try:
        ours = load([str(source)])
    except InventoryError:
        assert theirs is None
        return
    assert theirs is not None
    groups = {group.name: (list(group.hosts), list(group.children)) for group in ours.groups.values()}
    assert groups == theirs.groups()
    for host in ours.hosts.values():
        assert {key: var.value for key, var in host.vars.items()} == theirs.host_vars(host.name)
