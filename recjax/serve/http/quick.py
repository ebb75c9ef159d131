"""Answers without work: to what was asked before, and to what there is no room for.

A request that is the same, byte for byte, as one that was answered gets that answer.
One that comes while the server is full is refused, unless the cache has all its rows.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from recjax.errors import UserError
from recjax.serve.http import rest
from recjax.serve.http.cache import Cache, Kept, row_keys
from recjax.serve.http.limits import Limits, RefusedError, Room
from recjax.serve.http.metrics import Record
from recjax.serve.http.models import Model, Models
from recjax.serve.http.request import (
    JSON,
    check_token,
    error_body,
    place,
    refusal_headers,
    told_headers,
)

BYTES = 16_384
"""Longest body that is looked up as it is."""
NO_TIME = (b"server-timing", b"queue;dur=0, encode;dur=0, embed;dur=0, search;dur=0")
_SIMPLE = {JSON[1], None}


class Said(NamedTuple):
    """An answer: status, headers and content."""

    status: int
    headers: Sequence[tuple[bytes, bytes]]
    content: bytes


@dataclass(frozen=True)
class _Known:
    model: Model
    signature: str
    rows: int
    content: bytes


class Quick:
    """Knows answers by path and body.

    Attributes:
      held: the answers.
    """

    def __init__(
        self,
        models: Models,
        room: Room,
        record: Record,
        kept: tuple[float, float],
        cache: Cache | None,
        limits: Limits,
        token: str = "",
    ) -> None:
        """Keeps as many bytes, and each as many seconds, as `kept` says."""
        self._models, self._room, self._record = models, room, record
        self._cache, self._limits, self._token = cache, limits, token
        self.held: Kept[_Known] = Kept(*kept)

    def keep(
        self, path: str, body: bytes, model: Model, asked: rest.Asked, content: bytes
    ) -> None:
        """Keeps the content of an answer."""
        if len(body) <= BYTES:
            known = _Known(model, asked.signature, asked.rows, content)
            self.held.put((path, body), known, len(body) + len(content))

    def __call__(
        self, path: str, given: Sequence[tuple[bytes, bytes]], body: bytes
    ) -> Said | None:
        """Returns the answer to a POST, where it needs no work; None where it does.

        What it leaves is counted as coming: who answers it takes it out.
        """
        said = self._said(path, given, body)
        self._room.coming += said is None
        return said

    def _said(
        self, path: str, given: Sequence[tuple[bytes, bytes]], body: bytes
    ) -> Said | None:
        came, headers = time.monotonic(), dict(given)
        named = place(path)
        simple = headers.get(b"content-type") in _SIMPLE
        if named is None or named.verb != "predict":
            return None
        if not simple or b"content-encoding" in headers:
            return None
        try:
            check_token(self._token, headers)
            model = self._models.find(named.name, named.version, named.label)
        except RefusedError:
            return None  # Who refuses it says why.
        known = self.held.get((path, body))
        about = {"model": model.name, "version": str(model.version), "signature": ""}
        more = told_headers(headers)
        if known is not None and known.model is model:
            status, told, content = 200, "", known.content
            about["signature"] = known.signature
            more.append(NO_TIME)
            self._record.metrics.cache(model.name, known.rows, 0, 0, None)
        elif self._room.full and self._works(model, body):
            status, told = 429, self._room.told()
            content = error_body(told)
            more += refusal_headers(status)
        else:
            return None
        more.append((b"content-length", b"%d" % len(content)))
        self._record(more, about, status, told, time.monotonic() - came)
        return Said(status, more, content)

    def _works(self, model: Model, body: bytes) -> bool:
        """Returns whether a row of a request is neither kept nor awaited."""
        if self._cache is None:
            return True
        try:
            asked = rest.parse(body, model.signatures, self._limits, model.sizes[-1])
            signature = model.signatures[asked.signature]
            if signature.slow or not signature.kept:
                return True
            columns = signature.read(asked.columns)
        except UserError:
            return True
        keys = row_keys(model.key, asked.signature, signature, columns)
        return bool(self._cache.sort(keys)[2])
