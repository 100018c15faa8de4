"""The causes: one module per family of rules, their texts in ``catalogue``, and how third parties add theirs.

A rule of a third party is an entry point of the group ``ssm_triage.rules``: a
:class:`~analyzers.causes.rule.Rule`, or several in a list or a module.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType

from analyzers.causes.rule import Rule, rules_of
from collector.errors import TriageError

GROUP = "ssm_triage.rules"


@cache
def built_in() -> tuple[Rule, ...]:
    """The rules that come with ssm-triage."""
    from analyzers.causes import (
        agent,
        config,
        dns,
        host,
        hybrid,
        identity,
        imds,
        logged,
        network,
        processes,
        proxy,
        service,
        tls,
        windows,
        windows_policies,
    )

    modules = (
        *(agent, processes, config, host, windows, windows_policies, imds, proxy, network, dns, tls),
        *(identity, hybrid, service, logged),
    )
    return tuple(rule for module in modules for rule in rules_of(module))


def third_party() -> Iterator[Rule]:
    """The rules that other packages add.

    Raises:
        TriageError: an entry point cannot be loaded or is no rule; the line names its package.
    """
    for point in entry_points(group=GROUP):
        yield from _loaded(point)


def _loaded(point: EntryPoint) -> Iterator[Rule]:
    owner = f"{point.dist.name} " if point.dist is not None else ""
    try:
        found = point.load()
    except Exception as error:  # whatever a foreign module raises while it is imported
        raise TriageError(f"{owner}{point.value}: cannot be loaded as rules of {GROUP}: {error}") from error
    rules = rules_of(found) if isinstance(found, ModuleType) else found
    for rule in (rules,) if isinstance(rules, Rule) else rules if isinstance(rules, Iterable) else (None,):
        if not isinstance(rule, Rule):
            raise TriageError(
                f"{owner}{point.value}: is no rule; {GROUP} wants what analyzers.causes.rule.rule makes"
            )
        yield Rule(rule.slug, rule.look, rule.needs, rule.text, owner.strip() or point.name)


@cache
def every_rule() -> tuple[Rule, ...]:
    """Built-in rules, then those of third parties (what is installed does not change while we run)."""
    return (*built_in(), *third_party())
