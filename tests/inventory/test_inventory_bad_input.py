"""Bad input ends in one line that names file, line and key, and says what to do."""

# ruff: noqa: E501 - a message is one line, however long

from __future__ import annotations

import io
from pathlib import Path

import pytest

from collector.errors import InventoryError
from collector.inventory import load, resolve

YAML = "inventory.yaml"
INI = "hosts"

BAD: list[tuple[str, str, str]] = [
    (YAML, "all:\n  hosts:\n    a:\n    a:\n", "inventory.yaml:4: a: stands twice (first on line 3); remove one"),
    (
        YAML,
        "all:\n  hosts:\n    a: {ansible_port: 1, ansible_port: 2}\n",
        "inventory.yaml:3: ansible_port: stands twice (first on line 3); remove one",
    ),
    (YAML, "all:\n  hosts:\n\ta:\n", "inventory.yaml:3: is indented with a tab; YAML wants spaces"),
    (YAML, "all:\n  hosts: [a, b]\n",
     "inventory.yaml:2: all.hosts: must be a mapping, not a list; end each name with a colon"),
    (YAML, "all:\n  host:\n    a:\n",
     "inventory.yaml:2: all.host: a group holds only hosts, vars, children; did you mean 'hosts'?"),
    (YAML, "all:\n  web:\n    hosts:\n      a:\n",
     "inventory.yaml:2: all.web: a group holds only hosts, vars, children; a group inside a group goes under children"),
    (YAML, "- a\n- b\n", "inventory.yaml:1: must be a mapping of groups such as 'all:', not a list"),
    (YAML, "all: web\n", "inventory.yaml:1: all: a group is a mapping of hosts, vars, children, not a text"),
    (YAML, "all:\n  hosts:\n    10:\n", "inventory.yaml:3: 10 cannot name a host; put the name in quotes"),
    (YAML, "all:\n  hosts:\n    a: b\n", "inventory.yaml:3: a: a host's variables are a mapping, not a text"),
    (YAML, "all:\n  hosts:\n    a: {x: !secret y}\n",
     "inventory.yaml:3: is not YAML: could not determine a constructor for the tag '!secret'"),
    (YAML, "all:\n  hosts:\n    a: {x: [1}\n",
     "inventory.yaml:3: is not YAML: while parsing a flow sequence, did not find expected ',' or ']'"),
    (YAML, "all:\n  hosts:\n    web[1:]:\n", "inventory.yaml:3: the range [1:] must say where it ends"),
    (YAML, "all:\n  hosts:\n    web[5:1]:\n", "inventory.yaml:3: the range [5:1] runs backwards"),
    (YAML, "all:\n  hosts:\n    web[01:100]:\n",
     "inventory.yaml:3: the ends of the range [01:100] must have the same number of digits"),
    (YAML, "all:\n  hosts:\n    web[1:9999999]:\n",
     "inventory.yaml:3: the range [1:9999999] stands for more than 100000 hosts"),
    (YAML, "all:\n  hosts:\n    'web:70000':\n",
     "inventory.yaml:3: 'web:70000': 70000 is not a port; give a number from 1 to 65535"),
    (YAML, "a: {children: {b: {children: {a: }}}}\nc: {hosts: {x: }}\n",
     "inventory.yaml:1: group 'a' cannot contain 'b': 'b' already contains 'a'"),
    (YAML, "all:\n  hosts: {a: }\n  vars:\n    triage_regoin: x\n",
     "inventory.yaml:4: triage_regoin: is not a key of ssm-triage; did you mean 'triage_region'?"),
    (YAML, "all:\n  hosts:\n    a:\n      ansible_port: 70000\n",
     "inventory.yaml:4: ansible_port: '70000' is not a port; give a number from 1 to 65535"),
    (YAML, "all:\n  hosts:\n    a:\n  vars:\n    ansible_port: ssh\n",
     "inventory.yaml:5: ansible_port: 'ssh' is not a port; give a number from 1 to 65535 (host a)"),
    (YAML, "all:\n  hosts:\n    a: {ansible_become: perhaps}\n",
     "inventory.yaml:3: ansible_become: 'perhaps' is neither true nor false"),
    (YAML, "all:\n  hosts:\n    a: {ansible_connection: docker}\n",
     "inventory.yaml:3: ansible_connection: 'docker' is not a connection of ssm-triage; there are ssh, winrm, psrp, local"),
    (YAML, "all:\n  hosts:\n    a: {ansible_connection: community.aws.aws_ssm}\n",
     "inventory.yaml:3: ansible_connection: aws_ssm goes through the SSM Agent, which is what is broken; give ssh or winrm"),
    (YAML, "all:\n  hosts:\n    a: {triage_platform: windos}\n",
     "inventory.yaml:3: triage_platform: 'windos' is not known; did you mean 'windows'?"),
    (YAML, "all:\n  hosts:\n    a: {triage_host_key_checking: sometimes}\n",
     "inventory.yaml:3: triage_host_key_checking: 'sometimes' is not known; there are strict, accept-new, off"),
    (YAML, "all:\n  hosts:\n    a: {triage_instance_id: web-1}\n",
     "inventory.yaml:3: triage_instance_id: 'web-1' has not the shape of i-0123456789abcdef0"),
    (YAML, "all:\n  hosts:\n    a: {triage_region: Ireland}\n",
     "inventory.yaml:3: triage_region: 'Ireland' has not the shape of ap-northeast-2"),
    (YAML, "all:\n  hosts:\n    a: {triage_root: mnt}\n",
     "inventory.yaml:3: triage_root: 'mnt' is not an absolute path on the host, such as /mnt/rescue"),
    (YAML, "all:\n  hosts:\n    a: {triage_jump: 'b1,,b2'}\n",
     "inventory.yaml:3: triage_jump: 'b1,,b2' is not a way; write [user@]host[:port][,...] or none"),
    (YAML, "all:\n  hosts:\n    a: {ansible_host: '-oProxyCommand=x'}\n",
     "inventory.yaml:3: ansible_host: '-oProxyCommand=x' must be one line that does not begin with a dash"),
    (YAML, "all:\n  hosts:\n    a: {ansible_user: \"x\\ny\"}\n",
     "inventory.yaml:3: ansible_user: 'x\\ny' must be one line that does not begin with a dash"),
    (YAML, "all:\n  hosts:\n    a: {ansible_user: [x]}\n",
     "inventory.yaml:3: ansible_user: must be text, not a list or mapping"),
    (YAML, "all:\n  hosts:\n    a: {ansible_ssh_common_args: \"-o 'x\"}\n",
     "inventory.yaml:3: ansible_ssh_common_args: cannot be split: no closing quotation"),
    (YAML, "all:\n  hosts:\n    a: {ansible_ssh_private_key: 'KEY'}\n",
     "inventory.yaml:3: ansible_ssh_private_key: a key inside the inventory is not taken; put it in a file, "
     "ansible_ssh_private_key_file"),
    (YAML, "all:\n  hosts:\n    a: {ansible_become: true, ansible_become_method: doas}\n",
     "inventory.yaml:3: ansible_become_method: 'doas' is not known; there are sudo, runas"),
    (YAML, "all:\n  hosts:\n    a: {triage_password: hunter2}\n",
     "inventory.yaml:3: triage_password: is not a reference to a secret; give env:NAME, file:PATH, cmd:COMMAND, "
     "keyring:SERVICE/USER or prompt"),
    (YAML, "all:\n  hosts:\n    a: {ansible_password: 1.5}\n",
     "inventory.yaml:3: ansible_password: is not text; put the password in quotes"),
    (YAML, "all:\n  hosts:\n    a: {ansible_host: '{{ nowhere }}'}\n",
     "inventory.yaml:3: ansible_host: cannot be rendered: 'nowhere' is undefined"),
    (YAML, "all:\n  hosts:\n    a: {ansible_host: '{{ x }}', x: '{{ ansible_host }}'}\n",
     "inventory.yaml:3: ansible_host: refers to itself: ansible_host -> x -> ansible_host"),
    (YAML, "all:\n  hosts:\n    a: {ansible_host: '{{ x '}\n",
     "inventory.yaml:3: ansible_host: is not a template that can be read: "
     "unexpected end of template, expected 'end of print statement'."),
    (YAML, "all:\n  hosts:\n    a: {ansible_host: \"{{ ''.__class__.__mro__ }}\"}\n",
     "inventory.yaml:3: ansible_host: cannot be rendered: access to attribute '__class__' of 'str' object is unsafe."),
    (YAML, "all:\n  hosts:\n    a: {ansible_user: \"{{ lookup('pipe', 'id') }}\"}\n",
     "inventory.yaml:3: ansible_user: cannot be rendered: lookup('pipe') is not run; only lookup('env', NAME) and "
     "lookup('file', PATH) are, and a password can be given as triage_password: env:NAME, file:PATH, cmd:COMMAND, "
     "keyring:SERVICE/USER or prompt"),
    (YAML, "all:\n  hosts:\n    a:\n  vars:\n    ansible_host: '{{ nowhere }}'\n",
     "inventory.yaml:5: ansible_host: cannot be rendered: 'nowhere' is undefined (host a)"),
    (YAML, "all:\n  hosts:\n    -oProxyCommand=x:\n",
     "'-oProxyCommand=x' is not an address; give the host an ansible_host"),
    (YAML, "all:\n  hosts:\n    a:\n      day: 2024-13-01\n",
     "inventory.yaml:4: '2024-13-01' cannot be read: month must be in 1..12"),
    (YAML, "plugin: aws_ec2\nregions: [eu-west-1]\n",
     "inventory.yaml:1: plugin: 'aws_ec2' is an inventory plugin, which only Ansible runs; "
     "pipe its answer: ansible-inventory -i inventory.yaml --list | ssm-triage run -i -"),
    (YAML, "all:\n  hosts:\n    a:\n      ansible_user: !vault |\n        $ANSIBLE_VAULT;1.1;AES256\n        3030\n",
     "inventory.yaml:4: ansible_user: is encrypted by ansible-vault; give --vault-password-file"),
    (YAML, "$ANSIBLE_VAULT;1.1;AES256\n3030\n",
     "inventory.yaml: is encrypted by ansible-vault; give --vault-password-file"),
    (YAML, "all:\n  vars: {x: 1}\n", "inventory.yaml: names no host; there is nothing to sweep"),
    (YAML, "", "inventory.yaml: names no host; there is nothing to sweep"),
    (YAML, "all:\n  hosts: {a: }\n  vars:\n    ansible_group_priority: high\n",
     "inventory.yaml:4: ansible_group_priority: must be a whole number"),
    (YAML, "all:\n  vars:\n    ? [a, b]\n    : 1\n", "inventory.yaml:3: a list or mapping cannot be a key"),
    ("list.json", '{"web": {"hosts": ["a"]}, "web": {}}',
     "list.json: web: 'web' stands twice in one object; remove one"),
    ("list.json", '{"web": {"hosts": ["a"],}}',
     "list.json:1: is not JSON: Expecting property name enclosed in double quotes"),
    ("list.json", '{"web": {"hosts": [1]}}', "list.json: web.hosts: 1 cannot name a host"),
    ("list.json", '{"web": {"host": ["a"]}, "_meta": {}}',
     "list.json: web: a group must be an object with hosts, vars or children"),
    ("list.json", '{"_meta": {"hostvars": []}}',
     "list.json: _meta.hostvars: must be an object of hosts and their variables"),
    (INI, "[web\nx\n", "hosts:1: the brackets of '[web' do not match"),
    (INI, "[web ]\nx\n", "hosts:1: '[web ]' is not a section; write [group], [group:children] or [group:vars]"),
    (INI, "[web:kids]\nx\n",
     "hosts:1: [web:kids] is not a section; write [group], [group:children] or [group:vars]"),
    (INI, "web1 ansible_port\n", "hosts:1: after the host 'web1' only key=value can follow, not 'ansible_port'"),
    (INI, "\nweb1 x='open\n", "hosts:2: the host line cannot be split: no closing quotation"),
    (INI, "[web:vars]\nx=1\n", "hosts:1: [web:vars] is for the group 'web', which no section declares"),
    (INI, "a\n[web:children]\ndb\n", "hosts:3: [web:children] names the group 'db', which no section declares"),
    (INI, "[web]\na\n[web:vars]\nuser root\n", "hosts:4: in [web:vars] each line is key=value"),
    (INI, "[web]\na\n[all:children]\nweb x\n", "hosts:4: 'web x' in [all:children] is not the name of a group"),
    (INI, "web1 ansible_port=70000\n",
     "hosts:1: ansible_port: '70000' is not a port; give a number from 1 to 65535"),
    (INI, "web1 x={[]:1}\n",
     "hosts:1: x: the value looks like a Python literal and is none; put it in quotes"),
    ("hosts.ini", "all:\n  hosts:\n    a:\n",
     "hosts.ini:1: 'all:' cannot name a host; is this a YAML file? then name it .yaml"),
    ("hosts.toml", "[web.hosts]\na = {}\n",
     "hosts.toml: is TOML, which is not read; pipe Ansible's answer: "
     "ansible-inventory -i hosts.toml --list | ssm-triage run -i -"),
]  # fmt: skip


def resolve_all(source: str) -> None:
    for host in load([source]).select():
        resolve(host)


@pytest.mark.parametrize(("name", "text", "message"), BAD, ids=[message for _, _, message in BAD])
def test_one_line(
    name: str, text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_text(text)
    with pytest.raises(InventoryError) as caught:
        resolve_all(name)
    assert str(caught.value) == message


def test_a_missing_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InventoryError) as caught:
        load(["web01"])
    assert str(caught.value) == "web01: no such inventory; for a list of hosts write a comma: -i web01,"


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ([], "no inventory was given; name one with -i"),
        (["-", "-"], "-i - was given twice; standard input can be read once"),
        (["-"], "<stdin>: is empty; did the command before the pipe fail?"),
        (["web[1:"], "web[1:: no such inventory; for a list of hosts write a comma: -i web[1:,"),
        (["web[1:,"], "-i web[1:,: the brackets of 'web[1:' do not match"),
        ([","], ",: names no host; there is nothing to sweep"),
    ],
)
def test_sources(sources: list[str], message: str) -> None:
    with pytest.raises(InventoryError) as caught:
        load(sources, stdin=io.BytesIO(b"\n"))
    assert str(caught.value) == message


def test_a_list_of_hosts_longer_than_any_path() -> None:
    names = [f"web{number:04d}.example.com" for number in range(2000)]
    assert [host.name for host in load([",".join(names)]).select()] == names


def test_a_program_is_not_run(tmp_path: Path) -> None:
    script = tmp_path / "inventory.py"
    script.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    script.chmod(0o755)
    with pytest.raises(InventoryError, match="is a program, which is not run; pipe Ansible's answer"):
        load([str(script)])
    assert not (tmp_path / "ran").exists()


def test_bytes_that_are_not_text(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_bytes(b"# caf\xe9 is fine in a comment\nweb1 who=caf\xe9\n")
    with pytest.raises(InventoryError, match=r"hosts:2: is not UTF-8 text; save the file as UTF-8$"):
        load([str(hosts)])
    hosts.write_bytes(b"web1\n\x7fELF\0\0")
    with pytest.raises(InventoryError, match=r"hosts:2: is binary, not an inventory in text$"):
        load([str(hosts)])
    hosts.write_bytes(b"\xef\xbb\xbf# caf\xe9\r\nweb1\r\n")
    assert [host.name for host in load([str(hosts)]).select()] == ["web1"]


@pytest.mark.parametrize(
    ("where", "text", "message"),
    [
        ("group_vars/all.yml", "- a\n", "must hold a mapping of variables, not a list"),
        ("group_vars/all.yml", "1: a\n", "1 cannot name a variable; put it in quotes"),
        ("group_vars/all.yml", "a: 1\nb: 2\na: 3\n", "a: stands twice (first on line 1); remove one"),
        ("group_vars/all.yml", "triage_jmp: x\n", "triage_jmp: is not a key of ssm-triage; did you mean 'triage_jump'?"),
        ("host_vars/a.json", '{"ansible_port": 0}', "ansible_port: '0' is not a port; give a number from 1 to 65535"),
    ],
)  # fmt: skip
def test_variables_beside(where: str, text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("a\n")
    (tmp_path / where).parent.mkdir()
    (tmp_path / where).write_text(text)
    with pytest.raises(InventoryError) as caught:
        resolve_all(str(tmp_path / "hosts"))
    said = str(caught.value)
    assert said.startswith(str(tmp_path / where))
    assert said.endswith(message)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("wbe", "--limit: wbe: matches no host and no group; did you mean 'web'?"),
        ("web:!web9", "--limit: !web9: matches no host and no group; did you mean 'web'?"),
        ("web:!web", "--limit: web:!web: leaves no host of 3; see --list-hosts"),
        ("web[7]", "--limit: web[7]: counts beyond the 2 hosts of 'web'"),
        ("~(", "--limit: ~(: is not a regular expression: missing ), unterminated subpattern at position 0"),
        ("web:!", "--limit: !: is empty; give the name of a host or group"),
        ("@none.retry", "--limit: @none.retry: cannot be read: No such file or directory"),
        ("@some.retry", "--limit: gone (some.retry:3): matches no host and no group"),
    ],
)
def test_limits(pattern: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("hosts").write_text("[web]\nweb1\nweb2\n[db]\ndb1\n")
    Path("some.retry").write_text("# of last night\nweb1\ngone\n")
    with pytest.raises(InventoryError) as caught:
        load(["hosts"]).select(pattern)
    assert str(caught.value) == message


def test_a_retry_file(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("[web]\nweb1\nweb2\n[db]\ndb1\n")
    (tmp_path / "r").write_text("db1\n\nweb2\n")
    inventory = load([str(tmp_path / "hosts")])
    assert [host.name for host in inventory.select(f"@{tmp_path / 'r'}")] == ["web2", "db1"]
