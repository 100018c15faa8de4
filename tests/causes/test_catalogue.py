"""The texts: every cause is there, complete, and safe to copy."""

from __future__ import annotations

import pytest

from analyzers.causes.catalogue import CauseText, catalogue
from analyzers.causes.texts import gaps, message, steps
from analyzers.explain import explain, listing
from analyzers.graph import ORDER, _order
from collector.errors import UsageError
from reports.explanation import explanation_text
from reports.i18n import translator

_SLUGS = """
agent-absent agent-stopped agent-wrong-user worker-broken duplicate-agent update-left-service-disabled
win-service-start-timeout sysprep-incomplete security-software-block agent-version-behaviour ipc-broken
boot-race config-corrupt config-override disk-full filesystem-read-only inotify-exhausted fd-limit
resource-starvation clock-skew imds-no-route imds-wrong-route win-stale-imds-route win-container-vswitch
imds-blocked-on-host imds-redirected imds-disabled imds-hop-limit imds-no-response imds-server-error
imds-impostor agent-too-old-for-imdsv2 proxy-no-noproxy-imds proxy-missing-or-wrong-layer
proxy-unreachable proxy-name-not-resolved proxy-scheme-https proxy-auth-required proxy-denies-endpoint
no-default-route endpoint-unreachable endpoint-blocked-on-host endpoint-no-response endpoint-server-error
endpoint-block-page endpoint-not-tls endpoint-tls-reset endpoint-tls-timeout endpoint-tls-version
mtu-blackhole vpc-endpoint-missing ipv6-only dns-no-such-host dns-servfail dns-timeout dns-resolver-down
dns-no-resolver dns-wrong-address hosts-file-override tls-trust tls-certificate-expired tls-wrong-host
iam-no-instance-profile iam-instance-profile-deleted iam-access-denied policy-explicit-deny trust-policy
dhmc-not-ready credentials-expired credentials-invalid credentials-file-unwritable stray-credentials
hybrid-registration-residue hybrid-registration-invalid hybrid-activation-invalid fingerprint-mismatch
throttling healthy unknown not-reached
"""
SLUGS = tuple(_SLUGS.split())
"""The vocabulary: stable, never reused."""

CAUSES = [text for text in catalogue() if not text.symptom and text.family != "verdict"]


def test_every_slug_has_its_text() -> None:
    assert set(SLUGS) <= {text.slug for text in catalogue()}


@pytest.mark.parametrize("text", CAUSES, ids=lambda text: text.slug)
def test_a_cause_says_all_that_a_reader_needs(text: CauseText) -> None:
    assert text.title[0].isupper()
    assert not text.title.endswith(".")
    assert text.sentence.endswith(".")
    assert all((text.what, text.seen, text.mend, text.verify))
    assert text.restart is not None
    assert _order(text.slug) < len(ORDER), "no place in the order of mending"


@pytest.mark.parametrize("text", CAUSES, ids=lambda text: text.slug)
def test_a_sentence_has_words_for_what_is_not_known(text: CauseText) -> None:
    assert set(gaps(text.sentence)) <= set(text.otherwise)
    assert "<" not in str(message(text.sentence, text.otherwise))


@pytest.mark.parametrize("text", list(catalogue()), ids=lambda text: text.slug)
def test_templates_render(text: CauseText) -> None:
    assert "{" not in str(message(text.sentence, {}))
    for step in (*steps(text.mend, {}), *steps(text.verify, {})):
        assert "{http_code}" not in str(step.text)


def test_explain() -> None:
    text = explanation_text(explain("clock-skew"), translator())
    assert text.startswith("clock-skew: The host's clock is wrong")
    assert "<region>" in text
    assert ("host", "disk-full", "The disk is full") in listing()


def test_explain_suggests() -> None:
    with pytest.raises(UsageError, match="did you mean imds-no-route"):
        explain("imds-noroute")


def test_edges_name_causes() -> None:
    """Every pattern of ``explains`` fits something."""
    for text in catalogue():
        for pattern in text.explains:
            assert any(text.covers(other.slug) for other in catalogue()), (text.slug, pattern)
