"""Fabric: a pool of ``Connection``, a ``run`` for each command and ``get`` for files; or our script as one.

The script goes as an argument: on stdin (``in_stream``) Fabric moves a hundred bytes a second.  Its default
policy trusts any host key.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import job as jobs
from fabric import Config, Connection

job = jobs.read()
config = Config(
    overrides={"load_ssh_configs": False, "run": {"hide": True, "warn": True, "in_stream": False}}
)


def work(host: str) -> None:
    """Everything that is asked of one host."""
    kwargs = {"key_filename": job.key, "look_for_keys": False, "allow_agent": False}
    with Connection(host, user=job.user, port=job.port, connect_kwargs=kwargs, config=config) as connection:
        if job.script:
            said = connection.run(jobs.quoted(Path(job.script).read_text())).stdout
            jobs.keep(host, "answer", said.encode())
            return
        answers = [connection.run(command).stdout for command in job.commands.values()]
        jobs.keep(host, "answers", "\n".join(answers).encode())
        for number, path in enumerate(job.files):
            connection.get(path, jobs.place(host, f"file{number}"))
        if job.tail_bytes:
            tail = connection.run(f"tail -c {job.tail_bytes} {job.log}").stdout
            jobs.keep(host, "log", tail.encode())
        elif job.log:
            connection.get(job.log, jobs.place(host, "log"))


with ThreadPoolExecutor(job.forks) as pool:
    list(pool.map(work, job.hosts))
