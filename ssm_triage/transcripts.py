"""The transcript of a self-test: all that the host said, with stand-ins for what tells it apart.

It is made to be handed on, and to be played back by the lab (``lab.windows_personas.transcript``)::

    transcript  1
    tool, server, auth
    checks      [{check, outcome, detail}]
    scripts     {SHA-256: {check, exit_code, stderr, and of stdout, stdout_base64, as_believed (true) one}}
    host        {hello: {}, probes: {ID: {status, ms, via, note, ran_as, output}},
                 logs: [{name, path, size, modified, offset, line, status, note, text}]}
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any

from collector.evidence import Evidence, Manifest, Subject
from collector.evidence.memory import SCHEMA, evidence_of
from collector.target import Platform
from collector.windows_selftest import HostSaid, LogSaid, Said, SelfTest
from ssm_triage.names import HOST, USER, Names
from ssm_triage.pseudonyms import Pseudonyms
from ssm_triage.redaction import Redactor, learn

VERSION = 1


def transcript(done: SelfTest, name: str, *, tool: str, pseudonyms: Pseudonyms) -> str:
    """The transcript of one host's self-test, as JSON.

    Args:
        done: what came of it.
        name: the host's name in the inventory.
        tool: ``ssm-triage 0.1.0``.
        pseudonyms: gives the stand-ins.
    """
    redactor = redactor_of(done, name, tool=tool, pseudonyms=pseudonyms)
    document = {
        "transcript": VERSION,
        "tool": tool,
        "server": redactor.text(done.connection.server),
        "auth": redactor.text(done.connection.auth_method),
        "checks": [
            {"check": c.name, "outcome": str(c.outcome), "detail": redactor.text(c.detail)}
            for c in done.checks
        ],
        "scripts": {said.script_sha256: _script(said, redactor) for said in done.said},
        "host": _host(done.host, redactor) if done.host is not None else None,
    }
    return json.dumps(document, indent=1)


def redactor_of(done: SelfTest, name: str, *, tool: str, pseudonyms: Pseudonyms) -> Redactor:
    """What replaces names and addresses in this host's transcript."""
    return Redactor(pseudonyms, _names(done, name, tool))


def _names(done: SelfTest, name: str, tool: str) -> Names:
    """What tells this host apart, learned from all that it said."""
    names = learn([_evidence(done, name, tool)])
    for said in done.said:
        text = said.stdout.decode("utf-8", "replace")
        if not said.as_believed:
            names.learn_text(text)
        for kind, key in ((HOST, "name"), (USER, "user")):
            for found in re.findall(rf"\b{key}=(\S+)", text if said.check == "who and what" else ""):
                names.add(kind, found)
    return names


def _evidence(done: SelfTest, name: str, tool: str) -> Evidence:
    facts, host = done.connection, done.host
    manifest = Manifest(
        SCHEMA,
        tool,
        "collected",
        Subject(name, facts.address, Platform.WINDOWS),
        connection=facts,
        ran_as=host.hello.get("user", "") if host is not None else facts.user,
    )
    logs = {f"{n}/{log.name}": log.body for n, log in enumerate(host.logs)} if host is not None else {}
    return evidence_of(host.probes if host is not None else (), logs, manifest=manifest)


def _script(said: Said, redactor: Redactor) -> dict[str, Any]:
    told: dict[str, Any] = {"check": said.check, "exit_code": said.exit_code}
    if said.as_believed:
        told["as_believed"] = True
    else:
        try:
            told["stdout"] = redactor.text(said.stdout.decode("utf-8"))
        except UnicodeDecodeError:
            told["stdout_base64"] = base64.b64encode(redactor.data(said.stdout)).decode("ascii")
    return {**told, "stderr": redactor.text(said.stderr.decode("utf-8", "replace"))}


def _host(host: HostSaid, redactor: Redactor) -> dict[str, Any]:
    return {
        "hello": {key: redactor.text(value) for key, value in host.hello.items()},
        "probes": {
            probe.probe: {
                "status": str(probe.status),
                "ms": probe.duration_ms,
                "via": probe.via,
                "note": redactor.text(probe.note),
                "ran_as": redactor.text(probe.ran_as),
                "output": _text(probe.output, redactor),
            }
            for probe in host.probes
        },
        "logs": [_log(log, redactor) for log in host.logs],
    }


def _log(log: LogSaid, redactor: Redactor) -> dict[str, Any]:
    return {
        "name": redactor.text(log.name),
        "path": redactor.text(log.path),
        "size": log.size,
        "modified": int(log.modified.timestamp()) if log.modified is not None else None,
        "offset": log.offset,
        "line": log.line,
        "status": str(log.status),
        "note": redactor.text(log.note),
        "text": _text(log.body, redactor),
    }


def _text(data: bytes, redactor: Redactor) -> str:
    """Text of a host; bytes that are no UTF-8 are kept as surrogates, which JSON escapes."""
    return redactor.text(data.decode("utf-8", "surrogateescape"))
