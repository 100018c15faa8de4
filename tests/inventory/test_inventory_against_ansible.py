"""Our hosts, groups, variables and limits are ansible-core's, for inventories of every feature."""

# ruff: noqa: E501 - the table of patterns reads better in wide lines

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ansible_oracle import Oracle

from collector.errors import InventoryError
from collector.inventory import Inventory, Var, load
from collector.inventory.model import Vaulted

SAMPLES = Path(__file__).parent / "samples"

INVENTORIES: dict[str, list[str]] = {
    "ini": ["ini_everything/hosts"],
    "yaml": ["yaml_everything/inventory.yaml"],
    "group_vars and host_vars": ["var_folders/hosts.ini"],
    "folder": ["folder"],
    "two sources": ["layers/east/hosts", "layers/west/hosts.yaml"],
    "two sources, turned around": ["layers/west/hosts.yaml", "layers/east/hosts"],
    "one source twice": ["layers/east/hosts", "layers/west/hosts.yaml", "layers/east/hosts"],
    "folder of folders": ["layers/east", "layers/west"],
    "plain list": ["plain/hosts.txt"],
    "group and host of one name": ["same_name/hosts.yaml"],
    "host list": ["one.example.com,two.example.com:2222,192.0.2.9,[2001:db8::1]:22,"],
    "file and host list": ["plain/hosts.txt", "alpha.example.com,new.example.com"],
    "everything at once": ["ini_everything/hosts", "yaml_everything/inventory.yaml", "folder"],
}


def sources_of(name: str) -> list[str]:
    return [source if "," in source else str(SAMPLES / source) for source in INVENTORIES[name]]


@cache
def ours(name: str) -> Inventory:
    return load(sources_of(name))


@cache
def theirs(name: str) -> Oracle:
    return Oracle(sources_of(name))


def plain(variables: Mapping[str, Var]) -> dict[str, Any]:
    return {key: _plain(var.value) for key, var in variables.items()}


def _plain(value: Any) -> Any:
    return ("vault", value.ciphertext) if isinstance(value, Vaulted) else value


@pytest.mark.parametrize("name", INVENTORIES)
def test_hosts_and_their_order(name: str) -> None:
    """Where several groups of one level have children, Ansible walks a set: its order changes from run to run."""
    found, expected = [host.name for host in ours(name).select()], theirs(name).hosts()
    if name in {"yaml", "everything at once"}:
        found, expected = sorted(found), sorted(expected)
    assert found == expected


@pytest.mark.parametrize("name", INVENTORIES)
def test_groups_their_hosts_and_children(name: str) -> None:
    groups = {group.name: (list(group.hosts), list(group.children)) for group in ours(name).groups.values()}
    assert groups == theirs(name).groups()
    for group in ours(name).groups.values():
        assert set(group.members) == theirs(name).members(group.name)


@pytest.mark.parametrize("name", INVENTORIES)
def test_group_variables_as_exported(name: str) -> None:
    for group in ours(name).groups.values():
        assert plain(group.vars) == theirs(name).group_vars(group.name), group.name
        assert group.priority == theirs(name).priority(group.name)


@pytest.mark.parametrize("name", INVENTORIES)
def test_host_variables_own_and_in_the_end(name: str) -> None:
    for host in ours(name).hosts.values():
        assert plain(host.own) == theirs(name).own_vars(host.name), host.name
        assert plain(host.vars) == theirs(name).host_vars(host.name), host.name
        assert list(host.groups) == theirs(name).group_names(host.name), host.name


LIMITS = [
    "all", "*", "web", "db", "web:db", "db:web", "web,db", "web1,web1", "web*", "w?b", "*.example.com",
    "all:!web", "!web", "&web", "web:&with-dash", "db:!mysql", "web:db:&everything:!db2", "!db:all",
    "~web0[12]", "~(web|db)", "~^db[13]$", "web[0]", "web[-1]", "web[0:2]", "web[1:]", "web[2:1]", "web[0-1]",
    "web*[0:3]", "d*[1]", "rack[a:c]*", "rack[ac]-1", "with-dash", "ungrouped", "everything:!~.*example.*",
    "198.51.100.7", "2001:db8::11", "2001:db8::10", "lonely*", "node0,node5:node10", "gateway", "[!w]*", "*,!*",
    "mysql:postgres", "web[0:1]:db[0]", "db1:!db1", "nothing", "web:nothing", "all:!nothing", "~[", "web[99]", "web01",
    " web , db ", "web::db", "web:", ":", ",", "WEB", "a*", "un*", "all[3]", "dot.group", "all:!dot.group", "other:&dot.group", "*[0]",
]  # fmt: skip


@pytest.mark.parametrize("pattern", LIMITS)
def test_limits(pattern: str) -> None:
    """The same hosts in the same order; where Ansible finds nothing or errs, we err."""
    try:
        expected = theirs("ini").limit(pattern)
    except Exception:
        expected = []
    try:
        found = [host.name for host in ours("ini").select(pattern)]
    except InventoryError as error:
        found = []
        if "matches no host and no group" in str(error):
            expected = []  # where Ansible only warns, we stop
    assert found == expected
