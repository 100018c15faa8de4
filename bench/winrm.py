"""``python -m bench.winrm``: what WinRM costs, ours beside plain ``run_ps`` in a loop and beside pypsrp.

The host is the lab's, a process of its own on loopback; NTLM over HTTP, every message encrypted.  On a real
host each answer also costs a round trip and Windows' own time: the number of messages says how many.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path

RESULTS = Path("build/bench-winrm.json")
_USER, _PASSWORD = "alice", "open sesame"  # of a lab that lives for a minute
_PIECE = 1 << 20
"""Bytes that one ``run_ps`` asks for: what a script that knows no better reads at a time."""


@dataclass(frozen=True)
class Row:
    """One kind of work by one client; medians."""

    work: str
    client: str
    seconds: float
    cpu: float
    """Of the client alone, user and system."""
    messages: int
    megabytes_per_s: float | None = None


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print a table, and write ``build/bench-winrm.json``."""
    parser = argparse.ArgumentParser(prog="bench.winrm", description=__doc__.split("\n", 1)[0])  # type: ignore[union-attr]
    parser.add_argument("--megabytes", type=int, default=30)
    parser.add_argument("--scripts", type=int, default=20, help="how many short scripts, each a login")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args(argv)
    size = arguments.megabytes << 20
    with _Host(size) as host:
        rows = [_measure("log", name, work, host, size, arguments.rounds) for name, work in _LOG.items()]
        for name, script in _SHORT.items():
            work = _many(script, arguments.scripts)
            rows.append(_measure(f"{arguments.scripts} scripts", name, work, host, None, arguments.rounds))
    _print(rows)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    return 0


# --- The host, in a process of its own ---------------------------------------------------------------


class _Host:
    """The lab's host, and how many messages it has seen."""

    def __init__(self, size: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, size))

    def __enter__(self) -> _Host:
        self._process.start()
        self.port: int = self._ours.recv()
        return self

    def __exit__(self, *_: object) -> None:
        self._ours.send("end")
        self._process.join(10)

    def messages(self) -> int:
        """Since the last time."""
        self._ours.send("count")
        return int(self._ours.recv())


def _serve(pipe: Connection, size: int) -> None:
    from lab.windows.host import Setup, WindowsHost
    from lab.windows.logins import ntlm_users
    from lab.windows.powershell import Answer

    data = random.Random(1).randbytes(_PIECE) * (size // _PIECE)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NTLM_USER_FILE"] = str(ntlm_users(Path(folder) / "users", {_USER: _PASSWORD}, ["WINSIM"]))

        def persona(script: bytes) -> bytes:
            return {b"log": data, b"piece": data[:_PIECE]}.get(script.strip(), b"ok")

        lines = {"type log": lambda stdin: Answer(data)}
        with WindowsHost(persona, Setup(max_shells_per_user=100), lines=lines) as host:
            pipe.send(host.port)
            while pipe.recv() == "count":
                pipe.send(sum(host.faults.seen.values()))
                host.faults.seen.clear()


# --- The clients -------------------------------------------------------------------------------------


def _ours(host: _Host, script: bytes) -> int:
    from collector.connections.base import Deadline
    from collector.connections.settings import WinrmSettings
    from collector.connections.winrm import WinrmConnector
    from collector.secrets import Literal
    from collector.target import Target, Transport

    connector = WinrmConnector(WinrmSettings())
    options = (("ansible_winrm_scheme", "http"),)
    target = Target("host", "127.0.0.1", Transport.WINRM, port=host.port, user=_USER,
                    password=Literal(_PASSWORD), options=options)  # fmt: skip
    deadline = Deadline.after(300)
    connection = connector.open(target, deadline=deadline)
    try:
        return connection.run(script, lambda data: None, deadline=deadline, max_bytes=1 << 30).received
    finally:
        connection.close()
        connector.close()


def _pywinrm(host: _Host, script: bytes, times: int = 1) -> int:
    import winrm

    session = winrm.Session(
        f"http://127.0.0.1:{host.port}/wsman", (_USER, _PASSWORD), transport="ntlm", proxy=None
    )
    return sum(len(session.run_ps(script.decode()).std_out) for _ in range(times))


def _pypsrp(host: _Host, line: str) -> int:
    from pypsrp.shell import Process, WinRS
    from pypsrp.wsman import WSMan

    with (
        WSMan(
            "127.0.0.1", port=host.port, ssl=False, auth="ntlm", username=_USER, password=_PASSWORD
        ) as wsman,
        WinRS(wsman, codepage=65001) as shell,
    ):
        process = Process(shell, line)
        process.begin_invoke()
        process.send(b"", end=True)
        process.end_invoke()
        return len(process.stdout)


Work = Callable[[_Host, int], int]
"""Does it, given the bytes that are expected; gives those that came."""

_LOG: dict[str, Work] = {
    "ours": lambda host, size: _ours(host, b"log"),
    "run_ps in a loop": lambda host, size: _pywinrm(host, b"piece", size // _PIECE),
    "pypsrp": lambda host, size: _pypsrp(host, "type log"),
}
_SHORT: dict[str, Callable[[_Host], int]] = {
    "ours": lambda host: _ours(host, b"Get-Date"),
    "run_ps": lambda host: _pywinrm(host, b"Get-Date"),
}


def _many(script: Callable[[_Host], int], times: int) -> Work:
    return lambda host, size: sum(script(host) for _ in range(times))


def _measure(work: str, client: str, do: Work, host: _Host, size: int | None, rounds: int) -> Row:
    taken = []
    for _ in range(rounds):
        host.messages()
        before, started = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
        received = do(host, size or 0)
        seconds, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_SELF)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        if size is not None and received != size:
            raise SystemExit(f"bench: {client} brought home {received} of {size} bytes")
        taken.append((seconds, cpu, host.messages()))
        print(f"{work}: {client}", file=sys.stderr)
    seconds, cpu, messages = (statistics.median(run[at] for run in taken) for at in range(3))
    rate = round(size / seconds / 1e6, 1) if size is not None else None
    return Row(work, client, round(seconds, 3), round(cpu, 3), int(messages), rate)


def _print(rows: Sequence[Row]) -> None:
    print(f"{'work':14}{'client':18}{'wall s':>9}{'CPU s':>9}{'messages':>10}{'MB/s':>8}")
    for row in rows:
        rate = "" if row.megabytes_per_s is None else f"{row.megabytes_per_s:.1f}"
        print(f"{row.work:14}{row.client:18}{row.seconds:9.2f}{row.cpu:9.2f}{row.messages:10}{rate:>8}")


if __name__ == "__main__":
    raise SystemExit(main())
