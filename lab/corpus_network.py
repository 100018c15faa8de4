"""What ``curl``, ``dig``, ``getent``, ``openssl`` and ``bash`` printed, as records of IMDS and endpoints."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lab.corpus_records import Facts, Fields, RecordText

IMDS = "http://169.254.169.254"

# Of the requests that need a token, in the order of the product's own probe.
_WITH_TOKEN = (
    ("instance-id", "imds_v2_instance_id.txt", "/latest/meta-data/instance-id", 512),
    ("iam-info", "imds_v2_iam_info.txt", "/latest/meta-data/iam/info", 2048),
    ("role", "imds_v2_role_list.txt", "/latest/meta-data/iam/security-credentials/", 512),
    ("document", "imds_v2_identity_document.txt", "/latest/dynamic/instance-identity/document", 2048),
)

_SAID = (
    ("no-route", "Network is unreachable|network unreachable"),
    ("host-unreachable", "No route to host|host unreachable"),
    ("refused", "Connection refused|connection refused"),
    ("denied", "Permission denied|Operation not permitted"),
    ("timeout", "timed out"),
    ("invalid", "Invalid argument"),
)


@dataclass(frozen=True, slots=True)
class Curl:
    """One request of ``curl -i`` or ``-D-`` with the ``-w`` line of the cases."""

    exit: int
    http: str
    headers: dict[str, str]
    body: str
    measured: dict[str, str]
    error: str


def parse_curl(text: str, exit_code: int | None) -> Curl:
    """Read what curl printed.  Of several complaints the last is the request's own."""
    text, _, tail = text.partition("[curl: ")
    measured = dict(re.findall(r"(\w+)=([^ \]\n]*)", tail.partition("]")[0]))
    errors = re.findall(r"(?m)^.*?(curl: \(\d+\) .*)$", tail.partition("]")[2])
    last = "curl: " + errors[-1].rpartition("curl: ")[2] if errors else ""
    head, _, body = text.partition("\n\n") if text.startswith("HTTP/") else ("", "", text)
    headers = {name.lower(): value for name, value in re.findall(r"(?m)^([\w-]+): *(.*)$", head)}
    return Curl(exit_code or 0, measured.get("http_code", "000"), headers, body.strip("\n"), measured, last)


def _seconds(answer: Curl) -> float:
    """How long the connection took; 0 where none was made."""
    told = answer.measured.get("time_connect", "")
    return float(told) if re.fullmatch(r"\d+(?:\.\d+)?", told) else 0.0


def masked_url(text: str) -> str:
    """``user:password@`` of URLs, masked as the host does."""
    return re.sub(r"://[^\s/@\"']+@", "://***@", text)


def said_outcome(text: str) -> str | None:
    """The outcome that an error's own words tell."""
    return next((outcome for outcome, words in _SAID if re.search(words, text)), None)


def region_of(facts: Facts) -> str | None:
    """The region whose endpoints were looked at."""
    hosts = (facts.host_of(service, _asked(facts, service)) for service in _SERVICES)
    found = (re.fullmatch(r"\w+(?:-fips)?\.([a-z]{2,}(?:-[a-z]+)+-\d+)\..+", host) for host in hosts)
    return next((match[1] for match in found if match), None)


# --- The metadata service ---


def imds_records(facts: Facts) -> Iterator[RecordText]:
    """The requests, in the order of the product's probe; those with a token only where one was had."""
    token = parse_curl(facts.text("imds_v2_token.txt"), facts.exit_code("imds_v2_token.txt"))
    v1 = parse_curl(facts.text("imds_v1_instance_id.txt"), facts.exit_code("imds_v1_instance_id.txt"))
    body = "" if token.http == "200" else token.body[:512]
    if "imds_v2_token.txt" in facts:
        yield "token", _request(facts, token, "PUT", "/latest/api/token"), body
    if "imds_v1_instance_id.txt" in facts:
        yield "v1", _request(facts, v1, "GET", "/latest/meta-data/instance-id"), v1.body[:512]
    if "imds_v2_token.txt" in facts and "200" not in (token.http, v1.http):
        return
    for name, file, path, limit in _WITH_TOKEN:
        if file in facts:
            answer = parse_curl(facts.text(file), facts.exit_code(file))
            yield name, _request(facts, answer, "GET", path), answer.body[:limit]


def _request(facts: Facts, answer: Curl, method: str, path: str) -> Fields:
    fields = [("tool", "curl"), ("method", method), ("url", IMDS + path), ("exit", str(answer.exit))]
    if answer.error:
        fields.append(("error", answer.error))
    fields += [("outcome", _outcome(answer, facts)), ("http", answer.http)]
    fields += [
        ("connect_s", answer.measured.get("time_connect", "")),
        ("total_s", answer.measured.get("time_total", "")),
    ]
    fields += [(key, answer.headers[key]) for key in ("date", "server") if key in answer.headers]
    if "content-type" in answer.headers:
        fields.append(("type", answer.headers["content-type"]))
    return [(key, value) for key, value in fields if value]


def _outcome(answer: Curl, facts: Facts) -> str:
    """The class of an answer.  Newer curls do not say why a connection failed: the kernel's route does."""
    if answer.http != "000":
        return "answered"
    if answer.exit == 28:
        return "no-answer" if _seconds(answer) > 0 else "timeout"
    route_seen = {"ip_route_get_169.254.169.254.txt", "ip_neigh.txt"} <= set(facts)
    if answer.exit == 7 and not route_seen:
        return said_outcome(answer.error) or "error"
    if answer.exit == 7:
        route = facts.text("ip_route_get_169.254.169.254.txt")
        if route.startswith("RTNETLINK"):
            return said_outcome(route) or "error"
        hop = re.search(r"via (\S+)", route)
        silent = re.search(
            rf"(?m)^{re.escape(hop[1] if hop else '169.254.169.254')} .*(?:FAILED|INCOMPLETE)",
            facts.text("ip_neigh.txt"),
        )
        return said_outcome(answer.error) or ("host-unreachable" if silent else "refused")
    return "error"


# --- The endpoints ---


_SERVICES = ("ssm", "ssmmessages", "ec2messages")
_STAGES = ("getent", "dig", "tcp_connect", "openssl", "https", "curl_via_proxy")


def _asked(facts: Facts, service: str) -> list[str]:
    """The outputs about one service that are there."""
    files = (f"{name}_{service}.txt" for name in _STAGES)
    return [file for file in files if file in facts]


def endpoint_record(facts: Facts, service: str) -> Iterator[RecordText]:
    """The stages towards one endpoint; none where no command asked for it, or its output was lost."""
    host = facts.host_of(service, _asked(facts, service))
    if not host:
        return
    region = region_of(facts) or ""
    yield (
        "endpoint",
        [
            ("service", service),
            ("host", host),
            ("port", "443"),
            ("source", "region"),
            ("region", region),
            ("region_source", "inventory"),
        ],
        "",
    )
    addresses = _addresses(facts, service)
    if f"getent_{service}.txt" in facts:
        yield "resolve", _resolve(facts, service, addresses), ""
    yield from _dns(facts, service)
    https = parse_curl(facts.text(f"https_{service}.txt"), facts.exit_code(f"https_{service}.txt"))
    tcp = _tcp(facts, service, https)
    if addresses and tcp:
        yield "tcp", [("address", addresses[0]), *tcp], ""
    tls = _tls(facts.text(f"openssl_{service}.txt"), https)
    named = f"https_{service}.txt" in facts or host in dict(tls).get("subject", "")
    if addresses and tls and (named or dict(tls)["outcome"] != "ok"):  # openssl compares no names
        yield "tls", tls, ""
    if addresses and f"https_{service}.txt" in facts:
        yield "http", _http(https, dict(tcp).get("outcome", "")), https.body[:512]
    if f"curl_via_proxy_{service}.txt" in facts:
        yield "proxy", _via_proxy(facts, f"curl_via_proxy_{service}.txt"), ""


def _addresses(facts: Facts, service: str) -> list[str]:
    """As libc told them; where that was lost, as the one that was connected to."""
    found = re.findall(r"(?m)^([0-9a-fA-F.:]+)\s+STREAM", facts.text(f"getent_{service}.txt"))
    if f"getent_{service}.txt" not in facts:
        found += re.findall(r"remote_ip=([0-9a-fA-F.:]+)", facts.text(f"https_{service}.txt"))
        found += re.findall(r"^([0-9a-fA-F.:]+) (?:via|dev)", facts.text(f"ip_route_get_{service}.txt"))
    return list(dict.fromkeys(found))


def _resolve(facts: Facts, service: str, addresses: list[str]) -> Fields:
    exit_code = facts.exit_code(f"getent_{service}.txt")
    fields = [("tool", "getent"), ("exit", str(exit_code)), *(("address", address) for address in addresses)]
    if exit_code in (124, 137):
        fields.append(("error", "timed out"))
    elif exit_code:
        fields.append(("error", "no address"))  # getent has no word for why
    return fields


def _dns(facts: Facts, service: str) -> Iterator[RecordText]:
    text = facts.text(f"dig_{service}.txt")
    if not text:
        return
    named = re.search(r"SERVER: ([^#\s]+)#|(?:error to|setup with) ([^#\s]+)#", text)
    configured = re.search(r"(?m)^nameserver\s+(\S+)", facts.text("resolv.conf"))
    resolver = (named[1] or named[2]) if named else configured[1] if configured else ""
    fields = [("tool", "dig")]
    if status := re.search(r"status: (\w+)", text):
        fields.append(("rcode", status[1]))
        fields += [("address", found) for found in re.findall(r"(?m)^\S+\s+\d+\s+IN\s+A\s+(\S+)", text)]
    else:
        complaint = re.search(r"(?m)^;; (.*(?:error|failed|reached).*)$", text)
        error = complaint[1] if complaint else "no answer"
        fields += [("outcome", said_outcome(text) or "timeout"), ("error", error)]
    yield f"dns {resolver}".rstrip(), fields, ""


def _tcp(facts: Facts, service: str, https: Curl) -> Fields:
    file = f"tcp_connect_{service}.txt"
    if file not in facts:
        return _tcp_by_others(facts.text(f"openssl_{service}.txt"), https, facts, service)
    text, exit_code = facts.text(file), facts.exit_code(file)
    connect = _seconds(https)
    if exit_code == 0 or (exit_code is None and text.rstrip().endswith(" OK")):
        return [("outcome", "connected"), *([("ms", f"{connect * 1000:.0f}")] if connect else [])]
    if exit_code == 124:
        return [("outcome", "timeout"), ("error", "timed out")]
    if "Name or service not known" in text or "resolution" in text:
        return []
    words = text.strip().splitlines()
    return [("outcome", said_outcome(text) or "error"), ("error", words[-1] if words else "")]


def _tcp_by_others(openssl: str, https: Curl, facts: Facts, service: str) -> Fields:
    """How a connection went by what the tools that needed one said of it."""
    if "CONNECTED(" in openssl or _seconds(https) > 0:
        return [("outcome", "connected")]
    said = said_outcome(openssl) or (said_outcome(https.error) if https.exit == 7 else None)
    if said is None and f"https_{service}.txt" in facts and _http_outcome(https) == "timeout":
        said = "timeout"
    return [("outcome", said)] if said else []


_TLS_ERRORS = (
    ("reset", "errno=104|Connection reset"),
    ("not-tls", "wrong version number|packet length too long|http request"),
    ("version", "protocol version|unsupported protocol|no protocols available|legacy sigalg"),
    ("eof", "unexpected eof"),
)
_CERTIFICATE = (
    ("subject", r"(?m)^subject=(.*)$"),
    ("issuer", r"(?m)^issuer=(.*)$"),
    ("not_before", r"NotBefore: ([^;\n]+)"),
    ("not_after", r"NotAfter: ([^;\n]+)"),
    ("protocol", r"Protocol *: (\S+)"),
)
_VERIFY = {"9": "not-yet-valid", "10": "expired"}


def _tls(text: str, https: Curl) -> Fields:
    """What ``openssl s_client`` saw of the handshake; nothing where no connection was made."""
    if "CONNECTED(" not in text:
        return []
    fields: Fields = []
    for key, pattern in _CERTIFICATE:
        if found := re.search(pattern, text):
            fields.append((key, found[1].strip()))
    error = re.search(r"(?m)^[0-9A-F]{8,}:error:(.*)$", text)
    verify = re.search(r"verify error:num=(\d+):(.*)", text)
    outcome = next((outcome for outcome, words in _TLS_ERRORS if re.search(words, text)), None)
    if outcome is None and verify:
        outcome = _VERIFY.get(verify[1], "untrusted")
    if outcome is None and "no alternative certificate subject name" in https.error:
        outcome = "wrong-host"
        fields.append(("verify", https.error.partition(") ")[2]))
    if outcome is None:
        outcome = "ok" if "subject=" in text else "eof" if "no peer certificate" in text else "timeout"
    if verify:
        fields.append(("verify", verify[2].strip()))
    if error:
        fields.append(("error", error[1]))
    return [("outcome", outcome), *fields]


def _http(answer: Curl, tcp_outcome: str) -> Fields:
    fields = [("tool", "curl"), ("exit", str(answer.exit))]
    if answer.error:
        fields.append(("error", answer.error))
    fields += [("outcome", _http_outcome(answer, tcp_outcome)), ("http", answer.http)]
    fields += [(key, answer.headers.get(key, "")) for key in ("date", "server")]
    fields += [
        ("type", answer.headers.get("content-type", "")),
        ("remote", answer.measured.get("remote_ip", "")),
    ]
    fields.append(("connect_s", answer.measured.get("time_connect", "")))
    return [(key, value) for key, value in fields if value]


def _http_outcome(answer: Curl, tcp_outcome: str = "") -> str:
    if answer.http != "000":
        return "answered"
    if answer.exit == 28 and "Resolving" not in answer.error:
        return "no-answer" if _seconds(answer) > 0 else "timeout"
    if answer.exit == 7:
        return said_outcome(answer.error) or tcp_outcome or "error"
    return "error"


def _via_proxy(facts: Facts, file: str) -> Fields:
    answer = parse_curl(facts.text(file), facts.exit_code(file))
    used = re.search(r"-x (\S+)", facts.command(file))
    fields = [("proxy", masked_url(used[1]) if used else ""), ("connect", answer.measured.get("connect", ""))]
    fields += [("http", answer.http), ("outcome", _http_outcome(answer)), ("error", answer.error)]
    return [(key, value) for key, value in fields if value]
