"""What a command line does on the lab's Windows host: known lines have answers, scripts have personas."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from collector.connections.bootstrap import INCOMPLETE, MARK
from collector.connections.windows_bootstrap import CONSTRAINED, READER

MAX_LINE = 8191
"""Of cmd.exe, which each command line goes through."""

PROGRESS = (
    b'#< CLIXML\r\n<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">'
    b'<Obj S="progress" RefId="0"><TN RefId="0"><T>System.Management.Automation.PSCustomObject</T>'
    b'<T>System.Object</T></TN><MS><I64 N="SourceId">1</I64><PR N="Record"><AV>Preparing modules for first '
    b"use.</AV><AI>0</AI><Nil /><PI>-1</PI><PC>-1</PC><T>Completed</T><SR>-1</SR><SD> </SD></PR></MS></Obj>"
    b"</Objs>"
)
"""Comes on standard error with every start of PowerShell, even where all goes well."""

_ENCODED = re.compile(
    r"powershell(?:\.exe)?\s+(?:.*\s)?-EncodedCommand\s+([A-Za-z0-9+/=]+)\s*", re.IGNORECASE
)


@dataclass(frozen=True)
class Answer:
    """What a command gives; text is put into the shell's code page."""

    stdout: bytes | str = b""
    stderr: bytes | str = b""
    exit_code: int = 0
    delay_s: float = 0.0
    """Before any of it comes, but what is ``early``."""
    early: bytes = b""


Persona = Callable[[bytes], "bytes | Answer"]
"""From the script that PowerShell is to run to what it gives; raises ``UnknownScript`` where it has none."""
Line = Callable[[bytes], Answer]
"""From standard input to what a command gives."""


class UnknownScript(LookupError):
    """Nobody gave the lab an answer for this script."""

    def __init__(self, what: bytes) -> None:
        super().__init__(f"no answer for sha256 {hashlib.sha256(what).hexdigest()}: {what[:200]!r}")


@dataclass(frozen=True)
class Shell:
    """What happens to command lines on a host."""

    persona: Persona
    lines: Mapping[str, Line]
    language_mode: str = "FullLanguage"
    has_powershell: bool = True

    def takes_input(self, line: str) -> bool:
        """Whether the command waits for the end of its standard input."""
        return line in self.lines or _script_in(line) == READER.strip()

    def run(self, line: str, stdin: bytes) -> Answer:
        """What ``line`` gives.

        Raises:
            UnknownScript: it is neither a known line nor a script in the line.
        """
        if len(line) > MAX_LINE:
            return Answer(stderr="The command line is too long.\r\n", exit_code=1)
        if line in self.lines:
            return self.lines[line](stdin)
        script = _script_in(line)
        if script is None:
            raise UnknownScript(line.encode())
        if not self.has_powershell:
            return Answer(
                stderr="'powershell.exe' is not recognized as an internal or external command,\r\n"
                "operable program or batch file.\r\n",
                exit_code=1,
            )
        if script == READER.strip():
            return self._read(stdin)
        return _started(b"", self.persona(script.encode()))

    def _read(self, stdin: bytes) -> Answer:
        """What the reader does: say the language mode, unpack the script, run it."""
        mark = MARK + self.language_mode.encode() + b"\r\n"
        if self.language_mode != "FullLanguage":
            return Answer(early=mark, stderr=PROGRESS, exit_code=CONSTRAINED)
        length, _, packed = stdin.decode("ascii", "replace").replace("\r\n", "").partition(":")
        if length != str(len(packed)):
            return Answer(early=mark, stderr=PROGRESS, exit_code=INCOMPLETE)
        return _started(mark, self.persona(gzip.decompress(base64.b64decode(packed))))


def _started(before: bytes, given: bytes | Answer) -> Answer:
    """The answer of a script, as it comes out of a PowerShell that was started for it."""
    answer = given if isinstance(given, Answer) else Answer(given)
    stderr = answer.stderr.encode() if isinstance(answer.stderr, str) else answer.stderr
    return replace(answer, early=before + answer.early, stderr=PROGRESS + stderr)


def _script_in(line: str) -> str | None:
    """The script that a command line holds, encoded."""
    found = _ENCODED.fullmatch(line)
    if found is None:
        return None
    try:
        return base64.b64decode(found[1], validate=True).decode("utf-16-le")
    except ValueError:
        return None
