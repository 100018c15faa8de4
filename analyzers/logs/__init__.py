"""The agent's logs: grammar, signatures as data, episodes.  ``read_logs(evidence)`` gives a ``LogReading``."""
