"""nginx and Caddy before web processes, as the files of `deploy/` set them up, on free ports of this machine."""

from __future__ import annotations

import re
import ssl
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bench.chaos.platform import free_port
from tests.programs import program

DEPLOY = Path(__file__).parents[2] / "deploy"
WEB_PORTS = re.compile(r"127\.0\.0\.1:808[01]")
"""How the files of `deploy/` name two web processes of one machine."""


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1 that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = (folder / "fullchain.pem", folder / "key.pem")
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths


@dataclass(frozen=True)
class Proxy:
    """Where a proxy is reached, and the certificate that it shows; `plain_url` without TLS where it listens there."""

    url: str
    certificate: Path
    plain_url: str = ""

    def trust(self) -> ssl.SSLContext:
        """A context that takes this certificate and no other."""
        return ssl.create_default_context(cafile=str(self.certificate))


@contextmanager
def run_nginx(folder: Path, web_ports: Sequence[int]) -> Iterator[Proxy]:
    """Our nginx before web processes. Only users, places of files and ports are not those of `deploy/`."""
    port, plain_port = free_port(), free_port()
    certificate, _ = make_certificate(folder)
    upstream = (DEPLOY / "nginx-upstream.conf").read_text()
    named = iter(web_ports)
    upstream = WEB_PORTS.sub(lambda _: f"127.0.0.1:{next(named)}", upstream)
    (folder / "upstream.conf").write_text(upstream)
    (folder / "proxy.conf").write_text((DEPLOY / "nginx-proxy.conf").read_text())
    kept = [f"{what}_temp_path {folder}/{what};" for what in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")]
    text = (DEPLOY / "nginx.conf").read_text()
    for old, new in (
        ("user www-data;", ""),
        ("/run/nginx.pid", f"{folder}/nginx.pid"),
        ("/var/log/nginx", str(folder)),
        ("/etc/nginx/cuakhau-", f"{folder}/"),
        ("/etc/ssl/cuakhau", str(folder)),
        ("listen 443", f"listen 127.0.0.1:{port}"),
        ("listen 80", f"listen 127.0.0.1:{plain_port}"),
        ("http {", f"http {{ {' '.join(kept)}"),
    ):
        assert old in text, old
        text = text.replace(old, new)
    (folder / "nginx.conf").write_text(re.sub(r"(?m)^ *listen \[::\].*$", "", text))
    command = [program("nginx"), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-g", "daemon off;"]
    proxy = Proxy(f"https://127.0.0.1:{port}", certificate, f"http://127.0.0.1:{plain_port}")
    with _running([*command, "-e", str(folder / "start.log")], proxy):
        yield proxy


@contextmanager
def run_caddy(folder: Path, web_ports: Sequence[int]) -> Iterator[Proxy]:
    """Our Caddy before web processes."""
    port = free_port()
    certificate, key = make_certificate(folder)
    text = (DEPLOY / "Caddyfile").read_text()
    for name, web_port in zip(sorted(set(WEB_PORTS.findall(text))), web_ports, strict=True):
        text = text.replace(name, f"127.0.0.1:{web_port}")
    for old, new in (
        ("\tgrace_period 10s", "\tadmin off\n\tauto_https off\n\tgrace_period 1s"),
        ("cuakhau.example {", f"https://127.0.0.1:{port} {{\n\tbind 127.0.0.1\n\ttls {certificate} {key}"),
    ):
        assert old in text, old
        text = text.replace(old, new, 1)
    (folder / "Caddyfile").write_text(text)
    command = [program("caddy"), "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]
    proxy = Proxy(f"https://127.0.0.1:{port}", certificate)
    with _running(command, proxy):
        yield proxy


@contextmanager
def _running(command: Sequence[str], proxy: Proxy) -> Iterator[None]:
    folder = proxy.certificate.parent
    environment = {"PATH": "/usr/sbin:/usr/bin:/bin", "HOME": str(folder), "XDG_DATA_HOME": str(folder)}
    log = folder / "proxy.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
    try:
        deadline = time.monotonic() + 60
        while not _answers(proxy):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(30)


def _answers(proxy: Proxy) -> bool:
    """Whether it answers anything: there may be nobody behind it."""
    try:
        return bool(httpx.get(f"{proxy.url}/healthz", verify=proxy.trust(), timeout=10).status_code)
    except httpx.HTTPError:
        return False
