"""What a host comes down to: Ansible's connection variables, ours, the command line, and who wins."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from collector.errors import InventoryError, SecretError
from collector.inventory import Inventory, Overrides, list_hosts, load, resolve
from collector.secrets import CommandSecret, EnvSecret, FileSecret, KeyringSecret, Literal
from collector.target import Become, HostKeyChecking, Platform, Target, Transport

EXAMPLE = Path(__file__).parents[2] / "inventory.example.yaml"


@pytest.fixture
def inventory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Inventory:
    monkeypatch.chdir(tmp_path)
    Path("inventory.yaml").write_text(
        """\
all:
  vars:
    ansible_user: ec2-user
    domain: example.net
  children:
    web:
      hosts:
        web01: {ansible_host: 192.0.2.1, ansible_port: "{{ base_port + 1 }}", triage_instance_id: i-01234567}
        web02:
          ansible_host: "{{ inventory_hostname }}.{{ domain }}"
          ansible_ssh_common_args: -o ProxyJump={{ hostvars[groups['bastion'][0]].ansible_host }}
          ansible_ssh_extra_args: "-o 'ServerAliveInterval 5'"
          ansible_ssh_args: -C
      vars: {base_port: 2200, triage_jump: "ops@bast:22,inner", triage_region: eu-west-1, triage_zone: vpc a}
    bastion:
      hosts:
        jump1: {ansible_host: 192.0.2.250, triage_jump: none}
    legacy:
      hosts:
        old: {ansible_ssh_host: 192.0.2.9, ansible_ssh_port: 2022, ansible_ssh_user: root, ansible_host: no}
    windows:
      hosts:
        win01:
          ansible_winrm_host: 192.0.2.20
          ansible_winrm_transport: [ntlm, kerberos]
          ansible_winrm_server_cert_validation: validate
          ansible_winrm_ignore_proxy: true
        win02: {ansible_connection: ssh, ansible_shell_type: powershell}
        win03: {ansible_connection: psrp, ansible_psrp_port: 5986, ansible_psrp_user: 'CORP\\Ops Team'}
      vars:
        ansible_connection: ansible.builtin.winrm
        ansible_password: hunter2
        ansible_user: Administrator
"""
    )
    return load(["inventory.yaml"])


def target(inventory: Inventory, name: str, overrides: Overrides | None = None) -> Target:
    return resolve(inventory.hosts[name], overrides)


def test_a_plain_ssh_host(inventory: Inventory) -> None:
    found = target(inventory, "web01")
    assert found == Target(
        name="web01",
        address="192.0.2.1",
        port=2201,
        user="ec2-user",
        jump="ops@bast:22,inner",
        groups=("web",),
        instance_id="i-01234567",
        region="eu-west-1",
        zone="vpc a",
        origins=found.origins,
    )
    assert dict(found.origins) == {
        "transport": "default",
        "address": "inventory.yaml:8 (host web01)",
        "port": "inventory.yaml:8 (host web01)",
        "user": "inventory.yaml:3 (group all)",
        "jump": "inventory.yaml:14 (group web)",
        "instance_id": "inventory.yaml:8 (host web01)",
        "region": "inventory.yaml:14 (group web)",
        "zone": "inventory.yaml:14 (group web)",
    }


def test_templates_see_host_groups_and_hostvars(inventory: Inventory) -> None:
    found = target(inventory, "web02")
    assert found.address == "web02.example.net"
    assert found.ssh_args == ("-C", "-o", "ProxyJump=192.0.2.250", "-o", "ServerAliveInterval 5")


def test_legacy_names_win_as_in_ansible(inventory: Inventory) -> None:
    found = target(inventory, "old")
    assert (found.address, found.port, found.user) == ("192.0.2.9", 2022, "root")


def test_windows(inventory: Inventory) -> None:
    found = target(inventory, "win01")
    assert (found.transport, found.platform, found.address) == (
        Transport.WINRM,
        Platform.WINDOWS,
        "192.0.2.20",
    )
    assert found.options == (
        ("ansible_winrm_ignore_proxy", "true"),
        ("ansible_winrm_server_cert_validation", "validate"),
        ("ansible_winrm_transport", "ntlm,kerberos"),
    )
    over_ssh = target(inventory, "win02")
    assert (over_ssh.transport, over_ssh.platform) == (Transport.SSH, Platform.WINDOWS)
    psrp = target(inventory, "win03")
    assert (psrp.transport, psrp.port, psrp.user, psrp.options) == (
        Transport.WINRM,
        5986,
        "CORP\\Ops Team",
        (),
    )


def test_the_inventory_beats_the_command_line(inventory: Inventory) -> None:
    wishes = Overrides(
        user="me",
        port=2299,
        connection="local",
        jump="other",
        private_key_file="/k",
        password=EnvSecret("PW"),
        become=True,
        become_password=EnvSecret("BPW"),
        host_key_checking=HostKeyChecking.ACCEPT_NEW,
        ssh_args=("-4",),
    )
    found = target(inventory, "web01", wishes)
    assert (found.user, found.port, found.jump) == ("ec2-user", 2201, "ops@bast:22,inner")
    assert (found.transport, found.private_key_file, found.ssh_args) == (Transport.LOCAL, "/k", ("-4",))
    assert found.password == EnvSecret("PW")
    assert found.become == Become(password=EnvSecret("BPW"))
    assert found.host_key_checking is HostKeyChecking.ACCEPT_NEW
    origins = dict(found.origins)
    assert origins["transport"] == "command line (--connection)"
    assert origins["private_key_file"] == "command line (--private-key)"
    assert origins["become.password"] == "command line (--ask-become-pass)"
    assert target(inventory, "jump1", wishes).jump == "none"
    with pytest.raises(InventoryError, match=r"^command line: --connection: 'telnet' is not a connection"):
        target(inventory, "web01", Overrides(connection="telnet"))


def test_list_hosts(inventory: Inventory) -> None:
    rows = {row.host.value: row for row in list_hosts(inventory.select(), Overrides(port=22))}
    row = rows["jump1"]
    assert [row.address.value, row.port.value, row.user.value, row.connection.value, row.jump.value] == [
        "192.0.2.250", "22", "ec2-user", "ssh", "none",
    ]  # fmt: skip
    assert row.port.origin == "command line (--port)"
    assert row.user.origin == "inventory.yaml:3 (group all)"
    assert rows["win01"].port.value == "22"
    assert rows["win01"].jump.value == "-"
    assert rows["web01"].host.origin == "group web"


@pytest.mark.parametrize(
    ("line", "field", "expected"),
    [
        ("triage_password: env:PW", "password", EnvSecret("PW")),
        ("triage_password: 'cmd:pass show x/y'", "password", CommandSecret("pass show x/y")),
        ("triage_password: keyring:svc/sub/user", "password", KeyringSecret("svc/sub", "user")),
        ("ansible_password: hunter2", "password", Literal("hunter2")),
        ("ansible_password: 12345", "password", Literal("12345")),
        ("ansible_ssh_pass: \"{{ lookup('env', 'PW') }}\"", "password", EnvSecret("PW")),
        (
            'ansible_password: \'{{ lookup("ansible.builtin.file", "~/pw") }}\'',
            "password",
            FileSecret("~/pw"),
        ),
        ("{ansible_password: literal, triage_password: file:/pw}", "password", FileSecret("/pw")),
        ("{ansible_password: '{{ base }}!', base: x}", "password", Literal("x!")),
        ("triage_private_key_passphrase: env:PP", "private_key_passphrase", EnvSecret("PP")),
        ("ansible_ssh_private_key_file: ''", "private_key_file", None),
        ("ansible_private_key_file: /k.pem", "private_key_file", "/k.pem"),
        ("triage_host_key_checking: off", "host_key_checking", HostKeyChecking.OFF),
        ("triage_host_key_checking: accept-new", "host_key_checking", HostKeyChecking.ACCEPT_NEW),
        ("ansible_host_key_checking: true", "host_key_checking", HostKeyChecking.STRICT),
        ("ansible_ssh_host_key_checking: 'no'", "host_key_checking", HostKeyChecking.OFF),
        ("{ansible_become: yes, ansible_become_user: app}", "become", Become(user="app")),
        ("{ansible_become: yes, ansible_become_pass: p}", "become", Become(password=Literal("p"))),
        ("{ansible_become: yes, triage_become_password: env:S}", "become", Become(password=EnvSecret("S"))),
        ("{ansible_become: '{{ b }}', b: no}", "become", None),
        ("{ansible_become_user: app}", "become", None),
        ("triage_root: /mnt/rescue", "root", "/mnt/rescue"),
        ("triage_platform: Windows", "platform", Platform.WINDOWS),
        ("ansible_user: !unsafe '{{ x }}'", "user", "{{ x }}"),
        ("ansible_user: null", "user", None),
        ("triage_instance_id: mi-0123456789abcdef0", "instance_id", "mi-0123456789abcdef0"),
        ("triage_region: us-gov-west-1", "region", "us-gov-west-1"),
    ],
)
def test_one_variable(line: str, field: str, expected: object, tmp_path: Path) -> None:
    variables = line if line.startswith("{") else "{" + line + "}"
    (tmp_path / "i.yaml").write_text(f"all:\n  hosts:\n    h: {variables}\n")
    assert getattr(resolve(load([str(tmp_path / "i.yaml")]).hosts["h"]), field) == expected


def test_hosts_of_a_group_share_its_secret(tmp_path: Path) -> None:
    """So a prompt asks once for the group, and a command runs once."""
    (tmp_path / "hosts").write_text(
        "[a]\nh[1:2]\n[b]\nh3\n[a:vars]\ntriage_password=prompt\n[b:vars]\ntriage_password=prompt\n"
    )
    h1, h2, h3 = (resolve(host).password for host in load([str(tmp_path / "hosts")]).select())
    assert h1 is h2
    assert h3 is not h1
    assert repr(h1) == "PromptSecret('triage_password of group a: ')"


def test_become_false_in_the_inventory_beats_the_flag(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("h ansible_become=false\n")
    assert resolve(load([str(tmp_path / "hosts")]).hosts["h"], Overrides(become=True)).become is None


def test_a_literal_password_never_shows(inventory: Inventory) -> None:
    found = target(inventory, "win01")
    assert found.password is not None
    assert found.password.resolve() == "hunter2"
    variables = inventory.hosts["win01"].vars
    shown = repr((found, found.password, inventory, inventory.hosts, inventory.groups, variables))
    assert "hunter2" not in shown
    with pytest.raises(SecretError, match="does not leave this process"):
        pickle.dumps(found)


def test_a_target_with_references_pickles(tmp_path: Path) -> None:
    (tmp_path / "i.yaml").write_text(
        "all:\n  hosts:\n    h:\n      triage_password: cmd:pass x\n      ansible_become: yes\n"
        "      triage_become_password: env:B\n"
    )
    found = resolve(load([str(tmp_path / "i.yaml")]).hosts["h"])
    assert pickle.loads(pickle.dumps(found)) == found


def test_the_example(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_SUDO_PASSWORD", "s3cret")
    example = load([str(EXAMPLE)])
    found = {host.name: resolve(host) for host in example.select()}
    assert list(found) == [
        "web01.example.com", "web02.example.com", "web03.example.com", "db01", "db02", "win01", "rescue01",
    ]  # fmt: skip
    assert not example.warnings
    assert found["web01.example.com"].jump == "ops@bastion.example.com:22"
    assert found["db02"].address == "10.0.20.12"
    db01 = found["db01"].become
    assert db01 is not None
    assert db01.password is not None
    assert db01.password.resolve() == "s3cret"
    assert found["win01"].transport is Transport.WINRM
    assert found["win01"].private_key_file is None
    assert found["rescue01"].root == "/mnt/rescue"


def test_every_triage_key_is_in_the_example() -> None:
    from collector.inventory import TRIAGE_KEYS

    text = EXAMPLE.read_text()
    assert [key for key in TRIAGE_KEYS if f"{key}:" not in text] == []
