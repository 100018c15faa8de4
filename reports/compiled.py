"""Templates are compiled once, as Python's own modules are, and kept beside them.

Compiling them takes as long as rendering twenty pages.  What is kept lies where Python would keep it
(``__pycache__``, or where ``PYTHONPYCACHEPREFIX`` says) and is trusted as the modules there are.  Another
template, Jinja or Python makes it anew.  Where nothing may be written, every start compiles.
"""

from __future__ import annotations

import os
import pickle
import sys
from contextlib import suppress
from importlib.util import cache_from_source
from pathlib import Path

import jinja2
from jinja2.bccache import Bucket


class CompiledTemplates(jinja2.BytecodeCache):
    """Of the templates in ``folder``; the module ``made_with`` holds the options that change them."""

    def __init__(self, folder: Path, *, made_with: Path) -> None:
        self._folder = folder
        self._made_with = jinja2.__version__ + made_with.read_text("utf-8")

    def get_cache_key(self, name: str, filename: str | None = None) -> str:
        return name

    def get_source_checksum(self, source: str) -> str:
        return super().get_source_checksum(self._made_with + source)

    def load_bytecode(self, bucket: Bucket) -> None:
        with suppress(OSError, EOFError, pickle.UnpicklingError), self._path(bucket).open("rb") as file:
            bucket.load_bytecode(file)  # not of another template, option or version: Jinja sees to that

    def dump_bytecode(self, bucket: Bucket) -> None:
        if sys.dont_write_bytecode:
            return
        path = self._path(bucket)
        unfinished = path.with_name(f"{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with unfinished.open("wb") as file:
                bucket.write_bytecode(file)
            unfinished.replace(path)
        except OSError:
            with suppress(OSError):
                unfinished.unlink()

    def _path(self, bucket: Bucket) -> Path:
        return Path(cache_from_source(str(self._folder / bucket.key)))
