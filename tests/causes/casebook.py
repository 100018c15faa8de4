# ruff: noqa: E501  log lines as the agent writes them
"""Small hosts to try rules on: a healthy one, as the probes print it, and what differs on a sick one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from analyzers.causes.case import Case
from analyzers.diagnose import case_of
from collector.evidence import Evidence, ProbeResult, Status, Subject
from collector.evidence.memory import evidence_of

NOW = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
REGION = "us-east-1"
ADDRESSES = {"ssm": "10.77.100.11", "ec2messages": "10.77.100.12", "ssmmessages": "10.77.100.13"}
DATE = "Mon, 23 Nov 2026 06:38:45 GMT"

EC2WS = "server=EC2ws"


def imds(**records: str) -> str:
    """The ``imds`` probe of a healthy host; ``records`` replace or add whole records (fields between ``;``)."""
    healthy = {
        "token": "method=PUT;outcome=answered;http=200",
        "v1": "outcome=answered;http=401",
        "instance-id": "outcome=answered;http=200;| i-0a1b2c3d4e5f60718",
        "region": "outcome=answered;http=200;| us-east-1",
        "document": 'outcome=answered;http=200;| {"accountId": "123456789012", "region": "us-east-1"}',
        "iam-info": 'outcome=answered;http=200;| {"Code": "Success", "InstanceProfileArn": "arn:aws:iam::1:i/P"}',
        "role": "outcome=answered;http=200;| AppServerRole",
        "credentials": 'outcome=answered;http=200;| {"Code": "Success", "Expiration": "2026-11-23T12:00:00Z"}',
    }
    told = {**healthy, **{name.replace("_", "-"): text for name, text in records.items()}}
    return "".join(
        "\n".join((f"[{name}]", EC2WS, f"date={DATE}", *text.split(";"))) + "\n"
        for name, text in told.items()
        if text
    )


def dead_imds(outcome: str) -> str:
    """The ``imds`` probe where no request gets further than ``outcome``."""
    return f"[token]\nmethod=PUT\noutcome={outcome}\n[v1]\noutcome={outcome}\n"


def endpoint(service: str = "ssm", *records: str, address: str | None = None, host: str = "") -> str:
    """One ``endpoint-*`` probe; ``records`` stand after the name's resolution (default: all is well)."""
    ip = ADDRESSES[service] if address is None else address
    name = host or f"{service}.{REGION}.amazonaws.com"
    head = f"[endpoint]\nservice={service}\nhost={name}\nport=443\nsource=region\nregion={REGION}\n"
    resolved = f"[resolve]\ntool=getent\nexit=0\naddress={ip}\n" if ip else "[resolve]\ntool=getent\nexit=2\n"
    healthy = (
        f"[tcp]\naddress={ip}\noutcome=connected\n",
        f"[tls]\noutcome=ok\nprotocol=TLSv1.3\nissuer=C = US, O = Amazon, CN = Amazon RSA 2048 M01\naddress={ip}\n",
        f"[http]\noutcome=answered\nhttp=400\ndate={DATE}\ntype=application/x-amz-json-1.1\n",
    )
    return head + resolved + "".join(records or healthy)


def tcp(service: str, outcome: str, address: str | None = None) -> str:
    return endpoint(
        service, f"[tcp]\naddress={address or ADDRESSES[service]}\noutcome={outcome}\n", address=address
    )


def endpoints(make: str, **more: str) -> dict[str, str]:
    """The three endpoints with the same TCP outcome."""
    return {**{f"endpoint-{service}": tcp(service, make) for service in ADDRESSES}, **more}


def tls(outcome: str, **fields: str) -> dict[str, str]:
    """The three endpoints with the same handshake."""
    extra = "".join(f"{key}={value}\n" for key, value in fields.items())
    return {
        f"endpoint-{service}": endpoint(
            service, f"[tcp]\naddress={ip}\noutcome=connected\n", f"[tls]\noutcome={outcome}\n{extra}"
        )
        for service, ip in ADDRESSES.items()
    }


def http(fields: str) -> dict[str, str]:
    """The three endpoints with the same HTTP answer."""
    return {
        f"endpoint-{service}": endpoint(
            service, f"[tcp]\naddress={ip}\noutcome=connected\n", "[tls]\noutcome=ok\n", f"[http]\n{fields}\n"
        )
        for service, ip in ADDRESSES.items()
    }


def dns(record: str) -> dict[str, str]:
    """The three endpoints whose names do not resolve, with what the resolver itself says."""
    return {f"endpoint-{service}": endpoint(service, record, address="") for service in ADDRESSES}


ROUTES = (
    "default via 10.77.1.1 dev eth0 proto dhcp src 10.77.1.25 metric 100\n"
    "10.77.1.0/24 dev eth0 proto kernel scope link src 10.77.1.25\n"
    "local 10.77.1.25 dev eth0 table local proto kernel scope host src 10.77.1.25\n"
)
ADDR = (
    "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN\n"
    "    inet 127.0.0.1/8 scope host lo\n"
    "2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 9001 qdisc mq state UP\n"
    "    link/ether 0a:11:22:33:44:55 brd ff:ff:ff:ff:ff:ff\n"
    "    inet 10.77.1.25/24 brd 10.77.1.255 scope global eth0\n"
)
GET_IMDS = "# 169.254.169.254\n169.254.169.254 via 10.77.1.1 dev eth0 src 10.77.1.25 uid 0\n    cache\n"
SERVICE = (
    "[amazon-ssm-agent.service]\nmanager=systemd\nLoadState=loaded\nActiveState=active\nSubState=running\n"
    "UnitFileState=enabled\nMainPID=60\nRestart=always\n"
)
PS = (
    "USER         PID    PPID                  STARTED COMMAND\n"
    "root          60       1 Mon Nov 23 06:36:36 2026 /usr/bin/amazon-ssm-agent\n"
    "root          72      60 Mon Nov 23 06:36:37 2026 /usr/bin/ssm-agent-worker\n"
)
DF = "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/nvme0n1p1 8376300 3376300 5000000 41% /\n"
DF_FULL = (
    "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/nvme0n1p1 8376300 8376300 0 100% /\n"
)
IPTABLES = "*filter\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n"

HEALTHY: Mapping[str, str] = {
    "clock": "utc=2026-11-23T06:38:45Z\nepoch=1795415925\noffset=+0000\nboot=1795400000\n",
    "packages": "[deb]\nversion=3.3.1142.0-1\nstate=installed\n",
    "agent-version": "SSM Agent version: 3.3.1142.0\n",
    "service": SERVICE,
    "processes": PS,
    "agent-environ": "# pid 60 /usr/bin/amazon-ssm-agent\n",
    "routes": ROUTES,
    "rules": "0:\tfrom all lookup local\n32766:\tfrom all lookup main\n32767:\tfrom all lookup default\n",
    "addresses": ADDR,
    "route-get": GET_IMDS,
    "resolv-conf": "nameserver 10.77.0.2\n",
    "hosts-file": "127.0.0.1 localhost\n",
    "iptables": IPTABLES,
    "imds": imds(),
    "endpoint-ssm": endpoint("ssm"),
    "endpoint-ssmmessages": endpoint("ssmmessages"),
    "endpoint-ec2messages": endpoint("ec2messages"),
    "disk-space": DF,
    "disk-inodes": DF,
    "mounts": "/dev/nvme0n1p1 / ext4 rw,relatime 0 0\n",
}

START = """\
2026-11-23 06:36:36.1000 INFO Proxy environment variables:
2026-11-23 06:36:36.1000 INFO https_proxy: 
2026-11-23 06:36:36.1000 INFO http_proxy: 
2026-11-23 06:36:36.1000 INFO no_proxy: 
2026-11-23 06:36:36.1001 INFO Checking if agent identity type OnPrem can be assumed
2026-11-23 06:36:36.1002 INFO Checking if agent identity type EC2 can be assumed
2026-11-23 06:36:36.2000 INFO Agent will take identity from EC2
2026-11-23 06:36:36.2000 INFO [amazon-ssm-agent] using named pipe channel for IPC
2026-11-23 06:36:36.2100 INFO [amazon-ssm-agent] amazon-ssm-agent - v3.3.1142.0
"""  # noqa: W291  as the agent writes it
ONLINE = """\
2026-11-23 06:36:36.9969 INFO EC2RoleProvider Successfully connected with instance profile role credentials
2026-11-23 06:36:36.9970 INFO [CredentialRefresher] Credentials ready
2026-11-23 06:36:38.0468 INFO [ssm-agent-worker] [MessageService] [MGSInteractor] Successfully opened websocket connection to: 10.77.100.13:443
2026-11-23 06:36:38.0469 INFO [ssm-agent-worker] [MessageService] [MGSInteractor] SSM Connection channel status is set to ssmmessages
"""
HYBRID = START.replace("identity from EC2", "identity from OnPrem")


def registrar(error: str) -> str:
    """A start whose registration fails with ``error``."""
    return (
        START
        + f"2026-11-23 06:36:40.0000 ERROR [Registrar] failed to register identity: error calling RegisterManagedInstance API: {error}\n"
    )


def request_failed(error: str, host: str = "ssm.us-east-1.amazonaws.com") -> str:
    """A start whose registration gets no answer: ``error`` is the low-level one."""
    return registrar(f'RequestError: send request failed\ncaused by: Post "https://{host}/": {error}')


def no_imds(error: str) -> str:
    """A start that ends at IMDS: ``error`` is the innermost one."""
    start = START.partition("2026-11-23 06:36:36.2000")[0]
    return start + (
        "2026-11-23 06:36:37.1000 ERROR [EC2Identity] Failed to get instance info from IMDS. Err: failed to get identity "
        "instance id. Error: EC2MetadataError: failed to get IMDSv2 token and fallback to IMDSv1 is disabled\n"
        f"caused by: {error}\n2026-11-23 06:36:37.2000 ERROR Agent failed to assume any identity\n"
        "2026-11-23 06:36:37.2000 ERROR failed to find identity, retrying: failed to find agent identity\n"
    )


def evidence(
    probes: Mapping[str, str] | None = None, log: str | None = None, *, bare: bool = False
) -> Evidence:
    """A host's evidence: the healthy one (or, ``bare``, nothing) with these probes and this log instead."""
    told = {**({} if bare else HEALTHY), **(probes or {})}
    results = [ProbeResult(name, Status.OK, text.encode()) for name, text in told.items() if text]
    logs = {} if log is None else {"amazon-ssm-agent.log": log.encode()}
    return evidence_of(results, logs, subject=Subject("web01", region=REGION))


def case(probes: Mapping[str, str] | None = None, log: str | None = None, *, bare: bool = False) -> Case:
    return case_of(evidence(probes, log, bare=bare), now=NOW)
