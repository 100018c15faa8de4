# ruff: noqa: E501, PT012 - lines of real logs stay whole; the times of a log are naive
"""Signatures are data: every one has a sample that it matches, and a bad file ends in one line with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzers.logs import Kind, load_signatures, read_logs
from analyzers.logs.patterns import PatternText
from analyzers.logs.signature_files import check_examples, read_signatures
from analyzers.logs.signatures import Signature
from collector.errors import SignatureError
from collector.evidence.memory import evidence_of

SIGNATURES = load_signatures()
EXAMPLES = [example for signature in SIGNATURES.all for example in signature.examples]
SLUGS = frozenset(
    [
        "agent-absent",
        "agent-stopped",
        "agent-wrong-user",
        "worker-broken",
        "duplicate-agent",
        "update-left-service-disabled",
        "win-service-start-timeout",
        "sysprep-incomplete",
        "security-software-block",
        "agent-version-behaviour",
        "ipc-broken",
        "boot-race",
        "config-corrupt",
        "config-override",
        "disk-full",
        "filesystem-read-only",
        "inotify-exhausted",
        "fd-limit",
        "resource-starvation",
        "clock-skew",
        "imds-no-route",
        "imds-wrong-route",
        "win-stale-imds-route",
        "win-container-vswitch",
        "imds-blocked-on-host",
        "imds-redirected",
        "imds-disabled",
        "imds-hop-limit",
        "imds-no-response",
        "imds-server-error",
        "imds-impostor",
        "agent-too-old-for-imdsv2",
        "proxy-no-noproxy-imds",
        "proxy-missing-or-wrong-layer",
        "proxy-unreachable",
        "proxy-name-not-resolved",
        "proxy-scheme-https",
        "proxy-auth-required",
        "proxy-denies-endpoint",
        "no-default-route",
        "endpoint-unreachable",
        "endpoint-blocked-on-host",
        "endpoint-no-response",
        "endpoint-server-error",
        "endpoint-block-page",
        "endpoint-not-tls",
        "endpoint-tls-reset",
        "endpoint-tls-timeout",
        "endpoint-tls-version",
        "mtu-blackhole",
        "vpc-endpoint-missing",
        "ipv6-only",
        "dns-no-such-host",
        "dns-servfail",
        "dns-timeout",
        "dns-resolver-down",
        "dns-no-resolver",
        "dns-wrong-address",
        "hosts-file-override",
        "tls-trust",
        "tls-certificate-expired",
        "tls-wrong-host",
        "iam-no-instance-profile",
        "iam-instance-profile-deleted",
        "iam-access-denied",
        "policy-explicit-deny",
        "trust-policy",
        "dhmc-not-ready",
        "credentials-expired",
        "credentials-invalid",
        "credentials-file-unwritable",
        "stray-credentials",
        "hybrid-registration-residue",
        "hybrid-registration-invalid",
        "hybrid-activation-invalid",
        "fingerprint-mismatch",
        "throttling",
    ]
)


@pytest.mark.parametrize("signature", SIGNATURES.all, ids=lambda signature: signature.id)
def test_every_example_is_of_its_signature(signature: Signature) -> None:
    check_examples(SIGNATURES, signature)


@pytest.mark.parametrize("signature", SIGNATURES.all, ids=lambda signature: signature.id)
def test_a_signature_speaks_of_known_causes_in_a_whole_sentence(signature: Signature) -> None:
    named = {slug for slugs in (*signature.supports.values(), *signature.excludes.values()) for slug in slugs}
    assert named <= SLUGS
    assert signature.means.endswith(".")
    if signature.axis == "failure" and signature.kind is not Kind.SYMPTOM:
        assert signature.supports


@pytest.mark.parametrize(
    "slug",
    sorted({"imds-no-route", "iam-access-denied", "trust-policy", "throttling", "dns-timeout", "tls-trust"}),
)
def test_the_main_causes_have_a_signature(slug: str) -> None:
    assert any(slug in slugs for s in SIGNATURES.all for slugs in s.supports.values())


@pytest.mark.parametrize(
    ("pattern", "literals", "numbers"),
    [
        (r"dial tcp[46]? x", ("dial tcp",), ("dial tcp0",)),
        (r"status code: 403", ("status code: 403",), ("status code: 000",)),
        (r"status: [45]\d\d\b", ("status: ",), ("status: 0",)),
        (r"a|bcd", ("a", "bcd"), ()),
        (r"a|b*", (), ()),
        (r"(?:one|two) three", (" three",), ()),
        (r"(?:write|open) [^ ]*: (?:no space|disk is full)", ("no space", "disk is full"), ()),
        (r"(?:write|opens)+: x", ("write", "opens"), ()),
        (r"(?:write|open)?: x", (": x",), ()),
        (r"(?:write|open){0,2}: x", (": x",), ()),
        (r"(?!never)(?<=behind)y", ("y",), ()),
        (r"(?P<a>first)(?P=a)", ("first",), ()),
        (r"(?#a comment)y", (), ()),
        (r"(a)?(?(1)bcdef|g)", (), ("0",)),
        (r"(?>atomic)", (), ()),
        (r"abc?d{2,3}e", ("ab",), ()),
        (r"169\.254\.169\.254", ("169.254.169.254",), ("000.000.000.000",)),
        (r"x{12}y\d{4}", ("y",), ()),
        (r"(?i)Denied", (), ()),
    ],
)
def test_what_a_pattern_tells_by_its_text(
    pattern: str, literals: tuple[str, ...], numbers: tuple[str, ...]
) -> None:
    assert PatternText.of(pattern) == PatternText(literals, numbers)


@pytest.mark.parametrize("signature", SIGNATURES.all, ids=lambda signature: signature.id)
def test_what_a_signature_matches_has_one_of_its_literals(signature: Signature) -> None:
    matches = [match[0] for text in EXAMPLES if (match := signature.pattern.search(text))]
    assert all(any(literal in match for literal in signature.literals or ("",)) for match in matches)


def test_no_signature_asks_for_a_bare_number() -> None:
    """Every entry with a number would have to be read by itself: words beside it make it rare."""
    assert not [number for number in SIGNATURES.numbers if number.isdigit()]


GOOD = """\
family: own
signatures:
  - id: own.widget-missing
    axis: entry
    kind: failure
    pattern: 'widget (?P<path>[^ ]{1,40}) is missing'
    means: The widget that our image needs is not there.
    supports: [agent-version-behaviour]
    examples: ['2026-11-23 06:37:34.3169 ERROR [Widget] widget /opt/w is missing']
"""


def test_own_signatures_come_before_the_built_in_ones(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(GOOD)
    log = b"2026-11-23 06:37:34.3169 ERROR [Widget] widget /opt/w is missing\n"
    reading = read_logs(evidence_of((), {"amazon-ssm-agent.log": log}), signatures=[tmp_path])
    (sighting,) = reading.failures()
    assert (sighting.signature, sighting.capture("path")) == ("own.widget-missing", "/opt/w")
    assert sighting.supports == ("agent-version-behaviour",)


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("kind: failure", "kind: failing", 3, "one of: failure"),
        ("    means:", "    meens:", 3, "unknown key 'meens'"),
        ("[^ ]{1,40}", "[^ {1,40}", 3, "no regular expression"),
        ("[^ ]{1,40}", "(?:a+)+", 3, "a repetition inside a repetition"),
        ("own.widget-missing", "Widget", 3, "id must be like"),
        ("[agent-version-behaviour]", "{imds: [x-y], moon: [x-y]}", 3, "no such leg: 'moon'"),
        ("widget /opt/w is missing']", "widget /opt/w is there']", 3, "example is not of this signature"),
        ("    kind: failure", "    kind: failure\n    kind: noise", 6, "stands twice"),
        ("  - id", "\t- id", 3, "not valid YAML"),
        ("    examples:", "    versions:", 3, "must be text"),
    ],
)
def test_a_bad_file_ends_in_one_line_with_file_and_line(
    tmp_path: Path, old: str, new: str, line: int, says: str
) -> None:
    (tmp_path / "own.yaml").write_text(GOOD.replace(old, new))
    with pytest.raises(SignatureError) as caught:
        load_signatures(tmp_path)
    assert f"own.yaml:{line}: " in str(caught.value)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_not_there_or_empty_is_said(tmp_path: Path) -> None:
    for folder in (tmp_path / "none", tmp_path):
        with pytest.raises(SignatureError, match="folder"):
            load_signatures(folder)


def test_the_same_id_twice_names_both_places() -> None:
    text = GOOD + GOOD.split("signatures:\n")[1]
    with pytest.raises(SignatureError, match=r"own\.yaml:10: .*stands at own\.yaml:3"):
        from analyzers.logs.signature_files import _refuse_twins

        _refuse_twins(read_signatures(text, "own.yaml"))
