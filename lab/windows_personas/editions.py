"""Editions and languages of Windows Server, as far as the probes see them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Edition:
    """One release of Windows Server, as AWS's own image of it is set up."""

    year: int
    version: str
    build_revision: int
    launch_agent: str
    launch_version: str

    @property
    def name(self) -> str:
        return f"Windows Server {self.year} Datacenter"

    @property
    def keeps_routes(self) -> bool:
        """Whether its launch agent keeps the link-local routes over boots: version 1 of EC2Launch does."""
        return self.launch_agent == "EC2Launch v1"


EDITIONS = {
    2016: Edition(2016, "10.0.14393", 6614, "EC2Launch v1", "1.3.2004462"),
    2019: Edition(2019, "10.0.17763", 5206, "EC2Launch v1", "1.3.2004462"),
    2022: Edition(2022, "10.0.20348", 2159, "EC2Launch v2", "2.0.1739"),
    2025: Edition(2025, "10.0.26100", 2314, "EC2Launch v2", "2.0.2081"),
}


@dataclass(frozen=True, slots=True)
class Language:
    """A language of Windows: what of it reaches the probes."""

    tag: str
    locale: str
    """Of ``Win32_OperatingSystem``."""
    oem: int
    zone: str
    offset: str
    adapter: str
    """What Windows calls the first network adapter."""
    active_routes: str
    """A heading of ``route print``, for the exhibits; no reader takes it."""


LANGUAGES = {
    "en": Language("en-US", "0409", 437, "UTC", "+0000", "Ethernet", "Active Routes:"),
    "ko": Language("ko-KR", "0412", 949, "Korea Standard Time", "+0900", "이더넷", "활성 경로:"),
    "ja": Language(
        "ja-JP", "0411", 932, "Tokyo Standard Time", "+0900", "イーサネット", "アクティブ ルート:"
    ),
    "de": Language("de-DE", "0407", 850, "W. Europe Standard Time", "+0100", "Ethernet", "Aktive Routen:"),
}
