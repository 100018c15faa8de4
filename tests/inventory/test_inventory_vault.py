"""Vaults that ansible-core encrypted, opened by us."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible_oracle import Oracle

from collector.errors import InventoryError
from collector.inventory import load, resolve
from collector.inventory.model import Vaulted


def encrypt(text: str, password: str = "open sesame", label: str | None = None) -> str:
    sealed: bytes = VaultLib([(label or "default", VaultSecret(password.encode()))]).encrypt(
        text, secret=VaultSecret(password.encode()), vault_id=label
    )
    return sealed.decode()


def indented(vault: str) -> str:
    return vault.replace("\n", "\n          ")


@pytest.fixture
def key(tmp_path: Path) -> str:
    (tmp_path / "key").write_text("open sesame\n")
    return str(tmp_path / "key")


@pytest.fixture
def inventory(tmp_path: Path) -> str:
    (tmp_path / "i.yaml").write_text(
        "all:\n  hosts:\n    h:\n"
        f"      ansible_password: !vault |\n          {indented(encrypt('hunter2é'))}\n"
        f"      ansible_user: !vault |\n          {indented(encrypt('root', label='prod'))}\n"
    )
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / "all.yml").write_text(encrypt("triage_region: eu-west-1\nother: 1\n"))
    return str(tmp_path / "i.yaml")


def test_values_and_whole_files(inventory: str, key: str) -> None:
    host = load([inventory], vault_password_files=[key]).hosts["h"]
    target = resolve(host)
    assert (target.user, target.region) == ("root", "eu-west-1")
    assert target.password is not None
    assert target.password.resolve() == "hunter2é"
    assert host.vars["other"].value == 1


def test_ansible_reads_the_same(inventory: str, key: str) -> None:
    theirs = Oracle([inventory], [("default", b"open sesame")]).host_vars("h")
    ours = load([inventory], vault_password_files=[key]).hosts["h"].vars
    plain = {
        name: ("vault", var.value.ciphertext) if isinstance(var.value, Vaulted) else var.value
        for name, var in ours.items()
    }
    assert plain == theirs


def test_a_whole_inventory_in_a_vault(tmp_path: Path, key: str) -> None:
    (tmp_path / "hosts").write_text(encrypt("[web]\nweb1 ansible_port=2222\n"))
    host = load([str(tmp_path / "hosts")], vault_password_files=[key]).hosts["web1"]
    assert resolve(host).port == 2222


def test_several_passwords_and_ids(inventory: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAULT_KEY", "open sesame")
    (tmp_path / "wrong").write_text("wrong")
    given = [str(tmp_path / "wrong"), "prod@env:VAULT_KEY"]
    assert resolve(load([inventory], vault_password_files=given).hosts["h"]).user == "root"


def test_an_executable_password_file_is_run(inventory: str, tmp_path: Path) -> None:
    script = tmp_path / "pass word.sh"
    script.write_text("#!/bin/sh\necho open sesame\n")
    script.chmod(0o700)
    host = load([inventory], vault_password_files=[str(script)]).hosts["h"]
    assert resolve(host).user == "root"


def test_refusals(inventory: str, key: str, tmp_path: Path) -> None:
    (tmp_path / "wrong").write_text("wrong")
    with pytest.raises(
        InventoryError, match=r"all.yml: is encrypted by ansible-vault; give --vault-password-file$"
    ):
        load([inventory])
    with pytest.raises(
        InventoryError, match=r"all.yml: is encrypted by ansible-vault and no given password opens it$"
    ):
        load([inventory], vault_password_files=[str(tmp_path / "wrong")])
    with pytest.raises(
        InventoryError, match=r"none: no such vault password file; check --vault-password-file$"
    ):
        load([inventory], vault_password_files=[str(tmp_path / "none")])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text[:-20] + "\n", "is a damaged vault"),
        (lambda text: text.replace("\n", "\nzz", 1), "is a damaged vault"),
        (lambda text: text.replace("1.1", "9.9"), "is not a vault of version 1.1 or 1.2 with AES256"),
        (lambda text: text[:-3] + ("31" if text[-3:-1] == "30" else "30") + "\n", "no given password opens"),
        (lambda text: "$ANSIBLE_VAULT;\n", "is not a vault of version"),
    ],
)  # fmt: skip
def test_damage(damage: object, message: str, tmp_path: Path, key: str) -> None:
    assert callable(damage)
    (tmp_path / "hosts").write_text(damage(encrypt("[web]\nweb1\n")))
    with pytest.raises(InventoryError) as caught:
        load([str(tmp_path / "hosts")], vault_password_files=[key])
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "hosts"))
