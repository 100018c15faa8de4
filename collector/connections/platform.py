"""Which kind of host is behind a connection, and the connection as that kind wants it."""

from __future__ import annotations

from collector.connections.base import Connection, Deadline
from collector.target import Platform, Target, Transport


def as_its_platform(
    connection: Connection, target: Target, deadline: Deadline
) -> tuple[Connection, Platform]:
    """``connection``, ready to run the scripts of the platform that is named with it.

    What the inventory says holds; ``auto`` is found out where the transport leaves it open, on SSH.

    Raises:
        ConnectionFailed: ``protocol``: the connection broke over the question.
    """
    if target.transport is Transport.WINRM:
        return connection, Platform.WINDOWS
    if target.transport is Transport.LOCAL:
        return connection, Platform.LINUX
    from collector.connections.ssh_connection import SshConnection  # paramiko and fabric: heavy

    if not isinstance(connection, SshConnection):
        return connection, Platform.LINUX
    from collector.connections.windows_ssh import WindowsSshConnection, platform_behind

    platform = told(target)
    if platform is Platform.AUTO:
        platform = platform_behind(connection, deadline)
    if platform is Platform.WINDOWS:
        return WindowsSshConnection(connection), platform
    return connection, platform


def told(target: Target) -> Platform:
    """What the inventory says: by ``triage_platform``, by the transport, or by ``ansible_shell_type``."""
    speaks_windows = target.transport is Transport.WINRM or target.shell_type in ("cmd", "powershell")
    if target.platform is Platform.AUTO and speaks_windows:
        return Platform.WINDOWS
    return target.platform
