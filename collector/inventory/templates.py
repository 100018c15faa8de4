"""Jinja in connection variables: ``ansible_host: "{{ inventory_hostname }}.example.net"``.

Rendered in Jinja's sandbox, with undefined names as errors.  Of Ansible's lookups only ``env`` and
``file`` are there; everything else would run code or reach out from the bastion.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from collector.errors import InventoryError, SecretError
from collector.inventory.model import InventoryHost, Unsafe, Var, Vaulted
from collector.secrets import FORMS, EnvSecret, FileSecret
from collector.target import Secret

if TYPE_CHECKING:
    from jinja2.sandbox import SandboxedEnvironment

LOOKUPS: dict[str, type[EnvSecret | FileSecret]] = {"env": EnvSecret, "file": FileSecret}
_LOOKUP = re.compile(
    r"""\s*\{\{-?\s*lookup\(\s*(["'])(?:ansible\.builtin\.)?(env|file)\1\s*,\s*(["'])([^"'\\]+)\3\s*\)\s*-?\}\}\s*"""
)


def lookup_reference(value: object) -> Secret | None:
    """``{{ lookup('env', 'X') }}`` alone, as the reference that it is; ``None`` for any other value."""
    found = _LOOKUP.fullmatch(value) if isinstance(value, str) and not isinstance(value, Unsafe) else None
    return LOOKUPS[found[2]](found[4]) if found else None


def render(host: InventoryHost, key: str, var: Var) -> object:
    """The value of a variable of ``host``, its templates filled in and its vaults opened.

    Raises:
        InventoryError: naming file, line and key: an undefined name, a loop, a lookup, a closed vault.
    """
    return _Scope(host).render(var.value, key, var, ())


class _Scope:
    """What the templates of one host can see."""

    def __init__(self, host: InventoryHost) -> None:
        self._host = host

    def render(self, value: object, key: str, var: Var, above: tuple[str, ...]) -> object:
        if isinstance(value, Vaulted):
            return self._host.home.vault.open(value, key)
        if isinstance(value, str) and not isinstance(value, Unsafe) and ("{{" in value or "{%" in value):
            return self._render_text(value, key, var, above)
        if isinstance(value, list):
            return [self.render(item, key, var, above) for item in value]
        if isinstance(value, dict):
            return {name: self.render(item, key, var, above) for name, item in value.items()}
        return value

    def variable(self, name: str, above: tuple[str, ...]) -> object:
        """A variable by name.

        Raises:
            KeyError: nothing has that name.
        """
        if name in self._host.vars:
            var = self._host.vars[name]
            return self.render(var.value, name, var, above)
        return self._magic(name)

    def _render_text(self, text: str, key: str, var: Var, above: tuple[str, ...]) -> str:
        import jinja2
        import jinja2.meta

        if key in above:
            raise self._host.error(f"refers to itself: {' -> '.join([*above, key])}", key, var.origin)
        environment = _environment()
        try:
            tree = environment.parse(text)
            names = jinja2.meta.find_undeclared_variables(tree) - environment.globals.keys()
            known: dict[str, object] = {}
            for name in names:
                try:
                    known[name] = self.variable(name, (*above, key))
                except KeyError:
                    continue  # StrictUndefined speaks up where the template really needs it
            return environment.from_string(tree).render(known)
        except InventoryError:
            raise
        except jinja2.TemplateSyntaxError as error:
            what = f"is not a template that can be read: {_one_line(error)}"
        except (jinja2.TemplateError, SecretError) as error:
            what = f"cannot be rendered: {_one_line(error)}"
        except Exception as error:  # a template is a program: it can fail in any way, and may hold a secret
            what = f"cannot be rendered: {type(error).__name__}"
        raise self._host.error(what, key, var.origin)

    def _magic(self, name: str) -> object:
        host = self._host
        if name == "inventory_hostname":
            return host.name
        if name == "inventory_hostname_short":
            return host.name if host.name.replace(".", "").isdigit() else host.name.split(".")[0]
        if name == "group_names":
            return list(host.groups)
        if name == "groups":
            return {group.name: list(group.members) for group in host.home.groups.values()}
        if name == "hostvars":
            return _HostVars(host)
        if name == "inventory_dir":
            source = Path(host.home.sources[0])
            return str((source if source.is_dir() else source.parent).absolute())
        raise KeyError(name)


class _HostVars(Mapping[str, Mapping[str, object]]):
    """``hostvars``: the variables of any host, rendered when asked for."""

    def __init__(self, host: InventoryHost) -> None:
        self._hosts = host.home.hosts

    def __getitem__(self, name: str) -> Mapping[str, object]:
        return _VarsOf(self._hosts[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._hosts)

    def __len__(self) -> int:
        return len(self._hosts)


class _VarsOf(Mapping[str, object]):
    def __init__(self, host: InventoryHost) -> None:
        self._host = host

    def __getitem__(self, name: str) -> object:
        return _Scope(self._host).variable(name, ())

    def __iter__(self) -> Iterator[str]:
        return iter(self._host.vars)

    def __len__(self) -> int:
        return len(self._host.vars)


@cache
def _environment() -> SandboxedEnvironment:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    environment = SandboxedEnvironment(undefined=StrictUndefined)
    environment.globals.update(lookup=_lookup, query=_lookup, q=_lookup)
    return environment


def _lookup(plugin: str, *terms: Any, **_: Any) -> str:
    name = str(plugin).removeprefix("ansible.builtin.")
    if name not in LOOKUPS or len(terms) != 1:
        raise SecretError(
            f"lookup({name!r}) is not run; only lookup('env', NAME) and lookup('file', PATH) are, "
            f"and a password can be given as triage_password: {FORMS}"
        )
    return LOOKUPS[name](str(terms[0])).resolve()


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
