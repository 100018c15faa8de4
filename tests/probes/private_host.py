"""A host of its own for one run of the real script: own network, own mounts, doubles of what AWS answers.

Run by ``unshare --net --mount --pid``: nothing it does is seen outside, nothing that it
runs can reach the outside, and all of it is gone when it ends.  The doubles live in this process.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

TOKEN = "AQAEAtokenThatMustNeverBeSeen=="
CREDENTIALS = {
    "Code": "Success",
    "LastUpdated": "2026-11-23T06:36:56Z",
    "Type": "AWS-HMAC",
    "AccessKeyId": "ASIANEVERTOBESEEN000",
    "SecretAccessKey": "secretKeyNeverToBeSeen",
    "Token": "sessionTokenNeverToBeSeen",
    "Expiration": "2026-11-23T12:36:56Z",
}
META = {
    "/latest/meta-data/instance-id": "i-0a1b2c3d4e5f60718",
    "/latest/meta-data/placement/region": "eu-central-1",
    "/latest/meta-data/placement/availability-zone": "eu-central-1a",
    "/latest/meta-data/mac": "0a:1b:2c:3d:4e:5f",
    "/latest/meta-data/iam/info": '{"Code": "Success", "InstanceProfileId": "AIPAEXAMPLE"}',
    "/latest/meta-data/iam/security-credentials/": "AppServerRole",
    "/latest/meta-data/iam/security-credentials/AppServerRole": json.dumps(CREDENTIALS, indent=2),
    "/latest/dynamic/instance-identity/document": '{"region": "eu-central-1"}',
}
OVERLAID = ("/etc", "/var", "/root", "/usr", "/opt")


class Imds(BaseHTTPRequestHandler):
    """IMDSv2 as far as it is asked here; version 1 is off."""

    server_version, sys_version = "EC2ws", ""

    def do_PUT(self) -> None:
        self._answer(200, TOKEN)

    def do_GET(self) -> None:
        if self.headers.get("X-aws-ec2-metadata-token") != TOKEN:
            self._answer(401, "<html>401 - Unauthorized</html>", "text/html")
        elif self.path in META:
            self._answer(200, META[self.path])
        else:
            self._answer(404, "<html>404 - Not Found</html>", "text/html")

    def _answer(self, status: int, text: str, kind: str = "text/plain") -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Endpoint(Imds):
    server_version = "Server"

    def do_GET(self) -> None:
        self._answer(404, "<UnknownOperationException/>", "application/x-amz-json-1.1")


class Proxy(Imds):
    """A proxy that wants a password for everything but refuses the metadata service."""

    def do_PUT(self) -> None:
        self._answer(503, "<html>proxy: no route to 169.254.169.254</html>", "text/html")

    def do_CONNECT(self) -> None:
        if not self.headers.get("Proxy-Authorization"):
            self._answer(407, "Proxy Authentication Required")
            return
        upstream = socket.create_connection((self.path.split(":")[0], 443))
        self.send_response(200, "Connection established")
        self.end_headers()
        back = threading.Thread(target=_copy, args=(upstream, self.connection), daemon=True)
        back.start()
        _copy(self.connection, upstream)
        upstream.close()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass


def serve(
    address: str, port: int, handler: type[BaseHTTPRequestHandler], tls: ssl.SSLContext | None = None
) -> None:
    server = ThreadingHTTPServer((address, port), handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def overlay(scratch: Path) -> None:
    """A layer over the system's folders, so that a test can put files where the script looks."""
    subprocess.run(["mount", "-t", "tmpfs", "scratch", scratch], check=True)
    for folder in OVERLAID:
        upper, work = scratch / f"upper{folder}", scratch / f"work{folder}"
        upper.mkdir(parents=True)
        work.mkdir(parents=True)
        options = f"lowerdir={folder},upperdir={upper},workdir={work}"
        subprocess.run(["mount", "-t", "overlay", "-o", options, "overlay", folder], check=True)


def main(plan: dict[str, Any]) -> int:
    script = Path(plan["script"]).read_bytes()
    left = os.open(plan["left"], os.O_WRONLY | os.O_CREAT)
    overlay(Path(plan["scratch"]))
    for name, text in plan["files"].items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text)
        if text.startswith("#!"):
            Path(name).chmod(0o755)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for address in ("169.254.169.254/32", "10.77.0.11/32", "10.77.0.2/32"):
        subprocess.run(["ip", "addr", "add", address, "dev", "lo"], check=True)
    if plan["imds"]:
        serve("169.254.169.254", 80, Imds)
    if plan["certificate"]:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(plan["certificate"], plan["key"])
        serve("10.77.0.11", 443, Endpoint, tls)
    serve("10.77.0.2", 3128, Proxy)
    for command in plan["commands"]:
        subprocess.run(command, shell=True, check=True)
    background = [subprocess.Popen(**child) for child in plan["processes"]]
    done = subprocess.run(plan["shell"], input=script, env=plan["env"], check=False)
    for child in background:
        child.kill()
        child.wait()
    os.write(left, "\n".join(others()).encode())
    return done.returncode


def others() -> list[str]:
    """The processes of this host beside our own, as soon as there are none, or after a second."""
    for _ in range(20):
        found = []
        for entry in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                _, name, state = entry.read_text().replace(")", "(").split("(", 2)
                if int(entry.parent.name) != os.getpid() and not state.strip().startswith("Z"):
                    found.append(name)
        if not found:
            break
        time.sleep(0.05)
    return found


if __name__ == "__main__":
    os._exit(main(json.loads(Path(sys.argv[1]).read_text())))
