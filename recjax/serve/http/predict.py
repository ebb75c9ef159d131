"""`:predict`: the one path that must be quick, without a framework before it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence

from recjax.bundle.contract import Columns, Signature
from recjax.errors import UserError
from recjax.serve.http import rest
from recjax.serve.http.batcher import STAGES, Answer, Batcher, Work
from recjax.serve.http.cache import Cache, row_keys, rows_of
from recjax.serve.http.limits import Limits, RefusedError, Room
from recjax.serve.http.metrics import Record
from recjax.serve.http.models import Model, Models
from recjax.serve.http.quick import Quick
from recjax.serve.http.request import (
    PASSED,
    Headers,
    Receive,
    Scope,
    Send,
    check_token,
    error_body,
    place,
    read_body,
    refusal_headers,
    told_headers,
)

log = logging.getLogger(__name__)


class Predict:
    """Answers `POST /v1/models/NAME[/versions/V|/labels/L]:predict`.

    Attributes:
      models: that answer.
      limits: of requests.
      room: examples under way.
      batcher: asks the models.
      record: is told every answer.
      cache: of answers; None keeps none.
      quick: keeps answers word for word.
      token: that a request must bear; "" for none.
    """

    def __init__(
        self,
        models: Models,
        limits: Limits,
        room: Room,
        batcher: Batcher,
        record: Record,
        cache: Cache | None,
        quick: Quick,
        token: str = "",
    ) -> None:
        self.models, self.limits, self.room = models, limits, room
        self.batcher, self.record = batcher, record
        self.cache, self.quick, self.token = cache, quick, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        came, headers = time.monotonic(), dict(scope["headers"])
        if PASSED in scope.get("extensions", ()):
            self.room.coming -= 1
        more = told_headers(headers)
        about = {"model": "", "version": "", "signature": ""}
        status, told, content = 200, "", b""
        try:
            content, answer = await self._answer(scope, headers, receive, about, came)
            more.append((b"server-timing", timing(answer.seconds)))
        except (UserError, RefusedError) as error:
            status = error.status if isinstance(error, RefusedError) else 400
            told = str(error)
            more += refusal_headers(status)
        except Exception:
            id = more[1][1].decode()
            status, told = 500, f"internal error; request {id} is in the log"
            log.exception("internal error", extra={"fields": {"request": id}})
        if told:
            content = error_body(told)
        more.append((b"content-length", b"%d" % len(content)))
        await send({"type": "http.response.start", "status": status, "headers": more})
        await send({"type": "http.response.body", "body": content})
        self.record(more, about, status, told, time.monotonic() - came)

    async def _answer(
        self,
        scope: Scope,
        headers: Headers,
        receive: Receive,
        about: dict[str, str],
        came: float,
    ) -> tuple[bytes, Answer]:
        check_token(self.token, headers)
        model = self._model(scope, about)
        body = await read_body(scope, headers, receive, self.limits.body_bytes)
        most = min(self.limits.examples, model.sizes[-1])
        asked = rest.parse(body, model.signatures, self.limits, most)
        about["signature"] = asked.signature
        answer = await self.ask(model, asked, came)
        content = rest.answer(answer.columns, asked)
        if self.cache is not None and model.signatures[asked.signature].kept:
            self.quick.keep(scope["path"], body, model, asked, content)
        return content, answer

    def _model(self, scope: Scope, about: dict[str, str]) -> Model:
        found = place(scope["path"])
        if found is None:
            raise RefusedError(404, "Malformed request: give /v1/models/NAME:predict")
        if found.verb != "predict":
            raise RefusedError(404, f":{found.verb[:20]} is not served, :predict is")
        if scope["method"] != "POST":
            raise RefusedError(405, f"{scope['method'][:20]} a prediction: POST it")
        model = self.models.find(found.name, found.version, found.label)
        about.update(model=model.name, version=str(model.version))
        return model

    async def ask(self, model: Model, asked: rest.Asked, came: float) -> Answer:
        """Returns the answer to a request; rows that the cache knows are not asked for.

        Raises:
          UserError: it asks what cannot be answered.
          RefusedError: there is no room, or no time.
        """
        signature = model.signatures[asked.signature]
        if signature.slow:
            columns = await self._read(signature, asked, came)
        else:
            columns = signature.read(asked.columns)
        if self.cache is None or not signature.kept:
            return await self._compute(model, signature, columns, asked.rows, came)
        keys = row_keys(model.key, asked.signature, signature, columns)
        rows, waits, mine = self.cache.sort(keys)
        counts = len(rows), len(waits), len(mine)
        size = self.cache.held.size + self.quick.held.size
        self.record.metrics.cache(model.name, *counts, size)
        seconds = (0.0,) * len(STAGES)
        if mine:
            own = {
                n: [values[at] for at in mine.values()] for n, values in columns.items()
            }
            asking = self._compute(model, signature, own, len(mine), came)
            answer = await self.cache.fly(list(mine), asking)
            rows |= zip(mine, rows_of(answer.columns), strict=True)
            seconds = answer.seconds
        for key, flight in waits.items():
            rows[key] = await asyncio.shield(flight)
        found = [rows[key] for key in keys]
        return Answer(
            {name: [row[name] for row in found] for name in found[0]}, seconds
        )

    async def _read(
        self, signature: Signature, asked: rest.Asked, came: float
    ) -> Columns:
        left = came + self.limits.deadline_ms / 1e3 - time.monotonic()
        self.room.take(asked.rows)
        try:
            reading = asyncio.to_thread(signature.read, asked.columns)
            return await asyncio.wait_for(reading, left)
        except TimeoutError:
            raise late(self.limits.deadline_ms) from None
        finally:
            self.room.leave(asked.rows)

    async def _compute(
        self,
        model: Model,
        signature: Signature,
        columns: Columns,
        rows: int,
        came: float,
    ) -> Answer:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Answer] = loop.create_future()
        deadline = came + self.limits.deadline_ms / 1e3
        self.room.take(rows)
        left = max(deadline - time.monotonic(), 0)
        timer = loop.call_later(left, _expire, done, self.limits.deadline_ms)
        try:
            work = Work(signature, model.sizes, columns, rows, deadline, done)
            self.batcher.submit(work)
            return await done
        finally:
            timer.cancel()
            self.room.leave(rows)


def _expire(done: asyncio.Future, deadline_ms: int) -> None:
    if not done.done():
        done.set_exception(late(deadline_ms))


def late(deadline_ms: int) -> RefusedError:
    """Returns what is said where there is no time."""
    return RefusedError(504, f"no answer within {deadline_ms} ms")


def timing(seconds: Sequence[float]) -> bytes:
    """Returns the `Server-Timing` header of the seconds of `STAGES`."""
    parts = zip(STAGES, seconds, strict=True)
    return ", ".join(f"{name};dur={1e3 * took:.3f}" for name, took in parts).encode()
