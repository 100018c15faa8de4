"""From ``-i`` to an inventory: files, folders, ``host,`` lists and standard input, in the order given."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import BinaryIO

from collector.errors import InventoryError
from collector.inventory import ini
from collector.inventory.builder import Builder
from collector.inventory.documents import decode, on_disk, parse_document, read_text
from collector.inventory.json_list import is_json_list, read_json_list
from collector.inventory.model import Inventory, Origin, Section
from collector.inventory.varfiles import VarFolders
from collector.inventory.vault import VaultKeys
from collector.inventory.yaml_groups import read_yaml_groups

STDIN = "-"
YAML_EXTENSIONS = (".yaml", ".yml", ".json")
IGNORED_IN_FOLDERS = re.compile(
    r"^\.|^(host_vars|group_vars|vars_plugins)$"
    r"|(\.pyc|\.pyo|\.swp|\.bak|~|\.rpm|\.md|\.txt|\.rst|\.orig|\.cfg|\.retry)$"
)
"""What Ansible leaves aside in a folder of inventories."""
_YAML_START = re.compile(r"(---|\{|[^\s\[=#]+:(\s|$))")


def load(
    sources: Sequence[str], *, vault_password_files: Sequence[str] = (), stdin: BinaryIO | None = None
) -> Inventory:
    """Read every source whole and join them as Ansible does.

    Args:
        sources: what ``-i`` takes: a file, a folder, ``host1,host2`` (with a comma), ``-`` for ``stdin``.
        vault_password_files: ``[ID@]FILE``, or a reference such as ``env:NAME``, in the place of the file.
        stdin: where ``-`` reads; the process's standard input by default.

    Raises:
        InventoryError: a source is missing, a line or key cannot be read, or there is no host in the end.
    """
    vault = VaultKeys.named(vault_password_files)
    builder = Builder()
    if not sources:
        raise InventoryError("no inventory was given; name one with -i")
    if list(sources).count(STDIN) > 1:
        raise InventoryError("-i - was given twice; standard input can be read once")
    for source in sources:
        _read_source(source, builder, vault, stdin)
    if not builder.hosts:
        raise InventoryError(f"{', '.join(sources)}: names no host; there is nothing to sweep")
    folders = VarFolders(tuple(sources), vault)
    inventory = builder.finish(tuple(sources), folders, vault)
    inventory.warnings += tuple(folders.warnings)
    _refuse_unknown_keys(inventory)
    return inventory


def _read_source(source: str, builder: Builder, vault: VaultKeys, stdin: BinaryIO | None) -> None:
    if source == STDIN:
        content = (stdin or sys.stdin.buffer).read()
        if not content.strip():
            raise InventoryError("<stdin>: is empty; did the command before the pipe fail?")
        _read_text(decode(content, "<stdin>", vault), "<stdin>", builder)
    elif path := on_disk(source):
        _read_path(path, builder, vault)
    elif "," in source:
        for name in filter(None, map(str.strip, source.split(","))):
            builder.add_hosts(name, "ungrouped", Origin(f"-i {name},"))
    else:
        raise InventoryError(f"{source}: no such inventory; for a list of hosts write a comma: -i {source},")


def _read_path(path: Path, builder: Builder, vault: VaultKeys) -> None:
    if path.is_dir():
        _read_folder(path, builder, vault)
    else:
        _read_file(str(path), builder, vault)


def _read_folder(folder: Path, builder: Builder, vault: VaultKeys) -> None:
    try:
        entries = sorted(folder.iterdir(), key=lambda entry: os.fsencode(entry.name))
    except OSError as error:
        raise InventoryError(f"{folder}: cannot be read: {error.strerror}") from None
    for entry in entries:
        if not IGNORED_IN_FOLDERS.search(entry.name):
            _read_path(entry, builder, vault)


def _read_file(path: str, builder: Builder, vault: VaultKeys) -> None:
    text = read_text(path, vault)
    if text.startswith("#!") and os.access(path, os.X_OK):
        raise Origin(path).error(f"is a program, which is not run; {_pipe(path)}")
    if path.endswith(".toml"):
        raise Origin(path).error(f"is TOML, which is not read; {_pipe(path)}")
    _read_text(text, path, builder)


def _pipe(path: str) -> str:
    return f"pipe Ansible's answer: ansible-inventory -i {path} --list | ssm-triage run -i -"


def _read_text(text: str, path: str, builder: Builder) -> None:
    if not _is_yaml(text, path):
        ini.read_ini(text, path, builder)
        return
    data = parse_document(text, path)
    if isinstance(data, dict) and not isinstance(data, Section) and is_json_list(data):
        read_json_list(data, path, builder)
    else:
        read_yaml_groups(data, path, builder)


def _is_yaml(text: str, path: str) -> bool:
    """By extension, as Ansible chooses; where there is none, by the first line that says something."""
    extension = Path(path).suffix
    if extension and path != "<stdin>":
        return extension in YAML_EXTENSIONS or text.lstrip()[:1] == "{"
    lines = (line.strip() for line in text.splitlines())
    first = next((line for line in lines if line and line[0] not in "#;"), "")
    return bool(_YAML_START.match(first))


def _refuse_unknown_keys(inventory: Inventory) -> None:
    """``triage_`` is our prefix: a key of it that nobody knows is a slip that would otherwise pass unseen."""
    from collector.inventory.resolve import TRIAGE_KEYS

    layers = [group.vars for group in inventory.groups.values()]
    layers += [host.own for host in inventory.hosts.values()]
    for layer in layers:
        for key, var in layer.items():
            if key.startswith("triage_") and key not in TRIAGE_KEYS:
                close = get_close_matches(key, TRIAGE_KEYS, n=1)
                hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(TRIAGE_KEYS)}"
                raise var.origin.error(f"is not a key of ssm-triage; {hint}", key)
