"""Uvicorn's HTTP protocol with bounds on what it lacks them for."""

from __future__ import annotations

from asyncio import TimerHandle
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from recjax.serve.http.limits import Limits

HEADERS = 32_768
"""Most bytes of a request's line and headers."""
REASONS = {
    400: "Bad Request",
    408: "Request Timeout",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
}


class Protocol(HttpToolsProtocol):
    """A connection whose requests must come whole in some time, with few headers."""

    limits = Limits()
    _timer: TimerHandle | None = None
    _head: int | None = 0
    """Bytes of headers that are not complete; None where no headers come."""

    def connection_made(self, transport: Any) -> None:
        """Refuses a connection too many; else waits for its first request."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            self._refuse(503, "too many connections; try again soon")
        else:
            self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops waiting."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Refuses headers without end."""
        super().data_received(data)
        if self._head is not None and self.parser is not None:
            self._head += len(data)
            if self._head > HEADERS:
                self._refuse(431, f"headers of more than {HEADERS} bytes")

    def on_message_begin(self) -> None:
        """A request begins to come."""
        super().on_message_begin()
        self._head = 0
        self._start_timer()

    def on_headers_complete(self) -> None:
        """Its headers are there."""
        self._head = None
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """All of it is there."""
        self._stop_timer()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answers what is no HTTP."""
        self._refuse(400, msg)

    def _start_timer(self) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(self.limits.read_s, self._late)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        self._refuse(408, f"the request did not come within {self.limits.read_s:g} s")

    def _refuse(self, status: int, message: str) -> None:
        """Says why and closes; what is under way on the connection is given up."""
        self._stop_timer()
        if self.transport.is_closing():
            return
        begun = self.cycle is not None and not self.cycle.response_complete
        if begun:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if not (begun and self.cycle.response_started):
            body = orjson.dumps({"error": message})
            head = (
                f"HTTP/1.1 {status} {REASONS[status]}\r\n"
                "content-type: application/json\r\n"
                f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
            )
            self.transport.write(head.encode() + body)
        self.transport.close()
