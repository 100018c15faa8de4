"""A shell on a Windows host: made under a name of ours, and found by it where its id never came.

pywinrm's own way to make one gives it no name.  The messages are those of MS-WSMV: ``rsp:Name`` as a real
host took it (a recording of pypsrp's), the list as ``winrm enumerate shell`` asks for it.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from winrm.protocol import Protocol

_UTF8 = "65001"
_IDLE = "PT180S"
"""When the host itself deletes a shell that nobody uses, such as one that we could not come back for."""
_SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
_CMD = f"{_SHELL}/cmd"
_TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
_ENUMERATION = "http://schemas.xmlsoap.org/ws/2004/09/enumeration"
_MOST = "100"
"""Shells in one answer; a host lets an account have 30."""


def open_shell(protocol: Protocol, name: str) -> str:
    """Make a shell; its id."""
    shell = {
        "rsp:InputStreams": "stdin",
        "rsp:OutputStreams": "stdout stderr",
        "rsp:IdleTimeOut": _IDLE,
        "rsp:Name": name,
    }
    options = {"WINRS_NOPROFILE": "TRUE", "WINRS_CODEPAGE": _UTF8}
    answer = _ask(protocol, f"{_TRANSFER}/Create", _CMD, {"rsp:Shell": shell}, options)
    return next(node.text or "" for node in answer.iter() if node.get("Name") == "ShellId")


def find_shells(protocol: Protocol, name: str) -> list[str]:
    """The ids of the shells by this name."""
    body = {"n:Enumerate": {"w:OptimizeEnumeration": None, "w:MaxElements": _MOST}}
    answer = _ask(protocol, f"{_ENUMERATION}/Enumerate", _SHELL, body)
    shells = answer.iter(f"{{{_SHELL}}}Shell")
    named = (shell for shell in shells if shell.findtext(f"{{{_SHELL}}}Name") == name)
    return [shell.findtext(f"{{{_SHELL}}}ShellId") or "" for shell in named]


def _ask(
    protocol: Protocol,
    action: str,
    resource: str,
    body: dict[str, Any],
    options: dict[str, str] | None = None,
) -> ET.Element:
    import xmltodict  # type: ignore[import-untyped]  # pywinrm's own, which brings no types

    envelope = protocol.build_wsman_header(action=action, resource_uri=resource)
    if options:
        given = [{"@Name": key, "#text": value} for key, value in options.items()]
        envelope["env:Header"]["w:OptionSet"] = {"w:Option": given}
    envelope["env:Body"] = body
    answer = protocol.send_message(xmltodict.unparse({"env:Envelope": envelope}))
    return ET.fromstring(answer)  # noqa: S314  as pywinrm reads all others; expat bounds what entities grow to
