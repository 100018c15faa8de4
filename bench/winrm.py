"""What WinRM costs, ours beside plain ``run_ps`` in a loop and beside pypsrp.

The host is the lab's, a process of its own on loopback; NTLM over HTTP, every message encrypted.  On a real
host each answer also costs a round trip and Windows' own time: the number of messages says how many.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from bench.plan import Plan
from bench.rows import Row, compared
from bench.synthetic import MEGABYTE, made
from collector.collect import CollectOptions, collect_host
from collector.connections.base import Deadline
from collector.connections.settings import WinrmSettings
from collector.connections.winrm import WinrmConnection, WinrmConnector
from collector.evidence.read import open_evidence
from collector.secrets import Literal
from collector.target import Target, Transport

_USER, _PASSWORD = "alice", "open sesame"  # of a lab that lives for a minute
_LOG_NAME = "amazon-ssm-agent.log"
_PIECE = 1 << 20
"""Bytes that one ``run_ps`` asks for: what a script that knows no better reads at a time."""


_SCRIPTS = 20
"""Short ones, each a login."""


def rows(plan: Plan) -> Iterator[Row]:
    """A log of 30 MB, and short scripts: our CPU beside that of each other client."""
    size = max(_PIECE, plan.log_bytes * 3 // 2 // _PIECE * _PIECE)
    megabytes = f"{size / MEGABYTE:.0f} MB"
    with _Host(size) as host:
        log = {name: _taken(name, work, host, size, plan.runs) for name, work in _LOG.items()}
        yield from _rows("WinRM, log", f"{megabytes} of log over NTLM, encrypted", log, size)
        whole = {name: _taken(name, work, host, size, plan.runs) for name, work in _COLLECTED.items()}
        what = f"{megabytes} of the agent's log into an evidence file, packed on the host"
        yield from _rows("WinRM, collected", what, whole, size)
        short = {
            name: _taken(name, _many(script, _SCRIPTS), host, None, plan.runs)
            for name, script in _SHORT.items()
        }
        yield from _rows("WinRM, short scripts", f"{_SCRIPTS} short scripts, a login each", short, None)


@dataclass(slots=True)
class _Taken:
    """Of one client, run by run."""

    cpu: list[float] = field(default_factory=list)
    """Of the client alone, user and system, in seconds."""
    wall: list[float] = field(default_factory=list)
    messages: list[int] = field(default_factory=list)


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
    from lab.windows_personas import WindowsPersona, persona

    data = random.Random(1).randbytes(_PIECE) * (size // _PIECE)
    log = made(_PIECE * 2, 0.1)[:_PIECE] * (size // _PIECE)
    asked = WindowsPersona("host", "healthy", persona("healthy").probes, {_LOG_NAME: log})
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NTLM_USER_FILE"] = str(ntlm_users(Path(folder) / "users", {_USER: _PASSWORD}, ["WINSIM"]))

        def told(script: bytes) -> bytes:
            if b"$LogBudget" in script:
                return asked(script)
            pieces = {b"log": data, b"piece": data[:_PIECE], b"text": log[:_PIECE]}
            return pieces.get(script.strip(), b"ok")

        lines = {"type log": lambda stdin: Answer(data), "type text": lambda stdin: Answer(log)}
        with WindowsHost(told, Setup(max_shells_per_user=100), lines=lines) as host:
            pipe.send(host.port)
            while pipe.recv() == "count":
                pipe.send(sum(host.faults.seen.values()))
                host.faults.seen.clear()


# --- The clients -------------------------------------------------------------------------------------


@contextmanager
def _connected(host: _Host) -> Iterator[tuple[WinrmConnection, Target, Deadline]]:
    connector = WinrmConnector(WinrmSettings())
    options = (("ansible_winrm_scheme", "http"),)
    target = Target("host", "127.0.0.1", Transport.WINRM, port=host.port, user=_USER,
                    password=Literal(_PASSWORD), options=options)  # fmt: skip
    deadline = Deadline.after(300)
    connection = connector.open(target, deadline=deadline)
    try:
        yield connection, target, deadline
    finally:
        connection.close()
        connector.close()


def _ours(host: _Host, script: bytes) -> int:
    with _connected(host) as (connection, _, deadline):
        return connection.run(script, lambda data: None, deadline=deadline, max_bytes=1 << 30).received


def _collected(host: _Host) -> int:
    """All that a sweep does for a host, up to its evidence file; gives the bytes of its log."""
    with _connected(host) as (connection, target, deadline), tempfile.TemporaryDirectory() as folder:
        options = CollectOptions(log_budget=None, command_timeout_s=300)
        kept = collect_host(connection, target, options, Path(folder), deadline)
        return sum(part.length for log in open_evidence(kept.path).manifest.logs for part in log.parts)


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
_COLLECTED: dict[str, Work] = {
    "ours": lambda host, size: _collected(host),
    "run_ps in a loop": lambda host, size: _pywinrm(host, b"text", size // _PIECE),
    "pypsrp": lambda host, size: _pypsrp(host, "type text"),
}
_SHORT: dict[str, Callable[[_Host], int]] = {
    "ours": lambda host: _ours(host, b"Get-Date"),
    "run_ps": lambda host: _pywinrm(host, b"Get-Date"),
}


def _many(script: Callable[[_Host], int], times: int) -> Work:
    return lambda host, size: sum(script(host) for _ in range(times))


def _taken(client: str, do: Work, host: _Host, size: int | None, runs: int) -> _Taken:
    taken = _Taken()
    for _ in range(runs):
        host.messages()
        before, started = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
        received = do(host, size or 0)
        taken.wall.append(time.monotonic() - started)
        after = resource.getrusage(resource.RUSAGE_SELF)
        taken.cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        taken.messages.append(host.messages())
        if size is not None and received != size:
            raise RuntimeError(f"{client} brought home {received} of {size} bytes")
        print(f"  {client}: {taken.cpu[-1]:.2f} s of CPU, {taken.wall[-1]:.1f} s", file=sys.stderr)
    return taken


def _rows(name: str, what: str, taken: dict[str, _Taken], size: int | None) -> Iterator[Row]:
    ours = taken["ours"]
    for client, theirs in taken.items():
        if client != "ours":
            more = _more("", ours, size) | _more("floor_", theirs, size)
            yield compared(f"{name}, {client}", what, ours.cpu, theirs.cpu, floor=client, more=more)


def _more(prefix: str, taken: _Taken, size: int | None) -> dict[str, float]:
    wall = statistics.median(taken.wall)
    more = {"wall_median_s": round(wall, 2), "messages": int(statistics.median(taken.messages))}
    if size is not None:
        more["mb_per_s"] = round(size / wall / MEGABYTE, 1)
    return {prefix + key: value for key, value in more.items()}
