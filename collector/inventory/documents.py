"""The files of an inventory as text and as data: UTF-8, vaulted or not, YAML or JSON, keys with lines."""

from __future__ import annotations

import codecs
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from collector.errors import InventoryError
from collector.inventory.model import Origin, Unsafe, Vaulted
from collector.inventory.vault import HEADER, VaultKeys

if TYPE_CHECKING:
    import yaml


def on_disk(source: str) -> Path | None:
    """``source`` as a path that is there, or ``None`` (a long list of hosts is no path at all).

    Raises:
        InventoryError: it may be there, but one cannot look.
    """
    try:
        path = Path(source)
        path.stat()
    except PermissionError as error:
        raise InventoryError(f"{source}: cannot be read: {error.strerror}") from None
    except (OSError, ValueError):
        return None
    return path


def read_text(path: str, vault: VaultKeys) -> str:
    """The text of a file, decrypted where all of it is a vault."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise InventoryError(f"{path}: cannot be read: {error.strerror}") from None
    return decode(content, path, vault)


def decode(content: bytes, path: str, vault: VaultKeys) -> str:
    """``content`` as text.  Comments may hold bytes that are not UTF-8; nothing else may.

    Raises:
        InventoryError: a line is not text, or a vault cannot be opened.
    """
    content = content.removeprefix(codecs.BOM_UTF8)
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = "\n".join(
            _decode_line(line, Origin(path, n)) for n, line in enumerate(content.splitlines(), 1)
        )
    if "\0" in text:
        raise Origin(path, text[: text.index("\0")].count("\n") + 1).error(
            "is binary, not an inventory in text"
        )
    if text.startswith(HEADER):
        return vault.open(Vaulted(text, Origin(path)))
    return text


def _decode_line(line: bytes, origin: Origin) -> str:
    if line.lstrip()[:1] in (b"#", b";"):
        return ""
    try:
        return line.decode()
    except UnicodeDecodeError:
        raise origin.error("is not UTF-8 text; save the file as UTF-8") from None


def parse_document(text: str, path: str) -> object:
    """The data of a JSON or YAML text; mappings of YAML are :class:`Section`.

    Raises:
        InventoryError: the text is neither, or a key stands twice.
    """
    if text.lstrip()[:1] in ("{", "["):
        try:
            return parse_json(text, path)
        except json.JSONDecodeError as error:
            if path.endswith(".json"):
                raise Origin(path, error.lineno).error(f"is not JSON: {error.msg}") from None
    return parse_yaml(text, path)


def parse_json(text: str, path: str) -> object:
    """JSON, with Ansible's marks for vaulted and unsafe text understood.

    Raises:
        InventoryError: a key stands twice, or the nesting is absurd.
        json.JSONDecodeError: the text is not JSON.
    """
    origin = Origin(path)

    def mapping(pairs: list[tuple[str, Any]]) -> object:
        if len(pairs) == 1:
            (key, value), *_ = pairs
            if key == "__ansible_vault" and isinstance(value, str):
                return Vaulted(value, origin)
            if key == "__ansible_unsafe" and isinstance(value, str):
                return Unsafe(value)
        result = dict(pairs)
        if len(result) != len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise origin.error(f"{twice!r} stands twice in one object; remove one", twice)
        return result

    try:
        return json.loads(text, object_pairs_hook=mapping)
    except RecursionError:
        raise origin.error("is nested too deep") from None
    except json.JSONDecodeError:
        raise
    except ValueError as error:  # an integer of thousands of digits
        raise origin.error(f"holds a number that cannot be read: {error}") from None


def parse_yaml(text: str, path: str) -> object:
    """YAML 1.1 as Ansible reads it: safe, with ``!vault`` and ``!unsafe``; a key can stand but once.

    Raises:
        InventoryError: with the line and, for a tab, the way out.
    """
    import yaml

    from collector.inventory.yaml_loader import Loader

    try:
        loader = Loader(text)
        loader.path = path
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        raise _yaml_error(error, text, path) from None
    except yaml.YAMLError as error:
        raise Origin(path).error(f"is not YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise Origin(path).error("is nested too deep") from None


def _yaml_error(error: yaml.MarkedYAMLError, text: str, path: str) -> InventoryError:
    mark = error.problem_mark or error.context_mark
    line = mark.line if mark else 0
    lines = text.splitlines()
    for number in (line, line - 1):
        bad = lines[number] if 0 <= number < len(lines) else ""
        if "\t" in bad[: len(bad) - len(bad.lstrip())]:
            return Origin(path, number + 1).error("is indented with a tab; YAML wants spaces")
    said = [" ".join(part.split()) for part in (error.context, error.problem) if part]
    return Origin(path, line + 1).error(f"is not YAML: {', '.join(said)}")
