"""PyYAML's safe loader, taught Ansible's tags, the lines of keys, and to refuse a key that stands twice."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any

import yaml

from collector.inventory.model import Origin, Section, Unsafe, Vaulted

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's parser where it is there: ten times as fast."""


class Loader(_Base):  # type: ignore[misc]  # chosen above
    path = ""

    def origin(self, node: yaml.Node) -> Origin:
        return Origin(self.path, node.start_mark.line + 1)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """As PyYAML, which forgets the line where a date has a thirteenth month or a tag lies."""
        try:
            return super().construct_object(node, deep)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise self.origin(node).error(f"{str(node.value)[:40]!r} cannot be read: {error}") from None

    def construct_section(self, node: yaml.MappingNode) -> Iterator[Section]:
        section = Section()
        yield section
        written = [key for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        seen: dict[object, int] = {}
        for key_node in written:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise self.origin(key_node).error("a list or mapping cannot be a key")
            if key in seen:
                raise self.origin(key_node).error(
                    f"stands twice (first on line {seen[key]}); remove one", key
                )
            seen[key] = key_node.start_mark.line + 1
        section.update(self.construct_mapping(node, deep=True))
        section.lines.update(dict.fromkeys(section, node.start_mark.line + 1) | seen)

    def construct_vault(self, node: yaml.ScalarNode) -> Vaulted:
        return Vaulted(str(self.construct_scalar(node)), self.origin(node))

    def construct_unsafe(self, node: yaml.Node) -> object:
        if isinstance(node, yaml.ScalarNode):
            tag = self.resolve(yaml.ScalarNode, node.value, (node.style is None, node.style is not None))
            value = self.construct_object(yaml.ScalarNode(tag, node.value, node.start_mark, node.end_mark))
        elif isinstance(node, yaml.SequenceNode):
            value = self.construct_sequence(node, deep=True)
        else:
            value = self.construct_mapping(node, deep=True)
        return _unsafe(value)


def _unsafe(value: object) -> object:
    if isinstance(value, str):
        return Unsafe(value)
    if isinstance(value, list):
        return [_unsafe(item) for item in value]
    if isinstance(value, dict):
        return {key: _unsafe(item) for key, item in value.items()}
    return value


Loader.add_constructor("tag:yaml.org,2002:map", Loader.construct_section)
Loader.add_constructor("!vault", Loader.construct_vault)
Loader.add_constructor("!vault-encrypted", Loader.construct_vault)
Loader.add_constructor("!unsafe", Loader.construct_unsafe)
