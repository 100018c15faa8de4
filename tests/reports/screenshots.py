"""Photographs of the reports' main states: ``make screenshots``.

They go to ``build/screenshots``; the two that the README shows, to ``docs/screenshots``.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from demo_pages import hosts, pages

from analyzers.diagnosis import Trait
from reports.entry import entry_of
from reports.index import render_index

ROOT = Path(__file__).parents[2]
BUILD, DOCS = ROOT / "build" / "screenshots", ROOT / "docs" / "screenshots"
SIZE = {"width": 1280, "height": 820}


@dataclass(frozen=True)
class Shot:
    """One photograph of one page."""

    page: str
    look: str
    options: dict[str, Any] = field(default_factory=dict)
    media: str = "screen"
    whole: bool = False
    readme: str = ""
    """Its name in the README's folder."""


SHOTS = (
    Shot("api-01", "light", readme="host"),
    Shot("api-01", "whole", whole=True),
    Shot("api-01", "dark", {"color_scheme": "dark"}),
    Shot("api-01", "narrow", {"viewport": {"width": 360, "height": 780}}, whole=True),
    Shot("web-02", "light"),
    Shot("web-02", "whole-dark", {"color_scheme": "dark"}, whole=True),
    Shot("cache-01", "light"),
    Shot("batch-01", "whole", whole=True),
    Shot("web-01", "light"),
    Shot("switched-off", "light"),
    Shot("index", "light"),
    Shot("index", "dark", {"color_scheme": "dark"}),
    Shot("index", "narrow", {"viewport": {"width": 360, "height": 780}}, whole=True),
    Shot("fleet", "light", readme="index"),
    Shot("api-01", "print", media="print", whole=True),
)


def fleet() -> str:
    """An index of more hosts than the demo has: each of them many times."""
    entries = []
    weights = {"api-01": 41, "web-01": 180, "cache-01": 12, "batch-02": 7, "switched-off": 5, "db-01": 3}
    for name, diagnosis, evidence in hosts():
        entry = entry_of(diagnosis, evidence, f"hosts/{name}.html")
        stem = name.removesuffix("-01").removesuffix("-02")
        for n in range(weights.get(name, 2)):
            subnet = "10.77.1.0/24" if name == "api-01" and n % 10 else f"10.77.{n % 9 + 2}.0/24"
            traits = (*(trait for trait in entry.traits if trait.kind != "subnet"), Trait("subnet", subnet))
            spread = timedelta(seconds=n) if name == "api-01" else timedelta(minutes=-17 * n)
            since = entry.since + spread if entry.since else None
            entries.append(replace(entry, name=f"{stem}-{n + 1:02d}", traits=traits, since=since))
    return render_index(entries, tool="ssm-triage 0")


def main() -> None:
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium")
    if program is None:
        sys.exit("screenshots: no browser: install the Debian package chromium")
    for folder in (BUILD, DOCS):
        folder.mkdir(parents=True, exist_ok=True)
    made = pages() | {"fleet": fleet()}
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as work:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        for shot in SHOTS:
            path = Path(work) / f"{shot.page}.html"
            path.write_text(made[shot.page], encoding="utf-8")
            page = browser.new_context(**{"viewport": SIZE, **shot.options}).new_page()
            page.emulate_media(media="print" if shot.media == "print" else "screen")
            page.goto(path.as_uri())
            file = BUILD / f"{shot.page}-{shot.look}.png"
            page.screenshot(path=file, full_page=shot.whole)
            if shot.readme:
                shutil.copyfile(file, DOCS / f"{shot.readme}.png")
            page.context.close()
        browser.close()
    sys.stdout.write(f"{BUILD}: {len(SHOTS)} pictures\n")


if __name__ == "__main__":
    main()
