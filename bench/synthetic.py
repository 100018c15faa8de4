"""Logs of any size, made from our own examples; the same size and seed give the same log.

A host in trouble writes the same few failures again and again: usual logs are made of nine kinds. How much
dearer a log is that holds every failure we know of is a row of its own.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime

MEGABYTE = 1_000_000

_USUAL = (
    (8, "INFO [ssm-agent-worker] [HealthCheck] HealthCheck reporting agent health."),
    (8, "INFO [ssm-agent-worker] [MessageService] [MGSInteractor] received a pong"),
    (6, "INFO [ssm-agent-worker] [MessageService] [MGSInteractor] send failed reply thread started"),
    (
        4,
        "INFO [ssm-agent-worker] [MessageService] [Association] Schedule manager refreshed with "
        "0 associations, 0 new associations associated",
    ),
    (3, "INFO [ssm-agent-worker] [EngineProcessor] [OutOfProcExecuter] Initializing state files for {id}"),
    (2, "INFO [ssm-document-worker] [{id}] [DataBackend] inter process communication started"),
    (1, "INFO [ssm-session-worker] [{session}] [DataBackend] Session worker closed"),
    (2, "INFO [CredentialRefresher] Next credential rotation will be in 29.{number} minutes"),
    (
        1,
        "INFO [ssm-agent-worker] [MessageService] [MGSInteractor] Successfully opened websocket connection "
        "to: 10.0.{number}.{number}:443",
    ),
    (
        1,
        'INFO [ssm-agent-worker] [MessageService] [ProcessorWrapper] Sending reply {{"dateTime":"{time}",'
        '"documentId":"{id}","documentStatus":"InProgress","documentTraceOutput":"","runtimeStatus":null}}',
    ),
)
_FEW = (
    "iam.no-role",
    "iam.denied",
    "iam.unauthorized-request",
    "net.dial-timeout",
    "net.refused",
    "dns.no-such-host",
    "tls.unknown-authority",
    "creds.refresh",
    "health.ping",
)


def made(size: int, errors: float, seed: int = 1, *, every_kind: bool = False) -> bytes:
    """A log of about that size, of whose entries that share are failures: of a few kinds, or of all."""
    from analyzers.logs import load_signatures  # here, because our client, which is measured, needs neither
    from analyzers.logs.grammar import parse_entry

    dice = random.Random(seed)
    kinds = [s for s in load_signatures().all if (s.axis != "entry" if every_kind else s.id in _FEW)]
    failures = [parse_entry(text) for kind in kinds for text in kind.examples[: 1 if every_kind else 3]]
    bad = [f"{entry.level} {entry.body}" for entry in failures if entry.level in ("WARN", "ERROR")]
    weights, usual = zip(*_USUAL, strict=True)
    out: list[str] = []
    written, milliseconds = 0, 1_790_000_000_000
    identity = session = ""
    while written < size:
        milliseconds += dice.choice((0, 0, 1, 40, 1000, 5000))
        stamp = datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-2]
        text = dice.choice(bad) if dice.random() < errors else dice.choices(usual, weights)[0]
        if "{" in text and text in usual:
            if dice.random() < 0.12 or not identity:  # the lines of one command have one id
                digits = f"{dice.getrandbits(128):032x}"
                identity = "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
                session = f"admin-0{digits[:16]}"
            number = dice.randrange(10, 250)
            text = text.format(id=identity, session=session, number=number, time=stamp)
        out.append(f"{stamp} {text}\n")
        written += len(out[-1])
    return "".join(out).encode()
