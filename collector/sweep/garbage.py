"""Python's garbage collector in a process that does the same for one host after another."""

from __future__ import annotations

import gc

_OBJECTS = 20_000
"""New ones after which cycles are looked for.  A host leaves some hundreds in cycles; to look for them as
often as usual took a twentieth of a sweep."""


def look_less_often() -> None:
    """What is there now stays and is never looked through again: to do so took a tenth of a sweep."""
    gc.freeze()
    gc.set_threshold(_OBJECTS)
