"""Templates are compiled once: what is kept is used, and never where it is of another template."""

from __future__ import annotations

import sys
from importlib.util import cache_from_source
from pathlib import Path

import jinja2
import pytest

from reports.compiled import CompiledTemplates


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A template in a folder of its own."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    (tmp_path / "page.j2").write_text("{{ 6 * n }}")
    return tmp_path


def _rendered(folder: Path, options: str = "") -> str:
    made_with = folder / "options.py"
    made_with.write_text(options)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        bytecode_cache=CompiledTemplates(folder, made_with=made_with),
        autoescape=True,
    )
    return environment.get_template("page.j2").render(n=7)


def _kept(folder: Path) -> Path:
    return Path(cache_from_source(str(folder / "page.j2")))


def test_a_second_start_compiles_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _rendered(folder) == "42"
    assert [path.name for path in _kept(folder).parent.iterdir()] == [_kept(folder).name]
    monkeypatch.setattr(jinja2.Environment, "_compile", None)
    assert _rendered(folder) == "42"


@pytest.mark.parametrize("change", ["template", "options"])
def test_another_template_or_other_options_are_compiled_anew(folder: Path, change: str) -> None:
    _rendered(folder)
    before = _kept(folder).read_bytes()
    if change == "template":
        (folder / "page.j2").write_text("{{ 5 * n }}")
    assert _rendered(folder, change) == ("35" if change == "template" else "42")
    assert _kept(folder).read_bytes() != before


@pytest.mark.parametrize("damaged", [b"", b"j2", b"j2" + bytes(40)])
def test_damage_is_mended_by_compiling(folder: Path, damaged: bytes) -> None:
    _rendered(folder)
    whole = _kept(folder).read_bytes()
    for torn in (damaged, whole[: len(whole) // 2], whole[:-1]):
        _kept(folder).write_bytes(torn)
        assert _rendered(folder) == "42"
        assert _kept(folder).read_bytes() == whole


def test_nothing_is_kept_where_nothing_may_be_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert _rendered(folder) == "42"
    assert not _kept(folder).exists()
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    _kept(folder).parent.write_text("a file where the folder would be")
    assert _rendered(folder) == "42"
