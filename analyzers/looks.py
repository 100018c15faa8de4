"""The one read-only look that would settle what is open."""

from __future__ import annotations

from fnmatch import fnmatchcase

from analyzers.causes.case import Case
from analyzers.causes.catalogue import StepText
from analyzers.causes.texts import steps
from analyzers.diagnosis import Owner, Step

_IMDS = (
    "ip route get 169.254.169.254; curl -sS -m 3 -i -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' "
    "http://169.254.169.254/latest/api/token | head -1; "
    "curl -sS -m 3 -i http://169.254.169.254/latest/meta-data/instance-id | head -1"
)
_ASK = (
    "getent ahosts {host}; curl -sS -m 10 -o /dev/null -w '%{{http_code}} %{{remote_ip}} %{{errormsg}}\\n' "
    "https://{host}/"
)
_LOOKS = (
    ("clock-skew", "Compare the host's clock with AWS's.",
     "date -u; curl -sSkI -m 10 https://{host}/ | grep -i '^date'"),
    ("tls-certificate-expired", "Look at the certificate that the endpoint shows, and at the clock.",
     "date -u; openssl s_client -connect {host}:443 -servername {host} </dev/null 2>/dev/null"
     " | openssl x509 -noout -issuer -dates"),
    ("hybrid-*", "See whether this is an EC2 instance.", _IMDS),
    ("stray-credentials", "See whether root holds credentials of its own (names only).",
     "sudo ls -l /root/.aws; systemctl show {unit} -p Environment | grep -o 'AWS_[A-Z_]*'"),
    ("imds-*", "See how the host reaches the metadata service, and what it answers.", _IMDS),
    ("proxy-*", "Ask the endpoint as the host itself sees it, and list the proxies that are set.",
     _ASK + " --noproxy '*'; grep -ris proxy /etc/environment /etc/profile.d"),
    ("endpoint-*", "Ask the endpoint as the host itself sees it.",
     _ASK),
    ("dns-*", "Ask the host's resolver for the name.", "cat /etc/resolv.conf; getent ahosts {host}"),
    ("disk-full", "Look at the disk.", "df -h /var/l{{ib,og}}/amazon; df -i /var/l{{ib,og}}/amazon"),
    ("*", "Ask the service manager for the agent's state and its last words.",
     "systemctl status {unit} --no-pager -n 30"),
)  # fmt: skip


def next_look(case: Case, candidates: tuple[str, ...]) -> Step:
    """The look for the likeliest candidate; without candidates, at the service itself."""
    wanted = candidates[0] if candidates else "agent"
    for pattern, text, line in _LOOKS:
        if fnmatchcase(wanted, pattern):
            return steps((StepText(text, (line,), Owner.HOST),), case.values)[0]
    raise AssertionError("the last look fits everything")
