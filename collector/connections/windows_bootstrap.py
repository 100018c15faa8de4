"""How a script is handed to PowerShell, over WinRM and over OpenSSH alike.

One command line starts ``powershell.exe`` with a reader in it, encoded so that cmd.exe, PowerShell and any
POSIX shell read it the same: letters, digits, ``+ / = - .`` and blanks.  It is far below the 8,191 characters
that cmd.exe takes.  The script itself follows on standard input, packed; it never touches the disk, and the
reader runs it only if it has come whole.

The reader takes ``$input``, not ``[Console]::In``: PowerShell itself reads a redirected standard input to
feed that variable, and would race the reader for the lines.
"""

from __future__ import annotations

import base64
import gzip

from collector.connections.base import RunResult, Sink
from collector.connections.bootstrap import INCOMPLETE, MARK
from collector.connections.clixml import spoken
from collector.connections.handover import Handover
from collector.errors import ConnectionFailed, FailureKind

CONSTRAINED = 94
"""Exit code: PowerShell's language mode forbids what the script needs."""

_WIDTH = 1000

# The mark is written in two pieces, so that a shell that prints the commands it reads does not print it.
# In the constrained language nothing below the first three lines may even be tried.
READER = f"""
$ProgressPreference='SilentlyContinue'
$m=$ExecutionContext.SessionState.LanguageMode
'{MARK[:6].decode()}'+'{MARK[6:].decode()}'+$m
if("$m" -ne 'FullLanguage'){{exit {CONSTRAINED}}}
$n,$z=(@($input)-join'').Split(':')
if(!$n -or "$z".Length -ne $n){{exit {INCOMPLETE}}}
$b=New-Object IO.MemoryStream(,[Convert]::FromBase64String($z))
$g=New-Object IO.Compression.GZipStream($b,[IO.Compression.CompressionMode]::Decompress)
$s=(New-Object IO.StreamReader($g,[Text.Encoding]::UTF8)).ReadToEnd()
&([ScriptBlock]::Create($s))
"""

ARGUMENTS = (
    "-NoProfile",
    "-NonInteractive",
    "-ExecutionPolicy",
    "Bypass",
    "-EncodedCommand",
    base64.b64encode(READER.strip().encode("utf-16-le")).decode("ascii"),
)


def command_line() -> str:
    """Starts PowerShell with the reader, whichever shell reads the line."""
    return " ".join(("powershell.exe", *ARGUMENTS))


def packed(script: bytes) -> bytes:
    """What the reader takes on standard input: ``LENGTH:BASE64`` in short lines, the length of the base64."""
    text = base64.b64encode(gzip.compress(script, mtime=0)).decode("ascii")
    whole = f"{len(text)}:{text}"
    lines = (whole[at : at + _WIDTH] for at in range(0, len(whole), _WIDTH))
    return "".join(f"{line}\r\n" for line in lines).encode("ascii")


class WindowsHandover(Handover):
    """One attempt to have one PowerShell run one script (see ``Handover``)."""

    def __init__(self, script: bytes, sink: Sink, max_bytes: int) -> None:
        super().__init__(script, sink, max_bytes)
        self._script = packed(script)

    @property
    def language_mode(self) -> str:
        """What PowerShell said of itself: ``FullLanguage``, or less; empty until it has said anything."""
        return self.privilege

    @property
    def words(self) -> str:
        """What the host said on standard error, or instead of running the script; on one line."""
        said = spoken(bytes(self._stderr)) or bytes(self._noise).decode("utf-8", "replace")
        line = " ".join("".join(c if c.isprintable() else " " for c in said).split())
        return line[:300]

    def finish(self, where: str, exit_code: int | None) -> RunResult:
        """How it ended.

        Raises:
            ConnectionFailed: ``shell``: PowerShell would not run the script; ``protocol``: it came in pieces.
        """
        said = f" and said: {self.words}" if self.words else ""
        if not self.language_mode:
            raise ConnectionFailed(
                FailureKind.SHELL,
                f"{where}: powershell.exe took no script (exit code {exit_code}){said}",
                "log in by hand and start powershell.exe; AppLocker, a software restriction policy or a "
                "removed PowerShell prevents it",
            )
        if exit_code == CONSTRAINED and not self.received:
            raise ConnectionFailed(
                FailureKind.SHELL,
                f"{where}: PowerShell runs in {self.language_mode} mode, which forbids the collection",
                "allow this account the full language (AppLocker or Windows Defender Application Control)",
            )
        if exit_code == INCOMPLETE and not self.received:
            raise ConnectionFailed(
                FailureKind.PROTOCOL,
                f"{where}: the script did not reach PowerShell whole, so none of it was run",
                "try again; over OpenSSH, set DefaultShell back to cmd.exe",
            )
        stderr = spoken(bytes(self._stderr)).encode()
        return RunResult(exit_code, self.received, stderr, self.truncated)
