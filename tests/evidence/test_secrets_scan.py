"""Secrets are found wherever a stream is cut, and nothing else is touched."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.evidence.secrets_scan import MAX_LINE, Masker, find_secrets, mask_secrets

KEY = b"wJalrXUtnFEMIK7MDENGbPxRfiCYzEXAMPLEKEYx"
TOKEN = b"IQoJb3JpZ2luX2VjEJ7//////////wEaCXVzLWVhc3QtMSJHMEUCIQDexample" * 4
BODY = b"\n".join(base64.b64encode(bytes(range(line, line + 48))) for line in range(12))
PEM = b"-----BEGIN RSA PRIVATE KEY-----\n" + BODY + b"\n-----END RSA PRIVATE KEY-----\n"

SECRETS = {
    "credentials file": (b"aws_secret_access_key = %s\n" % KEY, KEY),
    "environment": (b"AWS_SECRET_ACCESS_KEY=%s\n" % KEY, KEY),
    "imds document": (b'  "SecretAccessKey" : "%s",\n' % KEY, KEY),
    "escaped json": (b'{\\"secretAccessKey\\": \\"%s\\"}\n' % KEY, KEY),
    "aws configure": (b"aws configure set aws_secret_access_key %s\n" % KEY, KEY),
    "csv beside its id": (b"deploy,AKIAIOSFODNN7EXAMPLE,%s\n" % KEY, KEY),
    "session token": (b"aws_session_token=%s\n" % TOKEN, TOKEN),
    "imds token": (b'  "Token" : "%s",\n' % TOKEN, TOKEN),
    "header": (b"X-Amz-Security-Token: %s\r\n" % TOKEN, TOKEN),
    "metadata token": (b"X-aws-ec2-metadata-token: AQAEALL%s==\n" % KEY, KEY),
    "presigned": (b"GET https://s3/x?X-Amz-Signature=%s&y=1\n" % (b"0a1b2c3d" * 8), b"0a1b2c3d" * 8),
    "percent encoded": (b"?X-Amz-Security-Token=IQoJb3JpZ2lu%%2F%s%%2Fhidden&z\n" % TOKEN[:40], b"hidden"),
    "pem": (PEM, BODY.split(b"\n")[5]),
    "pem in json": (b'{"k":"' + PEM.replace(b"\n", b"\\n") + b'"}\n', BODY.split(b"\n")[5]),
    "proxy": (b"https_proxy=http://svc:hunter2@proxy.example.com:3128\n", b"hunter2"),
    "proxy, @ in it": (b"proxy http://svc:hun@ter2@proxy.example.com\n", b"ter2"),
    "basic": (b"Proxy-Authorization: Basic c3ZjOmh1bnRlcjI=\r\n", b"c3ZjOmh1bnRlcjI"),
    "bearer in a map": (b"map[Authorization:[Bearer abc.def.ghi] Host:[x]]\n", b"abc.def.ghi"),
    "signed": (
        b'"Authorization": "AWS4-HMAC-SHA256 Credential=AKIA/x, SignedHeaders=host, Signature=0123abcd"\n',
        b"0123abcd",
    ),
}

HARMLESS = [
    b"2026-11-23 06:26:14 ERROR [minLog @ credentialrefresher.go.280] Retrieve credentials\n",
    b"UnrecognizedClientException: The security token included in the request is invalid\n",
    b'caused by: Put "http://169.254.169.254:80/latest/api/token": dial tcp: i/o timeout\n',
    b"arn:aws:sts::111122223333:assumed-role/AppServerRole/i-0a1b2c3d4e5f60718 is not authorized\n",
    b"/var/lib/amazon/ssm/i-0a1b2c3d4e5f60718/document/state/current/abcdefabcdefabcdef\n",
    b"proxy is http://***@proxy.example.com:3128 and http://svc:***@proxy.example.com\n",
    b"sha1 0123456789abcdef0123456789abcdef01234567 of the package\n",
    b"aws_secret_access_key = ***\nAuthorization: Basic ***\n",
    b"[TokenRequestService] failed to retrieve instance identity role. Error: token: missing\n",
]


@pytest.mark.parametrize("kind", SECRETS)
def test_secret_is_masked_and_the_rest_stays(kind: str) -> None:
    line, secret = SECRETS[kind]
    before, after = b"2026-11-23 06:26:14 INFO before\n", b"2026-11-23 06:26:15 INFO after\n"
    masked, count = mask_secrets(before + line + after)
    assert secret not in masked
    assert count == 1
    assert masked.startswith(before)
    assert masked.endswith(after)
    assert masked.count(b"\n") == (before + line + after).count(b"\n")
    assert b"***" in masked


@pytest.mark.parametrize("line", HARMLESS)
def test_what_only_resembles_a_secret_stays(line: bytes) -> None:
    assert mask_secrets(line) == (line, 0)


@pytest.mark.parametrize("kind", SECRETS)
def test_masked_text_holds_nothing_more_to_mask(kind: str) -> None:
    masked, _ = mask_secrets(SECRETS[kind][0])
    assert find_secrets(masked) == []


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([*(line for line, _ in SECRETS.values()), *HARMLESS]), max_size=12),
    st.data(),
)
def test_the_result_does_not_depend_on_where_the_stream_is_cut(
    lines: list[bytes], data: st.DataObject
) -> None:
    whole = b"".join(lines)
    masker = Masker()
    masked = b""
    at = 0
    while at < len(whole):
        step = data.draw(st.integers(1, 400))
        masked += masker.feed(whole[at : at + step])
        at += step
    masked += masker.finish()
    assert (masked, masker.count) == mask_secrets(whole)
    assert masker.settled == len(whole)


@settings(deadline=None)
@given(st.binary(max_size=2000))
def test_any_bytes_pass(data: bytes) -> None:
    masked, count = mask_secrets(data)
    assert count > 0 or masked == data


@pytest.mark.parametrize(
    "at", [0, 1, 20_000, MAX_LINE - 70, MAX_LINE - 8 * 1024 - 20, MAX_LINE, MAX_LINE + 9]
)
def test_a_line_without_end_is_scanned_as_it_goes(at: int) -> None:
    filler = b"x y " * (MAX_LINE // 2)
    line = filler[:at] + b' "SecretAccessKey" : "%s" ' % KEY + filler
    masker = Masker()
    masked = b""
    for start in range(0, len(line), 1000):
        masked += masker.feed(line[start : start + 1000])
        assert len(masked) > start - 3 * MAX_LINE
    masked += masker.finish()
    assert masked == line.replace(KEY, b"***")
