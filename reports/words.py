"""What the closed sets of the contracts are called in a report."""

from __future__ import annotations

from analyzers.diagnosis import Confidence, Judgement, Owner, Verdict
from analyzers.text import Message, say
from collector.errors import FailureKind
from collector.evidence import Status
from collector.target import HostKeyChecking

VERDICTS = {
    Verdict.HEALTHY: say("Healthy"),
    Verdict.BROKEN: say("Broken"),
    Verdict.UNKNOWN: say("Inconclusive"),
    Verdict.NOT_REACHED: say("Not reached"),
}

VERDICT_MARKS = {
    Verdict.HEALTHY: "ok",
    Verdict.BROKEN: "failed",
    Verdict.UNKNOWN: "unknown",
    Verdict.NOT_REACHED: "unused",
}

CONFIDENCES = {
    Confidence.CERTAIN: say("Certain"),
    Confidence.LIKELY: say("Likely"),
    Confidence.POSSIBLE: say("Possible"),
}

CONFIDENCE_MEANS = {
    Confidence.CERTAIN: say("Seen directly; nothing contradicts it."),
    Confidence.LIKELY: say("The evidence points here, but it was not seen directly."),
    Confidence.POSSIBLE: say("One of several causes that fit."),
}

OWNERS = {
    Owner.HOST: say("Host administrator"),
    Owner.NETWORK: say("Network team"),
    Owner.IAM: say("IAM administrator"),
    Owner.AWS: say("AWS Support"),
    Owner.OPERATOR: say("ssm-triage operator"),
}

WHERE = {
    Owner.HOST: say("on the host"),
    Owner.NETWORK: say("in the network"),
    Owner.IAM: say("with AWS credentials"),
    Owner.AWS: say("with AWS Support"),
    Owner.OPERATOR: say("where ssm-triage runs"),
}

STATUSES = {
    Status.OK: say("read"),
    Status.ABSENT: say("not there"),
    Status.DENIED: say("denied"),
    Status.TIMEOUT: say("timed out"),
    Status.ERROR: say("failed"),
    Status.TRUNCATED: say("cut short"),
    Status.SKIPPED: say("not asked"),
}

STATUS_MARKS = {Status.OK: "ok", Status.ABSENT: "unused", Status.SKIPPED: "unused"}
"""Of the others it is not known what they would have told."""

FAILURES = {
    FailureKind.AUTH: say("Authentication failed"),
    FailureKind.HOST_KEY: say("Host key not accepted"),
    FailureKind.UNREACHABLE: say("Unreachable"),
    FailureKind.REFUSED: say("Connection refused"),
    FailureKind.TLS: say("TLS failed"),
    FailureKind.TIMEOUT: say("Timed out"),
    FailureKind.QUOTA: say("Quota used up"),
    FailureKind.PROTOCOL: say("Protocol error"),
    FailureKind.PRIVILEGE: say("Privilege missing"),
    FailureKind.SHELL: say("No usable shell"),
}

HOST_KEYS = {
    HostKeyChecking.STRICT: say("checked against known_hosts"),
    HostKeyChecking.ACCEPT_NEW: say("checked; new keys are accepted"),
    HostKeyChecking.OFF: say("NOT CHECKED"),
}

HOPS = {
    "host": say("This host"),
    "gateway": say("Gateway"),
    "imds": say("Instance metadata"),
    "resolver": say("DNS resolver"),
    "proxy": say("Proxy"),
    "endpoint": say("Endpoint"),
}

HOP_STATES = {
    "ok": say("works"),
    "failed": say("fails"),
    "unknown": say("not known"),
    "unused": say("not used"),
}

EVENTS = {
    "boot": say("Boot"),
    "agent-start": say("Agent start"),
    "state": say("State"),
    "failure": say("Failure"),
    "good": say("Works"),
    "silence": say("Silence"),
    "retry": say("Next retry"),
    "collected": say("Collected"),
}

JUDGEMENTS = {
    Judgement.GOOD: say("correct"),
    Judgement.BAD: say("wrong"),
    Judgement.NEUTRAL: say("not judged"),
}
JUDGEMENT_MARKS = {Judgement.GOOD: "ok", Judgement.BAD: "failed", Judgement.NEUTRAL: "unused"}

PURPOSES = {
    "default": say("Default route"),
    "imds": say("Instance metadata"),
    "ssm": say("Systems Manager"),
    "ssmmessages": say("Message channel"),
    "ec2messages": say("Older message channel"),
    "endpoint": say("Endpoint"),
    "amazon-dns": say("Amazon's DNS"),
    "activation": say("Windows activation"),
    "time": say("Amazon's time service"),
    "gpu-licences": say("GPU licences"),
    "internet": say("The internet"),
}

LAYERS = {
    "process": say("Running agent"),
    "unit": say("Agent's service unit"),
    "system": say("System's shells"),
    "login": say("Our login"),
}

STAGES = {
    "dns": say("Name"),
    "tcp": say("Connection"),
    "tls": say("Certificate"),
    "http": say("Answer"),
    "proxy": say("By proxy"),
}
STAGES_EXPECTED = {
    "dns": say("expected: an address"),
    "tcp": say("expected: connected"),
    "tls": say("expected: trusted, Amazon's"),
    "http": say("expected: AWS answers"),
    "proxy": say("expected: AWS answers"),
}

OPINION_MARKS = {"Success": "ok", "Failed": "failed", "Skipped": "unused"}
"""By the words of ``ssm-cli``."""


def word(words: dict[str, Message], key: str) -> Message:
    """The word for an open set's ``key``; a key that is new here stands for itself."""
    return words.get(key) or say("{key}", key=key)
