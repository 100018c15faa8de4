"""Damaged, altered, hostile and foreign files: each ends in one clear line that names the file."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import random
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from evidence_samples import LOG_LINE

from collector.errors import EvidenceError
from collector.evidence.model import Status
from collector.evidence.read import discover, open_evidence, verify
from collector.target import Platform


def rewrite(
    path: Path, change: Callable[[str, bytes], bytes | None], extra: dict[str, bytes] | None = None
) -> None:
    """The same zip with its members changed."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in members.items():
            changed = change(name, body)
            if changed is not None:
                archive.writestr(name, changed)
        for name, body in (extra or {}).items():
            archive.writestr(name, body)


def in_manifest(change: Callable[[dict[str, object]], None]) -> Callable[[str, bytes], bytes]:
    def _change(name: str, body: bytes) -> bytes:
        if name != "manifest.json":
            return body
        document = json.loads(body)
        change(document)
        return json.dumps(document).encode()

    return _change


def fails(path: Path, match: str) -> None:
    with pytest.raises(EvidenceError, match=match) as raised:
        verify(open_evidence(path))
    line = str(raised.value)
    assert str(path) in line
    assert "\n" not in line


def one_line(error: EvidenceError, path: Path) -> bool:
    line = str(error)
    assert "\n" not in line
    assert path.name in line
    return True


# --- Evidence files ---


def test_damage_at_any_place_is_told_in_one_line_or_harms_nothing(write: Callable[..., Path]) -> None:
    path = write()
    whole = path.read_bytes()
    good = open_evidence(path)
    places = random.Random(7).sample(range(len(whole)), 150) + list(range(len(whole) - 120, len(whole), 3))
    told = 0
    for place in places:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xA5]) + whole[place + 1 :])
        try:
            evidence = open_evidence(path)
            verify(evidence)
        except EvidenceError as error:
            told += one_line(error, path)
        else:
            assert evidence.manifest.probes == good.manifest.probes
            assert evidence.manifest.logs == good.manifest.logs
    assert told > len(places) // 2


def test_a_file_cut_short_anywhere_is_told_in_one_line(write: Callable[..., Path]) -> None:
    path = write()
    whole = path.read_bytes()
    for length in [*range(0, len(whole), 97), len(whole) - 1]:
        path.write_bytes(whole[:length])
        fails(path, "damaged|neither evidence")


def test_newer_schema(write: Callable[..., Path]) -> None:
    path = write()
    rewrite(path, in_manifest(lambda document: document.update(schema=7)))
    fails(path, "newer ssm-triage .evidence schema 7")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda document: document.update(schema="1"), "no schema number"),
        (lambda document: document.pop("subject"), "subject is missing"),
        (lambda document: document["probes"][0].update(status="perfect"), r"probes\[0\].status"),
        (lambda document: document["probes"][0].update(sha256="00"), "fails its digest"),
        (lambda document: document["logs"][0]["parts"][0].update(sha256="00"), "fails its digest"),
        (lambda document: document["logs"][0]["parts"][0].update(member="logs/none"), "logs/none is missing"),
        (
            lambda document: document["logs"][0]["parts"][0].update(offset="0"),
            "offset is not of the right type",
        ),
        (lambda document: document.update(logs={}), "logs is not a list"),
        (lambda document: document["clock"].update(started="yesterday"), "clock.started is not a time"),
    ],
)
def test_a_manifest_that_does_not_fit(
    write: Callable[..., Path], change: Callable[[dict[str, object]], None], match: str
) -> None:
    path = write()
    rewrite(path, in_manifest(change))
    fails(path, match)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b"\xff\xfe", b"[" * 100_000, b'{"schema": 1' + b"0" * 9000 + b"}"]
)
def test_a_manifest_that_is_none(write: Callable[..., Path], body: bytes) -> None:
    path = write()
    rewrite(path, lambda name, old: body if name == "manifest.json" else old)
    fails(path, "manifest.json")


def test_keys_of_a_later_version_are_passed_over(write: Callable[..., Path]) -> None:
    path = write()
    rewrite(path, in_manifest(lambda document: document.update(later={"x": 1})))
    assert open_evidence(path).manifest.subject.name == "web-1"


def test_altered_log_and_altered_probe(write: Callable[..., Path]) -> None:
    path = write()
    rewrite(path, lambda name, body: body.replace(b"ready", b"steady") if name.startswith("logs/") else body)
    fails(path, r"errors\.log fails its digest")
    path = write()
    rewrite(path, lambda name, body: b"web-2\n" if name.startswith("probes/") else body)
    fails(path, "hostname.txt fails its digest")


@pytest.mark.parametrize(
    "name", ["../../etc/cron.d/x", "/etc/passwd", "logs/../../x", "C:\\x", "logs\\..\\x"]
)
def test_names_that_lead_outside(write: Callable[..., Path], name: str) -> None:
    path = write()
    rewrite(path, lambda _, body: body, {name: b"x"})
    fails(path, "leads outside the archive")


def test_a_link_in_a_zip(write: Callable[..., Path]) -> None:
    path = write()
    link = zipfile.ZipInfo("logs/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/shadow")
    fails(path, "logs/link is a link")


def test_a_bomb_in_a_zip_is_not_set_off(write: Callable[..., Path]) -> None:
    path = write()
    with (
        zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive,
        archive.open("logs/bomb", "w") as member,
    ):
        for _ in range(120):
            member.write(bytes(1 << 20))
    fails(path, "expands from .* bytes; not read")


def test_too_many_members(write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    path = write()
    monkeypatch.setattr("collector.evidence.trees.MAX_MEMBERS", 3)
    fails(path, "more than 3 members")


def test_what_is_no_evidence(tmp_path: Path) -> None:
    fails(tmp_path / "nowhere", "no such file or folder")
    fails(tmp_path, "neither evidence nor agent logs")
    (tmp_path / "a.bin").write_bytes(bytes(range(256)))
    fails(tmp_path / "a.bin", "neither evidence, nor an archive, nor a log")
    (tmp_path / "a.zip").write_bytes(b"not a zip")
    fails(tmp_path / "a.zip", "damaged or cut short")
    (tmp_path / "a.tar.gz").write_bytes(b"not a tar")
    fails(tmp_path / "a.tar.gz", "damaged or cut short")


def test_a_run_folder_gives_every_host_and_only_the_damaged_one_fails(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    for number in range(3):
        write(f"web-{number}")
    (tmp_path / "web-1.zip").write_bytes(b"PK\x03\x04damaged")
    (tmp_path / "web-9.zip.part").write_bytes(b"PK\x03\x04unfinished")
    sources = list(discover(tmp_path))
    assert [source.path.name for source in sources] == ["web-0.zip", "web-1.zip", "web-2.zip"]
    verify(open_evidence(pickle.loads(pickle.dumps(sources[0]))))
    with pytest.raises(EvidenceError, match=r"web-1\.zip: damaged"):
        open_evidence(sources[1])
    with pytest.raises(EvidenceError, match="holds 3 hosts"):
        open_evidence(tmp_path)


# --- Logs that somebody sent ---

TREES = {
    "the log folder itself": {
        "amazon-ssm-agent.log": "x",
        "errors.log": "x",
        "audits/amazon-ssm-agent-audit-2026-11-23": "x",
    },
    "rotated and packed": {
        "amazon-ssm-agent.log": "x",
        "amazon-ssm-agent.log.1.gz": "gz",
        "errors.log.2.gz": "gz",
    },
    "deep below": {"dump/i-0a1b2c3d4e5f60718/var/log/amazon/ssm/amazon-ssm-agent.log": "x"},
    "windows names": {
        "ProgramData/Amazon/SSM/Logs/Amazon-SSM-Agent.log": "x",
        "ProgramData/Amazon/SSM/Logs/ssm-agent-worker.log": "x",
    },
}


def plant(tree: dict[str, str], top: Path) -> Path:
    for name, kind in tree.items():
        file = top / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(
            gzip.compress(LOG_LINE * 9) if kind == "gz" else kind.encode() if kind != "x" else LOG_LINE * 9
        )
    return top


def as_tar(top: Path, path: Path) -> Path:
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as archive:
        archive.add(top, arcname=".")
    return path


def as_zip(top: Path, path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(top.rglob("*")):
            archive.write(file, file.relative_to(top))
    return path


@pytest.mark.parametrize("form", ["folder", "tar", "tgz", "zip"])
@pytest.mark.parametrize("kind", TREES)
def test_logs_are_found_in_every_form(tmp_path: Path, form: str, kind: str) -> None:
    path = top = plant(TREES[kind], tmp_path / "sent")
    if form in ("tar", "tgz"):
        path = as_tar(top, tmp_path / f"sent.{form}")
    elif form == "zip":
        path = as_zip(top, tmp_path / "sent.zip")
    evidence = open_evidence(path)
    manifest = evidence.manifest
    assert manifest.origin == "log-folder"
    assert len(manifest.logs) == len(TREES[kind])
    for log in manifest.logs:
        assert (log.status, log.size) == (Status.OK, len(LOG_LINE) * 9)
        (part,) = log.parts
        with evidence.open_log(log, part) as stream:
            assert list(stream) == [LOG_LINE] * 9
    assert evidence.probe("routes").status is Status.SKIPPED
    assert bool(manifest.digest) == (form != "folder")


def test_names_are_those_of_the_agent(tmp_path: Path) -> None:
    everything = {
        name: kind
        for tree in TREES.values()
        for name, kind in tree.items()
        if "/" not in name or "audits" in name
    }
    manifest = open_evidence(plant(everything, tmp_path / "web-7" / "logs")).manifest
    assert manifest.subject.name == "web-7"
    assert sorted(log.name for log in manifest.logs) == [
        "amazon-ssm-agent.log",
        "amazon-ssm-agent.log.1",
        "audits/amazon-ssm-agent-audit-2026-11-23",
        "errors.log",
        "errors.log.2",
    ]
    windows = open_evidence(plant(TREES["windows names"], tmp_path / "win")).manifest
    assert windows.subject.platform is Platform.WINDOWS
    assert windows.subject.name == "win"
    deep = open_evidence(plant(TREES["deep below"], tmp_path / "deep")).manifest
    assert (deep.subject.name, deep.subject.instance_id) == ("i-0a1b2c3d4e5f60718", "i-0a1b2c3d4e5f60718")


def test_sibling_folders_are_hosts(tmp_path: Path) -> None:
    plant(
        {
            "all/web-1/var/log/amazon/ssm/amazon-ssm-agent.log": "x",
            "all/web-1/var/log/syslog": "Nov 23 web-1 amazon-ssm-agent[7]: one\nNov 23 web-1 cron[8]: b\n",
            "all/web-1/var/log/nginx/errors.log": "not ours",
            "all/web-2/logs/amazon-ssm-agent.log": "x",
            "all/web-2/logs/old/amazon-ssm-agent.log.1": "x",
            "all/web-2/agent_stdout_journal.txt": "raw words\n",
            "all/web-3_amazon-ssm-agent.log": "x",
            "all/readme.txt": "hello",
        },
        tmp_path,
    )
    found = {source.logs.host: open_evidence(source) for source in discover(tmp_path) if source.logs}
    assert sorted(found) == ["web-1", "web-2", "web-3"]
    assert [log.name for log in found["web-2"].manifest.logs] == [
        "amazon-ssm-agent.log",
        "old/amazon-ssm-agent.log.1",
    ]
    assert [log.name for log in found["web-1"].manifest.logs] == ["amazon-ssm-agent.log"]
    assert found["web-1"].probe("journal").output == b"Nov 23 web-1 amazon-ssm-agent[7]: one\n"
    assert found["web-2"].probe("journal").output == b"raw words\n"
    assert found["web-3"].probe("journal").status is Status.SKIPPED


def test_a_folder_of_archives_is_a_fleet(tmp_path: Path, write: Callable[..., Path]) -> None:
    top = plant(TREES["the log folder itself"], tmp_path / "raw")
    fleet = tmp_path / "fleet"
    fleet.mkdir()
    as_tar(top, fleet / "web-1.tar.gz")
    as_zip(top, fleet / "web-2.zip")
    write("web-3", fleet)
    assert [open_evidence(source).manifest.subject.name for source in discover(fleet)] == [
        "web-1",
        "web-2",
        "web-1",
    ]


def test_one_log_file_named_by_itself(tmp_path: Path) -> None:
    for name in ("amazon-ssm-agent.log", "what-they-mailed-me.txt"):
        (tmp_path / name).write_bytes(LOG_LINE * 2)
        manifest = open_evidence(tmp_path / name).manifest
        assert [log.name for log in manifest.logs] == ["amazon-ssm-agent.log"]


def test_secrets_in_logs_that_were_sent_are_masked_as_they_are_read(tmp_path: Path) -> None:
    line = b"2026-11-23 06:26:14 INFO https_proxy=http://svc:hunter2@proxy:3128\n"
    (tmp_path / "amazon-ssm-agent.log").write_bytes(LOG_LINE * 5000 + line + LOG_LINE * 5000)
    evidence = open_evidence(tmp_path)
    (log,) = evidence.manifest.logs
    with evidence.open_log(log, log.parts[0]) as stream:
        assert stream.read() == LOG_LINE * 5000 + line.replace(b"svc:hunter2", b"***") + LOG_LINE * 5000


def test_a_torn_gzip_among_good_logs_is_kept_as_far_as_it_goes(tmp_path: Path) -> None:
    plant(TREES["the log folder itself"], tmp_path)
    body = random.Random(3).randbytes(300_000).hex().encode()
    (tmp_path / "amazon-ssm-agent.log.1.gz").write_bytes(gzip.compress(body)[:200_000])
    (tmp_path / "amazon-ssm-agent.log.2.gz").write_bytes(b"\x1f\x8b\x08garbage")
    evidence = open_evidence(tmp_path)
    logs = {log.name: log for log in evidence.manifest.logs}
    torn = logs["amazon-ssm-agent.log.1"]
    assert torn.status is Status.TRUNCATED
    assert "damaged or cut short" in torn.note
    with evidence.open_log(torn, torn.parts[0]) as stream:
        came = stream.read()
    assert came
    assert body.startswith(came)
    assert logs["amazon-ssm-agent.log.2"].status is Status.ERROR
    assert logs["amazon-ssm-agent.log"].status is Status.OK


def test_a_gzip_bomb_is_not_set_off(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "amazon-ssm-agent.log.1.gz", "wb") as file:
        for _ in range(120):
            file.write(bytes(1 << 20))
    (log,) = open_evidence(tmp_path).manifest.logs
    assert log.status is not Status.OK
    assert "expand to more than" in log.note


def test_a_tar_bomb_is_not_set_off(tmp_path: Path) -> None:
    path = tmp_path / "sent.tgz"
    with gzip.open(path, "wb") as packed, tarfile.open(fileobj=packed, mode="w") as archive:
        member = tarfile.TarInfo("amazon-ssm-agent.log")
        member.size = 120 << 20
        archive.addfile(member, io.BytesIO(bytes(member.size)))
    fails(path, "expand to more than")


def test_a_tar_header_that_claims_too_much(tmp_path: Path) -> None:
    path = tmp_path / "sent.tar"
    member = tarfile.TarInfo("x")
    member.type, member.size = tarfile.XHDTYPE, 4 << 30
    path.write_bytes(member.tobuf(tarfile.GNU_FORMAT) + bytes(10_240))
    fails(path, "claims .* bytes; not read")


@pytest.mark.parametrize("name", ["../amazon-ssm-agent.log", "/var/log/amazon/ssm/amazon-ssm-agent.log"])
def test_names_in_a_tar_that_lead_outside(tmp_path: Path, name: str) -> None:
    path = tmp_path / "sent.tar"
    with tarfile.open(path, "w") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(LOG_LINE)
        archive.addfile(member, io.BytesIO(LOG_LINE))
    fails(path, "leads outside")


def test_links_to_elsewhere_are_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(LOG_LINE)
    sent = plant({"logs/amazon-ssm-agent.log": "x"}, tmp_path / "sent")
    (sent / "logs" / "errors.log").symlink_to(outside)
    assert [log.name for log in open_evidence(sent).manifest.logs] == ["amazon-ssm-agent.log"]
    path = tmp_path / "sent.tar"
    with tarfile.open(path, "w") as archive:
        archive.add(sent, arcname=".")
        link = tarfile.TarInfo("amazon-ssm-agent.log")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/shadow"
        archive.addfile(link)
    fails(path, "is a link or a device")


def test_a_damaged_tar_is_told_in_one_line(tmp_path: Path) -> None:
    path = as_tar(plant(TREES["rotated and packed"], tmp_path / "sent"), tmp_path / "sent.tgz")
    whole = path.read_bytes()
    told = 0
    for place in random.Random(11).sample(range(len(whole)), 60):
        for damaged in (whole[:place], whole[:place] + bytes([whole[place] ^ 0x5A]) + whole[place + 1 :]):
            path.write_bytes(damaged)
            try:
                verify(open_evidence(path))
            except EvidenceError as error:
                told += one_line(error, path)
    assert told > 60
