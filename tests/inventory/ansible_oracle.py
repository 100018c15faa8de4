"""ansible-core as the judge: what it makes of an inventory, asked in this process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible.constants import INTERNAL_STATIC_VARS
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import EncryptedString, VaultSecret
from ansible.plugins.loader import init_plugin_loader
from ansible.vars.manager import VariableManager
from ansible.vars.plugins import get_vars_from_inventory_sources

init_plugin_loader()

MAGIC = {"inventory_file", "inventory_dir", "inventory_hostname", "inventory_hostname_short", "group_names"}


class Oracle:
    """One inventory as Ansible reads it."""

    def __init__(self, sources: Sequence[str], vault: Sequence[tuple[str, bytes]] = ()) -> None:
        self.loader = DataLoader()
        self.loader.set_vault_secrets([(label, VaultSecret(key)) for label, key in vault])
        self.manager = InventoryManager(self.loader, list(sources))
        self.variables = VariableManager(self.loader, self.manager)

    def hosts(self) -> list[str]:
        return [host.name for host in self.manager.get_hosts("all")]

    def groups(self) -> dict[str, tuple[list[str], list[str]]]:
        """Direct hosts and direct children of each group; ``all`` lists no hosts, as in ``--list``."""
        return {
            name: ([host.name for host in group.hosts], [child.name for child in group.child_groups])
            for name, group in self.manager.groups.items()
        }

    def members(self, group: str) -> set[str]:
        return {host.name for host in self.manager.groups[group].get_hosts()}

    def group_vars(self, name: str) -> dict[str, Any]:
        """As ``ansible-inventory --list --export`` prints them."""
        group = self.manager.groups[name]
        beside = get_vars_from_inventory_sources(self.loader, self.manager._sources, [group], "all")
        return plain({**group.get_vars(), **beside})

    def priority(self, name: str) -> int:
        return self.manager.groups[name].priority

    def own_vars(self, name: str) -> dict[str, Any]:
        host = self.manager.get_host(name)
        beside = get_vars_from_inventory_sources(self.loader, self.manager._sources, [host], "all")
        return plain({**host.vars, **beside})

    def host_vars(self, name: str) -> dict[str, Any]:
        """What holds for the host in the end, by Ansible's precedence."""
        host = self.manager.get_host(name)
        return plain(self.variables.get_vars(host=host, include_hostvars=False, stage="all"))

    def group_names(self, name: str) -> list[str]:
        return self.manager.get_host(name).get_magic_vars()["group_names"]

    def limit(self, pattern: str) -> list[str]:
        """``ansible all -l PATTERN --list-hosts``."""
        self.manager.subset(pattern)
        try:
            return [host.name for host in self.manager.get_hosts("all")]
        finally:
            self.manager.subset(None)
            self.manager.clear_caches()


def plain(value: Any) -> Any:
    if isinstance(value, EncryptedString):
        return ("vault", value._ciphertext)
    if isinstance(value, dict):
        hidden = MAGIC | INTERNAL_STATIC_VARS | {"playbook_dir"}
        return {key: plain(item) for key, item in value.items() if key not in hidden}
    return [plain(item) for item in value] if isinstance(value, list) else value
