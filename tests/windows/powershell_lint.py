"""What is allowed in a script that goes to a Windows host, and what the two grammars do not see.

The script runs on Windows PowerShell 3.0 to 5.1, changes nothing, and reads nothing that Windows translates.
What is not on these lists is not allowed: a new cmdlet comes with the first Windows that has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import tree_sitter
import tree_sitter_powershell
import tree_sitter_pwsh

CMDLETS = {
    # With PowerShell itself: Windows Server 2012 (3.0), or 2008 R2 with WMF 3.0.
    "Get-Command": ("2008R2", {"-Name", "-ErrorAction"}),
    "Get-Service": ("2008R2", {"-Name", "-ErrorAction"}),
    "Get-WinEvent": ("2008R2", {"-FilterHashtable", "-MaxEvents", "-ErrorAction"}),
    "Get-WmiObject": ("2008R2", {"-Query", "-Namespace", "-ErrorAction"}),
    "Get-CimInstance": ("2012", {"-Query", "-Namespace", "-ErrorAction"}),
    "New-Object": ("2008R2", {"-ArgumentList"}),
    "Select-Object": ("2008R2", {"-First", "-Last", "-Unique"}),
    "Sort-Object": ("2008R2", {"-Property", "-Descending"}),
    "Where-Object": ("2008R2", set()),
    # With the modules NetTCPIP, NetAdapter and DnsClient: Windows Server 2012.
    "Find-NetRoute": ("2012", {"-RemoteIPAddress", "-ErrorAction"}),
    "Get-DnsClientServerAddress": ("2012", {"-AddressFamily", "-ErrorAction"}),
    "Get-NetAdapter": ("2012", {"-IncludeHidden", "-ErrorAction"}),
    "Get-NetIPAddress": ("2012", {"-ErrorAction"}),
    "Get-NetIPInterface": ("2012", {"-ErrorAction"}),
    "Get-NetNeighbor": ("2012", {"-ErrorAction"}),
    "Get-NetRoute": ("2012", {"-PolicyStore", "-ErrorAction"}),
    "Get-NetTCPConnection": ("2012", {"-ErrorAction"}),
    "Resolve-DnsName": (
        "2012",
        {"-Name", "-Type", "-Server", "-DnsOnly", "-NoHostsFile", "-QuickTimeout", "-ErrorAction"},
    ),
}  # fmt: skip
"""By name: the first Windows Server that has it, and the parameters in use."""

TOOLS = {"route.exe": ("print",), "ipconfig.exe": ("/all",), "netsh.exe": ("winhttp", "show", "proxy")}
"""Programs, each with the only words that it may be given."""

DYNAMIC = {"$Look", "$Run", "$Library"}
"""Script blocks of our own that may be called by a variable."""

TYPES = {
    "Microsoft.Win32.RegistryKey": {"OpenBaseKey"},
    "Microsoft.Win32.RegistryView": {"Registry64"},
    "Microsoft.Win32.RegistryValueOptions": {"DoNotExpandEnvironmentNames"},
    "System.Array": {"Copy", "IndexOf", "LastIndexOf"},
    "System.BitConverter": {"ToInt32", "ToString"},
    "System.Console": {"Out", "OutputEncoding"},
    "System.Convert": {"FromBase64String", "ToBase64String"},
    "System.Base64FormattingOptions": {"InsertLineBreaks"},
    "System.DateTime": {"Now", "UtcNow"},
    "System.DateTimeKind": {"Utc"},
    "System.Diagnostics.FileVersionInfo": {"GetVersionInfo"},
    "System.Diagnostics.Stopwatch": {"StartNew"},
    "System.double": {"Parse"},
    "System.Enum": {"ToObject"},
    "System.Environment": {"GetEnvironmentVariable", "GetFolderPath", "MachineName", "Version"},
    "System.Globalization.CultureInfo": {"CurrentCulture", "InstalledUICulture", "InvariantCulture"},
    "System.IO.Compression.CompressionMode": {"Compress"},
    "System.IO.Directory": {"Exists", "GetFiles"},
    "System.IO.File": {"Exists", "GetLastWriteTimeUtc"},
    "System.IO.FileAccess": {"Read"},
    "System.IO.FileMode": {"Open"},
    "System.IO.FileShare": {"Delete", "ReadWrite"},
    "System.IO.Path": {"GetFileName"},
    "System.IO.SearchOption": {"AllDirectories"},
    "System.IO.SeekOrigin": {"Begin", "Current"},
    "System.Management.Automation.Runspaces.RunspaceFactory": {"CreateRunspace"},
    "System.Management.ManagementDateTimeConverter": {"ToDateTime"},
    "System.Math": {"Floor", "Max", "Min"},
    "System.Net.Dns": {"BeginGetHostAddresses", "EndGetHostAddresses"},
    "System.Net.IPAddress": {"TryParse"},
    "System.PowerShell": {"Create"},
    "System.regex": {"Replace"},
    "System.Security.Cryptography.X509Certificates.StoreLocation": {"LocalMachine"},
    "System.Security.Principal.WindowsBuiltInRole": {"Administrator"},
    "System.Security.Principal.WindowsIdentity": {"GetCurrent"},
    "System.StringComparison": {"Ordinal"},
    "System.Text.Encoding": {"ASCII", "BigEndianUnicode", "GetEncoding", "UTF8", "Unicode"},
    "System.TimeZoneInfo": {"Local"},
    "System.Uri": {"UnescapeDataString"},
}
"""Static members that may be used, by type."""

CREATED = {
    "DateTime", "IO.Compression.GZipStream", "IO.DirectoryInfo", "IO.FileStream", "IO.MemoryStream",
    "Management.Automation.PSDataCollection[PSObject]", "Net.Security.SslStream", "Net.Sockets.TcpClient",
    "Security.Cryptography.SHA256CryptoServiceProvider",
    "Security.Cryptography.X509Certificates.X509Certificate2",
    "Security.Cryptography.X509Certificates.X509Store", "Security.Principal.WindowsPrincipal",
    "Text.StringBuilder", "byte[]",
}  # fmt: skip
"""What ``New-Object`` may make; it lives in memory, but for streams, which ``FileMode`` bounds to reading."""

FORBIDDEN_MEMBERS = re.compile(
    r"(?i)^(Delete\w*|Move\w*|CopyTo|Kill|SetValue|SetAccess\w*|CreateSub\w*|Create(?:Text|Directory)?|Append(?:Text|All)\w*"
    r"|WriteAll\w*|Put|InvokeMethod|Stop|Start|Pause|Continue|Refresh|Encrypt|Decrypt|SetEnvironmentVariable"
    r"|ExecuteCommand|Message|LocalizedMessage|Caption|StackTrace|Status(?:Description|Message))$"
)
"""Members of objects that change something, or whose words are in the host's language."""

_STATE_CHANGING = re.compile(
    r"(?i)\b(Set|Remove|Add|Clear|Copy|Move|Rename|Start|Stop|Restart|Enable|Disable|Register|Unregister|Install"
    r"|Uninstall|Invoke|Import|Export|Out|Write|Update|Reset|Save|Send|Suspend|Resume|Grant|Revoke|Push|Pop"
    r"|Mount|Dismount|Format|Limit|Checkpoint|Restore|Debug|Wait|Enter|Exit)-[A-Z]\w+"
)
_NEWER = re.compile(r"&&|\|\||\?\?|\?\.|\?\[|\?")
_SWITCH = re.compile(r"(?i)\bswitch\b")
MAX_LINE = 220


@dataclass(frozen=True, slots=True)
class Complaint:
    line: int
    what: str


def lint(source: bytes, defined: frozenset[str] = frozenset()) -> list[Complaint]:
    """Everything that is wrong with a script.  ``defined``: functions that other files define."""
    complaints = [*_bytes(source)]
    for name, language in (
        ("powershell", tree_sitter_powershell.language()),
        ("pwsh", tree_sitter_pwsh.language()),
    ):
        tree = tree_sitter.Parser(tree_sitter.Language(language)).parse(source)
        complaints += (
            Complaint(_line(node), f"no PowerShell, says {name}") for node in _errors(tree.root_node)
        )
    complaints += _Walk(source, tree.root_node, defined | functions(source)).complaints
    return complaints


def functions(source: bytes) -> frozenset[str]:
    """The functions that a file defines."""
    return frozenset(name.decode() for name in re.findall(rb"(?m)^function (\w+)", source))


def _bytes(source: bytes) -> Iterator[Complaint]:
    for number, line in enumerate(source.split(b"\n"), 1):
        if not line.isascii() or b"\r" in line or b"\t" in line:
            yield Complaint(number, "ASCII, without tabs and carriage returns")
        if len(line) > MAX_LINE:
            yield Complaint(number, f"longer than {MAX_LINE}")


def _errors(node: tree_sitter.Node) -> Iterator[tree_sitter.Node]:
    if node.type == "ERROR" or node.is_missing:
        yield node
    elif node.has_error:
        for child in node.children:
            yield from _errors(child)


def _line(node: tree_sitter.Node) -> int:
    return node.start_point[0] + 1


class _Walk:
    """One look at every node."""

    def __init__(self, source: bytes, root: tree_sitter.Node, defined: frozenset[str]) -> None:
        self.complaints: list[Complaint] = []
        self._defined = defined
        self._bare = bytearray(source)
        self._visit(root)
        for number, line in enumerate(bytes(self._bare).decode("ascii", "replace").split("\n"), 1):
            if _NEWER.search(line):
                self._complain_at(number, "an operator that PowerShell 3.0 has not")
            if _SWITCH.search(line):
                self._complain_at(number, "switch: a grammar misreads its flags; write if")
            if found := _STATE_CHANGING.search(line):
                self._complain_at(number, f"{found[0]} changes something")

    def _complain(self, node: tree_sitter.Node, what: str) -> None:
        self._complain_at(_line(node), what)

    def _complain_at(self, line: int, what: str) -> None:
        self.complaints.append(Complaint(line, what))

    def _visit(self, node: tree_sitter.Node) -> None:
        look = getattr(self, f"_{node.type}", None)
        if look is not None:
            look(node)
        if node.type in ("comment", "string_literal") and not _has(node, "sub_expression"):
            for at in range(node.start_byte, node.end_byte):
                if self._bare[at] != 0x0A:
                    self._bare[at] = 0x20
        for child in node.children:
            self._visit(child)

    def _try_statement(self, node: tree_sitter.Node) -> None:
        if not any(child.type in ("catch_clauses", "finally_clause") for child in node.children):
            self._complain(node, "try without catch")

    def _command(self, node: tree_sitter.Node) -> None:
        words = [_text(child) for child in _words(node)]
        if any(child.type == "command_invocation_operator" for child in node.children):
            if not words or words[0] not in DYNAMIC:
                self._complain(node, f"calls {words[:1]}, which is not known beforehand")
            return
        name = words[0] if words else ""
        if name in TOOLS:
            if tuple(words[1:]) != TOOLS[name]:
                self._complain(node, f"{name} may only be given {' '.join(TOOLS[name])}")
        elif name in CMDLETS:
            self._cmdlet(node, name, words)
        elif name not in self._defined:
            self._complain(node, f"{name}: no function of ours, no cmdlet that is allowed (an alias?)")

    def _cmdlet(self, node: tree_sitter.Node, name: str, words: list[str]) -> None:
        allowed = CMDLETS[name][1]
        for word in words[1:]:
            if re.fullmatch(r"-[A-Za-z]+", word) and word not in allowed and name != "Where-Object":
                self._complain(node, f"{name} has no {word} on the list")
        if name == "Get-WinEvent" and "-MaxEvents" not in words:
            self._complain(node, "Get-WinEvent without a bound")
        if name == "New-Object" and (len(words) < 2 or words[1].strip("'") not in CREATED):
            self._complain(node, f"New-Object {words[1:2]} is not on the list")
        network = CMDLETS[name][0] == "2012"
        if network and "-ErrorAction" not in words:
            self._complain(node, f"{name} without -ErrorAction")

    def _redirection(self, node: tree_sitter.Node) -> None:
        if "&" not in _text(node):
            self._complain(node, "writes a file")

    def _member_access(self, node: tree_sitter.Node) -> None:
        self._member(node)

    def _invocation_expression(self, node: tree_sitter.Node) -> None:
        self._member(node)

    def _member(self, node: tree_sitter.Node) -> None:
        member = next((_text(child) for child in node.children if child.type == "member_name"), "")
        owner = node.children[0]
        if owner.type == "type_literal":
            known = TYPES.get(_full(_text(owner)), set())
            if member not in known:
                self._complain(node, f"{_text(owner)}::{member} is not on the list")
        elif FORBIDDEN_MEMBERS.match(member):
            self._complain(node, f".{member} changes something, or is in the host's language")


def _full(literal: str) -> str:
    name = literal.strip("[]")
    return name if name.startswith("Microsoft.") else "System." + name.removeprefix("System.")


def _words(node: tree_sitter.Node) -> Iterator[tree_sitter.Node]:
    for child in node.children:
        if child.type in ("command_name", "command_name_expr"):
            yield child
        elif child.type == "command_elements":
            yield from (
                one for one in child.children if one.type not in ("command_argument_sep", "redirection")
            )


def _has(node: tree_sitter.Node, kind: str) -> bool:
    return node.type == kind or any(_has(child, kind) for child in node.children)


def _text(node: tree_sitter.Node) -> str:
    return (node.text or b"").decode("ascii", "replace")
