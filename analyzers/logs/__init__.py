"""The agent's logs: grammar, signatures as data, episodes.  ``read_logs`` gives a ``LogReading``."""

from analyzers.logs.model import Kind, Leg, LogEvent, LogReading, Sighting
from analyzers.logs.reading import read_logs
from analyzers.logs.signature_files import load_signatures
from analyzers.logs.signatures import Signatures

__all__ = ["Kind", "Leg", "LogEvent", "LogReading", "Sighting", "Signatures", "load_signatures", "read_logs"]
