"""The rigs' fixtures, for every test of this folder."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent / "ssh"))

from ssh_rig import keys, start_sshd
from winrm_rig import issuer, kdc, kdc_files, rig, windows_users

__all__ = ["issuer", "kdc", "kdc_files", "keys", "rig", "start_sshd", "windows_users"]
