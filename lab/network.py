"""Hosts in network namespaces: each with its own sshd, its own VPC of doubles, and a fault made for real.

::

    bastion ── 10.99.N.0/30 ── host N ── 10.77.1.0/24 ── vpc N: router, IMDS, resolver, endpoints, proxy

Every host sees the same addresses, as each has a VPC of its own.  No namespace has a way out.  Needs root,
iproute2 and an OpenSSH server; whatever it makes is gone when the lab is left.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from lab import doubles
from lab.authority import Authority
from lab.doubles import ENDPOINTS, REGION, Behaviour

HERE = Path(__file__).parent
HOST_IP = "10.77.1.25"
GATEWAY = "10.77.1.1"
UNIT = "amazon-ssm-agent.service"
VERSION = "3.3.1142.0"


@dataclass(frozen=True)
class HostPlan:
    """One lab host and what is wrong with it."""

    name: str
    behaviour: Behaviour = field(default_factory=Behaviour)
    host: tuple[str, ...] = ()
    """Commands run in the host's namespace once it stands: ``ip route del default``."""
    vpc: tuple[str, ...] = ()
    """Commands run in the namespace of its VPC: ``iptables ...``."""
    agent: str = "running"
    """``running``, ``stopped`` or ``absent``."""
    environ: tuple[str, ...] = ()
    """Of the agent's process, and of its unit's drop-in: ``http_proxy=...``."""
    logs: Path | None = None
    """The agent's log tree; its times are moved so that the last line was written just now."""
    files: tuple[tuple[str, str], ...] = ()
    """Further files of the host: absolute path and text."""


class Lab:
    """A context in which the planned hosts stand and can be swept from ``bastion``."""

    def __init__(self, plans: list[HostPlan], work: Path) -> None:
        self.plans = plans
        self.work = work
        self.prefix = f"ssmt{os.getpid()}x{time.monotonic_ns() % 100_000}"
        self.bastion = f"{self.prefix}b"
        self.key = work / "id_ed25519"
        self._undo = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            self._undo = undo
            self._namespace(self.bastion)
            _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key))
            _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.work / "host_key"))
            authority = Authority("Amazon RSA 2048 M01")
            certificates = {
                service: str(
                    authority.issue(f"{service}.{REGION}.amazonaws.com", self.work / f"{service}.pem")
                )
                for service in ENDPOINTS
            }
            for number, plan in enumerate(self.plans):
                self._stand(number, plan, certificates, authority.pem)
            for number in range(len(self.plans)):
                self._wait_for_sshd(number)
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._undo.close()

    def address(self, number: int) -> str:
        """Where the bastion reaches host ``number``."""
        return f"10.99.{number}.2"

    def inventory(self) -> Path:
        """An inventory of all the hosts, and the known_hosts that it names."""
        known = self.work / "known_hosts"
        public = (self.work / "host_key.pub").read_text().split()
        known.write_text(
            "".join(f"{self.address(n)} {public[0]} {public[1]}\n" for n in range(len(self.plans)))
        )
        lines = ["all:", "  vars:", "    ansible_user: root", f"    ansible_ssh_private_key_file: {self.key}"]
        lines += [f"    ansible_ssh_common_args: -o UserKnownHostsFile={known}", "  hosts:"]
        for number, plan in enumerate(self.plans):
            lines += [f"    {plan.name}:", f"      ansible_host: {self.address(number)}"]
        path = self.work / "inventory.yaml"
        path.write_text("\n".join(lines) + "\n")
        return path

    def on_bastion(self, *command: str) -> list[str]:
        """The command line that runs ``command`` on the bastion."""
        return ["ip", "netns", "exec", self.bastion, *command]

    def _stand(self, number: int, plan: HostPlan, certificates: dict[str, str], authority: bytes) -> None:
        host, vpc = f"{self.prefix}h{number}", f"{self.prefix}v{number}"
        self._namespace(host)
        self._namespace(vpc)
        self._wire(number, host, vpc)
        work = self.work / f"host{number}"
        work.mkdir()
        behaviour = Behaviour(**{**vars(plan.behaviour), "certificates": certificates})
        self._serve_vpc(vpc, behaviour, work)
        for command in plan.vpc:
            _run(*f"ip netns exec {vpc} {command}".split())
        _lay_rootfs(plan, work / "rootfs", authority, self.key.with_suffix(".pub").read_text())
        self._boot(host, plan, work)
        for command in plan.host:
            _run(*f"ip netns exec {host} {command}".split())

    def _namespace(self, name: str) -> None:
        _run("ip", "netns", "add", name)
        self._undo.callback(_run, "ip", "netns", "del", name)
        _run("ip", "-n", name, "link", "set", "lo", "up")

    def _wire(self, number: int, host: str, vpc: str) -> None:
        bastion = self.bastion
        for line in (
            f"link add m{number} netns {bastion} type veth peer name mgmt0 netns {host}",
            f"-n {bastion} addr add 10.99.{number}.1/30 dev m{number}",
            f"-n {bastion} link set m{number} up",
            f"-n {host} addr add 10.99.{number}.2/30 dev mgmt0",
            f"-n {host} link set mgmt0 up",
            f"link add eth0 netns {host} type veth peer name inside netns {vpc}",
            f"-n {host} addr add {HOST_IP}/24 dev eth0",
            f"-n {host} link set eth0 up",
            f"-n {vpc} addr add {GATEWAY}/24 dev inside",
            f"-n {vpc} link set inside up",
            f"-n {host} route add default via {GATEWAY} dev eth0 proto dhcp src {HOST_IP} metric 100",
        ):
            _run("ip", *line.split())
        for address in (doubles.IMDS, doubles.RESOLVER, doubles.PROXY, *ENDPOINTS.values()):
            _run("ip", "-n", vpc, "addr", "add", f"{address}/32", "dev", "lo")

    def _serve_vpc(self, vpc: str, behaviour: Behaviour, work: Path) -> None:
        config = work / "doubles.json"
        doubles.save(behaviour, config)
        self._start(
            ["ip", "netns", "exec", vpc, sys.executable, "-m", "lab.doubles", str(config)],
            work / "doubles.log",
        )
        _wait(config.with_suffix(".ready").exists, f"the doubles of {vpc}", work / "doubles.log")

    def _boot(self, host: str, plan: HostPlan, work: Path) -> None:
        (work / "sshd_config").write_text(
            f"ListenAddress 0.0.0.0\nHostKey {self.work}/host_key\nPidFile none\nUsePAM no\n"
            "PermitRootLogin yes\nStrictModes no\nAuthorizedKeysFile /etc/lab/authorized_keys\n"
        )
        isolated = ["unshare", "--mount", "--uts", "--pid", "--fork", "--mount-proc", "--kill-child"]
        init = [str(HERE / "host-init.sh"), str(work), plan.name]
        self._start(["ip", "netns", "exec", host, *isolated, *init], work / "host.log")

    def _start(self, command: list[str], log: Path) -> None:
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=HERE.parent,
                start_new_session=True,
            )
        self._undo.callback(_end, process)

    def _wait_for_sshd(self, number: int) -> None:
        command = self.on_bastion("bash", "-c", f"exec 3<>/dev/tcp/{self.address(number)}/22")
        log = self.work / f"host{number}" / "host.log"
        _wait(
            lambda: subprocess.run(command, capture_output=True).returncode == 0,
            f"sshd of host {number}",
            log,
        )


def _lay_rootfs(plan: HostPlan, rootfs: Path, authority: bytes, public_key: str) -> None:
    """What the host has that this machine has not, as files to lay over it."""
    files: dict[str, str | bytes] = {
        "/etc/lab/authorized_keys": public_key,
        "/etc/ssl/certs/lab-authority.pem": authority,
        "/etc/resolv.conf": f"search ec2.internal\nnameserver {doubles.RESOLVER}\n",
        "/etc/hosts": "127.0.0.1 localhost\n",
        "/usr/bin/systemctl": (HERE / "systemctl.sh").read_bytes(),
        **dict(plan.files),
    }
    if plan.agent != "absent":
        files |= _agent_files(plan)
    for path, content in files.items():
        place = rootfs / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content if isinstance(content, bytes) else content.encode())
        place.chmod(0o755 if path.startswith("/usr/bin/") else 0o644)
    if plan.logs is not None:
        _lay_logs(plan.logs, rootfs / "var/log/amazon/ssm")


def _agent_files(plan: HostPlan) -> dict[str, str | bytes]:
    program = Path(shutil.which("sleep") or "/bin/sleep").read_bytes()
    running = plan.agent == "running"
    state = {
        "Id": UNIT,
        "LoadState": "loaded",
        "ActiveState": "active" if running else "inactive",
        "SubState": "running" if running else "dead",
        "UnitFileState": "enabled",
        "FragmentPath": f"/lib/systemd/system/{UNIT}",
        "MainPID": "@MAINPID@" if running else "0",
        "NRestarts": "0",
        "ExecMainStatus": "0",
        "Result": "success",
        "User": "",
    }
    files: dict[str, str | bytes] = {
        "/usr/bin/amazon-ssm-agent": program,
        "/usr/bin/ssm-agent-worker": program,
        f"/etc/lab/{UNIT}": "".join(f"{name}={value}\n" for name, value in state.items()),
        "/etc/amazon/ssm/seelog.xml.template": "<seelog/>\n",
        "/var/lib/amazon/ssm/runtimeconfig/identity_config.json": "{}",
    }
    if running:
        files["/etc/lab/agent.environ"] = "\n".join(("LANG=C", *plan.environ))
    if plan.environ:
        lines = "".join(f'Environment="{pair}"\n' for pair in plan.environ)
        files[f"/etc/systemd/system/{UNIT}.d/proxy.conf"] = f"[Service]\n{lines}"
    return files


_STAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")


def _lay_logs(source: Path, place: Path) -> None:
    """Copy a log tree and move its times, so that its last line was written just now."""
    shutil.copytree(source, place, dirs_exist_ok=True)
    logs = [path for path in place.rglob("*") if path.is_file()]
    stamps = [match for path in logs for match in _STAMP.findall(path.read_text(errors="surrogateescape"))]
    if not stamps:
        return
    shift = (
        datetime.now(UTC).replace(tzinfo=None) - datetime.fromisoformat(max(stamps)) - timedelta(seconds=5)
    )

    def moved(match: re.Match[str]) -> str:
        return str((datetime.fromisoformat(match[0]) + shift).replace(microsecond=0))

    for path in logs:
        text = path.read_text(errors="surrogateescape")
        path.write_text(_STAMP.sub(moved, text), errors="surrogateescape")


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")


def _end(process: subprocess.Popen[bytes]) -> None:
    with ExitStack() as gone:
        gone.callback(process.wait)
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return


def _wait(ready: object, what: str, log: Path, seconds: float = 15.0) -> None:
    assert callable(ready)
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise RuntimeError(f"{what} did not come up: {log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.05)
