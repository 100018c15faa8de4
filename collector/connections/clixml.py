"""What PowerShell writes to standard error when nobody looks: CLIXML, read for its words.

``powershell.exe`` without a console serialises its streams other than output as XML behind the line
``#< CLIXML`` (MS-PSRP 2.2.5), even when all went well: a progress record comes with almost every start.
A native program's own lines may stand before, between and after.  What is cut short or bent is read as far
as it goes; an XML parser would give up.
"""

from __future__ import annotations

import html
import re

_HEADER = re.compile(r"#< CLIXML\s*")
_RECORD = re.compile(r'<S S="(\w+)">(.*?)(?:</S>|$)', re.DOTALL)
_DOCUMENT = re.compile(r"<Objs\b.*?(?:</Objs>|$)", re.DOTALL)
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")
_SPOKEN = frozenset({"Error", "Warning"})


def spoken(stderr: bytes) -> str:
    """The errors and warnings in ``stderr``, and whatever is no CLIXML; without progress and verbosity.

    Text that is no UTF-8 keeps its place as U+FFFD.
    """
    text = _HEADER.sub("", stderr.decode("utf-8", "replace"))
    pieces, end = [], 0
    for document in _DOCUMENT.finditer(text):
        pieces += [text[end : document.start()], _words(document[0])]
        end = document.end()
    pieces.append(text[end:])
    return "".join(pieces).replace("\r\n", "\n").strip()


def _words(document: str) -> str:
    """The records of one document that are meant for people."""
    return "".join(_plain(text) for stream, text in _RECORD.findall(document) if stream in _SPOKEN)


def _plain(text: str) -> str:
    """Undo XML's escapes, then CLIXML's own: ``_x000D_`` stands for a character that XML cannot hold."""
    units = _ESCAPE.sub(lambda found: chr(int(found[1], 16)), html.unescape(text))
    return units.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
