"""``--reporter``, and files that are whole or not there."""

from __future__ import annotations

import io
import os
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from report_samples import SAMPLES, imds_no_route

from collector.errors import UsageError
from reports.base import HostReport, SweepInfo
from reports.registry import FORMATS, open_reporters, parse_reporters

SWEEP = SweepInfo("ssm-triage 0.1.0")


def parsed(*values: str) -> list[tuple[str, str]]:
    return [(spec.form.name, spec.destination) for spec in parse_reporters(values)]


def test_several_at_once_in_one_value_or_many() -> None:
    expected = [("html", "out"), ("json", "-"), ("junit", "r.xml")]
    assert parsed("html:out json:- junit:r.xml") == expected
    assert parsed("html:out", "json", "junit:r.xml") == expected


def test_a_path_may_hold_spaces_and_colons() -> None:
    assert parsed("csv:my hosts.csv", "html:C:/out dir json:-") == [
        ("csv", "my hosts.csv"),
        ("html", "C:/out dir"),
        ("json", "-"),
    ]


@pytest.mark.parametrize(
    ("values", "part"),
    [
        (
            ["pdf:x"],
            "no such format; there is: html, json, ndjson, markdown, csv, junit, package, "
            "package-with-evidence, terminal",
        ),
        (["html"], "html needs a folder, as in html:DIR"),
        (["html:-"], "html needs a folder"),
        (["package"], "package needs a file, as in package:FILE"),
        (["csv:"], "no destination after the colon"),
        (["terminal:x"], "terminal only writes to standard output"),
        (["json:-", "csv:-"], "json and csv would both write to standard output"),
        (["json", "terminal"], "json and terminal would both write to standard output"),
        (["json:a", "ndjson:./a"], "json and ndjson would both write to ./a"),
    ],
)
def test_what_cannot_work_is_one_clear_line(values: list[str], part: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_reporters(values)
    assert part in str(caught.value)


def test_all_formats_write_what_they_are_told(tmp_path: Path) -> None:
    out = io.StringIO()
    values = [f"{name}:{tmp_path / name}" for name in FORMATS if name not in ("html", "terminal")]
    values += [f"html:{tmp_path / 'pages'}", f"json:{tmp_path / 'each'}/", "terminal"]
    with open_reporters(parse_reporters(values), SWEEP, out) as reporter:
        for name, make in SAMPLES.items():
            reporter.add(HostReport(name, *make()))
        assert not (tmp_path / "csv").exists()
    files = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert {path.relative_to(tmp_path).parts[0] for path in files} == {
        "pages",
        "each",
        "json",
        "ndjson",
        "markdown",
        "csv",
        "junit",
        "package",
        "package-with-evidence",
    }
    assert len(list((tmp_path / "pages/hosts").iterdir())) == len(list((tmp_path / "each").iterdir())) == 8
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE((tmp_path / "pages/hosts").stat().st_mode) == 0o700
    assert "8" in (tmp_path / "pages/index.html").read_text()
    assert "Broken" in out.getvalue()


def test_a_package_holds_what_is_handed_over_and_no_evidence(tmp_path: Path) -> None:
    path = tmp_path / "out.zip"
    with open_reporters(parse_reporters([f"package:{path}"]), SWEEP, io.StringIO()) as reporter:
        for name, make in SAMPLES.items():
            reporter.add(HostReport(name, *make()))
    with zipfile.ZipFile(path) as package:
        assert package.testzip() is None
        names = package.namelist()
        ticket = package.read("tickets/iam.md").decode()
        index = package.read("index.html").decode()
    assert {name.split("/")[0] for name in names} == {"hosts", "json", "index.html", "tickets"}
    assert sorted(name for name in names if name.startswith("tickets/")) == [
        "tickets/host.md",
        "tickets/iam.md",
        "tickets/network.md",
        "tickets/operator.md",
    ]
    assert ticket.startswith("## `")
    assert "aws iam attach-role-policy" in ticket
    assert all(f'href="{name}"' in index for name in names if name.startswith("hosts/"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_evidence_is_packed_only_if_it_is_asked_for(tmp_path: Path) -> None:
    evidence = tmp_path / "web-03.zip"
    evidence.write_bytes(b"PK whole logs")
    forms = [f"package:{tmp_path / 'a.zip'}", f"package-with-evidence:{tmp_path / 'b.zip'}"]
    with open_reporters(parse_reporters(forms), SWEEP, io.StringIO()) as reporter:
        reporter.add(HostReport("web-03", *imds_no_route(), evidence_file=evidence))
        reporter.add(HostReport("web-04", *imds_no_route("web-04")))
    without, with_it = (zipfile.ZipFile(tmp_path / name) for name in ("a.zip", "b.zip"))
    assert {*with_it.namelist()} - {*without.namelist()} == {"evidence/web-03.zip"}
    assert with_it.read("evidence/web-03.zip") == b"PK whole logs"


def test_evidence_that_is_gone_is_one_clear_line(tmp_path: Path) -> None:
    specs = parse_reporters([f"package-with-evidence:{tmp_path / 'b.zip'}"])
    gone = HostReport("web-03", *imds_no_route(), evidence_file=tmp_path / "gone.zip")
    with pytest.raises(UsageError, match=r"gone\.zip: cannot be packed: No such file"):  # noqa: SIM117
        with open_reporters(specs, SWEEP, io.StringIO()) as reporter:
            reporter.add(gone)
    assert list(tmp_path.iterdir()) == []


def test_a_broken_sweep_leaves_no_half_file(tmp_path: Path) -> None:
    specs = parse_reporters(
        [f"csv:{tmp_path / 'a.csv'}", f"json:{tmp_path / 'a.json'}", f"package:{tmp_path / 'a'}"]
    )
    together = open_reporters(specs, SWEEP, io.StringIO())
    together.__enter__().add(HostReport("web-03", *imds_no_route()))
    assert list(tmp_path.iterdir()) != []
    assert not together.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert list(tmp_path.iterdir()) == []


def test_a_symbolic_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text("mine")
    link = tmp_path / "a.csv"
    link.symlink_to(kept)
    with open_reporters(parse_reporters([f"csv:{link}"]), SWEEP, io.StringIO()) as reporter:
        reporter.add(HostReport("web-03", *imds_no_route()))
    assert kept.read_text() == "mine"
    assert not link.is_symlink()


@pytest.mark.parametrize("stem", ["../x", "a/b", "", ".", "..", ".hidden", "a\0b", "a\nb", "a" * 300, "\\x"])
def test_no_stem_leads_out_of_the_folder(tmp_path: Path, stem: str) -> None:
    specs = parse_reporters([f"html:{tmp_path / 'out'}"])
    with (
        pytest.raises(UsageError, match="not a safe file name"),
        open_reporters(specs, SWEEP, io.StringIO()) as it,
    ):
        it.add(HostReport(stem, *imds_no_route()))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_destinations_of_the_wrong_kind(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for value in (f"html:{tmp_path / 'file'}", f"csv:{tmp_path}", f"csv:{tmp_path / 'file' / 'x.csv'}"):
        with pytest.raises(UsageError), open_reporters(parse_reporters([value]), SWEEP, io.StringIO()):
            raise AssertionError(f"{value} was opened")


@pytest.fixture
def not_ours(tmp_path: Path) -> Iterator[Path]:
    """A folder that this process may not write to; root, who may write anywhere, is nobody meanwhile."""
    tmp_path.chmod(0o500)
    if os.geteuid() != 0:
        yield tmp_path
        return
    os.seteuid(65_534)
    try:
        yield tmp_path
    finally:
        os.seteuid(0)


def test_a_folder_without_permission(not_ours: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        open_reporters(parse_reporters([f"csv:{not_ours / 'a'}"]), SWEEP, io.StringIO()).__enter__()
