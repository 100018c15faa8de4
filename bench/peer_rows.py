"""The same work by other programs: each as its users use it and, where it can, lent our script.

In each row the ratio is our CPU over the peer's, both measured in turn in the same run on the same hosts:
below 1 we are ahead.  As their users use them, most take so long that few hosts are enough to see it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bench import floor, peers
from bench.peers import PEERS, Peer
from bench.peers.job import Job
from bench.plan import Plan
from bench.race import Entry, Runs, race
from bench.rig import LOG_NAME, PORT, USER, Rig
from bench.rows import Goal, Row, compared, unmeasured
from bench.sweeps import openssh, ours
from bench.work import WORKS, Work

_COMMANDS = peers.HERE / "commands.tsv"
_SMALL_FILES = ["/etc/amazon/ssm/amazon-ssm-agent.json", "/etc/amazon/ssm/seelog.xml"]
_LOG = f"/var/log/amazon/ssm/{LOG_NAME}"
_FASTEST, _NEAREST = ("asyncssh", "parallel-ssh"), ("asyncssh",)
"""Near enough to ours that one run would not tell; and when they are lent our script."""


def login(rig: Rig, plan: Plan) -> Iterator[Row]:
    """W1, as their users use them."""
    yield from _rows(rig, plan, "W1", rig.hosts[: plan.hosts], lent=False)


def used(rig: Rig, plan: Plan) -> Iterator[Row]:
    """W2 to W4, as their users use them."""
    for name in ("W2", "W3", "W4"):
        yield from _rows(rig, plan, name, rig.hosts[: plan.few], lent=False)


def lent(rig: Rig, plan: Plan) -> Iterator[Row]:
    """W2 with our script, at many hosts: start-up counts for less there."""
    yield from _rows(rig, plan, "W2", rig.hosts[: plan.many], lent=True)


def _rows(rig: Rig, plan: Plan, name: str, hosts: Sequence[str], *, lent: bool) -> Iterator[Row]:
    work = WORKS[name]
    rig.listed(hosts)
    able = [peer for peer in PEERS if not peer.missing()]
    entries = [ours(rig, work, plan, len(hosts)), openssh(rig, work, plan, len(hosts), packed=False)]
    entries += [_entry(peer, rig, work, plan, hosts, lent=lent) for peer in able]
    runs = race(rig, entries, plan.runs)
    for peer in PEERS:
        row_name = f"{name} {peer.name}{', lent our script' if lent else ''}"
        what = f"{work.what}, {len(hosts)} hosts{f'; our script {peer.lent}' if lent else ''}"
        if missing := peer.missing():
            yield unmeasured(row_name, what, missing)
        else:
            yield _row(row_name, what, peer, runs)


def _row(name: str, what: str, peer: Peer, runs: Mapping[str, Runs]) -> Row:
    us, them, beneath = runs["ours"], runs[peer.name], runs[floor.NAME]
    if problem := us.problem or them.problem:
        return unmeasured(name, what, problem)
    more = {
        "wall_median_s": round(us.median(lambda run: run.cost.wall_s), 2),
        "floor_wall_median_s": round(them.median(lambda run: run.cost.wall_s), 2),
        "floor_peak_mb": them.peak_mb,
        "floor_runs": len(them.done),
    }
    if not beneath.problem:
        more["peer_to_xargs"] = round(
            them.median(lambda run: run.cost.cpu_s) / beneath.median(lambda run: run.cost.cpu_s), 2
        )
    return compared(
        name, what, us.cpu, them.cpu, floor=peer.name, hosts=us.entry.files, goal=Goal(1.0), more=more
    )


def _entry(peer: Peer, rig: Rig, work: Work, plan: Plan, hosts: Sequence[str], *, lent: bool) -> Entry:
    script = rig.folder / f"script-{peer.name}"
    script.write_bytes(work.script(packed=peer.name == "asyncssh"))
    job = Job(
        hosts=list(hosts),
        port=PORT,
        user=USER,
        key=str(rig.key),
        known_hosts=str(rig.known_hosts),
        config=str(rig.config),
        forks=plan.forks,
        script=str(script) if lent else "",
        commands=_commands() if work.lanes else {"hello": "echo ok"},
        files=_SMALL_FILES if work.lanes else [],
        log=_LOG if work.has_log else "",
        tail_bytes=min(rig.log_bytes, work.log_budget * 3 // 4) if work.log_budget else 0,
    )
    folder = rig.folder / f"job-{peer.name}"
    folder.mkdir(exist_ok=True)
    runs = None if peer.name in (_NEAREST if lent else _FASTEST) or not work.lanes else 1
    return Entry(
        peer.name, peer.command(job), _least(rig, work, job) * len(hosts), runs=runs,
        environment=peers.environment(job, folder),
    )  # fmt: skip


def _commands() -> dict[str, str]:
    lines = Path(_COMMANDS).read_text().splitlines()
    return dict(line.split("\t", 1) for line in lines)


def _least(rig: Rig, work: Work, job: Job) -> int:
    """Bytes of one host's answer."""
    if not work.lanes:
        return 2
    return int(0.99 * (job.tail_bytes or rig.log_bytes)) if work.has_log else 1500
