"""``--resume RUN``: the call that began a run, kept in its folder, and made again.

Nothing secret is in it: passwords are no options, and references to them are.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from collector.errors import UsageError
from ssm_triage.runfolder import RunFolder, write_whole

SCHEMA = 1
_OF_THIS_CALL_ONLY = {"resume", "output", "list_hosts", "dry_run", "quiet", "verbose", "progress"}


def keep_call(folder: RunFolder, options: Mapping[str, Any], tool: str) -> None:
    """Write down how the sweep was called.

    Raises:
        EvidenceError: it cannot be written.
    """
    kept = {name: value for name, value in options.items() if name not in _OF_THIS_CALL_ONLY}
    call = {"schema": SCHEMA, "tool": tool, "folder": str(Path.cwd()), "options": kept}
    write_whole(folder.call, json.dumps(call, indent=1, sort_keys=True) + "\n")


def resumed(run: Path, options: Mapping[str, Any], given: frozenset[str]) -> dict[str, Any]:
    """The options of the run's first call, but for what is ``given`` now.

    Goes to the folder where it was called: relative paths mean what they meant there.

    Raises:
        UsageError: the call was not kept, or cannot be made again.
    """
    call = _call(RunFolder(run).call)
    kept = call["options"]
    if "-" in kept.get("sources", ()) and "sources" not in given:
        raise UsageError(
            f"--resume {run}: its inventory came from standard input; give it again: ... | ssm-triage run "
            f"--resume {run} -i -"
        )
    try:
        os.chdir(call["folder"])
    except OSError as error:
        raise UsageError(
            f"--resume {run}: was begun in {call['folder']}, which cannot be gone to: {error.strerror}"
        ) from None
    known = {name: value for name, value in kept.items() if name in options and name not in given}
    return {**options, **known}


def _call(path: Path) -> dict[str, Any]:
    try:
        call = json.loads(path.read_bytes())
    except OSError as error:
        raise UsageError(
            f"{path}: how the run was called cannot be read: {error.strerror}; is this a run folder?"
        ) from None
    except (ValueError, RecursionError):
        call = None
    if not (
        isinstance(call, dict)
        and call.get("schema") == SCHEMA
        and isinstance(call.get("folder"), str)
        and isinstance(call.get("options"), dict)
    ):
        raise UsageError(f"{path}: is damaged or of another version; run the sweep anew")
    return call
