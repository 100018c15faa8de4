"""The essential facts of a Windows host without PowerShell: what cmd.exe, reg.exe and sc.exe tell.

Asked where PowerShell is blocked (AppLocker, WDAC) or held to its constrained language.  What is read of the
answers are values of the registry, numbers and addresses: nothing that Windows translates.  A line that could
hold a password (``://user:password@``) does not leave the host.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence

from collector.evidence.model import LogHead, ProbeResult, Status
from collector.probes.frame import FrameSink
from collector.probes.model import Lane, Probe
from collector.probes.windows.plain_text import READ

_LOGS = r"C:\ProgramData\Amazon\SSM\Logs"
_LOG_LINES = 2000
_SERVICES = r"HKLM\SYSTEM\CurrentControlSet\Services"
_TCPIP = rf"{_SERVICES}\Tcpip\Parameters"
_CURRENT = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion"
_FIREWALL = rf"{_SERVICES}\SharedAccess\Parameters\FirewallPolicy"
_NRPT = r"HKLM\SOFTWARE\Policies\Microsoft\Windows NT\DNSClient\DnsPolicyConfig"
_INET = r"Software\Microsoft\Windows\CurrentVersion\Internet Settings"
_NO_SECRETS = r'| findstr.exe /v /r /c:"@" /c:"A[KS]IA[A-Z0-9]"'
_PUT = '-X PUT -H "X-aws-ec2-metadata-token-ttl-seconds: 60"'
_CURL = 'curl.exe -s -m 3 -o NUL -w "http=%{http_code}"'
_EXIT = "echo  exit=%errorlevel%"
_IMDS = "http://169.254.169.254/latest"

SECTIONS: Mapping[str, tuple[str, ...]] = {
    "hostname": ("hostname.exe",),
    "whoami": ("whoami.exe", 'whoami.exe /groups | findstr.exe /c:"S-1-5-32-544"'),
    "os-release": (r'reg.exe query "HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion"',),
    "image-state": (rf"reg.exe query {_CURRENT}\Setup\State", r"reg.exe query HKLM\SYSTEM\Setup"),
    "service": (
        "sc.exe queryex AmazonSSMAgent",
        rf"reg.exe query {_SERVICES}\AmazonSSMAgent {_NO_SECRETS}",
    ),
    "persistent-routes": (rf"reg.exe query {_TCPIP}\PersistentRoutes",),
    "routes": ("route.exe print -4",),
    "addresses": (rf"reg.exe query {_TCPIP}\Interfaces /s", "route.exe print -4"),
    "resolv-conf": (rf"reg.exe query {_TCPIP}\Interfaces /s", rf'reg.exe query "{_NRPT}" /s'),
    "proxy-layers": (
        rf"reg.exe query {_SERVICES}\AmazonSSMAgent /v Environment {_NO_SECRETS}",
        rf'reg.exe query "HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Environment" {_NO_SECRETS}',
        rf"reg.exe query HKU\S-1-5-18\Environment {_NO_SECRETS}",
        rf'reg.exe query "HKU\S-1-5-18\{_INET}" {_NO_SECRETS}',
    ),
    "firewall": (
        *(rf"reg.exe query {_FIREWALL}\{name}Profile" for name in ("Domain", "Public", "Standard")),
        rf'reg.exe query {_FIREWALL}\FirewallRules | findstr.exe /c:"|Dir=Out|" | findstr.exe /c:"=Block|"',
    ),
    "imds": (f"{_CURL} {_PUT} {_IMDS}/api/token", _EXIT, f"{_CURL} {_IMDS}/meta-data/instance-id", _EXIT),
}  # fmt: skip
"""By the probe that they stand for: what is typed."""

_LOG = f"""\
set S=0
for /f %n in ('find.exe /c /v "" ^< "{_LOGS}\\amazon-ssm-agent.log"') do @set /a S=%n-{_LOG_LINES} >nul
if %S% LSS 1 set S=1
for /f "usebackq skip=%S% delims=" %a in ("{_LOGS}\\amazon-ssm-agent.log") do @echo(%a
"""


def compile_plain(nonce: str) -> bytes:
    """All that is typed, in ASCII."""
    parts = ["chcp.com 65001 >nul"]
    for name, commands in SECTIONS.items():
        parts += [f"echo @@{nonce} begin {name}", *commands, f"echo @@{nonce} end {name}"]
    parts += [f"echo @@{nonce} begin agent-logs", *_LOG.splitlines(), f"echo @@{nonce} end agent-logs"]
    return "\n".join((*parts, f"echo @@{nonce} bye", "exit", "")).encode("ascii")


class PlainReader:
    """Reads what cmd.exe printed, and hands it on as if the probes had told it.

    Used as ``collector.probes.frame.FrameReader`` is; nothing that the host says makes it raise.
    """

    def __init__(self, nonce: str, sink: FrameSink, probes: Sequence[Probe]) -> None:
        self.hello: dict[str, str] = {}
        """``user``, ``privilege``; empty until anything came."""
        self.noise = b""
        self.complete = False
        self._told_all = False
        self._sink = sink
        self._asked = {probe.id: probe for probe in probes if not probe.left_out}
        self._mark = re.compile(rb"@@%s (begin|end|bye) ?([a-z-]*) *" % nonce.encode())
        self._rest = b""
        self._section = ""
        self._lines: list[bytes] = []
        self._told: dict[str, bytes] = {}

    @property
    def heard(self) -> bool:
        """Whether any section has come whole."""
        return bool(self._told)

    def feed(self, data: bytes) -> None:
        """Take the next bytes, however they were cut."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(line.rstrip(b"\r"))

    def finish(self, reason: str = "") -> None:
        """The stream is at its end (the first time tells it).  ``reason``: why PowerShell was not asked; it
        becomes a note."""
        if self._told_all:
            return
        self._told_all = True
        self._take(self._rest)
        who = READ["whoami"](self._told.get("whoami", b"")).decode("utf-8", "replace")
        self.hello |= dict(line.split("=", 1) for line in who.splitlines() if "=" in line)
        for name, probe in self._asked.items():
            if probe.lane is Lane.LOG:
                self._sink.probe(self._log(name))
            else:
                self._sink.probe(self._result(probe, reason))

    def _take(self, line: bytes) -> None:
        found = self._mark.fullmatch(line)
        if found is None:
            if self._section:
                self._lines.append(line)
            return
        if found[1] == b"begin":
            self._section, self._lines = found[2].decode(), []
        elif found[1] == b"end" and self._section:
            self._told[self._section] = b"\n".join(self._lines)
            self._section = ""
        self.complete = self.complete or found[1] == b"bye"

    def _result(self, probe: Probe, reason: str) -> ProbeResult:
        text = self._told.get(probe.id)
        if text is None:
            seen = b"\n".join(b"# %b\n%b" % (name.encode(), told) for name, told in self._told.items())
            if probe.id == "exhibits":
                return self._told_as(probe, seen, Status.OK)
            return ProbeResult(probe.id, Status.ERROR, note=f"only PowerShell could tell it; {reason}")
        output = READ[probe.id](text)
        return self._told_as(probe, output, Status.OK if output else Status.ABSENT)

    def _told_as(self, probe: Probe, output: bytes, status: Status) -> ProbeResult:
        kept = output[: probe.max_bytes]
        status = Status.TRUNCATED if len(kept) < len(output) else status
        digest = hashlib.sha256(kept).hexdigest()
        return ProbeResult(
            probe.id, status, kept, via="cmd.exe", sha256=digest, ran_as=self.hello.get("user", "")
        )

    def _log(self, name: str) -> ProbeResult:
        text = self._told.get(name, b"").strip()
        if not text:
            return ProbeResult(
                name, Status.ABSENT, note="there is no log of the agent, or it may not be read"
            )
        self._sink.log_begin(
            LogHead("amazon-ssm-agent.log", f"{_LOGS}\\amazon-ssm-agent.log", 0, None, 0, None, packed=False)
        )
        self._sink.log_data(text + b"\n")
        self._sink.log_end(Status.TRUNCATED, f"its last {_LOG_LINES} lines")
        return ProbeResult(name, Status.OK, via="cmd.exe", ran_as=self.hello.get("user", ""))
