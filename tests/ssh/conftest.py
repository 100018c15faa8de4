"""The rig's fixtures, for every test of this folder."""

from ssh_rig import account, keys, sshd, start_sshd, sudoers

__all__ = ["account", "keys", "sshd", "start_sshd", "sudoers"]
