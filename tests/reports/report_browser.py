"""A page as a browser shows it, and all that it did beside being shown."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@dataclass
class Visit:
    """One page as a browser shows it, and all that it did beside being shown."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    @property
    def overflow(self) -> int:
        """Pixels by which the page is wider than the window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - innerWidth"))


class Visitor:
    """Opens HTML text from a file, and watches.

    Making a browser's context costs more than a visit: there is one for each way of looking, and each visit
    is a navigation of its own: nothing of a page outlives it, and what is watched begins anew.
    """

    def __init__(self, browser: Browser, folder: Path) -> None:
        self.browser = browser
        self.folder = folder
        self.count = 0
        self._visits: dict[str, Visit] = {}

    def __call__(self, html: str, *, width: int = 1280, media: str = "", **options: Any) -> Visit:
        self.count += 1
        path = self.folder / f"page-{self.count}.html"
        path.write_text(html, encoding="utf-8")
        look = {"viewport": {"width": width, "height": 820}, **options}
        key = f"{sorted(look.items())} {media}"
        if key not in self._visits:
            self._visits[key] = self._look(look, media)
        visit = self._visits[key]
        visit.page.goto("about:blank")  # what the page before still has to say is said now
        visit.requests.clear()
        visit.complaints.clear()
        visit.page.goto(path.as_uri())
        visit.requests.remove(path.as_uri())
        return visit

    def _look(self, options: dict[str, Any], media: str) -> Visit:
        visit = Visit(self.browser.new_context(**options).new_page())
        visit.page.on("request", lambda request: visit.requests.append(request.url))
        visit.page.on("console", lambda message: visit.complaints.append(message.text))
        visit.page.on("pageerror", lambda error: visit.complaints.append(str(error)))
        visit.page.on("dialog", lambda dialog: (visit.complaints.append("dialog"), dialog.dismiss()))
        if media:
            visit.page.emulate_media(media=media)  # type: ignore[arg-type]  # a literal in playwright's stubs
        return visit


def assert_harmless(visit: Visitor, html: str) -> None:
    """What hostile text on a page did not do: run, ask for anything, be drawn elsewhere, be clickable."""
    seen = visit(html)
    seen.page.mouse.move(400, 400)
    seen.page.keyboard.press("Tab")
    assert seen.requests == []
    assert seen.complaints == []
    assert seen.page.evaluate("window.hurt") is None
    assert seen.page.evaluate("document.body.checkVisibility()")
    assert seen.page.locator("script:not(#data)").count() == 1
    assert seen.page.locator("#data").count() <= 1
    for text in seen.page.locator("#data").all_text_contents():
        json.loads(text)
    assert seen.page.locator("img, iframe, base, object, foreignObject, form[action]").count() == 0
    assert seen.page.locator("[onload], [onerror], [onfocus], [onmouseover], [style]").count() == 0
    assert seen.page.locator("a:not([href^='#']):not([href^='../index']):not([href^='hosts/'])").count() == 0
    assert seen.overflow <= 0
    assert outside_the_picture(seen) == 0


def outside_the_picture(seen: Visit) -> int:
    """How many texts of the path's picture leave their box."""
    return int(
        seen.page.eval_on_selector_all(
            "svg.wide g.box",
            """boxes => boxes.filter(box => {
                const frame = box.querySelector('rect').getBoundingClientRect();
                return [...box.querySelectorAll('text')].some(text => {
                    const it = text.getBoundingClientRect();
                    return it.right > frame.right || it.top < frame.top - 1 || it.bottom > frame.bottom + 1;
                });
            }).length""",
        )
    )
