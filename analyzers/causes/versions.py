"""What changed in which version of the agent: the one table that all rules ask.

Sources: RELEASENOTES.md and the history of amazon-ssm-agent.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from analyzers.facts.packages import Version


class Change(StrEnum):
    """A change of behaviour that matters to a diagnosis."""

    HIBERNATION = "hibernation"
    MGS = "mgs"
    PROXY_SCHEME = "proxy-scheme"
    ROLE_BEFORE_FILES = "role-before-files"
    IMDS_V2 = "imds-v2"
    IMDS_V1_AFTER_V2 = "imds-v1-after-v2"
    HTTP_PROXY_APART = "http-proxy-apart"
    LOG_HANDLES_CLOSED = "log-handles-closed"
    WORKER = "worker"
    GET_DIAGNOSTICS = "get-diagnostics"
    CREDENTIAL_REFRESHER = "credential-refresher"
    MGS_PREFERRED = "mgs-preferred"
    SYMLINK_CHECK = "symlink-check"
    SSM_CREDENTIALS = "ssm-credentials"
    DHMC = "dhmc"
    DHMC_AFTER_TRUST = "dhmc-after-trust"
    NO_IMDS_V1 = "no-imds-v1"
    NO_PROFILE_ON_DISK = "no-profile-on-disk"
    QUIET_REFRESHER = "quiet-refresher"
    MDS_OPTIONAL = "mds-optional"
    FRACTIONAL_SECONDS = "fractional-seconds"
    TLS_1_2 = "tls-1.2"


@dataclass(frozen=True, slots=True)
class Since:
    """One row of the table."""

    change: Change
    version: str
    meaning: str


TABLE = (
    Since(Change.HIBERNATION, "2.2.392", "the worker hibernates when its first health ping fails"),
    Since(Change.MGS, "2.3.68", "opens a channel to ssmmessages (Session Manager)"),
    Since(Change.ROLE_BEFORE_FILES, "2.3.612", "shared files and variables no longer come before the role"),
    Since(Change.PROXY_SCHEME, "2.3.722", "an https:// in the proxy's URL is taken at its word (Go 1.12)"),
    Since(Change.IMDS_V2, "2.3.772", "asks for IMDSv2 tokens"),
    Since(Change.WORKER, "3.0.151", "all but the core is in a process of its own, ssm-agent-worker"),
    Since(Change.IMDS_V1_AFTER_V2, "3.0.413", "falls back to IMDSv1 where a token is not had"),
    Since(Change.LOG_HANDLES_CLOSED, "3.0.529", "closes the handles of its logs"),
    Since(Change.HTTP_PROXY_APART, "3.1.0", "http_proxy no longer serves https requests too (Go 1.16)"),
    Since(Change.GET_DIAGNOSTICS, "3.1.501", "ssm-cli has get-diagnostics"),
    Since(Change.CREDENTIAL_REFRESHER, "3.1.501", "a refresher keeps the credentials of hybrid hosts"),
    Since(Change.MGS_PREFERRED, "3.1.821", "prefers ssmmessages"),
    Since(Change.SYMLINK_CHECK, "3.1.1045", "refuses symbolic links among its folders"),
    Since(Change.SSM_CREDENTIALS, "3.2.183", "EC2 credentials are kept by the refresher too"),
    Since(Change.DHMC, "3.2.582", "default host management"),
    Since(Change.DHMC_AFTER_TRUST, "3.2.815", "default host management also after a refused trust policy"),
    Since(Change.NO_IMDS_V1, "3.2.1041", "no longer falls back to IMDSv1"),
    Since(Change.NO_PROFILE_ON_DISK, "3.2.1377", "the profile's credentials are not written to disk"),
    Since(Change.QUIET_REFRESHER, "3.2.1630", "after three failures the refresher logs at debug level only"),
    Since(Change.MDS_OPTIONAL, "3.3.40", "does without ec2messages while ssmmessages is connected"),
    Since(Change.FRACTIONAL_SECONDS, "3.3.808", "log times have fractions"),
    Since(Change.TLS_1_2, "3.3.987", "speaks TLS 1.2 and later only"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Abilities:
    """What the agent of this host does, by its version."""

    version: Version | None

    def has(self, change: Change) -> bool | None:
        """Whether this version has the change; ``None``: the version is not known."""
        if self.version is None:
            return None
        return self.version.at_least(next(row.version for row in TABLE if row.change is change))
