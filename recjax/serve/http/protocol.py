"""Uvicorn's HTTP protocol with bounds on what it lacks them for, and a short way."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from recjax.serve.http.limits import Limits
from recjax.serve.http.request import SMALL, Headers, Said

HEADERS = 32_768
"""Most bytes of a request's line and headers."""
LOOK = 0.25
"""Seconds between looks for connections that are late."""
TOO_MANY = "too many connections; try again soon"

Refusal = Callable[[bytes, Headers], bytes | None]
"""Returns the whole refusal of a prediction (path, headers), or None."""
Answer = Callable[[str, Headers, bytes, Callable[[Said], None]], None]
"""Answers a prediction: path, headers, body, and what is called with the answer."""


class _Direct:
    """Stands where uvicorn keeps a request of ASGI, for one that is answered here.

    Attributes:
      keep_alive: the connection stays open afterwards.
    """

    __slots__ = ("disconnected", "keep_alive", "response_complete")
    response_started = False

    def __init__(self, keep_alive: bool) -> None:
        self.keep_alive = keep_alive
        self.response_complete = self.disconnected = False

    @property
    def message_event(self) -> _Direct:
        return self

    def set(self) -> None:
        """Nobody waits for more of it."""


class Protocol(HttpToolsProtocol):
    """A connection whose requests must come whole in some time, with few headers.

    Attributes:
      limits: of requests.
      answer: answers small predictions, which are gathered first; None leaves them to
        the application.
      full: refuses them before that; None refuses none.
    """

    limits = Limits()
    answer: Answer | None = None
    full: Refusal | None = None
    _asked: float | None = None
    """When the request began to come that has not come whole."""
    _idle: float | None = None
    """Since when none is under way."""
    _head: int | None = 0
    """Bytes of headers that are not complete; None where no headers come."""
    _parts: list[bytes] | None = None
    """The body so far of a request that is gathered first."""
    _last = False
    _one_too_many = False

    def connection_made(self, transport: Any) -> None:
        """Waits for its first request."""
        super().connection_made(transport)
        self._one_too_many = len(self.connections) > self.limits.connections
        self._asked = self.loop.time()

    def data_received(self, data: bytes) -> None:
        """Refuses a connection too many, and headers without end."""
        if self._one_too_many:
            # Not before it has asked: what is not read resets the connection, and the
            # answer is lost with it.
            self._refuse(503, TOO_MANY)
            return
        self._idle = None
        super().data_received(data)
        if self._head is not None and self.parser is not None:
            self._head += len(data)
            if self._head > HEADERS:
                self._refuse(431, f"headers of more than {HEADERS} bytes")

    def on_message_begin(self) -> None:
        """A request begins to come."""
        super().on_message_begin()
        self._head, self._asked = 0, self.loop.time()

    def on_headers_complete(self) -> None:
        """Its headers are there."""
        self._head = None
        if self._is_small():
            self._parts = []
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of its body is there."""
        if self._parts is None:
            super().on_body(body)
        else:
            self._parts.append(body)

    def on_message_complete(self) -> None:
        """All of it is there."""
        self._asked = None
        if self._parts is None:
            super().on_message_complete()
            return
        if self.full is not None and not self._last:
            refusal = self.full(self.url, self._names)
            if refusal is not None and not self.transport.is_closing():
                self._parts, self._idle = None, self.loop.time()
                self.transport.write(refusal)
                return
        body, self._parts = b"".join(self._parts), None
        cycle = _Direct(keep_alive=not self._last)
        self.cycle: Any = cycle
        assert self.answer is not None
        self.answer(self.url.decode(), self._names, body, partial(self._say, cycle))

    def on_response_complete(self) -> None:
        """An answer is sent: goes on with what has come meanwhile."""
        super().on_response_complete()
        self._unset_keepalive_if_required()
        self._idle = self.loop.time()

    def shutdown(self) -> None:
        """Lets the request under way be the last."""
        if self._parts is None:
            super().shutdown()
        self._last = True

    def send_400_response(self, msg: str) -> None:
        """Answers what is no HTTP."""
        self._refuse(400, msg)

    def look(self, now: float) -> None:
        """Ends the connection if it is late at a moment of the loop's time."""
        if self._one_too_many:
            self._refuse(503, TOO_MANY)
        elif self._asked is not None and now - self._asked > self.limits.read_s:
            late = f"the request did not come within {self.limits.read_s:g} s"
            self._refuse(408, late)
        elif self._asked is None and self._idle is not None:
            if now - self._idle > self.limits.keep_alive_s:
                self.transport.close()

    def _is_small(self) -> bool:
        free = self.cycle is None or self.cycle.response_complete
        if not (free and self.answer and self.url.endswith(b":predict")):
            return False
        self._names = names = dict(self.headers)
        length = names.get(b"content-length", b"")
        return (
            self.parser.get_method() == b"POST"
            and self.parser.get_http_version() == "1.1"
            and self.parser.should_keep_alive()
            and not self.parser.should_upgrade()
            and length.isdigit()
            and int(length) <= SMALL
            and b"%" not in self.url
            and not names.keys() & {b"expect", b"transfer-encoding"}
        )

    def _say(self, cycle: _Direct, said: Said) -> None:
        """Writes an answer, at once and as one."""
        if cycle.disconnected or self.transport.is_closing():
            return
        parts, told = [STATUS_LINE[said.status]], False
        for name, value in said.headers:
            parts += (name, b": ", value, b"\r\n")
            told |= name == b"connection"  # It says "close".
        if not (told or cycle.keep_alive):
            parts.append(b"connection: close\r\n")
        self.transport.write(b"".join((*parts, b"\r\n", said.content)))
        cycle.response_complete = True
        if told or not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()

    def _refuse(self, status: int, message: str) -> None:
        """Says why and closes; what is under way on the connection is given up."""
        self._asked = self._idle = self._parts = None
        if self.transport.is_closing():
            return
        begun = self.cycle is not None and not self.cycle.response_complete
        if begun:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if not (begun and self.cycle.response_started):
            body = orjson.dumps({"error": message})
            head = (
                f"content-type: application/json\r\n"
                f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
            )
            self.transport.write(STATUS_LINE[status] + head.encode() + body)
        self.transport.close()


def look_at(connections: Iterable[Any], now: float) -> None:
    """Ends those that are late."""
    for one in [*connections]:
        one.look(now)
