"""An OTLP/HTTP collector of a few lines: takes traces as protobuf, keeps the spans. And a
Runtime API for one event, since Lambda's emulator passes no trace header on."""

import contextlib
import json
import queue
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse

WAIT_SECONDS = 60


@dataclass
class Span:
    """A span as it arrived, its attributes as a dictionary."""

    name: str
    trace: str
    id: str
    parent: str
    attributes: dict
    failed: bool
    started: int
    ended: int


def value(any_value):
    """The one field of an AnyValue that is set."""
    return getattr(any_value, any_value.WhichOneof("value"))


@dataclass
class Collector:
    """What arrived so far."""

    url: str
    spans: list[Span] = field(default_factory=list)
    resources: list[dict] = field(default_factory=list)
    requests: list[tuple[str, dict]] = field(default_factory=list)

    def take(self, path: str, headers: dict, body: bytes) -> None:
        self.requests.append((path, headers))
        request = ExportTraceServiceRequest.FromString(body)
        for resource in request.resource_spans:
            self.resources.append({one.key: value(one.value) for one in resource.resource.attributes})
            for scope in resource.scope_spans:
                for span in scope.spans:
                    attributes = {one.key: value(one.value) for one in span.attributes}
                    ids = (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
                    times = (span.start_time_unix_nano, span.end_time_unix_nano)
                    self.spans.append(Span(span.name, *ids, attributes, span.status.code == 2, *times))

    def named(self, name: str) -> list[Span]:
        return [span for span in list(self.spans) if span.name == name]

    def children(self, parent: Span) -> list[Span]:
        return [span for span in list(self.spans) if span.parent == parent.id]

    def until(self, count: int, name: str) -> list[Span]:
        deadline = time.monotonic() + WAIT_SECONDS
        while len(found := self.named(name)) < count:
            assert time.monotonic() < deadline, f"{len(found)} spans named {name} of {count}: {self.spans}"
            time.sleep(0.05)
        return found


@contextlib.contextmanager
def collector() -> Iterator[Collector]:
    """A collector on a free port of the loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # noqa: N802: the base class's name
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.take(self.path, {name.lower(): text for name, text in self.headers.items()}, body)
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    with serving(Handler) as port:
        seen = Collector(f"http://127.0.0.1:{port}")
        yield seen


@contextlib.contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    """A server on a free port of the loopback, until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def runtime_api(event: dict, trace: str) -> Iterator[tuple[str, queue.Queue]]:
    """Hands out one event with a trace header, then keeps the function waiting. Its address, and what
    the function answers."""
    answers: queue.Queue = queue.Queue()
    handed, ended = threading.Event(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802: the base class's name
            if handed.is_set():
                ended.wait(WAIT_SECONDS)
                return
            handed.set()
            body = json.dumps(event).encode()
            self.send_response(200)
            self.send_header("Lambda-Runtime-Aws-Request-Id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd")
            self.send_header("Lambda-Runtime-Deadline-Ms", str(int(time.time() * 1000) + 20_000))
            self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:123456789012:function:f")
            self.send_header("Lambda-Runtime-Trace-Id", trace)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:  # noqa: N802
            answers.put((self.path, self.rfile.read(int(self.headers.get("Content-Length", 0)))))
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with serving(Handler) as port:
        try:
            yield f"127.0.0.1:{port}", answers
        finally:
            ended.set()
