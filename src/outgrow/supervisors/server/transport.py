"""One request, one reply: connections to the endpoints, and what a reply that is none means."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from outgrow import __version__
from outgrow.core.errors import PrerequisiteError
from outgrow.supervisors.server.bodies import Request
from outgrow.supervisors.server.config import ServerConfig
from outgrow.supervisors.server.failures import TransientError, of_status
from outgrow.supervisors.server.secret import Secret

if TYPE_CHECKING:
    import httpx2

_BODY = 4 * 2**20  # bytes of a reply besides its answers


class Transport:
    """Connections to every endpoint of a server.

    Args:
        config: the server.
        secret: its key, sent with every request.

    Raises:
        PrerequisiteError: the extra is not installed.
    """

    def __init__(self, config: ServerConfig, secret: Secret) -> None:
        try:
            import httpx2
        except ImportError:
            raise missing("httpx2") from None
        self._httpx, self._secret, self._timeout = httpx2, secret, config.timeout
        self._clients = {url: self._open(url, config.concurrency) for url in config.endpoints}

    def _open(self, url: str, connections: int) -> httpx2.AsyncClient:
        def sign(request: httpx2.Request) -> httpx2.Request:
            if self._secret:
                request.headers["Authorization"] = self._secret.header()
            return request

        return self._httpx.AsyncClient(
            auth=sign,
            verify=urlsplit(url).scheme != "http",  # which has no certificates, and loading them takes a while
            headers={
                "User-Agent": f"outgrow/{__version__}",
                "Content-Type": "application/json",
                "Accept-Encoding": "gzip",
            },
            timeout=self._httpx.Timeout(self._timeout, connect=min(30.0, self._timeout), pool=None),
            limits=self._httpx.Limits(max_connections=None, max_keepalive_connections=connections),
            trust_env=not _loopback(url),  # a proxy of the environment does not lead to this machine
        )

    async def close(self) -> None:
        """Close all connections."""
        for client in self._clients.values():
            await client.aclose()

    async def send(self, base: str, request: Request, logprobs: bool) -> dict[str, Any]:
        """The reply as a JSON object.

        Raises:
            TransientError: no connection, no answer in time, or a reply that is broken or far too long.
            Exception: what `failures.of_status` makes of a status other than 2xx.
        """
        url, body, status, headers = base + request.path, bytearray(), 0, {}
        most = _BODY + 16 * request.longest * request.choices
        failure: Exception | None = None
        content = json.dumps(request.payload(logprobs)).encode("ascii")
        try:
            async with (
                asyncio.timeout(self._timeout),
                self._clients[base].stream("POST", url, content=content) as response,
            ):
                status, headers = response.status_code, dict(response.headers)
                unpacked = _unpacking(headers.get("content-encoding", ""))
                async for chunk in response.aiter_raw():
                    body += unpacked(chunk, most + 1 - len(body))
                    if len(body) > most:
                        failure = TransientError(f"{url} sent more than {most:,} bytes", outcome="too_long")
                        break
        except (TimeoutError, self._httpx.TimeoutException) as error:
            connected = not isinstance(error, self._httpx.ConnectTimeout)
            failure = TransientError(f"{url} gave no answer in {self._timeout:g} s", reachable=connected)
        except zlib.error:
            failure = TransientError(f"{url} sent a compressed reply that is broken", user=True)
        except self._httpx.RequestError as error:
            words = self._secret.scrub(str(error)) or type(error).__name__
            connected = not isinstance(error, self._httpx.ConnectError)
            failure = TransientError(f"{url}: {words}", reachable=connected)
        if failure is None and not 200 <= status < 300:
            failure = of_status(status, headers, bytes(body), url=url, secret=self._secret)
        if failure is not None:  # raised outside the handlers: an exception of httpx2 holds the request and its headers
            raise failure
        return self._decode(bytes(body), headers, url)

    def _decode(self, body: bytes, headers: dict[str, str], url: str) -> dict[str, Any]:
        try:
            reply = json.loads(body)
        except (ValueError, RecursionError):
            reply = None
        if not isinstance(reply, dict):
            raise TransientError(f"{url} sent a reply that is not a JSON object ({len(body):,} bytes)", user=True)
        error = reply.get("error")
        if error and not reply.get("choices"):  # some gateways answer 200 whatever happens behind them
            code = error.get("code") if isinstance(error, dict) else None
            status = code if isinstance(code, int) and 400 <= code < 600 else 500
            raise of_status(status, headers, body, url=url, secret=self._secret)
        return reply


def _unpacking(encoding: str) -> Callable[[bytes, int], bytes]:
    """How a reply's bytes are unpacked, never to more than so many: a small reply may hide a gigabyte."""
    if encoding.strip().lower() in ("", "identity"):
        return lambda chunk, most: chunk[:most]
    opened = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # gzip or zlib; whatever else is broken to it
    return lambda chunk, most: opened.decompress(opened.unconsumed_tail + chunk, most)


def missing(package: str) -> PrerequisiteError:
    """The error for a missing package of the extra."""
    return PrerequisiteError(f'asking a server needs {package}; install it with: pip install "outgrow[server]"')


def _loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.")
