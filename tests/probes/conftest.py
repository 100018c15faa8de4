"""The fixtures of this folder; what they are made of is in ``probe_support``."""

from __future__ import annotations

from probe_support import authority, private_host

__all__ = ["authority", "private_host"]
