"""Doubles of what an SSM Agent needs around it: IMDS, the resolver, the endpoints, a proxy.

They serve inside a network namespace of the lab, at the addresses that the real ones would have there, and
misbehave as told.  ``python -m lab.doubles CONFIG.json`` runs them until it is ended.
"""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import ssl
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from dnslib import QTYPE, RCODE, RR, A, DNSRecord

IMDS = "169.254.169.254"
RESOLVER = "10.77.0.2"
PROXY = "10.77.200.10"
ENDPOINTS = {"ssm": "10.77.100.11", "ec2messages": "10.77.100.12", "ssmmessages": "10.77.100.13"}
REGION = "us-east-1"

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True)
class Behaviour:
    """What the doubles of one host do.  The defaults are healthy."""

    instance_id: str = "i-0a1b2c3d4e5f60718"
    private_ip: str = "10.77.1.25"
    role: str | None = "AppServerRole"
    credentials_code: str = "Success"
    imds: str = "ok"
    """``ok``, ``disabled`` (403 on every path), ``hang`` (connected, never answered)."""
    resolver: str = "ok"
    """``ok``, ``nxdomain``, ``silent``, ``servfail``."""
    proxy: str = "off"
    """``off`` (nothing listens), ``ok``, ``no-imds`` (503 for link-local addresses)."""
    not_listening: tuple[str, ...] = ()
    """Endpoints that refuse: nobody serves their address."""
    certificates: dict[str, str] = field(default_factory=dict)
    """Path of a PEM file with certificate and key, by service."""


@dataclass(frozen=True)
class Answer:
    """One HTTP answer."""

    status: int
    reason: str
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()

    def encode(self) -> bytes:
        now = format_datetime(datetime.now(UTC), usegmt=True)
        lines = [
            f"HTTP/1.1 {self.status} {self.reason}",
            *(f"{name}: {value}" for name, value in self.headers),
        ]
        lines += [f"Content-Length: {len(self.body)}", f"Date: {now}", "Connection: close", "", ""]
        return "\r\n".join(lines).encode() + self.body


@dataclass(frozen=True)
class Request:
    method: str
    target: str
    headers: dict[str, str]


async def read_request(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = head[0].split(" ", 2)
    pairs = (line.partition(":") for line in head[1:] if line)
    return Request(method, target, {name.strip().lower(): value.strip() for name, _, value in pairs})


class Imds:
    """The instance metadata service, version 2 required, as EC2 answers."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.tokens: set[str] = set()

    def error(self, status: int, reason: str) -> Answer:
        body = f"<html><head><title>{status} - {reason}</title></head></html>\n".encode()
        return Answer(status, reason, body, (("Content-Type", "text/html"), ("Server", "EC2ws")))

    def answer(self, request: Request) -> Answer:
        if self.behaviour.imds == "disabled":
            return self.error(403, "Forbidden")
        if request.method == "PUT" and request.target == "/latest/api/token":
            token = base64.b64encode(secrets.token_bytes(42)).decode()
            self.tokens.add(token)
            ttl = request.headers.get("x-aws-ec2-metadata-token-ttl-seconds", "60")
            return self.text(token, ("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", ttl))
        if request.headers.get("x-aws-ec2-metadata-token") not in self.tokens:
            return self.error(401, "Unauthorized")
        body = self.documents().get(request.target.rstrip("/"))
        return self.error(404, "Not Found") if body is None else self.text(body)

    def text(self, body: str, *headers: tuple[str, str]) -> Answer:
        return Answer(
            200, "OK", body.encode(), (("Content-Type", "text/plain"), ("Server", "EC2ws"), *headers)
        )

    def documents(self) -> dict[str, str]:
        told = self.behaviour
        meta, role = "/latest/meta-data", told.role
        found = {
            f"{meta}/instance-id": told.instance_id,
            f"{meta}/local-ipv4": told.private_ip,
            f"{meta}/mac": "0a:11:22:33:44:55",
            f"{meta}/placement/region": REGION,
            f"{meta}/placement/availability-zone": f"{REGION}a",
            "/latest/dynamic/instance-identity/document": json.dumps(
                {
                    "accountId": "123456789012",
                    "imageId": "ami-0123456789abcdef0",
                    "instanceId": told.instance_id,
                    "privateIp": told.private_ip,
                    "region": REGION,
                },
                indent=2,
            ),
            f"{meta}/identity-credentials/ec2/info": json.dumps(
                {"Code": "Success", "AccountId": "123456789012"}
            ),
        }
        if role:
            now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            profile = f"arn:aws:iam::123456789012:instance-profile/{role}"
            found[f"{meta}/iam/info"] = json.dumps(
                {"Code": "Success", "LastUpdated": now, "InstanceProfileArn": profile}
            )
            found[f"{meta}/iam/security-credentials"] = role
            found[f"{meta}/iam/security-credentials/{role}"] = json.dumps(self.credentials(now), indent=2)
        return found

    def credentials(self, now: str) -> dict[str, str]:
        code = self.behaviour.credentials_code
        if code != "Success":
            return {"Code": code, "Message": "EC2 cannot assume the role.", "LastUpdated": now}
        return {
            "Code": code,
            "LastUpdated": now,
            "Type": "AWS-HMAC",
            "AccessKeyId": "ASIA" + "LABLABLABLABLABL",
            "SecretAccessKey": "lab/" + "secret" * 6,
            "Token": "lab-session-token-" + "x" * 64,
            "Expiration": "2099-01-01T00:00:00Z",
        }

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await read_request(reader)
        if self.behaviour.imds == "hang":
            await asyncio.sleep(3600)
        writer.write(self.answer(request).encode())


async def serve_endpoint(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """What AWS says to an unsigned request: an error of the service itself, which proves the path."""
    await read_request(reader)
    body = b"<UnknownOperationException/>\n"
    writer.write(Answer(404, "Not Found", body, (("x-amzn-RequestId", secrets.token_hex(16)),)).encode())


class Proxy:
    """A forwarding proxy: CONNECT for TLS, absolute URLs for the rest."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await read_request(reader)
        if request.method != "CONNECT":
            writer.write(
                Answer(503, "Service Unavailable", b"<html>no route to that server</html>\n").encode()
            )
            return
        name, _, port = request.target.rpartition(":")
        address = ENDPOINTS.get(name.split(".")[0], name)
        try:
            upstream = await asyncio.open_connection(address, int(port))
        except OSError:
            writer.write(Answer(502, "Bad Gateway").encode())
            return
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(pump(reader, upstream[1]), pump(upstream[0], writer))


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


class Resolver(asyncio.DatagramProtocol):
    """A name server that knows the endpoints."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        if self.behaviour.resolver == "silent":
            return
        question = DNSRecord.parse(data)
        reply = question.reply()
        service = str(question.q.qname).split(".")[0]
        if self.behaviour.resolver == "servfail":
            reply.header.rcode = RCODE.SERVFAIL
        elif self.behaviour.resolver == "nxdomain" or service not in ENDPOINTS:
            reply.header.rcode = RCODE.NXDOMAIN
        elif question.q.qtype == QTYPE.A:
            reply.add_answer(RR(question.q.qname, QTYPE.A, rdata=A(ENDPOINTS[service]), ttl=60))
        self.transport.sendto(reply.pack(), addr)


def closing(serve: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """Serve one connection and close it, whatever the other side does."""

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
            await writer.drain()
        except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    return one


async def run(behaviour: Behaviour, ready: Path) -> None:
    """Serve until cancelled; ``ready`` appears when everything listens."""
    loop = asyncio.get_running_loop()
    await asyncio.start_server(closing(Imds(behaviour).serve), IMDS, 80)
    await loop.create_datagram_endpoint(lambda: Resolver(behaviour), (RESOLVER, 53))
    for service, address in ENDPOINTS.items():
        if service not in behaviour.not_listening:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(behaviour.certificates[service])
            await asyncio.start_server(closing(serve_endpoint), address, 443, ssl=context)
    if behaviour.proxy != "off":
        await asyncio.start_server(closing(Proxy(behaviour).serve), PROXY, 3128)
    ready.touch()
    await asyncio.Event().wait()


def save(behaviour: Behaviour, path: Path) -> None:
    path.write_text(json.dumps(asdict(behaviour)))


def load(path: Path) -> Behaviour:
    raw = json.loads(path.read_text())
    return Behaviour(**{**raw, "not_listening": tuple(raw["not_listening"])})


def main() -> None:
    config = Path(sys.argv[1])
    asyncio.run(run(load(config), config.with_suffix(".ready")))


if __name__ == "__main__":
    main()
