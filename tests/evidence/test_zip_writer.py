"""The zip writer beyond the limits of the old format, and its members at their edges."""

from __future__ import annotations

import shutil
import subprocess
import zipfile
import zlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from evidence_samples import deflate
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.errors import EvidenceError
from collector.evidence.zip_writer import ZipWriter

NOW = datetime(2026, 11, 23, 6, 38, 45, tzinfo=UTC)


def unzip_agrees(path: Path) -> None:
    if shutil.which("unzip"):
        done = subprocess.run(["unzip", "-tq", str(path)], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


@settings(deadline=None)
@given(
    st.dictionaries(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1), st.binary())
)
def test_members_come_back(tmp_path_factory: pytest.TempPathFactory, members: dict[str, bytes]) -> None:
    path = tmp_path_factory.mktemp("zip") / "a.zip"
    with path.open("w+b") as file:
        archive = ZipWriter(file, NOW)
        for name, body in members.items():
            archive.add(name, body)
        archive.close()
    with zipfile.ZipFile(path) as read:
        assert read.testzip() is None
        for info, (name, body) in zip(read.infolist(), members.items(), strict=True):
            assert (info.orig_filename, read.read(info)) == (name, body)
            assert info.date_time == (2026, 11, 23, 6, 38, 44)
            assert info.external_attr >> 16 == 0o100600


def test_beyond_four_gibibytes_and_65535_members(tmp_path: Path) -> None:
    path = tmp_path / "far.zip"
    with path.open("w+b") as file:
        archive = ZipWriter(file, NOW)
        archive.add("near", b"near")
        file.seek(5 << 30)  # a hole: nothing is written there
        for number in range(66_000):
            archive.begin(f"{number}")
            archive.write(b"\x03\x00")  # nothing, deflated
            archive.end(0, 0)
        archive.add("far", b"far")
        archive.close()
    with zipfile.ZipFile(path) as read:
        assert len(read.namelist()) == 66_002
        assert (read.read("near"), read.read("far"), read.read("65999")) == (b"near", b"far", b"")


def test_a_member_of_four_gibibytes_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "a.zip").open("w+b") as file:
        archive = ZipWriter(file, NOW)
        archive.begin("logs/huge.log")
        with pytest.raises(EvidenceError, match=r"logs/huge\.log: 4 GiB or more"):
            archive.end(0, 1 << 32)


@settings(deadline=None)
@given(st.binary(max_size=600_000), st.binary(max_size=600_000))
def test_dropping_the_front_of_a_member(
    tmp_path_factory: pytest.TempPathFactory, front: bytes, kept: bytes
) -> None:
    path = tmp_path_factory.mktemp("zip") / "a.zip"
    with path.open("w+b") as file:
        archive = ZipWriter(file, NOW)
        archive.add("before", b"before")
        archive.begin("log")
        archive.write(front)
        archive.write(deflate(kept))
        archive.drop_front(len(front))
        archive.end(zlib.crc32(kept), len(kept))
        archive.begin("gone")
        archive.write(front)
        archive.cancel()
        archive.add("after", b"after")
        archive.close()
    with zipfile.ZipFile(path) as read:
        assert [read.read(name) for name in read.namelist()] == [b"before", kept, b"after"]
    unzip_agrees(path)
