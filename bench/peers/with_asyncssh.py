"""asyncssh: one connection a host; a ``run`` for each command and SFTP for files, or our script on stdin."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncssh
import job as jobs


async def work(connection: asyncssh.SSHClientConnection, host: str, job: jobs.Job) -> None:
    if job.script:
        done = await connection.run("sh", input=Path(job.script).read_bytes(), encoding=None)
        jobs.keep(host, "answer", done.stdout)
        return
    answers = [(await connection.run(command, encoding=None)).stdout for command in job.commands.values()]
    jobs.keep(host, "answers", b"\n".join(answers))
    if job.files or job.log:
        await fetch(connection, host, job)


async def fetch(connection: asyncssh.SSHClientConnection, host: str, job: jobs.Job) -> None:
    async with connection.start_sftp_client() as sftp:
        for number, path in enumerate(job.files):
            await sftp.get(path, jobs.place(host, f"file{number}"))
        if job.log and not job.tail_bytes:
            await sftp.get(job.log, jobs.place(host, "log"))
    if job.tail_bytes:
        tail = await connection.run(f"tail -c {job.tail_bytes} {job.log}", encoding=None)
        jobs.keep(host, "log", tail.stdout)


async def main() -> None:
    job = jobs.read()
    known = asyncssh.read_known_hosts(job.known_hosts)
    key = asyncssh.read_private_key(job.key)
    slots = asyncio.Semaphore(job.forks)

    async def one(host: str) -> None:
        login = {"username": job.user, "client_keys": [key], "known_hosts": known}
        async with (
            slots,
            asyncssh.connect(host, job.port, agent_path=None, config=None, **login) as connection,
        ):
            await work(connection, host, job)

    await asyncio.gather(*(one(host) for host in job.hosts))


asyncio.run(main())
