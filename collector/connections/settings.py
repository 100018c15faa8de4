"""What a whole run has decided about connecting, as opposed to what one host says of itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SshSettings:
    """Options of the run that hold for every SSH host; picklable.  All times are in seconds."""

    config_file: str | None = None
    """``--ssh-config FILE`` (``ssh -F``), instead of the user's and the system's; ``"none"``: no file."""
    connect_timeout_s: float | None = None
    """``-T``; ``None``: what ``ConnectTimeout`` of ssh_config says, else ``DEFAULT_CONNECT_TIMEOUT_S``."""
    banner_timeout_s: float = 15.0
    """From the TCP connection to the end of the key exchange."""
    auth_timeout_s: float = 30.0
    """For authentication, and again for sudo to answer a password."""
    use_agent: bool = True


@dataclass(frozen=True, slots=True)
class WinrmSettings:
    """Options of the run that hold for every WinRM host; picklable.  All times are in seconds."""

    connect_timeout_s: float | None = None
    """``-T``; ``None``: ``DEFAULT_CONNECT_TIMEOUT_S``."""
    login_timeout_s: float = 30.0
    """From the TCP connection to an open shell."""
    operation_timeout_s: int = 20
    """How long the host may hold back its answer where there is nothing to tell, at most."""
    proxy_from_environment: bool = False
    """Whether ``HTTP_PROXY`` and its kin of this machine hold for the way to the hosts."""


DEFAULT_CONNECT_TIMEOUT_S = 10.0
