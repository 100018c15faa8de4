"""What a host's variables mean for WinRM: Ansible's ``winrm`` and ``psrp`` names, brought to one form.

The names and their meaning are those of Ansible's two connection plugins.  Where they leave the choice, ours
is the safe one: HTTPS with validation, NTLM by Negotiate, no proxy of this machine's environment.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from collector.connections.settings import DEFAULT_CONNECT_TIMEOUT_S, WinrmSettings
from collector.errors import ConnectionFailed, FailureKind, UsageError
from collector.target import Secret, Target

HTTP_PORT, HTTPS_PORT = 5985, 5986
_READ_MARGIN_S = 10
_T = TypeVar("_T")
_TRUE, _FALSE = {"true", "yes", "on", "1", "y", "t"}, {"false", "no", "off", "0", "n", "f"}


class Login(StrEnum):
    """How to prove who we are."""

    NTLM = "ntlm"
    KERBEROS = "kerberos"
    CREDSSP = "credssp"
    BASIC = "basic"
    CERTIFICATE = "certificate"


_TRANSPORTS = {
    "negotiate": Login.NTLM,
    "ntlm": Login.NTLM,
    "kerberos": Login.KERBEROS,
    "credssp": Login.CREDSSP,
    "basic": Login.BASIC,
    "plaintext": Login.BASIC,
    "ssl": Login.BASIC,
    "certificate": Login.CERTIFICATE,
}
_SEALED = {Login.NTLM, Login.KERBEROS, Login.CREDSSP}

_NAMES: Mapping[str, tuple[str, ...]] = {
    "transport": ("ansible_winrm_transport", "ansible_psrp_auth"),
    "scheme": ("ansible_winrm_scheme", "ansible_psrp_protocol"),
    "path": ("ansible_winrm_path", "ansible_psrp_path"),
    "validation": ("ansible_winrm_server_cert_validation", "ansible_psrp_cert_validation"),
    "ca": ("ansible_winrm_ca_trust_path", "ansible_psrp_cert_trust_path", "ansible_psrp_ca_cert"),
    "cert": ("ansible_winrm_cert_pem", "ansible_psrp_certificate_pem"),
    "cert_key": ("ansible_winrm_cert_key_pem", "ansible_psrp_certificate_key_pem"),
    "encryption": ("ansible_winrm_message_encryption", "ansible_psrp_message_encryption"),
    "cbt": ("ansible_winrm_send_cbt", "ansible_psrp_negotiate_send_cbt"),
    "proxy": ("ansible_winrm_proxy", "ansible_psrp_proxy"),
    "ignore_proxy": ("ansible_psrp_ignore_proxy",),
    "operation": ("ansible_winrm_operation_timeout_sec", "ansible_psrp_operation_timeout"),
    "connect": ("ansible_winrm_connection_timeout", "ansible_psrp_connection_timeout"),
    "delegation": ("ansible_winrm_kerberos_delegation", "ansible_psrp_negotiate_delegate"),
    "spn_host": ("ansible_winrm_kerberos_hostname_override", "ansible_psrp_negotiate_hostname_override"),
    "spn_service": ("ansible_winrm_service", "ansible_psrp_negotiate_service"),
    "keytab": ("ansible_winrm_keytab",),
    "tickets": ("ansible_winrm_kerberos_mode", "ansible_winrm_kinit_mode"),
    "kinit": ("ansible_winrm_kinit_cmd",),
}
_KNOWN = frozenset(name for names in _NAMES.values() for name in names)


@dataclass(frozen=True, slots=True)
class WinrmOptions:
    """Everything that decides how one host is reached and logged in to."""

    host: str
    port: int
    is_https: bool
    path: str
    login: Login
    user: str
    password: Secret | None = field(default=None, repr=False)
    validate: bool = True
    ca: str | None = None
    """A file or a folder of authorities; ``None``: those that Requests brings along."""
    certificate: tuple[str, str] | None = None
    """PEM files of the client's certificate and key."""
    is_sealed: bool = False
    """Whether each message is encrypted within HTTP."""
    channel_binding: bool = True
    proxy: str | None = field(default=None, repr=False)
    """A proxy's URL, which may hold a password; ``"environment"``: what the environment says."""
    connect_timeout_s: float = DEFAULT_CONNECT_TIMEOUT_S
    operation_timeout_s: int = 20
    delegate: bool = False
    spn_host: str | None = None
    spn_service: str = "HTTP"
    keytab: str | None = None
    has_ticket: bool = False
    """Kerberos: use the ticket that is there, and get none."""
    kinit: str = "kinit"
    notes: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        """The whole URL, which is how an IPv6 address reaches pywinrm unharmed."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.is_https else 'http'}://{host}:{self.port}{self.path}"

    @property
    def where(self) -> str:
        """For failures."""
        return f"{self.host} port {self.port}"

    @property
    def read_timeout_s(self) -> int:
        """Longer than the host may hold back its answer."""
        return self.operation_timeout_s + _READ_MARGIN_S

    @property
    def binds_connection(self) -> bool:
        """Whether the login holds for one TCP connection only."""
        return self.login in _SEALED


def winrm_options(target: Target, settings: WinrmSettings) -> WinrmOptions:
    """How to reach ``target``.

    Raises:
        UsageError: a variable has a value that nobody could use.
        ConnectionFailed: ``auth``: what is asked for would give the password away, or lacks a piece.
    """
    said = _Said(target)
    login = said.login()
    is_https = said.choice(
        "scheme", {"https": True, "http": False}, "http" if target.port == HTTP_PORT else "https"
    )
    port = target.port or (HTTPS_PORT if is_https else HTTP_PORT)
    options = WinrmOptions(
        host=target.address.strip("[]"),
        port=port,
        is_https=is_https,
        path="/" + said.text("path", "wsman").lstrip("/"),
        login=login,
        user=target.user or "",
        password=target.password,
        validate=said.choice("validation", {"validate": True, "ignore": False}, "validate"),
        ca=_expanded(said.text("ca")) or _authorities_of_system(),
        certificate=_certificate(said, target) if login is Login.CERTIFICATE else None,
        is_sealed=_is_sealed(said, login, is_https),
        channel_binding=said.boolean("cbt", True),
        proxy=_proxy(said, settings),
        connect_timeout_s=said.seconds("connect", settings.connect_timeout_s or DEFAULT_CONNECT_TIMEOUT_S),
        operation_timeout_s=round(said.seconds("operation", settings.operation_timeout_s)),
        delegate=said.boolean("delegation", False),
        spn_host=said.text("spn_host") or None,
        spn_service=said.text("spn_service", "HTTP"),
        keytab=_expanded(said.text("keytab")),
        has_ticket=said.text("tickets") == "manual" or not (target.password or said.text("keytab")),
        kinit=said.text("kinit", "kinit"),
        notes=(*said.unused(), *_become_note(target)),
    )
    _refuse_what_tells_the_password(options)
    return options


def _is_sealed(said: _Said, login: Login, is_https: bool) -> bool:
    wish = said.choice("encryption", {"auto": None, "always": True, "never": False}, "auto")
    if login not in _SEALED:
        return False
    return wish if wish is not None and is_https else not is_https


def _refuse_what_tells_the_password(options: WinrmOptions) -> None:
    if not options.is_https and not options.binds_connection:
        raise ConnectionFailed(
            FailureKind.AUTH,
            f"{options.where}: {options.login} authentication over HTTP is refused: whoever is on the way "
            "would read the password and all data",
            "use HTTPS (port 5986), or ansible_winrm_transport: ntlm, which encrypts over HTTP too",
        )


def _certificate(said: _Said, target: Target) -> tuple[str, str]:
    pem, key = _expanded(said.text("cert")), _expanded(said.text("cert_key"))
    if not pem:
        raise UsageError(f"{target.name}: certificate authentication needs ansible_winrm_cert_pem")
    for path in (pem, key or pem):
        if not Path(path).is_file():
            raise UsageError(
                f"{target.name}: {path} is not a file; check ansible_winrm_cert_pem and _key_pem"
            )
    return pem, key or pem


def _proxy(said: _Said, settings: WinrmSettings) -> str | None:
    if url := said.text("proxy"):
        return url
    ignore = said.boolean("ignore_proxy", not settings.proxy_from_environment)
    return None if ignore else "environment"


def _authorities_of_system() -> str | None:
    paths = ssl.get_default_verify_paths()
    return paths.cafile or paths.capath


def _expanded(path: str) -> str | None:
    return str(Path(path).expanduser()) if path else None


def _become_note(target: Target) -> tuple[str, ...]:
    if target.become is None:
        return ()
    return ("become is not used over WinRM: the account itself must be an administrator",)


class _Said:
    """The host's variables, by what they mean."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._options = dict(target.options)

    def text(self, key: str, default: str = "") -> str:
        """The first of the names for it that is given."""
        return next((self._options[name] for name in _NAMES[key] if self._options.get(name)), default)

    def choice(self, key: str, choices: Mapping[str, _T], default: str) -> _T:
        text = self.text(key, default).lower()
        if text not in choices:
            raise self.error(key, text, f"; there are {', '.join(choices)}")
        return choices[text]

    def login(self) -> Login:
        """The first of the transports named, as no second one is tried: that could lock an account."""
        wished = [word.strip().lower() for word in self.text("transport", "negotiate").split(",")]
        for word in wished:
            if word not in _TRANSPORTS:
                raise self.error("transport", word, f"; there are {', '.join(_TRANSPORTS)}")
        if wished[0] == "ssl" and self.text("cert"):
            return Login.CERTIFICATE
        return _TRANSPORTS[wished[0]]

    def boolean(self, key: str, default: bool) -> bool:
        return self._checked(key, str(default), lambda text: text.lower() in _TRUE | _FALSE).lower() in _TRUE

    def seconds(self, key: str, default: float) -> float:
        return float(self._checked(key, str(default), _is_seconds))

    def unused(self) -> tuple[str, ...]:
        """Variables that mean nothing here; said rather than silently left."""
        return tuple(f"{name} is not used" for name in sorted(self._options) if name not in _KNOWN)

    def _checked(self, key: str, default: str, is_good: Callable[[str], bool]) -> str:
        text = self.text(key, default)
        if not is_good(text):
            raise self.error(key, text)
        return text

    def error(self, key: str, text: str, choices: str = "") -> UsageError:
        name = next((name for name in _NAMES[key] if self._options.get(name)), _NAMES[key][0])
        return UsageError(f"{self._target.name}: {name}: {text!r} cannot be used{choices}")


def _is_seconds(text: str) -> bool:
    try:
        return 1 <= float(text) <= 3600
    except ValueError:
        return False
