"""``python -m bench``: all measurements."""

from bench.collect import main

if __name__ == "__main__":
    raise SystemExit(main())
