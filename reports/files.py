"""Files that appear whole or not at all, for their owner's eyes only (0600 in 0700)."""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO, Protocol, TextIO

from collector.errors import UsageError

_STEM = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@%+=,~-]{0,239}")


class Sink(Protocol):
    """Where a stream of text goes."""

    def write(self, text: str) -> None: ...

    def commit(self) -> None:
        """Everything was written: let it be seen."""
        ...

    def discard(self) -> None:
        """Something went wrong: leave nothing behind."""
        ...


class StreamSink:
    """Text that goes out at once: standard output."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> None:
        self.stream.write(text.encode("utf-8", "backslashreplace").decode("utf-8"))

    def commit(self) -> None:
        self.stream.flush()

    def discard(self) -> None:
        self.stream.flush()


class FileSink:
    """A file that stands under its name only once it is whole.

    Raises:
        UsageError: the folder cannot be written to.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            make_folder(path.parent)
            descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
        except OSError as error:
            raise UsageError(f"{path}: cannot be written: {error.strerror}") from error
        self._temporary = Path(name)
        self._file: IO[str] = os.fdopen(
            descriptor, "w", encoding="utf-8", errors="backslashreplace", newline=""
        )

    def write(self, text: str) -> None:
        try:
            self._file.write(text)
        except OSError as error:
            raise self._failed(error) from error

    def commit(self) -> None:
        try:
            self._file.close()
            self._temporary.replace(self.path)
        except OSError as error:
            raise self._failed(error) from error

    def discard(self) -> None:
        with suppress(OSError):
            self._file.close()
        self._temporary.unlink(missing_ok=True)

    def _failed(self, error: OSError) -> UsageError:
        self.discard()
        return UsageError(f"{self.path}: cannot be written: {error.strerror}")


def write_file(path: Path, text: str) -> None:
    """Write a whole file at once.

    Raises:
        UsageError: it cannot be written.
    """
    sink = FileSink(path)
    sink.write(text)
    sink.commit()


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, that only its owner can look into."""
    for folder in (*reversed(path.parents), path):
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)


def file_in(folder: Path, stem: str, suffix: str) -> Path:
    """``folder/stem.suffix``, never anywhere else.

    Raises:
        UsageError: the stem is not a plain name.
    """
    if not _STEM.fullmatch(stem):
        raise UsageError(f"{stem!r}: not a safe file name for a report")
    return folder / f"{stem}{suffix}"
