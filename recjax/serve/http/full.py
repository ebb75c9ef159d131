"""A server that is full says so in few steps: refusals must not take what answers need.

Under overload most requests are refused. Where nothing that is known could answer them,
they are neither looked at nor timed, and counted a few at a time.
"""

from __future__ import annotations

from collections import Counter

from recjax.serve.http.limits import Room
from recjax.serve.http.metrics import Record
from recjax.serve.http.models import Models
from recjax.serve.http.request import Headers, error_body, place, request_id

STATUS = 429
HEAD = (
    b"HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/json\r\n"
    b"retry-after: 1\r\nx-request-id: %b\r\ncontent-length: %d\r\n\r\n%b"
)


class Full:
    """Refuses predictions while a server is full."""

    def __init__(self, room: Room, models: Models, record: Record, token: str) -> None:
        """Counts in `record`, once `count` is called."""
        self._room, self._models, self._record = room, models, record
        self._token = f"Bearer {token}".encode() if token else None
        self._counts: Counter[bytes] = Counter()
        self._body = b"", -1

    def __call__(self, url: bytes, headers: Headers) -> bytes | None:
        """Returns the whole answer to a prediction; None: it is answered as ever."""
        if not self._room.full or self._record.in_full or b"traceparent" in headers:
            return None
        if self._token and headers.get(b"authorization") != self._token:
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
        return HEAD % (request_id(headers), len(body), body)

    def count(self) -> None:
        """Counts what was refused since the last call, and has the log tell it."""
        counts, self._counts = self._counts, Counter()
        for url, requests in counts.items():
            found = place(url.decode())
            assert found is not None
            there = self._models.available.get(found.name)
            about = {"model": found.name, "version": str(max(there)) if there else ""}
            self._record.refused({**about, "signature": ""}, STATUS, requests)
