"""`:predict`: the one path that must be quick, without a framework before it.

A small request comes here straight from its connection, any other as ASGI has it. Both
are answered in the same steps, which call each other: a task or a future for each would
cost more than the answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from recjax.bundle.contract import Columns
from recjax.serve.http import rest
from recjax.serve.http.batcher import Answer, Batcher, Work
from recjax.serve.http.cache import Cache, Kept, Row, row_keys, rows_of
from recjax.serve.http.calls import Call, Calls, Reply
from recjax.serve.http.limits import Limits, RefusedError, Room
from recjax.serve.http.metrics import Record
from recjax.serve.http.models import Models
from recjax.serve.http.request import (
    SMALL,
    Headers,
    Receive,
    Said,
    Scope,
    Send,
    check_kind,
    check_token,
    place,
    read_body,
)


class Known(NamedTuple):
    """The answer to a request that is known word for word; a model that ended goes."""

    serial: int
    signature: str
    rows: int
    content: bytes


class Predict:
    """Answers `POST /v1/models/NAME[/versions/V|/labels/L]:predict`.

    Attributes:
      models: that answer.
      limits: of requests.
      room: examples under way.
      batcher: asks the models.
      metrics: of the server.
      cache: of answers by row; None keeps none.
      known: of answers word for word.
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
        known: Kept[Known],
        token: str = "",
    ) -> None:
        self.models, self.limits, self.room = models, limits, room
        self.batcher, self.metrics = batcher, record.metrics
        self.cache, self.known, self.token = cache, known, token
        self._calls = Calls(record, limits.deadline_ms)
        self._tasks: set[asyncio.Task] = set()

    def direct(self, path: str, headers: Headers, body: bytes, reply: Reply) -> None:
        """Answers a POST whose body is here; `reply` is called once, maybe at once."""
        call = self._calls.begin(path, headers, reply)
        try:
            self._find(call, "POST", headers)
            check_kind(headers)
            self._start(call, body)
        except Exception as error:
            self._calls.fail(call, error)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request of ASGI."""
        headers = dict(scope["headers"])
        said: asyncio.Future[Said] = asyncio.get_running_loop().create_future()
        call = self._calls.begin(scope["path"], headers, partial(_set, said))
        try:
            self._find(call, scope["method"], headers)
            body = await read_body(headers, receive, self.limits.body_bytes)
            self._start(call, body)
        except Exception as error:
            self._calls.fail(call, error)
        status, more, content = await said
        await send({"type": "http.response.start", "status": status, "headers": more})
        await send({"type": "http.response.body", "body": content})

    def _find(self, call: Call, method: str, headers: Headers) -> None:
        check_token(self.token, headers)
        found = place(call.path)
        if found is None:
            raise RefusedError(404, "Malformed request: give /v1/models/NAME:predict")
        if found.verb != "predict":
            raise RefusedError(404, f":{found.verb[:20]} is not served, :predict is")
        if method != "POST":
            raise RefusedError(405, f"{method[:20]} a prediction: POST it")
        model = self.models.find(found.name, found.version, found.label)
        call.model = model
        call.about["model"], call.about["version"] = model.name, str(model.version)

    def _start(self, call: Call, body: bytes) -> None:
        model, known = call.model, self.known.get((call.path, body))
        if known is not None and known.serial == model.serial:
            call.about["signature"] = known.signature
            self.metrics.cache(model.name, known.rows, 0, 0, None)
            self._calls.say(call, 200, known.content)
            return
        if self.cache is None and self.room.full:
            raise RefusedError(429, self.room.told())
        most = min(self.limits.examples, model.sizes[-1])
        asked = rest.parse(body, model.signatures, self.limits, most)
        signature = asked.signature
        call.asked, call.about["signature"] = asked, asked.name
        if self.cache is not None and signature.kept and len(body) <= SMALL:
            call.body = body
        self._calls.watch(call)
        if signature.slow:
            self._in_a_task(self._read(call))
        else:
            self._ask(call, signature.read(asked.columns))

    async def _read(self, call: Call) -> None:
        """Reads columns that take long, such as photographs, in another thread."""
        rows, columns = call.asked.rows, call.asked.columns
        read = call.asked.signature.read
        try:
            self.room.take(rows)
            try:
                columns = await asyncio.to_thread(read, columns)
            finally:
                self.room.leave(rows)
            if not call.over:
                self._ask(call, columns)
        except Exception as error:
            self._calls.fail(call, error)

    def _ask(self, call: Call, columns: Columns) -> None:
        """Asks for rows; for those alone that nobody knows or has asked for."""
        model, asked, cache = call.model, call.asked, self.cache
        signature = asked.signature
        if cache is None or not signature.kept:
            self._compute(call, columns, asked.rows, partial(self._answer, call))
            return
        call.keys = row_keys(model.key, asked.name, signature, columns)
        call.rows, awaited, mine = cache.sort(call.keys)
        counts = len(call.rows), len(awaited), len(mine)
        size = cache.held.size + self.known.size
        self.metrics.cache(model.name, *counts, size)
        call.lacks = len(awaited) + len(mine)
        if mine:
            own = {n: [v[at] for at in mine.values()] for n, v in columns.items()}
            landed = partial(self._landed, call, [*mine])
            self._compute(call, own, len(mine), landed)
            cache.fly(mine)
        for key in (*awaited, *mine):
            cache.wait(key, partial(self._row, call, key))
        if not call.lacks:
            self._joined(call)

    def _compute(
        self, call: Call, columns: Columns, rows: int, done: Callable[[Any], None]
    ) -> None:
        self.room.take(rows)

        def heard(answer: Answer | Exception) -> None:
            self.room.leave(rows)
            try:
                done(answer)
            except Exception as error:
                self._calls.fail(call, error)

        loop, sizes = asyncio.get_running_loop(), call.model.sizes
        signature = call.asked.signature
        self.batcher.submit(
            Work(signature, sizes, columns, rows, call.deadline, heard, loop)
        )

    def _landed(
        self, call: Call, keys: list[bytes], answer: Answer | Exception
    ) -> None:
        """Keeps rows that were asked for, and tells them all who wait for them."""
        assert self.cache is not None
        rows: Sequence[Row | Exception]
        try:
            if isinstance(answer, Exception):
                raise answer
            rows, call.seconds = [*rows_of(answer.columns)], answer.seconds
        except Exception as error:
            rows = [error] * len(keys)
        self.cache.land(keys, rows)

    def _row(self, call: Call, key: bytes, row: Row | Exception) -> None:
        try:
            if isinstance(row, Exception):
                raise row
            call.rows[key] = row
            call.lacks -= 1
            if not call.lacks and not call.over:
                self._joined(call)
        except Exception as error:  # Others wait for the same row.
            self._calls.fail(call, error)

    def _joined(self, call: Call) -> None:
        found = [call.rows[key] for key in call.keys]
        columns = {name: [row[name] for row in found] for name in found[0]}
        self._answer(call, Answer(columns, tuple(call.seconds)))

    def _answer(self, call: Call, answer: Answer | Exception) -> None:
        if isinstance(answer, Exception):
            self._calls.fail(call, answer)
        elif not call.over:
            content = rest.answer(answer.columns, call.asked)
            if call.body:
                asked = call.asked
                known = Known(call.model.serial, asked.name, asked.rows, content)
                size = len(call.body) + len(content)
                self.known.put((call.path, call.body), known, size)
            call.seconds = answer.seconds
            self._calls.say(call, 200, content)

    def _in_a_task(self, doing: Any) -> None:
        task = asyncio.get_running_loop().create_task(doing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _set(said: asyncio.Future[Said], answer: Said) -> None:
    if not said.done():
        said.set_result(answer)
