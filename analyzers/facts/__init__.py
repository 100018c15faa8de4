"""Facts: what the raw output of the probes says, as typed values that know where they were read.

``Facts(evidence)`` has one attribute per fact; each is ``Known`` or ``Unknown`` with the reason.  Every
module here is one subject: its values, and the pure functions that read them from bytes.  What comes from
a host is hostile, so no parser raises and none takes more than linear time; what it cannot read it leaves
out, and keeps the raw line of all that it could read.
"""

from analyzers.facts.base import Fact, Known, Line, Unknown
from analyzers.facts.container import Facts

__all__ = ["Fact", "Facts", "Known", "Line", "Unknown"]
