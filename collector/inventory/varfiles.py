"""``group_vars/`` and ``host_vars/`` beside an inventory: files and folders named after a group or host."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from collector.errors import InventoryError
from collector.inventory.builder import Vars
from collector.inventory.documents import on_disk, parse_document, read_text
from collector.inventory.model import Origin, Section, Var
from collector.inventory.vault import VaultKeys

EXTENSIONS = ("", ".yml", ".yaml", ".json")
"""In the order in which Ansible looks; the first that is there wins."""


class VarFolders:
    """The folders of every source, in the order of the sources."""

    def __init__(self, sources: tuple[str, ...], vault: VaultKeys) -> None:
        self._folders = _folders(sources)
        self._vault = vault
        self.warnings: list[str] = []

    def __call__(self, kind: str, name: str) -> list[Vars]:
        """The variables of one group or host, one mapping per folder.

        Args:
            kind: ``group_vars`` or ``host_vars``.
            name: of the group or host; a name that would lead out of the folder has no file.
        """
        if os.sep in name or name in (".", ".."):
            return [{} for _ in self._folders]
        owner = f"{kind.removesuffix('_vars')} {name}"
        try:
            return [self._read(folder / kind, name, owner) for folder in self._folders]
        except OSError as error:
            raise InventoryError(f"{error.filename}: cannot be read: {error.strerror}") from None

    def _read(self, folder: Path, name: str, owner: str) -> Vars:
        merged: Vars = {}
        for path in self._files(folder, name):
            merged.update(self._read_file(str(path), owner))
        return merged

    def _files(self, folder: Path, name: str) -> Iterator[Path]:
        there = [path for ext in EXTENSIONS if (path := folder / (name + ext)).exists()]
        for path in there[:1]:
            yield from _files_below(path) if path.is_dir() else (path,)
        self.warnings += [f"{path} is not read: {there[0]} comes first, as in Ansible" for path in there[1:]]

    def _read_file(self, path: str, owner: str) -> Vars:
        data = parse_document(read_text(path, self._vault), path)
        if not data:
            return {}
        if not isinstance(data, dict):
            raise Origin(path).error(f"must hold a mapping of variables, not a {type(data).__name__}")
        lines = data.lines if isinstance(data, Section) else {}
        for key in data:
            if not isinstance(key, str):
                raise Origin(path, lines.get(key)).error(f"{key!r} cannot name a variable; put it in quotes")
        return {str(key): Var(value, Origin(path, lines.get(key), owner)) for key, value in data.items()}


def _folders(sources: tuple[str, ...]) -> list[Path]:
    """Where ``group_vars/`` may lie; a folder named twice counts where it was named last."""
    folders: dict[Path, Path] = {}
    for source in sources:
        if source != "-" and (path := on_disk(source)):
            folder = path if path.is_dir() else path.parent
            real = folder.resolve()
            folders.pop(real, None)
            folders[real] = folder
    return list(folders.values())


def _files_below(folder: Path) -> Iterator[Path]:
    """Ansible's choice of files: sorted, not hidden, no backups, a known extension or none."""
    for entry in sorted(folder.iterdir(), key=lambda path: path.name):
        if entry.name.startswith(".") or entry.name.endswith("~"):
            continue
        if entry.is_dir() and not entry.suffix:
            yield from _files_below(entry)
        elif entry.is_file() and entry.suffix in EXTENSIONS:
            yield entry
