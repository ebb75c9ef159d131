"""A server that is full says so in few steps: refusals must not take what answers need.

Under overload most requests are refused. Where nothing that is known could answer them,
they are neither looked at nor timed, and counted a few at a time.
"""

from __future__ import annotations

from collections import Counter

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from recjax.serve.http.limits import Room
from recjax.serve.http.metrics import Record
from recjax.serve.http.models import Models
from recjax.serve.http.request import (
    JSON,
    Headers,
    bears,
    error_body,
    place,
    refusal_headers,
    request_id,
)

STATUS = 429
HEAD = STATUS_LINE[STATUS] + b"".join(
    b"%b: %b\r\n" % one for one in (JSON, *refusal_headers(STATUS))
)


class Full:
    """Refuses predictions while a server is full."""

    def __init__(self, room: Room, models: Models, record: Record, token: str) -> None:
        """Counts in `record`, once `count` is called."""
        self._room, self._models, self._record = room, models, record
        self._token = token
        self._counts: Counter[bytes] = Counter()
        self._body = b"", -1

    def __call__(self, url: bytes, headers: Headers) -> bytes | None:
        """Returns the whole answer to a prediction; None: it is answered as ever."""
        if not self._room.full or self._record.in_full or b"traceparent" in headers:
            return None
        if not bears(self._token, headers):
            return None
        found = place(url.decode())
        if found is None or found.version or found.label:
            return None
        if found.verb != "predict" or not self._models.available.get(found.name):
            return None
        self._counts[url] += 1
        body, taken = self._body
        if taken != self._room.taken:
            body, taken = error_body(self._room.told()), self._room.taken
            self._body = body, taken
        own = request_id(headers), len(body), body
        return HEAD + b"x-request-id: %b\r\ncontent-length: %d\r\n\r\n%b" % own

    def count(self) -> None:
        """Counts what was refused since the last call, and has the log tell it."""
        counts, self._counts = self._counts, Counter()
        for url, requests in counts.items():
            found = place(url.decode())
            assert found is not None
            there = self._models.available.get(found.name)
            about = {"model": found.name, "version": str(max(there)) if there else ""}
            self._record.refused({**about, "signature": ""}, STATUS, requests)
