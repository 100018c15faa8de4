"""Ansible's inventories: which hosts there are, what is known of each, and how to get in.

``load`` reads sources whole or not at all, ``Inventory.select`` applies ``-l``, ``resolve`` makes a host
into a :class:`~collector.target.Target`, ``list_hosts`` shows what that came to and why.  Readers stand
in one module per format (``yaml_groups``, ``ini``, ``json_list``, ``varfiles``) and speak to
``builder``, which knows Ansible's rules of membership and precedence.  Programs and plugins are never
run; their JSON is read from a pipe.
"""

from __future__ import annotations

from collector.inventory.listing import Cell, HostRow, list_hosts
from collector.inventory.model import Group, Inventory, InventoryHost, Origin, Var
from collector.inventory.resolve import TRIAGE_KEYS, Overrides, resolve
from collector.inventory.sources import load

__all__ = [
    "TRIAGE_KEYS",
    "Cell",
    "Group",
    "HostRow",
    "Inventory",
    "InventoryHost",
    "Origin",
    "Overrides",
    "Var",
    "list_hosts",
    "load",
    "resolve",
]
