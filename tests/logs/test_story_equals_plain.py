"""The scan keeps of quiet entries only those that bear on something; the story is that of all entries."""

from __future__ import annotations

import dataclasses
import random

import pytest
from log_samples import DATA, case_logs

from analyzers.logs import LogReading, Sighting, Signatures, load_signatures, read_logs
from analyzers.logs.grammar import parse_entry
from analyzers.logs.signatures import Meaning
from collector.evidence.memory import evidence_of

SIGNATURES = load_signatures()
CASES = sorted(folder.name for folder in DATA.iterdir())
EXAMPLES = [example for signature in SIGNATURES.all for example in signature.examples]


class AllLoud(Signatures):
    """Every entry counts by itself and in its place."""

    def classify(self, level: str, body: str) -> Meaning | None:
        meaning = super().classify(level, body)
        if meaning is None:
            return None
        return self.louder.setdefault(meaning, dataclasses.replace(meaning, loud=True))

    def __init__(self) -> None:
        super().__init__(SIGNATURES.all)
        self.louder: dict[Meaning, Meaning] = {}


LOUD = AllLoud()


def told(sightings: tuple[Sighting, ...]) -> set[object]:
    return {(s.key, s.count, s.leads, s.first, s.last) for s in sightings}


def assert_same(few: LogReading, every: LogReading) -> None:
    assert told(few.failures()) == told(every.failures())
    assert told(few.history) == told(every.history)
    assert told(few.sightings) == told(every.sightings)
    assert few.starts == every.starts
    assert (few.channel, few.hibernating, few.identity) == (every.channel, every.hibernating, every.identity)
    assert (few.last_good, few.silence, few.next_try) == (every.last_good, every.silence, every.next_try)
    assert few.proxy == every.proxy


@pytest.mark.parametrize("case", CASES)
def test_real_logs(case: str) -> None:
    evidence = evidence_of([], case_logs(case))
    assert_same(read_logs(evidence, signatures=SIGNATURES), read_logs(evidence, signatures=LOUD))


@pytest.mark.parametrize("seed", range(4))
def test_every_signature_in_any_order(seed: int) -> None:
    dice = random.Random(seed)
    entries = [
        f"2026-11-23 {second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}{dice.choice(EXAMPLES)[19:]}"
        for second in range(0, 80_000, 40)
    ]
    evidence = evidence_of([], {"amazon-ssm-agent.log": "\n".join(entries).encode()})
    assert_same(read_logs(evidence, signatures=SIGNATURES), read_logs(evidence, signatures=LOUD))


@pytest.mark.parametrize("seed", range(4))
def test_two_logs_side_by_side(seed: int) -> None:
    dice = random.Random(seed)
    logs: dict[str, list[str]] = {"amazon-ssm-agent.log": [], "ssm-agent-worker.log": []}
    quiet = [e for e in EXAMPLES if (m := meaning_of(e)) is not None and not m.loud]
    for second in range(0, 80_000, 40):
        stamp = f"2026-11-23 {second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
        among = quiet if dice.random() < 0.9 else EXAMPLES
        # the one that is read second begins first
        log = "ssm-agent-worker.log" if second < 8_000 else dice.choice(list(logs))
        logs[log].append(f"{stamp}{dice.choice(among)[19:]}")
    evidence = evidence_of([], {name: "\n".join(entries).encode() for name, entries in logs.items()})
    assert_same(read_logs(evidence, signatures=SIGNATURES), read_logs(evidence, signatures=LOUD))


def meaning_of(example: str) -> Meaning | None:
    entry = parse_entry(example)
    return SIGNATURES.classify(entry.level, entry.body)
