"""A page as a browser shows it, and all that it did beside being shown."""

from __future__ import annotations

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
    """Opens HTML text from a file, and watches."""

    def __init__(self, browser: Browser, folder: Path) -> None:
        self.browser = browser
        self.folder = folder
        self.count = 0

    def __call__(self, html: str, *, width: int = 1280, media: str = "", **options: Any) -> Visit:
        self.count += 1
        path = self.folder / f"page-{self.count}.html"
        path.write_text(html, encoding="utf-8")
        context = self.browser.new_context(viewport={"width": width, "height": 820}, **options)
        visit = Visit(context.new_page())
        visit.page.on("request", lambda request: visit.requests.append(request.url))
        visit.page.on("console", lambda message: visit.complaints.append(message.text))
        visit.page.on("pageerror", lambda error: visit.complaints.append(str(error)))
        visit.page.on("dialog", lambda dialog: (visit.complaints.append("dialog"), dialog.dismiss()))
        if media:
            visit.page.emulate_media(media=media)  # type: ignore[arg-type]  # a literal in playwright's stubs
        visit.page.goto(path.as_uri())
        visit.requests.remove(path.as_uri())
        return visit
