"""Real proxies in front of a server, and how many requests each has sent to it.

Both listen at the socket ``front`` of a folder, let through as much as they can be told to, and
share their connections to the server among clients.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from string import Template

from tests.waiting import PATIENCE

SILENCE = 0.15
"""Seconds after which no further answer is expected; too short only hides what would fail."""


async def exchange(socket: Path, data: bytes) -> bytes:
    """Return all that comes back, until the end or a moment of silence."""
    reader, writer = await asyncio.open_unix_connection(str(socket))
    received = b""
    try:
        writer.write(data)
        while piece := await asyncio.wait_for(reader.read(65536), SILENCE):
            received += piece
    except (TimeoutError, ConnectionError):
        pass
    finally:
        writer.close()
    return received


async def asked(socket: Path, question: bytes) -> str:
    """Return the answer of a proxy about itself."""
    answer = b""
    async with asyncio.timeout(PATIENCE):
        while not answer:  # a machine that is busy may leave no time for it
            answer = await exchange(socket, question)
    return answer.decode()


class Front(ABC):
    """One kind of proxy.

    Attributes:
        program: What is run, with the configuration as its last argument.
        config: The configuration, for a folder and a server's address.
    """

    program: tuple[str, ...]
    config: Template

    @abstractmethod
    async def sent(self, folder: Path) -> int:
        """Return how many requests it has sent to the server."""

    @asynccontextmanager
    async def before(self, address: tuple[str, int], folder: Path) -> AsyncIterator[None]:
        """Run it in front of a server."""
        host, port = address
        config = folder / "config"
        config.write_text(self.config.substitute(folder=folder, host=host, port=port))
        process = await asyncio.create_subprocess_exec(*self.program, str(config))
        try:
            async with asyncio.timeout(PATIENCE):
                while not await self._accepts(folder / "front"):
                    assert process.returncode is None
                    await asyncio.sleep(0.02)
            yield
        finally:
            with suppress(ProcessLookupError):
                process.terminate()
            await asyncio.wait_for(process.wait(), 20)

    async def _accepts(self, socket: Path) -> bool:
        with suppress(OSError):
            _, writer = await asyncio.open_unix_connection(str(socket))
            writer.close()
            return True
        return False


class Haproxy(Front):
    """HAProxy, which counts what it sends."""

    program = ("haproxy", "-db", "-q", "-f")
    config = Template("""
global
    stats socket $folder/stats mode 600 level operator
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 20s
    option http-keep-alive
    http-reuse always
    option accept-invalid-http-request
frontend public
    bind unix@$folder/front
    default_backend behind
backend behind
    server one $host:$port maxconn 4
""")

    async def sent(self, folder: Path) -> int:
        """Return how many requests it has given to the server."""
        lines = (await asked(folder / "stats", b"show stat\n")).splitlines()
        names = lines[0].removeprefix("# ").split(",")
        for line in lines[1:]:
            row = dict(zip(names, line.split(","), strict=False))
            if row["svname"] == "one":
                return int(row["lbtot"])
        raise AssertionError(lines)


class Nginx(Front):
    """nginx, which writes a line for each request once it is over, and every attempt in it."""

    program = ("nginx", "-c")
    config = Template("""
daemon off;
master_process off;
pid $folder/pid;
error_log $folder/errors;
events { worker_connections 64; }
http {
    client_body_temp_path $folder/body;
    proxy_temp_path $folder/proxy;
    fastcgi_temp_path $folder/fastcgi;
    uwsgi_temp_path $folder/uwsgi;
    scgi_temp_path $folder/scgi;
    log_format attempts "$$upstream_addr";
    access_log $folder/sent attempts;
    ignore_invalid_headers off;
    merge_slashes off;
    upstream behind {
        server $host:$port;
        keepalive 4;
    }
    map $$http_upgrade $$upgrading {
        default upgrade;
        "" "";
    }
    server {
        listen unix:$folder/front;
        location / {
            proxy_pass http://behind;
            proxy_http_version 1.1;
            proxy_request_buffering off;
            proxy_set_header Upgrade $$http_upgrade;
            proxy_set_header Connection $$upgrading;
        }
    }
    server {
        listen unix:$folder/stats;
        access_log off;
        location / { stub_status; }
    }
}
""")

    async def sent(self, folder: Path) -> int:
        """Return how many attempts its log has once nobody but us is connected."""
        question = b"GET / HTTP/1.0\r\n\r\n"
        async with asyncio.timeout(PATIENCE):
            while "connections: 1 " not in await asked(folder / "stats", question):
                pass
        return (folder / "sent").read_text().count(":")
