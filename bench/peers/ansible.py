"""Ansible: a task for each command (``shell``) and file (``slurp``, ``fetch``); or our script as one ``raw``.

Pipelining and connections that persist are on, as its own documentation advises for speed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from bench import floor
from bench.peers import job as jobs

_PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")


def missing() -> str:
    """Why it cannot be run here; empty: it can."""
    return "" if _PLAYBOOK.exists() else "not installed (pip install '.[bench]')"


def command(job: jobs.Job) -> list[str]:
    """All that tasks say goes into one file; what is fetched, beside it."""
    folder = Path(job.config).parent
    (folder / "inventory.ini").write_text("".join(f"{host}\n" for host in job.hosts))
    (folder / "ansible.cfg").write_text(_settings(job, folder))
    tasks = [{"name": f"task {number}", **task} for number, task in enumerate(_tasks(job))]
    play = {"hosts": "all", "gather_facts": False, "tasks": tasks}
    (folder / "playbook.json").write_text(json.dumps([play]))
    line = f'{_PLAYBOOK} -v -i {folder}/inventory.ini {folder}/playbook.json > "$OUT/answers"'
    return ["sh", "-c", f"ANSIBLE_CONFIG={folder}/ansible.cfg {line}"]


def _tasks(job: jobs.Job) -> list[dict[str, Any]]:
    if job.script:
        script = Path(job.script)
        wrapped = script.with_name(script.name + "-ansible")
        wrapped.write_text(jobs.quoted(script.read_text()))
        # By a lookup, since the shell's ${#name} must not be taken for a template.
        return [{"raw": f"{{{{ lookup('file', '{wrapped}') }}}}"}]
    tasks: list[dict[str, Any]] = [
        {"shell": line, "failed_when": False, "changed_when": False} for line in job.commands.values()
    ]
    tasks += [{"slurp": {"src": path}} for path in job.files]
    if job.tail_bytes:
        tasks.append({"shell": f"tail -c {job.tail_bytes} {job.log}", "changed_when": False})
    elif job.log:
        place = "{{ lookup('env', 'OUT') }}/{{ inventory_hostname }}.log"
        tasks.append({"fetch": {"src": job.log, "dest": place, "flat": True}})
    return tasks


def _settings(job: jobs.Job, folder: Path) -> str:
    return f"""[defaults]
forks = {job.forks}
gathering = explicit
stdout_callback = minimal
retry_files_enabled = False
interpreter_python = /usr/bin/python3
local_tmp = {folder}/ansible
[connection]
pipelining = True
[ssh_connection]
ssh_args = -F {job.config} -o ControlMaster=auto -o ControlPersist=10s {" ".join(floor.SSH_OPTIONS)}
control_path_dir = {folder}/ansible-masters
"""
