"""Texts that come in the order in which hosts are done, and go out in the order of their names.

So that the same sweep gives the same file, however its hosts raced; and so that a summary of ten thousand
hosts does not hold ten thousand documents.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator


class Spool:
    """Keeps texts in a file that has no name, and where each one lies."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the reporter
        self._places: list[tuple[str, int, int]] = []
        self._end = 0

    def add(self, name: str, text: str) -> None:
        """Keep ``text`` under the name of its host."""
        data = text.encode("utf-8", "surrogatepass")
        self._file.write(data)
        self._places.append((name, self._end, len(data)))
        self._end += len(data)

    def __iter__(self) -> Iterator[str]:
        """All texts, by name; those of one name in the order in which they came."""
        for _, start, length in sorted(self._places):
            self._file.seek(start)
            yield self._file.read(length).decode("utf-8", "surrogatepass")

    def close(self) -> None:
        """Forget them."""
        self._file.close()
