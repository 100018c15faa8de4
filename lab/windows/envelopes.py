"""WS-Management's envelopes as a Windows host reads and writes them (MS-WSMV; shapes as recorded)."""

from __future__ import annotations

import re
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr

SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
CMD = f"{SHELL}/cmd"
CONFIG = "http://schemas.microsoft.com/wbem/wsman/1/config"
TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
ENUMERATION = "http://schemas.xmlsoap.org/ws/2004/09/enumeration"
WSMAN = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
ADDRESSING = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
SOAP = "http://www.w3.org/2003/05/soap-envelope"
ANONYMOUS = f"{ADDRESSING}/role/anonymous"

_NAMESPACES = {
    "s": SOAP,
    "a": ADDRESSING,
    "x": TRANSFER,
    "n": ENUMERATION,
    "w": WSMAN,
    "rsp": SHELL,
    "p": "http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd",
}
_XMLNS = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in _NAMESPACES.items())
_DURATION = re.compile(r"PT(?:(\d+(?:\.\d+)?)H)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)S)?")


@dataclass(frozen=True)
class Request:
    """One message to the host."""

    action: str
    """The last word of the action's URI: ``Create``, ``Command``, ``Receive`` and so on."""
    message_id: str
    resource: str
    body: ET.Element
    shell_id: str = ""
    timeout_s: float = 60.0
    max_envelope: int = 153600
    options: dict[str, str] = field(default_factory=dict)


class NotWsman(ValueError):
    """These bytes are no message of WS-Management."""


@dataclass
class SoapFault(Exception):
    """What a host answers where it cannot do as asked."""

    sender: bool
    subcode: str
    code: int
    reason: str
    message: str = ""
    detail: str = ""


TIMED_OUT = SoapFault(
    sender=False,
    subcode="w:TimedOut",
    code=2150858793,
    reason="The WS-Management service cannot complete the operation within the time specified in "
    "OperationTimeout.  ",
)
BUSY = SoapFault(False, "w:InternalError", 170, "The requested resource is in use. ")
ACCESS_DENIED = SoapFault(True, "w:AccessDenied", 5, "Access is denied. ")
QUOTA = SoapFault(
    False,
    "w:QuotaLimit",
    2150859173,
    "The WS-Management service cannot process the request. This user is allowed a maximum number of "
    "concurrent shells, which has been exceeded. Close existing shells or raise the quota for this user. ",
)
NO_SUCH_COMMAND = SoapFault(
    sender=True,
    subcode="w:InvalidSelectors",
    code=2150858843,
    reason="The WS-Management service cannot process the request because the request contained invalid "
    "selectors for the resource. ",
    message="The Windows Remote Shell received a request to perform an operation on a command identifier "
    "that does not exist. Either the command has completed execution or the client specified an invalid "
    "command identifier. ",
    detail="http://schemas.dmtf.org/wbem/wsman/1/wsman/faultDetail/UnexpectedSelectors",
)


def new_id() -> str:
    """As Windows writes them: in capitals."""
    return str(uuid.uuid4()).upper()


def parse(data: bytes) -> Request:
    """Read a message.

    Raises:
        NotWsman: it is none.
    """
    try:
        root = ET.fromstring(data)
    except ET.ParseError as error:
        raise NotWsman(str(error)) from None
    header, body = root.find("s:Header", _NAMESPACES), root.find("s:Body", _NAMESPACES)
    if header is None or body is None:
        raise NotWsman("no header or no body")

    def text(path: str, default: str = "") -> str:
        return (header.findtext(path, default, _NAMESPACES) or default).strip()

    selectors = {
        node.get("Name"): (node.text or "").strip()
        for node in header.iterfind("w:SelectorSet/w:Selector", _NAMESPACES)
    }
    return Request(
        action=text("a:Action").rpartition("/")[2],
        message_id=text("a:MessageID"),
        resource=text("w:ResourceURI"),
        body=body,
        shell_id=selectors.get("ShellId", ""),
        timeout_s=seconds(text("w:OperationTimeout"), 60.0),
        max_envelope=int(text("w:MaxEnvelopeSize", "153600")),
        options={
            node.get("Name", ""): (node.text or "").strip()
            for node in header.iterfind("w:OptionSet/w:Option", _NAMESPACES)
        },
    )


def find_text(request: Request, path: str) -> str:
    """The text at ``path`` (``rsp:Shell/rsp:InputStreams``) of the body; empty if there is none."""
    return request.body.findtext(path, "", _NAMESPACES) or ""


def find(request: Request, path: str) -> ET.Element | None:
    """The element at ``path`` of the body."""
    return request.body.find(path, _NAMESPACES)


def answer(request: Request, action: str, body: str, *, activity: bool = False) -> bytes:
    """An envelope of the host's; ``activity``: as newer hosts write it."""
    return _envelope(request.message_id, action, body, activity)


def created(request: Request, url: str, shell_id: str, owner: str, client: str, idle_s: float) -> str:
    """The body of the answer to ``Create``."""
    name = find_text(request, "rsp:Shell/rsp:Name")
    echoed = _environment(request)
    named = f"<rsp:Name>{escape(name)}</rsp:Name>" if name else ""
    return (
        f"<x:ResourceCreated><a:Address>{escape(url)}</a:Address><a:ReferenceParameters>"
        f"<w:ResourceURI>{CMD}</w:ResourceURI><w:SelectorSet>"
        f'<w:Selector Name="ShellId">{shell_id}</w:Selector></w:SelectorSet></a:ReferenceParameters>'
        f"</x:ResourceCreated><rsp:Shell><rsp:ShellId>{shell_id}</rsp:ShellId>{named}"
        f"<rsp:ResourceUri>{CMD}</rsp:ResourceUri><rsp:Owner>{escape(owner)}</rsp:Owner>"
        f"<rsp:ClientIP>{client}</rsp:ClientIP>{echoed}<rsp:IdleTimeOut>PT{idle_s:.3f}S</rsp:IdleTimeOut>"
        "<rsp:InputStreams>stdin</rsp:InputStreams><rsp:OutputStreams>stdout stderr</rsp:OutputStreams>"
        "<rsp:ShellRunTime>P0DT0H0M0S</rsp:ShellRunTime>"
        "<rsp:ShellInactivity>P0DT0H0M0S</rsp:ShellInactivity></rsp:Shell>"
    )


def enumerated(shells: Iterable[tuple[str, str, str]]) -> str:
    """The body of the answer to ``Enumerate``, optimised: id, name and owner of each shell.

    Not recorded: put together from MS-WSMV and from answers about other resources.
    """
    items = (
        f"<rsp:Shell><rsp:ShellId>{shell_id}</rsp:ShellId>"
        + (f"<rsp:Name>{escape(name)}</rsp:Name>" if name else "")
        + f"<rsp:ResourceUri>{CMD}</rsp:ResourceUri><rsp:Owner>{escape(owner)}</rsp:Owner></rsp:Shell>"
        for shell_id, name, owner in shells
    )
    return (
        f"<n:EnumerateResponse><n:EnumerationContext/><w:Items>{''.join(items)}</w:Items><w:EndOfSequence/>"
        "</n:EnumerateResponse>"
    )


def _environment(request: Request) -> str:
    variables = [
        f"<rsp:Variable Name={quoteattr(node.get('Name', ''))}>{escape(node.text or '')}</rsp:Variable>"
        for node in request.body.iterfind("rsp:Shell/rsp:Environment/rsp:Variable", _NAMESPACES)
    ]
    return f"<rsp:Environment>{''.join(variables)}</rsp:Environment>" if variables else ""


def fault(message_id: str, soap: SoapFault, machine: str, *, activity: bool = False) -> bytes:
    """The envelope of a fault."""
    detail = f"<w:FaultDetail>{soap.detail}</w:FaultDetail>" if soap.detail else ""
    body = (
        f"<s:Fault><s:Code><s:Value>s:{'Sender' if soap.sender else 'Receiver'}</s:Value>"
        f"<s:Subcode><s:Value>{soap.subcode}</s:Value></s:Subcode></s:Code>"
        f'<s:Reason><s:Text xml:lang="en-US">{escape(soap.reason)}</s:Text></s:Reason><s:Detail>{detail}'
        '<f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" '
        f'Code="{soap.code}" Machine={quoteattr(machine)}>'
        f"<f:Message>{escape(soap.message or soap.reason)}</f:Message></f:WSManFault></s:Detail></s:Fault>"
    )
    return _envelope(message_id, "http://schemas.dmtf.org/wbem/wsman/1/wsman/fault", body, activity)


IDENTITY = (
    f'<s:Envelope xml:lang="" xmlns:s="{SOAP}"><s:Header/><s:Body>'
    '<wsmid:IdentifyResponse xmlns:wsmid="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd">'
    "<wsmid:ProtocolVersion>http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd</wsmid:ProtocolVersion>"
    "<wsmid:ProductVendor>Microsoft Corporation</wsmid:ProductVendor>"
    "<wsmid:ProductVersion>OS: 0.0.0 SP: 0.0 Stack: 3.0</wsmid:ProductVersion>"
    "</wsmid:IdentifyResponse></s:Body></s:Envelope>"
).encode()
"""What a host tells those who have not logged in: the version of the operating system is left out."""


def _envelope(relates_to: str, action: str, body: str, activity: bool) -> bytes:
    extra = f"<p:ActivityId>{new_id()}</p:ActivityId>" if activity else ""
    return (
        f'<s:Envelope xml:lang="en-US" {_XMLNS}><s:Header><a:Action>{action}</a:Action>'
        f"<a:MessageID>uuid:{new_id()}</a:MessageID>{extra}<a:To>{ANONYMOUS}</a:To>"
        f"<a:RelatesTo>{escape(relates_to)}</a:RelatesTo></s:Header><s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def seconds(duration: str, default: float) -> float:
    """A duration of XML Schema (``PT1M30S``) in seconds; ``default`` where there is none."""
    found = _DURATION.fullmatch(duration.strip())
    if found is None or not any(found.groups()):
        return default
    hours, minutes, rest = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + rest
