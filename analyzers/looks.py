"""The one read-only look that would settle what is open."""

from __future__ import annotations

from fnmatch import fnmatchcase

from analyzers.causes.case import Case
from analyzers.causes.catalogue import StepText
from analyzers.causes.texts import steps
from analyzers.diagnosis import Owner, Step
from analyzers.text import say

_IMDS = (
    "ip route get 169.254.169.254; curl -sS -m 3 -i -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' "
    "http://169.254.169.254/latest/api/token | head -1; "
    "curl -sS -m 3 -i http://169.254.169.254/latest/meta-data/instance-id | head -1"
)
_ASK = (
    "getent ahosts {host}; curl -sS -m 10 -o /dev/null -w '%{{http_code}} %{{remote_ip}} %{{errormsg}}\\n' "
    "https://{host}/"
)
_WINDOWS_IMDS = (
    "Find-NetRoute -RemoteIPAddress 169.254.169.254; curl.exe -sS -m 3 -i -X PUT "
    "-H 'X-aws-ec2-metadata-token-ttl-seconds: 60' -o NUL -w '%{{http_code}}' "
    "http://169.254.169.254/latest/api/token; "
    "curl.exe -sS -m 3 -i http://169.254.169.254/latest/meta-data/instance-id"
)
_WINDOWS_ASK = (
    "Resolve-DnsName {host}; curl.exe -sS -m 10 -o NUL -w '%{{http_code}} %{{remote_ip}}' https://{host}/"
)
_LOOKS = (
    ("clock-skew", say("Compare the host's clock with AWS's."),
     "date -u; curl -sSkI -m 10 https://{host}/ | grep -i '^date'",
     "(Get-Date).ToUniversalTime(); curl.exe -sSkI -m 10 https://{host}/ | Select-String '^date'"),
    ("tls-certificate-expired", say("Look at the certificate that the endpoint shows, and at the clock."),
     "date -u; openssl s_client -connect {host}:443 -servername {host} </dev/null 2>/dev/null"
     " | openssl x509 -noout -issuer -dates",
     "(Get-Date).ToUniversalTime(); curl.exe -vsSk -m 10 -o NUL https://{host}/"),
    ("hybrid-*", say("See whether this is an EC2 instance."), _IMDS, _WINDOWS_IMDS),
    ("stray-credentials", say("See whether root holds credentials of its own (names only)."),
     "sudo ls -l /root/.aws; systemctl show {unit} -p Environment | grep -o 'AWS_[A-Z_]*'",
     "Get-ChildItem $env:SystemRoot\\System32\\config\\systemprofile\\.aws"),
    ("imds-*", say("See how the host reaches the metadata service, and what it answers."),
     _IMDS, _WINDOWS_IMDS),
    ("proxy-*", say("Ask the endpoint as the host itself sees it, and list the proxies that are set."),
     _ASK + " --noproxy '*'; grep -ris proxy /etc/environment /etc/profile.d",
     _WINDOWS_ASK + " --noproxy '*'; netsh winhttp show proxy"),
    ("endpoint-*", say("Ask the endpoint as the host itself sees it."), _ASK, _WINDOWS_ASK),
    ("dns-*", say("Ask the host's resolver for the name."), "cat /etc/resolv.conf; getent ahosts {host}",
     "Get-DnsClientServerAddress -AddressFamily IPv4; Resolve-DnsName {host}"),
    ("disk-full", say("Look at the disk."), "df -h /var/l{{ib,og}}/amazon; df -i /var/l{{ib,og}}/amazon",
     "Get-PSDrive -PSProvider FileSystem"),
    ("*", say("Ask the service manager for the agent's state and its last words."),
     "systemctl status {unit} --no-pager -n 30",
     "Get-CimInstance Win32_Service -Filter \"Name='AmazonSSMAgent'\""
     " | Select-Object State, "
     "StartMode, ExitCode"),
)  # fmt: skip
"""For which candidates, what it looks for, and how: with ``sh``, and with PowerShell."""


def next_look(case: Case, candidates: tuple[str, ...]) -> Step:
    """The look for the likeliest candidate; without candidates, at the service itself."""
    wanted = candidates[0] if candidates else "agent"
    for pattern, text, shell, powershell in _LOOKS:
        if fnmatchcase(wanted, pattern):
            line = powershell if case.windows else shell
            return steps((StepText(str(text), (line,), Owner.HOST),), case.values)[0]
    raise AssertionError("the last look fits everything")
