"""parallel-ssh: ``run_command`` on all hosts for each command, SCP for files; or our script on stdin.

It checks no host key.
"""

from __future__ import annotations

from pathlib import Path

import job as jobs
from gevent import joinall
from pssh.clients import ParallelSSHClient

job = jobs.read()
client = ParallelSSHClient(
    job.hosts, user=job.user, port=job.port, pkey=job.key, pool_size=job.forks, allow_agent=False,
    identity_auth=False, timeout=120, num_retries=1,
)  # fmt: skip


def ask(command: str, stdin: bytes = b"") -> dict[str, bytes]:
    """What each host says, by host."""
    outputs = client.run_command(command)
    for output in outputs if stdin else ():
        output.stdin.write(stdin)
        output.stdin.flush()
        output.channel.send_eof()
    said = {output.host: "\n".join(output.stdout).encode() for output in outputs}
    client.join(outputs)
    return said


def fetch(path: str, name: str) -> None:
    """Bring a file of every host."""
    places = [{"local_file": jobs.place(host, name), "remote_file": path} for host in job.hosts]
    joinall(client.scp_recv("%(remote_file)s", "%(local_file)s", copy_args=places), raise_error=True)


if job.script:
    for host, said in ask("sh", Path(job.script).read_bytes()).items():
        jobs.keep(host, "answer", said)
else:
    answers: dict[str, list[bytes]] = {host: [] for host in job.hosts}
    for command in job.commands.values():
        for host, said in ask(command).items():
            answers[host].append(said)
    for host, parts in answers.items():
        jobs.keep(host, "answers", b"\n".join(parts))
    for number, path in enumerate(job.files):
        fetch(path, f"file{number}")
    if job.tail_bytes:
        for host, said in ask(f"tail -c {job.tail_bytes} {job.log}").items():
            jobs.keep(host, "log", said)
    elif job.log:
        fetch(job.log, "log")
