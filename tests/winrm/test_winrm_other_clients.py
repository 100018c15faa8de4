"""The lab's host to clients that share nothing with ours, so that it is no echo of what we believe."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from winrm_rig import PASSWORD, PRINCIPAL, USER, Kdc, Rig, needs_credssp

from lab.windows.powershell import Answer

LINES = {
    "hostname": lambda stdin: Answer("WINSIM\r\n"),
    "findstr x": lambda stdin: Answer(stdin),
    "type big": lambda stdin: Answer(random.Random(3).randbytes(3_000_000)),
    "fail": lambda stdin: Answer("out", "err", 3),
}


def pypsrp_client(host: Any, auth: str, **more: Any) -> Any:
    pytest.importorskip("pypsrp", reason="pypsrp is missing (pip: pypsrp)")
    from pypsrp.wsman import WSMan

    settings = {"username": USER, "password": PASSWORD, "cert_validation": False, **more}
    is_tls = bool(host.setup.certificate)
    return WSMan(
        more.pop("server", "127.0.0.1"), port=host.port, ssl=is_tls, auth=auth, no_proxy=True,
        **{key: value for key, value in settings.items() if key != "server"},
    )  # fmt: skip


def converse(wsman: Any) -> None:
    """pypsrp's own WS-Management: commands, input, bulk output, exit codes."""
    from pypsrp.shell import Process, SignalCode, WinRS

    with wsman, WinRS(wsman, codepage=65001) as shell:
        for line, stdin, stdout, stderr, code in (
            ("hostname", b"", b"WINSIM\r\n", b"", 0),
            ("findstr x", b"y" * 400_000, b"y" * 400_000, b"", 0),
            ("type big", b"", random.Random(3).randbytes(3_000_000), b"", 0),
            ("fail", b"", b"out", b"err", 3),
        ):
            process = Process(shell, line)
            process.begin_invoke()
            for at in range(0, len(stdin) or 1, 100_000):
                process.send(stdin[at : at + 100_000], end=at + 100_000 >= len(stdin))
            process.end_invoke()
            assert (process.stdout, process.stderr, process.rc) == (stdout, stderr, code)
            process.signal(SignalCode.CTRL_C)


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("auth", ["basic", "ntlm", "negotiate", "credssp", "certificate"])
def test_pypsrp(rig: Rig, auth: str, tls: bool) -> None:
    pytest.importorskip("pypsrp", reason="pypsrp is missing (pip: pypsrp)")
    more: dict[str, Any] = {}
    if auth == "credssp":
        needs_credssp()
    client = rig.issuer.client(USER)
    if auth == "certificate":
        if not tls:
            return
        more = {"certificate_pem": str(client), "certificate_key_pem": str(client)}
    host = rig.host(
        tls=tls, lines=LINES, allow_unencrypted=True,
        client_authority=rig.issuer.file, client_certificates={client: USER},
    )  # fmt: skip
    if auth == "basic" and not tls:
        more = {"encryption": "never"}
    converse(pypsrp_client(host, auth, **more))
    assert not host.shells.open
    assert host.logins == 1


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_pypsrp_with_kerberos(rig: Rig, kdc: Kdc, tls: bool) -> None:
    pytest.importorskip("pypsrp", reason="pypsrp is missing (pip: pypsrp)")
    host = rig.host(tls=tls, lines=LINES)
    converse(
        pypsrp_client(host, "kerberos", username=PRINCIPAL, server="localhost", negotiate_service="HTTP")
    )
    assert not host.shells.open


@pytest.mark.skipif(shutil.which("winrmcp") is None, reason="winrmcp is missing (apt: winrmcp)")
def test_a_client_in_go(rig: Rig, tmp_path: Path) -> None:
    """masterzen/winrm's: a WS-Management of its own.  It asks for more than we have answers for."""
    host = rig.host(allow_unencrypted=True)
    source = tmp_path / "file"
    source.write_bytes(b"hello")
    done = subprocess.run(
        [
            "winrmcp",
            f"-addr=127.0.0.1:{host.port}",
            f"-user={USER}",
            f"-pass={PASSWORD}",
            str(source),
            "C:/x",
        ],
        capture_output=True,
        check=False,
        timeout=60,
        env={**os.environ, "no_proxy": "*"},
    )
    assert b"no answer for" in done.stderr + done.stdout or host.unknown, done
    assert host.logins >= 1
    assert host.faults.seen["Create"] >= 1
    assert host.faults.seen["Receive"] >= 1
    assert not host.shells.open


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is missing (apt: curl)")
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_curl_negotiates_kerberos(rig: Rig, kdc: Kdc, tls: bool) -> None:
    """libcurl with MIT's GSSAPI, and nothing of Python's."""
    host = rig.host(tls=tls)
    subprocess.run(["kinit", "-k", "-t", kdc.user_keytab, PRINCIPAL], check=True)
    url = host.url.replace("127.0.0.1", "localhost")
    trust = ["--cacert", str(rig.issuer.file)]
    asked = ["curl", "-sS", *trust, "-o", "/dev/null", "-w", "%{http_code}", "--data", ""]
    environment = {**os.environ, "no_proxy": "*"}
    for login, status in (
        (["--negotiate", "-u", ":"], b"200"),
        ([], b"401"),
        (["-u", f"{USER}:wrong"], b"401"),
    ):
        done = subprocess.run([*asked, *login, url], capture_output=True, check=False, env=environment)
        assert done.stdout == status, done
    assert host.logins == 1


def test_ntlm_of_another_hand(windows_users: Path) -> None:
    """gss-ntlmssp (C) against pyspnego (Python), both ways, with sealed messages: neither proves itself."""
    gssapi = pytest.importorskip("gssapi", reason="gssapi is missing (apt: libkrb5-dev; pip: gssapi)")
    import spnego

    mechanism = gssapi.OID.from_int_seq("1.3.6.1.4.1.311.2.2.10")
    if mechanism not in gssapi.raw.indicate_mechs():
        pytest.skip("NTLM for GSSAPI is missing (apt: gss-ntlmssp)")
    name = gssapi.Name(f"WINSIM\\{USER}", gssapi.NameType.user)
    credentials = gssapi.raw.acquire_cred_with_password(
        name, PASSWORD.encode(), usage="initiate", mechs=[mechanism]
    ).creds
    theirs = gssapi.SecurityContext(
        name=gssapi.Name("HTTP@winsim", gssapi.NameType.hostbased_service),
        creds=gssapi.Credentials(credentials),
        mech=mechanism,
        flags=gssapi.RequirementFlag.confidentiality | gssapi.RequirementFlag.integrity,
        usage="initiate",
    )
    ours = spnego.server(protocol="ntlm")
    token = theirs.step()
    while not ours.complete:
        reply = ours.step(token)
        if reply is None:
            break
        token = theirs.step(reply)
    assert ours.complete
    for number in range(3):
        sealed = theirs.wrap(b"message %d" % number, True).message
        assert ours.unwrap(sealed).data == b"message %d" % number
        answer = ours.wrap(b"answer %d" % number).data
        assert theirs.unwrap(answer).message == b"answer %d" % number
