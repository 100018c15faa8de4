"""How one host's evidence gets from where it is collected into the folder of the run."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from collector.collect import CollectedHost, CollectOptions, collect_host
from collector.connections.base import Connection, Deadline
from collector.errors import EvidenceError
from collector.evidence.model import Failure
from collector.target import Target


@dataclass(frozen=True, slots=True)
class IntoFolder:
    """For whoever sees the folder of the run: threads and processes of this machine (a ``Collect``)."""

    options: CollectOptions
    folder: Path

    def __call__(self, connection: Connection, target: Target, deadline: Deadline) -> CollectedHost:
        return collect_host(connection, target, self.options, self.folder, deadline)


@dataclass(frozen=True, slots=True)
class Parcel:
    """An evidence file on its way; ``failure`` as in ``CollectedHost``."""

    name: str
    failure: Failure | None
    content: bytes | None = None
    """The file itself; ``None``: it lies at the place that both sides know."""


@dataclass(frozen=True, slots=True)
class IntoParcel:
    """For a worker on another machine (a ``Collect``): evidence comes with the result, or by ``place``."""

    options: CollectOptions
    place: str = ""
    """A folder that both machines see, or a URL that fsspec knows, such as ``s3://bucket/prefix``."""

    def __call__(self, connection: Connection, target: Target, deadline: Deadline) -> Parcel:
        if self.place and "://" not in self.place:
            folder = Path(self.place)
            _make(folder)
            collected = collect_host(connection, target, self.options, folder, deadline)
            return Parcel(collected.path.name, collected.failure)
        with tempfile.TemporaryDirectory(prefix="ssm-triage-") as name:
            collected = collect_host(connection, target, self.options, Path(name), deadline)
            if not self.place:
                return Parcel(collected.path.name, collected.failure, collected.path.read_bytes())
            _put(collected.path, self.place)
            return Parcel(collected.path.name, collected.failure)


def unpack(parcel: Parcel, place: str, folder: Path) -> CollectedHost:
    """Move the evidence into ``folder``, where it appears whole or not at all.

    Of a host that broke off once more, the fuller answer stays.

    Raises:
        EvidenceError: it is not to be had, or cannot be written.
    """
    path = folder / parcel.name
    part = path.with_name(path.name + ".part")
    try:
        _write(part, parcel, place)
        if parcel.failure is None or not _is_fuller(path, part):
            part.replace(path)
    except OSError as error:
        raise EvidenceError(
            f"{path}: evidence cannot be written: {error.strerror or error}; "
            "free some space or choose another output folder"
        ) from None
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    if parcel.content is None:
        _take_away(place, parcel.name)
    return CollectedHost(path, parcel.failure)


def _is_fuller(path: Path, other: Path) -> bool:
    from collector.evidence.read import answered  # here: most sweeps never need what reads evidence

    return answered(path) > answered(other)


def _write(path: Path, parcel: Parcel, place: str) -> None:
    """A new file for its owner's eyes only, whole on the disk."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        if parcel.content is not None:
            file.write(parcel.content)
        else:
            _fetch(place, parcel.name, file)
        file.flush()
        os.fsync(file.fileno())


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise EvidenceError(
            f"{folder}: a worker cannot leave evidence there: {error.strerror}; "
            "name a folder that the workers and this machine share"
        ) from None


def _put(path: Path, place: str) -> None:
    try:
        files, root = _files(place)
        files.makedirs(root, exist_ok=True)
        files.put_file(str(path), f"{root}/{path.name}")
    except Exception as error:  # each of fsspec's back ends has exceptions of its own
        raise EvidenceError(f"{place}: a worker cannot leave evidence there: {_one_line(error)}") from None


def _fetch(place: str, name: str, into: BinaryIO) -> None:
    if "://" not in place:
        with (Path(place) / name).open("rb") as file:
            shutil.copyfileobj(file, into, 1 << 20)
        return
    try:
        files, root = _files(place)
        content = files.open(f"{root}/{name}", "rb")
    except Exception as error:  # as in _put
        raise EvidenceError(
            f"{place}: the evidence of a host cannot be fetched: {_one_line(error)}"
        ) from None
    with content:
        shutil.copyfileobj(content, into, 1 << 20)


def _take_away(place: str, name: str) -> None:
    """Evidence is confidential: it does not stay on the way.  Who may not delete there, keeps it there."""
    with suppress(Exception):
        if "://" not in place:
            (Path(place) / name).unlink()
        else:
            files, root = _files(place)
            files.rm_file(f"{root}/{name}")


def _files(place: str) -> tuple[Any, str]:
    import fsspec

    files, root = fsspec.core.url_to_fs(place)
    return files, root.rstrip("/")


def _one_line(error: Exception) -> str:
    return " ".join((str(error) or type(error).__name__).split())[:300]
