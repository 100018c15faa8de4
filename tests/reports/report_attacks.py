"""What an attacker may put wherever a host, or an inventory, can say something."""

from __future__ import annotations

ATTACKS = {
    "script": "<script>window.hurt=1</script>",
    "end of script": "</script><script>window.hurt=1</script><!--",
    "end of style": "</style><script>window.hurt=1</script>",
    "attribute": "\" onmouseover=window.hurt=1 autofocus onfocus=window.hurt=1 x='",
    "image": "<img src=x onerror=window.hurt=1><img src=//192.0.2.1/p>",
    "url": "javascript:window.hurt=1 http://192.0.2.1/x data:text/html,<script>window.hurt=1</script>",
    "svg": '<svg onload=window.hurt=1><use href="//192.0.2.1/x#y"/></svg></text></svg><foreignObject>',
    "css": "</p><style>body{display:none}*{background:url(//192.0.2.1/x)}</style>",
    "frame": '<iframe srcdoc="<script>parent.hurt=1</script>"></iframe><base href=//192.0.2.1/>',
    "meta": '<meta http-equiv=refresh content="0;url=//192.0.2.1/">',
    "template": "{{ 7*7 }}{% raw %}{{ cycler.__init__.__globals__ }}{# #}",
    "gaps": "{0} {name} {values} {__class__}",
    "entities": "&lt;script&gt;window.hurt=1&lt;/script&gt;&#x3c;script&#x3e;",
    "terminal": "\x1b[31mred\x1b[0m\x1b]8;;http://192.0.2.1\x07link\x1b]8;;\x07\r\x9b2K",
    "bidi": "\u202eevil\u202c\u2066\u200b\u200f",
    "nul": "a\0b\x00<\0script>window.hurt=1</script>",
    "no utf-8": b"\xff\xfe\x80<script>".decode("utf-8", "surrogateescape"),
    "path": "../../../../etc/passwd",
    "wide": "W" * 1_048_576,
    "tall": "a" + "\u0334\u0360" * 5_000,
    "lines": "\n" * 100_000,
}
