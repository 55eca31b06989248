"""A small threaded HTTP server on loopback, for the fake server and for the proxy."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Seen:
    """A request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]  # names in lower case
    body: bytes


@dataclass(frozen=True)
class Sent:
    """What goes back: a reply, or a way of failing to give one."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0  # seconds before anything is sent
    drop: str = ""  # "before": close without a word; "within": close in the middle of the body
    times: int = 1  # the body is sent so often
    raw: bytes = b""  # sent instead of any head and body; then the connection is closed


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        """A client that hung up is what these tests are about."""


class Served:
    """Calls `answer` for every request, in threads, until it is closed."""

    def __init__(self, answer: Callable[[Seen], Sent]) -> None:
        closing = self._closing = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # head and body in one packet

            def handle_any(self) -> None:
                length = int(self.headers.get("content-length", 0))
                body = self.rfile.read(length)
                if len(body) < length:  # the client was killed while it was sending
                    self.close_connection = True
                    return
                headers = {name.lower(): value for name, value in self.headers.items()}
                sent = answer(Seen(self.command, self.path, headers, body))
                if sent.delay:
                    closing.wait(sent.delay)
                if sent.drop == "before":
                    self.close_connection = True
                    return
                if sent.raw:
                    self.wfile.write(sent.raw)
                    self.close_connection = True
                    return
                self.send_response(sent.status)
                for name, value in {"Content-Type": "application/json", **sent.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(sent.body) * sent.times))
                self.end_headers()
                within = sent.drop == "within"
                for _ in range(sent.times):
                    self.wfile.write(sent.body[: len(sent.body) // 2] if within else sent.body)
                self.close_connection = self.close_connection or within

            do_GET = do_POST = handle_any  # noqa: N815

            def log_message(self, *arguments: object) -> None:
                """Nothing."""

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def close(self) -> None:
        self._closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
