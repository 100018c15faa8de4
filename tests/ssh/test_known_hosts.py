"""The reader of known_hosts on its own: the format, hostile bytes, ten thousand lines."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.connections.known_hosts import KnownHosts, fingerprint, host_name

# From sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT", and `ssh-keyscan`/`ssh-keygen -H` of OpenSSH 9.2.
SAMPLE = """\
# Comments allowed at start of line
closenet,192.0.2.53 1024 37 159...93 closenet.example.net
cvs.example.net,192.0.2.10 ssh-rsa AAAA1234.....=
# A hashed hostname
|1|JfKTdBh7rNbXkVAQCRp4OQoPfmI=|USECr3SWf1JUPsms5AqfD5QfxkM= ssh-rsa AAAA1234.....=
# A revoked key
@revoked * ssh-rsa AAAAB5W
# A CA key, accepted for any host in *.mydomain.com or *.mydomain.org
@cert-authority *.mydomain.org,*.mydomain.com ssh-rsa AAAAB5W
[192.0.2.7]:2222 ssh-ed25519 AAAAC3Nza
*.lab.example,!secret.lab.example ssh-ed25519 AAAAC3Lab
@unheard-of * ssh-ed25519 AAAAC3Not
broken
"""


@pytest.fixture
def sample(tmp_path: Path) -> KnownHosts:
    (tmp_path / "known_hosts").write_text(SAMPLE)
    return KnownHosts([str(tmp_path / "known_hosts"), str(tmp_path / "not there")])


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("cvs.example.net", [3, 7]),
        ("CVS.example.net", [3, 7]),
        ("192.0.2.10", [3, 7]),
        ("[192.0.2.7]:2222", [10, 7]),
        ("192.0.2.7", [7]),
        ("web.mydomain.org", [7, 9]),
        ("a.lab.example", [7, 11]),
        ("secret.lab.example", [7]),
    ],
)
def test_names(sample: KnownHosts, name: str, lines: list[int]) -> None:
    assert [key.line for key in sample.lookup(name)] == lines


def test_markers(sample: KnownHosts) -> None:
    assert [key.marker for key in sample.lookup("www.mydomain.com")] == ["revoked", "cert-authority"]


def test_a_host_is_named_with_its_port_unless_it_is_22() -> None:
    assert host_name("Web", 22) == "web"
    assert host_name("web", 2222) == "[web]:2222"
    assert host_name("2001:db8::1", 2222) == "[2001:db8::1]:2222"


def test_ten_thousand_lines_take_no_time(tmp_path: Path) -> None:
    """Paramiko needs fifteen seconds for this file, and again for each connection."""
    path = tmp_path / "known_hosts"
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 43
    path.write_text(
        "".join(f"host{number}.example,10.0.{number % 256}.1 {key}\n" for number in range(10_000))
    )
    best = 1.0
    for _ in range(5):
        started = time.process_time()
        known = KnownHosts([str(path)])
        found = known.lookup("host9999.example")
        best = min(best, time.process_time() - started)
    assert [key.line for key in found] == [10_000]
    assert best < 0.2, "must stay linear"


@given(st.binary(max_size=400))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=80)
def test_any_bytes_can_be_read(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "known_hosts"
    path.write_bytes(data + b"\nweb.example ssh-ed25519 AAAA\n")
    known = KnownHosts([str(path)])
    assert any(key.base64 == "AAAA" for key in known.lookup("web.example"))
    for key in known.lookup("web.example"):
        assert fingerprint(key.blob).startswith("SHA256:")


lines = st.lists(
    st.tuples(
        st.sampled_from(["", "@revoked ", "@cert-authority ", "@x "]),
        st.text(alphabet="ab*?!,.[]:|1=", max_size=12),
        st.sampled_from([" ssh-ed25519 AAAA", " ssh-rsa", "", " ssh-rsa !!!! c"]),
    ),
    max_size=8,
)


@given(lines, st.text(alphabet="ab.[]:1", min_size=1, max_size=6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=80)
def test_any_patterns_can_be_asked(tmp_path: Path, parts: list[tuple[str, str, str]], name: str) -> None:
    path = tmp_path / "known_hosts"
    path.write_text("\n".join("".join(part) for part in parts))
    for key in KnownHosts([str(path)]).lookup(name):
        assert key.marker in {"", "revoked", "cert-authority"}
        assert key.blob is not None
