"""Secrets by reference: each kind against the real thing, and none that shows what it holds."""

from __future__ import annotations

import copy
import io
import pickle
import shlex
import sys
import types
from pathlib import Path

import pytest

from collector.errors import SecretError
from collector.secrets import (
    CommandSecret,
    EnvSecret,
    FileSecret,
    KeyringSecret,
    Literal,
    PromptSecret,
    parse_reference,
)
from collector.target import Secret

FORMS = (
    "is not a reference to a secret; give env:NAME, file:PATH, cmd:COMMAND, keyring:SERVICE/USER or prompt"
)


def python(code: str) -> str:
    return f"{shlex.quote(sys.executable)} -c {shlex.quote(code)}"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("env:PW", EnvSecret("PW")),
        ("file:~/pw", FileSecret("~/pw")),
        ("file:C:\\pw", FileSecret("C:\\pw")),
        ("cmd:pass show 'a b'", CommandSecret("pass show 'a b'")),
        ("keyring:ssm-triage/CORP\\ops", KeyringSecret("ssm-triage", "CORP\\ops")),
        ("keyring:https://vault/ops", KeyringSecret("https://vault", "ops")),
    ],
)
def test_references_are_what_they_say(text: str, secret: Secret) -> None:
    assert parse_reference(text) == secret
    assert pickle.loads(pickle.dumps(secret)) == secret
    assert copy.deepcopy(secret) == secret


@pytest.mark.parametrize(
    "text",
    [
        "hunter2",
        "",
        "env:",
        "file:",
        "cmd:",
        "cmd:  ",
        "keyring:x",
        "keyring:/u",
        "keyring:s/",
        "Env:X",
        "pw:x",
    ],
)
def test_what_is_no_reference_is_not_repeated(text: str) -> None:
    with pytest.raises(SecretError) as caught:
        parse_reference(text)
    assert str(caught.value) == FORMS


def test_env(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIAGE_TEST_PW", " s3cret ")
    assert EnvSecret("TRIAGE_TEST_PW").resolve() == " s3cret "
    monkeypatch.setenv("TRIAGE_TEST_PW", "")
    with pytest.raises(SecretError, match=r"^env:TRIAGE_TEST_PW: is empty$"):
        EnvSecret("TRIAGE_TEST_PW").resolve()
    monkeypatch.delenv("TRIAGE_TEST_PW")
    with pytest.raises(SecretError, match=r"^env:TRIAGE_TEST_PW: the environment has no such variable"):
        EnvSecret("TRIAGE_TEST_PW").resolve()


@pytest.mark.parametrize(
    ("content", "expected"), [(b"pw\n", "pw"), (b"pw\r\n", "pw"), (b"pw", "pw"), (b" p w \n\n", " p w \n")]
)
def test_file(content: bytes, expected: str, tmp_path: Path) -> None:
    (tmp_path / "pw").write_bytes(content)
    assert FileSecret(str(tmp_path / "pw")).resolve() == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"\xff", "is not UTF-8 text"),
        (b"x" * 70_000, "is larger than a secret"),
    ],
)
def test_file_that_holds_no_secret(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "pw").write_bytes(content)
    with pytest.raises(SecretError, match=message):
        FileSecret(str(tmp_path / "pw")).resolve()
    with pytest.raises(SecretError, match="cannot be read: No such file or directory"):
        FileSecret(str(tmp_path / "none")).resolve()
    with pytest.raises(SecretError, match="cannot be read: Is a directory"):
        FileSecret(str(tmp_path)).resolve()


def test_command_runs_once_and_without_a_shell(tmp_path: Path) -> None:
    log = tmp_path / "log"
    secret = CommandSecret(python(f"open({str(log)!r}, 'a').write('x'); print('$HOME; pw')"))
    assert [secret.resolve(), secret.resolve()] == ["$HOME; pw"] * 2
    assert log.read_text() == "x"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (
            python("import sys; print('s3cret'); sys.exit(3)"),
            "ended with exit code 3; run it by hand to see why",
        ),
        (python("pass"), "is empty"),
        ("no-such-program-here --x", "cmd:no-such-program-here: cannot be run: No such file or directory"),
    ],
)
def test_command_that_fails(command: str, message: str) -> None:
    with pytest.raises(SecretError) as caught:
        CommandSecret(command).resolve()
    assert message in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_command_with_an_open_quote() -> None:
    with pytest.raises(SecretError, match="open quote"):
        parse_reference("cmd:pass 'x")


def test_command_shows_only_its_program() -> None:
    assert "hunter2" not in repr(CommandSecret("echo hunter2"))


def test_keyring_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(SecretError, match=r"needs the keyring library: pip install 'ssm-triage\[keyring\]'"):
        KeyringSecret("svc", "ops").resolve()


def test_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    """The two functions that we use of the library, with an entry and without."""
    entries = {("svc", "ops"): "pw"}
    errors = types.ModuleType("keyring.errors")
    errors.__dict__["KeyringError"] = type("KeyringError", (Exception,), {})
    library = types.ModuleType("keyring")
    library.__dict__.update(errors=errors, get_password=lambda service, user: entries.get((service, user)))
    monkeypatch.setitem(sys.modules, "keyring", library)
    monkeypatch.setitem(sys.modules, "keyring.errors", errors)
    assert KeyringSecret("svc", "ops").resolve() == "pw"
    with pytest.raises(SecretError, match=r"^keyring:svc/me: the keyring has no such entry"):
        KeyringSecret("svc", "me").resolve()


@pytest.mark.parametrize(
    "secret", [Literal("hunter2"), PromptSecret("SSH password: ", lambda label: "hunter2")]
)
def test_a_value_without_reference_stays_here(secret: Secret) -> None:
    assert secret.resolve() == "hunter2"
    assert "hunter2" not in f"{secret!r} {secret}"
    assert copy.deepcopy(secret) is secret
    with pytest.raises(
        SecretError, match="does not leave this process; give it by reference: env:NAME"
    ) as caught:
        pickle.dumps(secret)
    assert "hunter2" not in str(caught.value)


def test_a_prompt_asks_once() -> None:
    asked: list[str] = []
    secret = PromptSecret("SSH password: ", lambda label: asked.append(label) or "pw")
    assert [secret.resolve(), secret.resolve()] == ["pw", "pw"]
    assert asked == ["SSH password: "]


def test_a_prompt_needs_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    with pytest.raises(SecretError, match="there is no terminal to ask on"):
        parse_reference("prompt").resolve()
