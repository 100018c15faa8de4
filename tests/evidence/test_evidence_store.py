"""One host's evidence is written whole or not at all, and any tool opens it."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import signal
import stat
import subprocess
import sys
import textwrap
import time
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from evidence_samples import LOG_LINE, deflate, send_log, small_manifest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.errors import EvidenceError
from collector.evidence.model import LogHead, ProbeResult, Status
from collector.evidence.read import open_evidence, verify
from collector.evidence.store import EvidenceWriter, file_name, run_folder

SECRET = b"wJalrXUtnFEMIK7MDENGbPxRfiCYzEXAMPLEKEYx"
LEAK = b"2026-11-23 06:26:14 DEBUG aws_secret_access_key=" + SECRET + b"\n"
NOISE = b"".join(hashlib.sha256(b"%d" % number).hexdigest().encode() + b"\n" for number in range(2000))
"""Lines that hardly shrink: 70 KB packed."""


def read_logs(path: Path) -> dict[tuple[str, int], bytes]:
    evidence = open_evidence(path)
    return {
        (log.name, part.offset): evidence.open_log(log, part).read()
        for log in evidence.manifest.logs
        for part in log.parts
    }


def test_what_went_in_comes_out(write: Callable[..., Path]) -> None:
    path = write()
    evidence = open_evidence(path)
    manifest = evidence.manifest
    assert replace(manifest, probes=(), logs=(), digest="") == small_manifest()
    assert manifest.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert evidence.probe("hostname").output == b"web-1\n"
    assert evidence.probe("nft") == replace(
        ProbeResult("nft", Status.ABSENT, note="no nft here"), sha256=hashlib.sha256(b"").hexdigest()
    )
    assert evidence.probe("routes").status is Status.SKIPPED
    assert [(log.name, [part.offset for part in log.parts]) for log in manifest.logs] == [
        ("errors.log", [0]),
        ("amazon-ssm-agent.log", [0, 9_000_000]),
    ]
    assert read_logs(path) == {
        ("errors.log", 0): LOG_LINE * 50,
        ("amazon-ssm-agent.log", 0): LOG_LINE * 3,
        ("amazon-ssm-agent.log", 9_000_000): LOG_LINE * 4000,
    }


def test_file_and_folder_are_for_the_owner_alone(write: Callable[..., Path], tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "runs" / "one")
    path = write(folder=folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in folder.iterdir()] == ["web-1.zip"]


def test_python_unzip_and_other_tools_open_it(write: Callable[..., Path], tmp_path: Path) -> None:
    path = write()
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert set(archive.namelist()) == {
            "manifest.json",
            "probes/hostname.txt",
            "logs/errors.log",
            "logs/amazon-ssm-agent.log",
            "logs/amazon-ssm-agent.log@9000000",
        }
    tools = {"unzip": ["-t"], "7z": ["t"], "bsdtar": ["-tvf"]}
    present = [tool for tool in tools if shutil.which(tool)]
    for tool in present:
        done = subprocess.run([tool, *tools[tool], str(path)], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "warning" not in (done.stdout + done.stderr).lower()
    if "unzip" not in present:
        pytest.skip("unzip is not installed (apt install unzip); read with Python's zipfile only")


@pytest.mark.parametrize("lines", [50, 50_000, 500_000])
def test_the_hosts_own_packing_is_kept(tmp_path: Path, lines: int) -> None:
    body = b"".join(b"line %d\n" % number for number in range(lines))
    with EvidenceWriter(tmp_path, "web-1") as writer:
        send_log(writer, "amazon-ssm-agent.log", body)
        path = writer.finish(small_manifest())
    assert deflate(body) in path.read_bytes()
    assert read_logs(path) == {("amazon-ssm-agent.log", 0): body}
    (part,) = open_evidence(path).manifest.logs[0].parts
    assert (part.length, part.sha256) == (len(body), "")
    assert part.packed_sha256 == hashlib.sha256(deflate(body)).hexdigest()


@pytest.mark.parametrize("step", [1, 7, 19, 4096])
def test_any_cutting_of_what_comes_gives_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    monkeypatch.setattr("collector.evidence.log_parts.HOLD", 100)
    body = b"".join(b"line %d\n" % number for number in range(200))
    with EvidenceWriter(tmp_path, "web-1") as writer:
        send_log(writer, "amazon-ssm-agent.log", body, step=step)
        send_log(writer, "errors.log", b"short\n", step=step)
        path = writer.finish(small_manifest())
    assert read_logs(path) == {("amazon-ssm-agent.log", 0): body, ("errors.log", 0): b"short\n"}
    assert all(part.packed_sha256 for log in open_evidence(path).manifest.logs for part in log.parts)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("lines_before", [0, 10, 10_000])
@pytest.mark.parametrize("step", [100, 65_536])
def test_a_part_with_a_secret_is_packed_again_without_it(
    tmp_path: Path, packed: bool, lines_before: int, step: int
) -> None:
    body = LOG_LINE * lines_before + NOISE[:60_000] + LEAK + NOISE[60_000:] + LEAK + LOG_LINE * 10
    with EvidenceWriter(tmp_path, "web-1") as writer:
        send_log(writer, "errors.log", LOG_LINE)
        send_log(writer, "amazon-ssm-agent.log", body, packed=packed, step=step)
        send_log(writer, "hibernate.log", LOG_LINE)
        path = writer.finish(small_manifest())
    evidence = open_evidence(path)
    (part,) = evidence.manifest.logs[1].parts
    assert part.redacted == 2
    assert part.length == len(body)
    logs = read_logs(path)
    assert logs["amazon-ssm-agent.log", 0] == body.replace(SECRET, b"***")
    assert logs["hibernate.log", 0] == LOG_LINE
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert sum(member.compress_size for member in archive.infolist()) > path.stat().st_size - 2000


def test_a_secret_in_a_large_part_is_masked_whenever_it_is_read(tmp_path: Path) -> None:
    """It was the host's to mask it; whoever reads the part does not see what the host overlooked."""
    body = NOISE * 3 + LEAK + NOISE * 3
    with EvidenceWriter(tmp_path, "web-1") as writer:
        send_log(writer, "amazon-ssm-agent.log", body)
        path = writer.finish(small_manifest())
    (part,) = open_evidence(path).manifest.logs[0].parts
    assert part.packed_sha256
    assert read_logs(path) == {("amazon-ssm-agent.log", 0): body.replace(SECRET, b"***")}


def test_a_large_part_that_was_altered_is_not_read(tmp_path: Path) -> None:
    with EvidenceWriter(tmp_path, "web-1") as writer:
        send_log(writer, "amazon-ssm-agent.log", NOISE * 3)
        path = writer.finish(small_manifest())
    whole = path.read_bytes()
    at = whole.index(deflate(NOISE * 3)) + 100_000
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    with pytest.raises(EvidenceError, match=r"amazon-ssm-agent\.log"):
        read_logs(path)


@pytest.mark.parametrize("packed", [True, False])
def test_no_secret_of_a_small_part_is_on_the_disk_at_any_moment(tmp_path: Path, packed: bool) -> None:
    """Incompressible lines keep the plain text readable in the packed stream, if it were there."""
    lines = [os.urandom(300).hex().encode() + b"\n" for _ in range(100)]
    body = b"".join([*lines[:50], LEAK, *lines[50:]])
    packer = zlib.compressobj(0, zlib.DEFLATED, 31)
    sent = packer.compress(body) + packer.flush() if packed else body
    with EvidenceWriter(tmp_path, "web-1") as writer:
        writer.log_begin(LogHead("amazon-ssm-agent.log", "/x", len(body), None, 0, 1, packed=packed))
        for at in range(0, len(sent), 997):
            writer.log_data(sent[at : at + 997])
            writer._file.flush()
            assert SECRET[:20] not in (tmp_path / "web-1.zip.part").read_bytes()
        writer.log_end(Status.OK)
        path = writer.finish(small_manifest())
    assert SECRET[:20] not in path.read_bytes()
    assert open_evidence(path).manifest.logs[0].parts[0].redacted == 1


def test_secrets_of_a_probe_are_masked_and_counted(tmp_path: Path) -> None:
    with EvidenceWriter(tmp_path, "web-1") as writer:
        writer.probe(ProbeResult("proxy-files", Status.OK, b"http_proxy=http://svc:hunter2@proxy:3128\n"))
        path = writer.finish(small_manifest())
    result = open_evidence(path).probe("proxy-files")
    assert result.output == b"http_proxy=http://***@proxy:3128\n"
    assert result.redacted == 1


@pytest.mark.parametrize("lines", [1000, 50_000], ids=["small", "large"])
@pytest.mark.parametrize("cut", [1, 8, 40, 5000])
@pytest.mark.parametrize("status", [Status.OK, Status.TRUNCATED])
def test_a_stream_that_breaks_off_is_packed_again(
    tmp_path: Path, lines: int, cut: int, status: Status
) -> None:
    """Whether the host knows of it or not: a packer that was killed says nothing."""
    body = b"".join(hashlib.sha256(b"%d" % number).hexdigest().encode() + b"\n" for number in range(lines))
    sent = gzip.compress(body, 1)[:-cut]
    came = zlib.decompressobj(31).decompress(sent)
    with EvidenceWriter(tmp_path, "web-1") as writer:
        writer.log_begin(LogHead("amazon-ssm-agent.log", "/x", len(body), None, 0, 1, packed=True))
        for at in range(0, len(sent), 3000):
            writer.log_data(sent[at : at + 3000])
        writer.log_end(status, "cut" if status is Status.TRUNCATED else "")
        path = writer.finish(small_manifest())
    (log,) = open_evidence(path).manifest.logs
    assert (log.status, log.parts[0].length) == (Status.TRUNCATED, len(came))
    assert log.note == ("cut" if status is Status.TRUNCATED else "it was damaged on the way")
    assert read_logs(path)["amazon-ssm-agent.log", 0] == came
    assert len(came) > len(body) - 20_000
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_damaged_byte_never_makes_a_part_look_whole(tmp_path: Path, at: int, flip: int) -> None:
    sent = bytearray(gzip.compress(LOG_LINE * 100 + NOISE[:2000], 1))
    sent[at % len(sent)] ^= flip
    with EvidenceWriter(tmp_path, "web-1") as writer:
        writer.log_begin(LogHead("errors.log", "/x", len(LOG_LINE) * 100 + 2000, None, 0, 1, packed=True))
        writer.log_data(bytes(sent))
        writer.log_end(Status.OK)
        path = writer.finish(small_manifest())
    (log,) = open_evidence(path).manifest.logs
    if log.status is Status.OK:
        assert read_logs(path) == {("errors.log", 0): LOG_LINE * 100 + NOISE[:2000]}


def test_what_is_no_gzip_leaves_nothing(tmp_path: Path) -> None:
    with EvidenceWriter(tmp_path, "web-1") as writer:
        for name, sent in {"a": b"", "b": b"\x1f", "c": b"plain text", "d": os.urandom(400_000)}.items():
            writer.log_begin(LogHead(name, "/x", 100, None, 0, 1, packed=True))
            writer.log_data(sent)
            writer.log_end(Status.OK)
        path = writer.finish(small_manifest())
    logs = open_evidence(path).manifest.logs
    assert [(log.status, log.parts) for log in logs] == [(Status.TRUNCATED, ())] * 4


def test_a_bomb_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.evidence.store.MAX_LOGS", 20 << 20)
    with EvidenceWriter(tmp_path, "web-1") as writer:
        send_log(writer, "errors.log", LOG_LINE)
        send_log(writer, "amazon-ssm-agent.log", bytes(64 << 20))
        send_log(writer, "hibernate.log", NOISE * 3)
        path = writer.finish(small_manifest())
    statuses = {log.name: log.status for log in open_evidence(path).manifest.logs}
    assert statuses == {
        "errors.log": Status.OK, "amazon-ssm-agent.log": Status.TRUNCATED, "hibernate.log": Status.OK,
    }  # fmt: skip


def test_a_part_left_open_is_closed_as_truncated(tmp_path: Path) -> None:
    with EvidenceWriter(tmp_path, "web-1") as writer:
        writer.log_begin(LogHead("amazon-ssm-agent.log", "/x", 10_000, None, 0, 1, packed=False))
        writer.log_data(LOG_LINE * 3)
        path = writer.finish(small_manifest())
    (log,) = open_evidence(path).manifest.logs
    assert log.status is Status.TRUNCATED
    assert read_logs(path) == {("amazon-ssm-agent.log", 0): LOG_LINE * 3}


def test_a_log_that_could_not_be_read_leaves_its_status_only(tmp_path: Path) -> None:
    with EvidenceWriter(tmp_path, "web-1") as writer:
        writer.log_begin(LogHead("errors.log", "/x", 10, None, 0, 1, packed=True))
        writer.log_end(Status.DENIED, "permission denied")
        send_log(writer, "hibernate.log", LOG_LINE)
        path = writer.finish(small_manifest())
    errors, hibernate = open_evidence(path).manifest.logs
    assert (errors.status, errors.note, errors.parts) == (Status.DENIED, "permission denied", ())
    assert len(hibernate.parts) == 1
    assert read_logs(path) == {("hibernate.log", 0): LOG_LINE}


def test_names_that_a_hostile_host_repeats_or_twists_stay_apart(tmp_path: Path) -> None:
    names = ["errors.log", "errors.log", "ERRORS.log", "a:b\\c.log", "a_b_c.log", "x" * 300, "로그.log"]
    with EvidenceWriter(tmp_path, "web-1") as writer:
        for number, name in enumerate(names):
            send_log(writer, name, b"%d\n" % number)
        path = writer.finish(small_manifest())
    assert sorted(read_logs(path).values()) == [b"%d\n" % number for number in range(len(names))]
    with zipfile.ZipFile(path) as archive:
        members = archive.namelist()
    assert len({member.casefold() for member in members}) == len(members)
    assert not any("\\" in member or ":" in member for member in members)


@settings(deadline=None)
@given(st.lists(st.text(max_size=120), max_size=30, unique=True))
def test_file_names_are_safe_stable_and_never_meet(hosts: list[str]) -> None:
    names = [file_name(host) for host in hosts]
    assert len({name.casefold() for name in names}) == len(hosts)
    for host, name in zip(hosts, names, strict=True):
        assert name == file_name(host)
        assert name == Path(name).name
        assert name.isascii()
        assert not name.startswith((".", "-"))
        assert len(name) < 120


def test_file_names_stay_readable() -> None:
    assert file_name("web-1.example.com") == "web-1.example.com.zip"
    assert file_name("WIN-01").startswith("win-01~")
    assert file_name("../../etc/passwd").startswith("etc-passwd~")
    assert file_name("CON").startswith("con~")
    assert file_name("con") != "con.zip"
    assert file_name("WEB-1") != file_name("web-1") != file_name("Web-1")


def test_an_exception_leaves_nothing_behind(tmp_path: Path) -> None:
    def interrupted() -> None:
        with EvidenceWriter(tmp_path, "web-1") as writer:
            send_log(writer, "errors.log", LOG_LINE)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_a_run_again_replaces_what_a_killed_one_left(write: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "web-1.zip.part").write_bytes(b"left over")
    (tmp_path / "web-1.zip").write_bytes(b"of an earlier run")
    verify(open_evidence(write()))
    assert [file.name for file in tmp_path.iterdir()] == ["web-1.zip"]


def test_a_link_in_the_way_is_not_written_through(write: Callable[..., Path], tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"mine")
    (tmp_path / "web-1.zip.part").symlink_to(other)
    write()
    assert other.read_bytes() == b"mine"


def test_killed_in_the_middle_no_file_looks_whole(tmp_path: Path) -> None:
    program = textwrap.dedent("""
        import os, sys
        from pathlib import Path
        from collector.evidence.model import LogHead
        from collector.evidence.store import EvidenceWriter
        writer = EvidenceWriter(Path(sys.argv[1]), "web-1")
        writer.log_begin(LogHead("amazon-ssm-agent.log", "/x", 1, None, 0, 1, packed=False))
        print("begun", flush=True)
        while True:
            writer.log_data(os.urandom(50_000).hex().encode() + b"\\n")
    """)
    child = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"begun\n"
    part = tmp_path / "web-1.zip.part"
    deadline = time.monotonic() + 20
    while part.stat().st_size < 1_000_000 and time.monotonic() < deadline:
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert [file.name for file in tmp_path.iterdir()] == ["web-1.zip.part"]
    with pytest.raises(EvidenceError, match="neither evidence nor agent logs"):
        open_evidence(tmp_path)


@pytest.mark.root
def test_a_full_disk_is_one_clear_line_and_nothing_else_is_lost(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a small tmpfs")
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], check=True)
    try:
        before = write("web-0", disk)
        writer = EvidenceWriter(disk, "web-1")
        with pytest.raises(EvidenceError, match=r"web-1\.zip: .*No space left") as raised:
            send_log(writer, "amazon-ssm-agent.log", os.urandom(1_500_000).hex().encode())
        assert "\n" not in str(raised.value)
        assert [file.name for file in disk.iterdir()] == ["web-0.zip"]
        verify(open_evidence(before))
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EvidenceError, match="cannot be the run folder"):
        run_folder(tmp_path / "file" / "run")
    with pytest.raises(EvidenceError, match="cannot be written"):
        EvidenceWriter(tmp_path / "nowhere", "web-1")


@pytest.mark.parametrize("packed", [True, False])
def test_memory_stays_bounded_while_a_log_passes(tmp_path: Path, packed: bool) -> None:
    import tracemalloc

    block = b"".join(b"2026-11-23 06:26:14 INFO line %d of many\n" % number for number in range(1000))
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    tracemalloc.start()
    try:
        with EvidenceWriter(tmp_path, "web-1") as writer:
            writer.log_begin(
                LogHead("amazon-ssm-agent.log", "/x", len(block) * 500, None, 0, 1, packed=packed)
            )
            for _ in range(500):
                writer.log_data(packer.compress(block) if packed else block)
            writer.log_data(packer.flush() if packed else b"")
            writer.log_end(Status.OK)
            writer.finish(small_manifest())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3_000_000
