"""What ssh_config says about one host.

OpenSSH is asked itself (``ssh -G``), because nobody else knows ``Include``, ``Match exec``,
canonicalisation and ``ProxyJump none`` as it does.  An answer is shared by all hosts that the same
``Host`` patterns match, where nothing in the files can tell them apart; so a thousand hosts of an
inventory cost one such call, not a thousand.  Where there is no ``ssh``, Paramiko reads the files, and
what it cannot honour is noted.
"""

from __future__ import annotations

import getpass
import io
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path

from collector.connections.settings import DEFAULT_CONNECT_TIMEOUT_S, SshSettings
from collector.connections.ssh_args import SshArgs, parse_ssh_args
from collector.connections.ssh_config_files import (
    TOKENS_OF_HOST,
    ConfigFiles,
    expand,
    expand_tokens,
    home,
    names_host,
    without_exec,
)
from collector.errors import UsageError
from collector.target import HostKeyChecking, Target

_Raw = Mapping[str, Sequence[str]]
"""Lower-case keys and their values, as ``ssh -G`` prints them."""
_Question = tuple[str | None, tuple[tuple[str, str], ...], object]
"""A configuration file, options, and what tells hosts apart; all that an answer depends on."""
_WITH_TOKENS = (
    "identityfile", "certificatefile", "identityagent", "userknownhostsfile", "globalknownhostsfile",
    "hostkeyalias", "proxycommand",
)  # fmt: skip
"""Keys whose tokens ``ssh -G`` leaves for us to expand."""

_DEFAULT_IDENTITIES = ("id_ed25519", "id_ecdsa", "id_rsa")
_DEFAULT_AUTHENTICATIONS = ("publickey", "keyboard-interactive", "password")


@dataclass(frozen=True, slots=True)
class HostConfig:
    """The effective configuration of one host: ssh_config, arguments and inventory together."""

    hostname: str
    """Where to connect to; also the name that known_hosts is asked for, unless ``host_key_alias``."""
    port: int
    user: str
    identity_files: tuple[str, ...] = ()
    """Expanded paths, in the order in which to try them.  Some may not be there."""
    wanted_identities: tuple[str, ...] = ()
    """Those of them that somebody asked for by name, so that their absence is worth a note."""
    identities_only: bool = False
    identity_agent: str | None = None
    """The agent's socket; ``None``: no agent."""
    certificate_files: tuple[str, ...] = ()
    user_known_hosts: tuple[str, ...] = ()
    global_known_hosts: tuple[str, ...] = ()
    host_key_alias: str | None = None
    hash_known_hosts: bool = False
    host_key_checking: HostKeyChecking = HostKeyChecking.STRICT
    proxy_jump: tuple[str, ...] = ()
    """Hops ``[user@]host[:port]``, the nearest first."""
    proxy_command: str | None = None
    connect_timeout_s: float = DEFAULT_CONNECT_TIMEOUT_S
    authentications: tuple[str, ...] = _DEFAULT_AUTHENTICATIONS
    algorithms: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """``ciphers``, ``kex``, ``macs``, ``hostkeys``, ``pubkeys`` that may be used; absent: any."""
    notes: tuple[str, ...] = ()


class ConfigResolver:
    """Finds the configuration of each host; one per run, safe to use from many threads."""

    def __init__(self, settings: SshSettings) -> None:
        self._settings = settings
        self._ssh = shutil.which("ssh")
        self._lock = threading.Lock()
        self._files: dict[str | None, ConfigFiles] = {}
        self._answers: dict[_Question, Future[_Raw]] = {}
        self._resolved: dict[tuple[object, ...], HostConfig] = {}
        self._general: dict[tuple[object, ...], HostConfig] = {}
        """What holds for every host of a kind but for its address."""

    def resolve(self, target: Target) -> HostConfig:
        """The effective configuration of ``target``.

        Raises:
            UsageError: an ssh_config file or the host's ssh arguments are not valid.
        """
        if target.address.startswith("-") or not target.address:
            raise UsageError(f"{target.name}: {target.address!r} is not an address that ssh can connect to")
        said = (
            target.address, target.user, target.port, target.jump, target.ssh_args, target.private_key_file,
            target.host_key_checking,
        )  # fmt: skip
        config = self._resolved.get(said)
        if config is None:
            config = self._resolved[said] = self._resolve(target, said[1:])
        return config

    def _resolve(self, target: Target, said: tuple[object, ...]) -> HostConfig:
        """The configuration of a host, made from that of another one where only the address is another."""
        args = parse_ssh_args(target.ssh_args)
        files = self._files_of(args.config_file or self._settings.config_file)
        if self._ssh is None:
            raw, notes = _ask_paramiko(target, args, files)
            return _host_config(target, args, self._settings, raw, (*args.notes, *notes))
        question = self._question(target, args, files)
        like = self._general.get((question, said))
        if like is not None:
            return replace(like, hostname=target.address)
        raw = self._ask(self._ssh, target, question)
        is_by_address = _lower(raw, "hostname") == _lower(raw, "host")
        if is_by_address:
            raw = {**raw, "hostname": [target.address]}  # the answer may be that of a host of the same kind
        config = _host_config(target, args, self._settings, raw, args.notes)
        values = (value for key in _WITH_TOKENS for value in raw.get(key, ()))
        if is_by_address and not any(TOKENS_OF_HOST.search(value) for value in values):
            self._general[question, said] = config
        return config

    def _files_of(self, config_file: str | None) -> ConfigFiles:
        with self._lock:
            if config_file not in self._files:
                self._files[config_file] = ConfigFiles.read(config_file)
            return self._files[config_file]

    def _question(self, target: Target, args: SshArgs, files: ConfigFiles) -> _Question:
        """What ``ssh -G`` is to be asked; equal for hosts that get the same answer."""
        options = args.options
        if files.is_conditional or any(names_host(key, value) for key, value in options):
            return files.config_file, (*options, *_said(target)), target.address
        return files.config_file, options, files.patterns_matching(target.address)

    def _ask(self, ssh: str, target: Target, question: _Question) -> _Raw:
        """Ask once; others who have the same question wait for the answer."""
        with self._lock:
            answer = self._answers.get(question)
            is_mine = answer is None
            if answer is None:
                answer = self._answers[question] = Future()
        if is_mine:
            config_file, options, _ = question
            try:
                answer.set_result(_ask_openssh(ssh, target.address, options, config_file))
            except BaseException as error:
                answer.set_exception(error)  # those who wait for the same answer must not wait for ever
                raise
        return answer.result()


def _lower(raw: _Raw, key: str) -> list[str]:
    return [value.lower() for value in raw.get(key, ())]


def _said(target: Target) -> tuple[tuple[str, str], ...]:
    """What the inventory says and ``Match`` may look at."""
    said = (("user", target.user), ("port", target.port))
    return tuple((key, str(value)) for key, value in said if value is not None)


def _ask_openssh(ssh: str, address: str, options: Sequence[tuple[str, str]], config_file: str | None) -> _Raw:
    """``ssh -G``: the configuration as OpenSSH would use it."""
    command = [ssh, "-G", "-T"]
    if config_file is not None:
        command += ["-F", config_file]
    for key, value in options:
        command += ["-o", f"{key}={value}"]
    try:
        done = subprocess.run(
            [*command, "--", address], stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False
        )
    except subprocess.TimeoutExpired:
        raise UsageError(
            f"ssh -G {address} gave no answer in 60 s; look at 'Match exec' in ssh_config"
        ) from None
    if done.returncode != 0:
        words = " ".join(done.stderr.decode("utf-8", "replace").split()) or f"exit code {done.returncode}"
        raise UsageError(f"ssh configuration for {address}: {words}; try: ssh -G {address}")
    return _parse_answer(done.stdout.decode("utf-8", "surrogateescape"))


def _parse_answer(text: str) -> _Raw:
    raw: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        raw.setdefault(key.lower(), []).append(value)
    return raw


def _ask_paramiko(target: Target, args: SshArgs, files: ConfigFiles) -> tuple[_Raw, tuple[str, ...]]:
    """What Paramiko makes of the files, for a machine without the OpenSSH client."""
    from paramiko import SSHConfig  # heavy
    from paramiko.ssh_exception import ConfigParseError

    config = SSHConfig()
    first = [f"{key} {' '.join(value.split())}" for key, value in (*_said(target), *args.options)]
    try:
        config.parse(io.StringIO("\n".join(["Host *", *first])))
        for root in files.roots:
            config.parse(io.StringIO(without_exec(root)))
        said = config.lookup(target.address)
    except (ConfigParseError, OSError) as error:
        raise UsageError(f"ssh configuration {files.roots[0]}: {error}") from None
    return {
        key: value if isinstance(value, list) else [value] for key, value in said.items()
    }, files.unsupported


# --- From raw values to the effective configuration --------------------------------------------------


def _host_config(
    target: Target, args: SshArgs, settings: SshSettings, raw: _Raw, notes: tuple[str, ...]
) -> HostConfig:
    def one(key: str, default: str = "") -> str:
        return next(iter(raw.get(key, ())), default)

    hostname = one("hostname", target.address)
    user = target.user or one("user") or getpass.getuser()
    port = target.port or int(one("port", "22"))
    tokens = {
        "h": hostname, "n": target.address, "p": str(port), "r": user, "u": getpass.getuser(),
        "d": str(home()), "i": str(os.getuid()), "k": one("hostkeyalias", hostname), "%": "%",
    }  # fmt: skip

    def paths(key: str) -> tuple[str, ...]:
        return tuple(expand(path, tokens) for value in raw.get(key, ()) for path in [value.strip('"')])

    checking, checking_notes = _checking(target, args, one("stricthostkeychecking"))
    identities, wanted = _identities(target, paths("identityfile"))
    jump = _jump(target, one("proxyjump"))
    command = one("proxycommand")
    alias = one("hostkeyalias")
    return HostConfig(
        hostname=hostname,
        port=port,
        user=user,
        identity_files=identities,
        wanted_identities=wanted,
        identities_only=one("identitiesonly") in {"yes", "true"},
        identity_agent=_agent_socket(one("identityagent"), tokens) if settings.use_agent else None,
        certificate_files=paths("certificatefile"),
        user_known_hosts=_known_hosts(
            one("userknownhostsfile", "~/.ssh/known_hosts ~/.ssh/known_hosts2"), tokens
        ),
        global_known_hosts=_known_hosts(
            one("globalknownhostsfile", "/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2"), tokens
        ),
        host_key_alias=expand(alias, tokens) if alias else None,
        hash_known_hosts=one("hashknownhosts") == "yes",
        host_key_checking=checking,
        proxy_jump=jump,
        proxy_command=expand_tokens(command, tokens)
        if command and command != "none" and not jump and target.jump is None
        else None,
        connect_timeout_s=settings.connect_timeout_s or _seconds(one("connecttimeout")),
        authentications=_authentications(raw),
        algorithms=_algorithms(raw),
        notes=(*notes, *checking_notes),
    )


def _checking(target: Target, args: SshArgs, configured: str) -> tuple[HostKeyChecking, tuple[str, ...]]:
    """The inventory and the command line decide, then ssh_config; but a config line never turns it off."""
    if target.host_key_checking is not None:
        return target.host_key_checking, ()
    if configured == "accept-new":
        return HostKeyChecking.ACCEPT_NEW, ()
    if configured in {"no", "off", "false"}:
        if args.first("stricthostkeychecking") is not None:
            return HostKeyChecking.OFF, ()
        return HostKeyChecking.STRICT, (
            f"ssh_config says StrictHostKeyChecking {configured}; host keys were checked all the same",
        )
    return HostKeyChecking.STRICT, ()


def _identities(target: Target, configured: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """All identity files to try, and those of them that were asked for rather than assumed."""
    ssh_folder = home() / ".ssh"
    named = (expand(target.private_key_file, {}),) if target.private_key_file else ()
    assumed = tuple(str(ssh_folder / name) for name in _DEFAULT_IDENTITIES)
    wanted = [path for path in configured if Path(path).parent != ssh_folder or not _is_default(path)]
    files = [*named, *(configured or assumed)]
    return tuple(dict.fromkeys(files)), tuple(dict.fromkeys([*named, *wanted]))


def _is_default(path: str) -> bool:
    return re.fullmatch(r"id_(rsa|dsa|ecdsa|ecdsa_sk|ed25519|ed25519_sk|xmss)", Path(path).name) is not None


def _jump(target: Target, configured: str) -> tuple[str, ...]:
    text = target.jump if target.jump is not None else configured
    if not text or text.lower() == "none":
        return ()
    return tuple(hop.strip().removeprefix("ssh://") for hop in text.split(",") if hop.strip())


def _agent_socket(configured: str, tokens: Mapping[str, str]) -> str | None:
    configured = configured.strip('"')
    if configured == "none":
        return None
    if configured in {"", "SSH_AUTH_SOCK"}:
        return os.environ.get("SSH_AUTH_SOCK") or None
    if configured.startswith("$"):
        return os.environ.get(configured.strip("${}")) or None
    return expand(configured, tokens)


def _known_hosts(value: str, tokens: Mapping[str, str]) -> tuple[str, ...]:
    """Several files in one value.  ``ssh -G`` prints them without quotes, so a name may hold a space."""
    words = [word.strip('"') for word in value.split()]
    files: list[str] = []
    while words:
        count = next(
            (n for n in range(len(words), 1, -1) if Path(expand(" ".join(words[:n]), tokens)).exists()), 1
        )
        files.append(expand(" ".join(words[:count]), tokens))
        words = words[count:]
    return tuple(path for path in files if path.lower() != "none")


def _authentications(raw: _Raw) -> tuple[str, ...]:
    def is_on(*keys: str) -> bool:
        return all(value not in {"no", "false"} for key in keys for value in raw.get(key, ()))

    preferred = next(iter(raw.get("preferredauthentications", ())), "")
    methods = tuple(preferred.split(",")) if preferred else _DEFAULT_AUTHENTICATIONS
    enabled = {
        "publickey": is_on("pubkeyauthentication"),
        "password": is_on("passwordauthentication"),
        "keyboard-interactive": is_on("kbdinteractiveauthentication", "challengeresponseauthentication"),
    }
    return tuple(method for method in methods if enabled.get(method, False))


def _algorithms(raw: _Raw) -> dict[str, tuple[str, ...]]:
    """Full lists only: a list relative to OpenSSH's defaults (``+x``) is only known to OpenSSH itself."""
    keys = {
        "ciphers": "ciphers",
        "macs": "macs",
        "kexalgorithms": "kex",
        "hostkeyalgorithms": "hostkeys",
        "pubkeyacceptedalgorithms": "pubkeys",
    }
    found = {name: next(iter(raw.get(key, ())), "") for key, name in keys.items()}
    return {name: tuple(value.split(",")) for name, value in found.items() if value and value[0] not in "+-^"}


def _seconds(value: str) -> float:
    """``ConnectTimeout``: seconds, or OpenSSH's time format (``1m30s``; sshd_config(5), TIME FORMATS)."""
    units = {"": 1, "s": 1, "m": 60, "h": 3600}
    parts = re.findall(r"(\d+)([smh]?)", value.lower())
    return float(sum(int(number) * units[unit] for number, unit in parts)) or DEFAULT_CONNECT_TIMEOUT_S
