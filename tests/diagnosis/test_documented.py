# ruff: noqa: E501  a row per saying, as the agent writes it
"""What the agent's documentation, its source and its users' reports quote, told by the log alone.

A row is a saying, and what is told of it: a cause (with its scope where it has one), or the candidates of a
verdict that stays open.  The sayings are those of the agent's source and of public issues of its repository.
"""

from __future__ import annotations

import casebook as book
import phrasebook as pb
import pytest

from analyzers.diagnose import diagnose
from analyzers.diagnosis import Diagnosis

TIME = "2026-11-23 06:46:40"
WORKER = "[ssm-agent-worker]"
MGS = f"{WORKER} [MessageService] [MGSInteractor]"
POOL = "[amazon-ssm-agent] [LongRunningWorkerContainer] [WorkerProvider]"
DETAILS = "[HealthCheck] error when calling AWS APIs. error details -"
REFRESH = "[CredentialRefresher] Retrieve credentials produced error:"
PROFILE = "EC2RoleProvider Failed to connect to Systems Manager with instance profile role credentials. Err: retrieved credentials failed to report to ssm. Error:"
REGISTRAR = "[Registrar] failed to register identity: error calling RegisterManagedInstance API: RequestError: send request failed\ncaused by:"
IMDS = "[EC2Identity] Failed to get instance info from IMDS. Err: failed to get identity instance id. Error: EC2MetadataError: failed to get IMDSv2 token and fallback to IMDSv1 is disabled\ncaused by:"
REQUEST = "RequestError: send request failed\ncaused by: Post https://ssm.us-east-1.amazonaws.com/:"
VAULT = "error fetching the instanceID, Failed to fetch instance ID. Data from vault is empty. RequestError: send request failed\ncaused by: Get http://169.254.169.254/latest/meta-data/instance-id: dial tcp 169.254.169.254:80:"
CONTROL = "Failed to get controlchannel token, error: CreateControlChannel failed with error: createControlChannel request failed: unexpected response from the service"

OPEN = "open"
"""Before the candidates of a verdict that stays open."""

# Version of the agent (empty: the log has no start), with a channel or not, the saying, and what is told.
ROWS: dict[str, tuple[str, bool, str, str]] = {
    # imds
    "IMDS is off": ("", False, f"ERROR {IMDS} 403 Forbidden: Forbidden\n<?xml version=\"1.0\"?>\n<html><title>403 - Forbidden</title></html>\n\tstatus code: 403, request id: ", "imds-disabled"),
    "a token that never came": ("3.0.529.0", False, "ERROR error fetching the instanceID, Failed to fetch instance ID. Data from vault is empty. EC2MetadataError: failed to make EC2Metadata request\n\tstatus code: 401, request id: ", "imds-hop-limit"),
    "Windows, IMDS silent": ("", False, f"ERROR {VAULT} connectex: A connection attempt failed because the connected party did not properly respond after a period of time, or established connection failed because connected host has failed to respond.", "open win-stale-imds-route"),
    "Windows, IMDS unreachable": ("", False, f"ERROR {VAULT} connectex: A socket operation was attempted to an unreachable network.", "imds-no-route"),
    "an impostor": ("", False, f"ERROR {IMDS} ParamFormatInvalidError: unable to parse EC2 token TTL response\ncaused by: strconv.ParseInt: parsing \"\": invalid syntax", "imds-impostor"),
    "no region": ("3.1.1732.0", False, "ERROR Cannot get endpoint for service ssm due to unspecified region.", "open imds-no-response config-override"),
    # who it is
    "no role": ("2.3.1205.0", False, "INFO Entering SSM Agent hibernate - EC2RoleRequestError: no EC2 instance role found\ncaused by: EC2MetadataError: failed to make EC2Metadata request\n\tstatus code: 404, request id: ", "iam-no-instance-profile"),
    "no provider": ("2.2.355.0", False, f"ERROR {DETAILS} NoCredentialProviders: no valid providers in chain. Deprecated.\n\tFor verbose messaging see aws.Config.CredentialsChainVerboseErrors", "iam-no-instance-profile"),
    "denied, hibernates": ("3.0.529.0", False, f"INFO {WORKER} Entering SSM Agent hibernate - {pb.DENIED}", "iam-access-denied"),
    "denied, for a day": ("3.1.1732.0", False, f"ERROR [CredentialRefresher] Retrieve credentials produced unrecoverable aws error: {pb.DENIED}", "iam-access-denied"),
    "denied by the role's own policy": ("3.3.1142.0", False, f"WARN {PROFILE} {pb.DENIED} with an explicit deny in an identity-based policy", "iam-access-denied"),
    "denied by an endpoint's policy": ("3.3.1142.0", False, f"WARN {PROFILE} {pb.DENIED} because no VPC endpoint policy allows the ssm:UpdateInstanceInformation action", "policy-explicit-deny/vpc-endpoint-policy"),
    "denied by a resource control policy": ("3.3.1142.0", False, f"WARN {PROFILE} {pb.DENIED} with an explicit deny in a resource control policy", "policy-explicit-deny/resource-control-policy"),
    "the trust policy": ("3.1.1732.0", False, f"ERROR {REFRESH} AssumeRoleUnauthorizedAccess: EC2 cannot assume the role AppServerRole.", "trust-policy"),
    "none valid, and no word why": ("3.2.582.0", False, f"ERROR {REFRESH} no valid credentials could be retrieved for ec2 identity", "open iam-access-denied iam-no-instance-profile trust-policy"),
    "default host management alone": ("3.3.1142.0", False, "ERROR EC2RoleProvider Failed to connect to Systems Manager with SSM role credentials. error calling RequestManagedInstanceRoleToken: AccessDeniedException: Systems Manager's instance management role is not configured for account: 123456789012", "open dhmc-not-ready"),
    "a user's keys": ("3.0.529.0", False, f"INFO {WORKER} Entering SSM Agent hibernate - AccessDeniedException: User: arn:aws:iam::123456789012:user/deploy is not authorized to perform: ssm:UpdateInstanceInformation on resource: arn:aws:ec2:us-east-1:123456789012:instance/i-0a", "stray-credentials"),
    "a clock behind": ("2.3.1205.0", False, "INFO Entering SSM Agent hibernate - InvalidSignatureException: Signature expired: 20190101T000000Z is now earlier than 20190101T001000Z (20190101T001500Z - 5 min.)", "clock-skew"),
    "another machine": ("2.3.1205.0", False, "ERROR Cannot connect to AWS Systems Manager.  Machine configuration has changed more than the allowed threshold.", "fingerprint-mismatch"),
    "a used-up activation": ("", False, "ERROR Registration failed due to error registering the instance with AWS SSM. InvalidActivation: \n\tstatus code: 400, request id: 1", "hybrid-activation-invalid"),
    # the way
    "dropped": ("2.3.1205.0", False, f"ERROR {DETAILS} {REQUEST} dial tcp 52.94.177.100:443: i/o timeout", "open endpoint-unreachable"),
    "the scheme of a proxy": ("2.3.1205.0", False, f"ERROR {DETAILS} {REQUEST} proxyconnect tcp: tls: first record does not look like a TLS handshake", "proxy-scheme-https"),
    "an authority not known": ("2.3.1205.0", False, f"INFO Entering SSM Agent hibernate - {REQUEST} x509: certificate signed by unknown authority", "tls-trust"),
    "no IPv6": ("3.3.1142.0", False, f'ERROR {REGISTRAR} Post "https://ssm.us-east-1.amazonaws.com/": dial tcp [2600:1f18::1]:443: connect: network is unreachable', "open no-default-route ipv6-only"),
    "no such host": ("3.3.1142.0", False, f'ERROR {REGISTRAR} Post "https://ssm.eu-west-1.amazonaws.com/": dial tcp: lookup ssm.eu-west-1.amazonaws.com: getaddrinfow: No such host is known.', "dns-no-such-host"),
    "Windows, no answer of DNS": ("3.3.1142.0", False, f'ERROR {REGISTRAR} Post "https://ssm.eu-west-1.amazonaws.com/": dial tcp: lookup ssm.eu-west-1.amazonaws.com: getaddrinfow: This is usually a temporary error during hostname resolution and means that the local server did not receive a response from an authoritative server.', "open dns-timeout dns-servfail"),
    "typographic quotes": ("3.3.1142.0", False, f'ERROR {REGISTRAR} Post "https://ssm.xn--us-east-1-ij8e1d.amazonaws.com/": dial tcp: lookup ssm.xn--us-east-1-ij8e1d.amazonaws.com on 10.0.0.2:53: no such host', "config-override/region"),
    "throttled at the channel": ("3.0.529.0", False, f"ERROR {WORKER} [MessageGatewayService] {CONTROL} <BadRequest xmlns=\"\"><message>Unable to process due to throttling.</message></BadRequest>", "throttling"),
    "not authorized at the channel": ("3.0.529.0", False, f"ERROR {WORKER} [MessageGatewayService] {CONTROL} <BadRequest xmlns=\"\"><message>Unauthorized request.</message></BadRequest>", "iam-access-denied/ssmmessages"),
    # the host
    "no room for the state": ("3.3.1142.0", False, "ERROR failed to write runtime config 'identity_config.json': write /var/lib/amazon/ssm/runtimeconfig/identity_config.json: no space left on device", "disk-full/space"),
    "a read-only disk": ("3.1.1732.0", False, "ERROR [amazon-ssm-agent] failed to create IPC folder, mkdir /var/lib/amazon/ssm/ipc: read-only file system", "filesystem-read-only"),
    "no plugin of its own": ("2.3.1205.0", True, "ERROR [MessageGatewayService] [EngineProcessor] Plugin with name Standard_Stream not found. Step name: Standard_Stream", "open disk-full filesystem-read-only"),
    "no watch": ("3.3.1142.0", True, f"ERROR {WORKER} [DataBackend] filewatcher listener encountered error when add watch: no space left on device", "inotify-exhausted/watches"),
    "no watcher": ("3.0.529.0", True, f"ERROR {WORKER} [MessagingDeliveryService] filewatcher listener encountered error when start watcher: too many open files", "inotify-exhausted/instances"),
    "no descriptor": ("3.3.1142.0", True, f"ERROR {WORKER} open /var/lib/amazon/ssm/i-0a1/document/orchestration: too many open files", "fd-limit"),
    "a damaged program": ("3.1.1732.0", False, f"ERROR {POOL} failed to start worker ssm-agent-worker, fork/exec /usr/bin/ssm-agent-worker: exec format error", "worker-broken/corrupt"),
    "a second agent": ("3.3.1142.0", False, "ERROR [amazon-ssm-agent] failed to start message bus, failed to start health channel: failed to listen on the channel: ipc:///var/lib/amazon/ssm/ipc/health, address in use", "duplicate-agent"),
    "a crash": ("3.3.1142.0", False, "ERROR [amazon-ssm-agent] Core Agent crashed with message runtime error: invalid memory address or nil pointer dereference!", "open agent-version-behaviour worker-broken"),
    "a runtime config that cannot be read": ("3.3.1142.0", False, "ERROR Failed to read runtime config for ShareFile information", "open agent-version-behaviour"),
    "credentials that cannot be written": ("3.3.1142.0", False, "ERROR [CredentialRefresher] Failed to write credentials to disk even with force, retrying: SharedCredentialsStore: failed to save file, /root/.aws/credentials: not a directory", "credentials-file-unwritable"),
    "broken JSON": ("", False, "ERROR app config could not be loaded - invalid character '}' looking for beginning of object key string", "config-corrupt"),
    "Windows not set up": ("", False, "ERROR [amazon-ssm-agent] System not ready, not starting agent: isSysPrepEC true", "sysprep-incomplete"),
    # noise
    "no core manager": ("3.3.1142.0", True, "ERROR Agent's core manager can't be nil", "healthy"),
    "no serial port": ("3.3.1142.0", True, f"ERROR {WORKER} [StartupProcessor] Error opening serial port: open /dev/hvc0: no such file or directory. Retrying in 5 seconds...", "healthy"),
    "a channel that comes back": ("3.3.1142.0", True, f"WARN {MGS} Reach the retry limit 5 for receive messages. Error: websocket: close 1006 (abnormal closure): unexpected EOF\n{TIME} INFO {MGS} Successfully opened websocket connection to: 10.77.100.13:443", "healthy"),
}  # fmt: skip


def told(found: Diagnosis, candidates: int) -> str:
    if found.causes:
        first = found.causes[0]
        return f"{first.slug}/{first.scope}" if first.scope else first.slug
    return " ".join((OPEN, *found.candidates[:candidates])) if found.candidates else str(found.verdict)


@pytest.mark.parametrize("name", ROWS)
def test_saying(name: str) -> None:
    version, connected, saying, expected = ROWS[name]
    log = (pb.start(version) if version else "") + (pb.online(version) if connected else "")
    found = diagnose(book.evidence(log=f"{log}{TIME} {saying}\n", bare=True), now=book.NOW)
    assert told(found, len(expected.split()) - 1) == expected
    assert len(found.causes) <= 1


@pytest.mark.parametrize("reason", ["no space left on device", "read-only file system"])
@pytest.mark.parametrize(
    "wrapped", ["", "Error occurred when starting amazon-ssm-agent: failed to create IPC folder, "]
)
def test_the_path_is_told_whatever_words_stand_before_it(reason: str, wrapped: str) -> None:
    log = f"{pb.start('3.3.1142.0')}{TIME} ERROR {wrapped}mkdir /var/lib/amazon/ssm/ipc: {reason}\n"
    found = diagnose(book.evidence(log=log, bare=True), now=book.NOW)
    assert "/var/lib/amazon/ssm/ipc" in str(found.causes[0].sentence)
