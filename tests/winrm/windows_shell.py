"""Stands in for the default shell of a Windows host behind a real sshd (ForceCommand); a program.

``windows_shell.py KIND``: ``cmd``, ``powershell``, ``constrained``, whose PowerShell is held to the
constrained language, or ``greedy``, a PowerShell that keeps the first line of standard input for itself.
What they make of a command line is what their documentation says; what PowerShell makes of the reader is the
lab's.
"""

from __future__ import annotations

import os
import sys

from lab.windows.powershell import Answer, Shell
from lab.windows_personas.plain import cmd

SYSTEM = "Windows_NT"


def main(kind: str) -> int:
    line = os.environ.get("SSH_ORIGINAL_COMMAND", "")
    if line.startswith("echo "):
        print(expanded(line.removeprefix("echo "), kind), end="\r\n")
        return 0
    stdin = sys.stdin.buffer.read()
    is_piped = line.startswith("$input | ")
    if is_piped and kind == "cmd":
        sys.stderr.write("'$input' is not recognized as an internal or external command,\r\n")
        return 1
    if kind == "greedy" and not is_piped:
        stdin = stdin.partition(b"\r\n")[2]
    mode = "ConstrainedLanguage" if kind == "constrained" else "FullLanguage"
    persona = lambda script: Answer(b"ran: " + script, exit_code=7 if script == b"exit 7" else 0)  # noqa: E731
    shell = Shell(persona, cmd(), mode)
    answer = shell.run(line.removeprefix("$input | "), stdin)
    for stream, data in (
        (sys.stdout, answer.early),
        (sys.stdout, answer.stdout),
        (sys.stderr, answer.stderr),
    ):
        stream.buffer.write(data if isinstance(data, bytes) else data.encode())
    return answer.exit_code


def expanded(words: str, kind: str) -> str:
    """cmd.exe knows ``%NAME%`` alone; PowerShell ``$env:NAME``, and prints each word on a line."""
    if kind == "cmd":
        return words.replace("%OS%", SYSTEM)
    return "\r\n".join(
        {"$env:OS": SYSTEM}.get(word, "" if word.startswith("$") else word) for word in words.split()
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
