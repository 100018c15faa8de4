"""``python -m bench``: all measurements."""

import sys

from bench import collect, logs, reports, winrm


def main() -> int:
    """Sweeps, logs, reports, WinRM.  A process that was started as a sweep's client is that and no more."""
    failed = collect.main()
    if "--client" in sys.argv:
        return failed
    return logs.main([]) or reports.main([]) or winrm.main([]) or failed


if __name__ == "__main__":
    raise SystemExit(main())
