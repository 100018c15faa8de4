"""Open files: how many connections can be under way within what the system allows this process."""

from __future__ import annotations

import resource
from contextlib import suppress

from collector.errors import UsageError

_AT_REST = 48
"""Standard streams, pipes to other processes, selectors, and what is read or asked in passing."""
_PER_WORKER = 3
"""A connection, an evidence file, and one to spare."""
_MOST = 512


def room_to_dial(forks: int) -> int:
    """How many connections may be made ahead of the workers; raises this process's own limit where it may.

    Raises:
        UsageError: there is not even room for the workers.
    """
    for_workers = _AT_REST + _PER_WORKER * forks
    allowed = _allowed(for_workers + _MOST)
    if allowed <= for_workers:
        raise UsageError(
            f"--forks {forks}: needs {for_workers + 1} open files, and this system allows {allowed}; "
            "raise the limit (ulimit -n) or lower --forks"
        )
    return min(_MOST, allowed - for_workers)


def _allowed(wanted: int) -> int:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    raised = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    with suppress(ValueError, OSError):  # macOS has a further limit of its own
        resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
