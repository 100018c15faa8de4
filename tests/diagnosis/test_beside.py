# ruff: noqa: E501  log lines as the agent writes them
"""What stands in the log of a good agent, or beside the cause, and must not be taken for it."""

from __future__ import annotations

import casebook as book
import phrasebook as pb
import pytest

from analyzers.diagnose import diagnose
from analyzers.diagnosis import Diagnosis
from collector.evidence import ProbeResult, Status, Subject
from collector.evidence.memory import evidence_of

V = "3.3.1142.0"
GOOD = pb.start(V) + pb.online(V)
WORKER = "[amazon-ssm-agent] [LongRunningWorkerContainer] [WorkerProvider]"
DIED = f"INFO {WORKER} Process ssm-agent-worker (pid:72) has been terminated, remove from worker pool"
SOCKET = "INFO [ssm-agent-worker] [MessageService] [MGSInteractor] Successfully opened websocket connection to: 10.77.100.13:443"
CHANNEL = "INFO [ssm-agent-worker] [MessageService] [MGSInteractor] SSM Connection channel status is set to ssmmessages"
LOST = "WARN [ssm-agent-worker] [MessageService] [MGSInteractor] Reach the retry limit 5 for receive messages. Error: websocket: close 1006 (abnormal closure): unexpected EOF"
PING = "INFO [ssm-agent-worker] [HealthCheck] HealthCheck reporting agent health."
NO_ROLE = "WARN EC2RoleProvider Failed to connect to Systems Manager with instance profile role credentials. Err: retrieved credentials failed to report to ssm. Error: EC2RoleRequestError: no EC2 instance role found"
NO_DHMC = "ERROR EC2RoleProvider Failed to connect to Systems Manager with SSM role credentials. error calling RequestManagedInstanceRoleToken: AccessDeniedException: Systems Manager's instance management role is not configured for account: 123456789012"
BY_DHMC = pb.start(V) + pb.lines(
    V,
    (2, NO_ROLE),
    (3, "INFO EC2RoleProvider Successfully connected with Systems Manager role credentials"),
    (4, SOCKET),
    (4, CHANNEL),
)
OOM = "Nov 23 06:40:00 web01 kernel: Out of memory: Killed process 72 (ssm-agent-worke) total-vm:1kB\n"
NO_PROFILE = {
    **book.HEALTHY,
    "imds": book.imds(role="outcome=answered;http=404", credentials="", iam_info="outcome=answered;http=404"),
}


def denied(action: str) -> str:
    return pb.DENIED.replace("ssm:UpdateInstanceInformation", action)


def later(*told: str) -> str:
    return GOOD + pb.lines(V, *((300 + 200 * n, text) for n, text in enumerate(told)))


ROWS: dict[str, tuple[str, str, dict[str, str]]] = {
    "an inventory that may not be put": ("healthy", later(f"ERROR [ssm-document-worker] [6c1] [aws:softwareInventory] error calling PutInventory: {denied('ssm:PutInventory')}"), {}),
    "a bucket that may not be written": ("healthy", later(f"ERROR [ssm-document-worker] [6c1] failed uploading: {denied('s3:PutObject')}"), {}),
    "a command that fills its own disk": ("healthy", later("ERROR [ssm-document-worker] [6c1] [aws:downloadContent] write /data/x: no space left on device"), {}),
    "a command that meets the agent's full disk": ("disk-full", later("ERROR [ssm-document-worker] [6c1] open /var/lib/amazon/ssm/i-0/document/state/pending/x: no space left on device"), {}),
    "a poll that may not be made": ("iam-access-denied", later(f"ERROR [ssm-agent-worker] [MessageService] [MDSInteractor] error when calling AWS APIs. error details - GetMessages Error: {denied('ec2messages:GetMessages')}"), {}),
    "throttled once, then good pings": ("healthy", later("ERROR [ssm-agent-worker] [HealthCheck] error when calling AWS APIs. error details - ThrottlingException: Rate exceeded", PING, PING, PING), {}),
    "a channel lost and opened again": ("healthy", later(LOST, SOCKET), {}),
    "a channel lost": ("unknown", later(LOST), {}),
    "no serial port": ("healthy", later("ERROR [ssm-agent-worker] [StartupProcessor] Error opening serial port: open /dev/hvc0: no such file or directory. Retrying in 5 seconds..."), {}),
    "a worker that died once": ("healthy", later(DIED, f"INFO {WORKER} Worker ssm-agent-worker (pid:92) started", SOCKET, CHANNEL), {}),
    "a worker that dies and dies": ("worker-broken", later(DIED, DIED), {}),
    "a worker that the kernel kills": ("resource-starvation", later(DIED, DIED), {**book.HEALTHY, "oom": OOM}),
    "default host management at work": ("healthy", BY_DHMC, NO_PROFILE),
    "default host management taken away": ("dhmc-not-ready", BY_DHMC + pb.start(V, 300) + pb.lines(V, (310, NO_ROLE), (310, NO_DHMC)), NO_PROFILE),
    "default host management never there": ("iam-no-instance-profile", pb.start(V) + pb.lines(V, (310, NO_ROLE), (310, NO_DHMC)), NO_PROFILE),
    "a proxy that also answers for IMDS": ("proxy-no-noproxy-imds", pb.start(V, proxy=pb.PROXY) + pb.online(V), {}),
    "a proxy that IMDS is spared": ("healthy", pb.start(V, proxy=pb.PROXY, no_proxy="169.254.169.254") + pb.online(V), {}),
}  # fmt: skip


def of(log: str, probes: dict[str, str]) -> Diagnosis:
    results = [ProbeResult(name, Status.OK, text.encode()) for name, text in probes.items() if text]
    logs = {"amazon-ssm-agent.log": log.encode()}
    return diagnose(evidence_of(results, logs, subject=Subject("web01")), now=book.NOW)


@pytest.mark.parametrize("name", ROWS)
def test_beside(name: str) -> None:
    expected, log, probes = ROWS[name]
    found = of(log, probes)
    assert (found.causes[0].slug if found.causes else found.verdict.value) == expected


def test_every_denied_action_is_named_the_base_first() -> None:
    polls = f"ERROR [ssm-agent-worker] [MessageService] [MDSInteractor] error when calling AWS APIs. error details - GetMessages Error: {denied('ec2messages:GetMessages')}"
    ping = f"ERROR [ssm-agent-worker] [HealthCheck] error when calling AWS APIs. error details - {pb.DENIED}"
    (cause,) = of(later(polls, ping), {}).causes
    assert cause.scope is None
    assert "ssm:UpdateInstanceInformation, ec2messages:GetMessages" in str(cause.sentence)
    lines = [line for step in cause.remedy for line in step.lines]
    assert any(
        "--action-names ssm:UpdateInstanceInformation ec2messages:GetMessages" in line for line in lines
    )
