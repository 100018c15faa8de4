"""The pages of the demo's hosts, always the same: compared with ``golden/``, and photographed.

``python tests/reports/demo_pages.py`` renews ``golden/``; look at what it changes.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

from analyzers.diagnose import diagnose
from analyzers.diagnosis import Diagnosis
from collector.errors import FailureKind
from collector.evidence import Clock, ConnectionFacts, Evidence, Failure, Manifest, Subject
from collector.evidence.memory import MemoryEvidence
from collector.target import HostKeyChecking, Platform, Transport
from lab.corpus import load_case
from lab.demo import PERSONAS
from reports.entry import entry_of
from reports.html import render_host
from reports.i18n import languages
from reports.index import render_index
from reports.provenance import Provenance, provenance

GOLDEN = Path(__file__).with_name("golden")
TOOL = "ssm-triage 0"
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def hosts() -> Iterator[tuple[str, Diagnosis, Provenance]]:
    """Every host of the demo, as its recording has it; and one that nobody serves."""
    for folder in sorted(PERSONAS.iterdir()):
        if (folder / "logs").is_dir():
            evidence = _as_collected(folder.name, load_case(folder))
            clock = evidence.manifest.clock
            yield folder.name, diagnose(evidence, now=clock.finished if clock else None), _told(evidence)
    failure = Failure(
        FailureKind.REFUSED,
        "192.0.2.7 port 22 refused the connection",
        "check that sshd or WinRM runs there and listens on this port, and the port in the inventory",
    )
    manifest = Manifest(1, TOOL, "collected", Subject("switched-off", "192.0.2.7"), failure=failure)
    gone = MemoryEvidence(manifest)
    yield "switched-off", diagnose(gone, now=NOON), _told(gone)


def _told(evidence: Evidence) -> Provenance:
    return provenance(evidence, f"evidence/{evidence.manifest.subject.name}.zip")


def _as_collected(name: str, evidence: MemoryEvidence) -> MemoryEvidence:
    """With a name, and with the connection and the moment that a recording does not have."""
    told = re.search(rb"^utc=(\S+)Z", evidence.probe("clock").output, re.MULTILINE)
    moment = datetime.fromisoformat(told[1].decode()).replace(tzinfo=UTC) if told else NOON
    manifest = replace(
        evidence.manifest,
        tool=TOOL,
        subject=replace(evidence.manifest.subject, name=name, address="127.0.0.1", platform=Platform.LINUX),
        clock=Clock(moment, moment + timedelta(seconds=4)),
        connection=ConnectionFacts(
            Transport.SSH, "127.0.0.1", 22, "triage", "publickey", "SHA256:demo", HostKeyChecking.STRICT
        ),
    )
    return replace(evidence, manifest=manifest)


def pages(lang: str = "en") -> dict[str, str]:
    """The HTML of each host by its name, and ``index``."""
    found, entries = {}, []
    for name, diagnosis, told in hosts():
        found[name] = render_host(diagnosis, told, lang=lang, index="../index.html")
        entries.append(entry_of(diagnosis, told, f"hosts/{name}.html"))
    return found | {"index": render_index(entries, lang=lang, tool=TOOL, finished=NOON)}


# As text -------------------------------------------------------------------------------------------------

_BLOCKS = frozenset((
    "title", "header", "main", "section", "article", "nav", "footer", "figure", "figcaption", "h1", "h2",
    "h3", "p", "ol", "ul", "li", "dl", "div", "dt", "dd", "table", "tr", "pre", "summary", "details",
    "form", "label", "button", "g",
))  # fmt: skip
_CELLS = frozenset(("th", "td"))
_INLINE = frozenset(("small", "span", "a", "time"))
_SILENT = frozenset(("style", "script", "symbol", "select", "datalist"))


class _Text(HTMLParser):
    """What a page says, a line per block: ``|`` between cells, ``[ok]`` marks, ``>`` what is folded."""

    def __init__(self) -> None:
        super().__init__()
        self.lines = [""]
        self._silent = 0
        self._row = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in _SILENT
        self._row += tag == "tr"
        if tag in _BLOCKS:
            self.lines.append("> " if tag == "summary" else "# " if tag in ("h1", "h2", "h3") else "")
        elif tag in _CELLS:
            self.lines[-1] += " | "
        elif tag == "br":
            self.lines.append("")
        elif tag in _INLINE:
            self.lines[-1] += " "
        elif tag == "use":
            self.lines[-1] += f"[{(dict(attrs).get('href') or '').removeprefix('#m-')}] "
        elif tag == "mark":
            self.lines[-1] += "«"

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in _SILENT
        self._row -= tag == "tr"
        if tag in _BLOCKS:
            self.lines.append("")
        elif tag == "mark":
            self.lines[-1] += "»"

    def handle_data(self, data: str) -> None:
        if not self._silent:
            first, *rest = re.sub(r"\s+" if self._row else r"[ \t]+", " ", data).split("\n")
            self.lines[-1] += first
            self.lines += rest


def text_of(page: str) -> str:
    """A page as text to compare and to review; what changes with every rule is left out."""
    parser = _Text()
    parser.feed(page)
    lines = (re.sub(" +", " ", line).strip() for line in parser.lines)
    text = "\n".join(line for line in lines if line not in ("", "|", "#", ">"))
    return re.sub(r"\d+ rules, [0-9a-f]{12}", "(rules)", text) + "\n"


def golden(lang: str) -> Path:
    """The folder of one language's golden pages."""
    return GOLDEN if lang == "en" else GOLDEN / lang


def main() -> None:
    for lang in languages():
        folder = golden(lang)
        folder.mkdir(exist_ok=True)
        for name, page in pages(lang).items():
            (folder / f"{name}.txt").write_text(text_of(page), encoding="utf-8")
    sys.stdout.write(f"{GOLDEN}: renewed\n")


if __name__ == "__main__":
    main()
