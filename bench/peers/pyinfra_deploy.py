"""pyinfra's deploy: one operation for each command and file, or our script as one operation."""

import os
import sys
from pathlib import Path

from pyinfra import host
from pyinfra.operations import files, python, server

sys.path.insert(0, os.environ["BENCH_PEERS"])
import job as jobs

job = jobs.read()


def keep(name, *results):
    """Once they have run: keep what operations said."""
    python.call(
        name=f"keep {name}",
        function=lambda: jobs.keep(host.name, name, "\n".join(r.stdout for r in results).encode()),
    )


if job.script:
    keep("answer", server.shell(name="script", commands=[Path(job.script).read_text()]))
else:
    asked = [server.shell(name=name, commands=[f"{line}; true"]) for name, line in job.commands.items()]
    keep("answers", *asked)
    for number, path in enumerate(job.files):
        files.get(name=f"file {number}", src=path, dest=jobs.place(host.name, f"file{number}"))
    if job.tail_bytes:
        tail = server.shell(name="log", commands=[f"tail -c {job.tail_bytes} {job.log}"])
        keep("log", tail)
    elif job.log:
        files.get(name="log", src=job.log, dest=jobs.place(host.name, "log"))
