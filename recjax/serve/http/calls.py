"""Requests under way: each is answered once, and not after its time."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from recjax.errors import UserError
from recjax.serve.http.batcher import STAGES
from recjax.serve.http.cache import Row
from recjax.serve.http.limits import RefusedError
from recjax.serve.http.metrics import Record
from recjax.serve.http.request import (
    Headers,
    Said,
    error_body,
    refusal_headers,
    told_headers,
)

log = logging.getLogger(__name__)
TICK = 0.02
"""Seconds between looks for requests whose time has passed."""
NO_TIME = (0.0,) * len(STAGES)
_TIMING = ", ".join(f"{name};dur=%.3f" for name in STAGES).encode()
Reply = Callable[[Said], None]


@dataclass(eq=False, slots=True)
class Call:
    """A request under way; `over` once it is answered.

    Attributes:
      path: of it.
      reply: is called once, with the answer.
      headers: what the answer says beside its content.
      came: time of `time.monotonic` when it came.
      deadline: when nobody waits any more.
      model: that it asks.
      asked: what it asks (`rest.Asked`).
      about: its model, version and signature, for those who count.
      body: of it, where its answer is to be known word for word.
      over: whether it is answered.
      keys: of its rows, where rows are kept.
      rows: by key, those that are there.
      lacks: number of those that are not.
      seconds: that each of `STAGES` took.
    """

    path: str
    reply: Reply
    headers: list[tuple[bytes, bytes]]
    came: float
    deadline: float
    model: Any = None
    asked: Any = None
    about: dict[str, str] = field(
        default_factory=lambda: {"model": "", "version": "", "signature": ""}
    )
    body: bytes = b""
    over: bool = False
    keys: Sequence[bytes] = ()
    rows: dict[bytes, Row] = field(default_factory=dict)
    lacks: int = 0
    seconds: Sequence[float] = NO_TIME


class Calls:
    """Answers requests, counts the answers, and ends those whose time has passed."""

    def __init__(self, record: Record, deadline_ms: int) -> None:
        """Gives each request some milliseconds; `record` is told every answer."""
        self._record, self._deadline_ms = record, deadline_ms
        self._under_way: deque[Call] = deque()

    def begin(self, path: str, headers: Headers, reply: Reply) -> Call:
        """Returns a request that comes now."""
        came = time.monotonic()
        until = came + self._deadline_ms / 1e3
        return Call(path, reply, told_headers(headers), came, until)

    def fail(self, call: Call, error: Exception) -> None:
        """Answers a request by why there is no answer, unless it is over."""
        if call.over:
            return
        if isinstance(error, UserError | RefusedError):
            status = error.status if isinstance(error, RefusedError) else 400
            told = str(error)
            call.headers += refusal_headers(status)
        else:
            id = call.headers[1][1].decode()
            status, told = 500, f"internal error; request {id} is in the log"
            fields = {"request": id}
            log.error("internal error", exc_info=error, extra={"fields": fields})
        self.say(call, status, error_body(told), told)

    def say(self, call: Call, status: int, content: bytes, told: str = "") -> None:
        """Answers a request, unless it is over; `told` is why it is refused."""
        if call.over:
            return
        call.over = True
        if status == 200:
            call.headers.append((b"server-timing", timing(call.seconds)))
        call.headers.append((b"content-length", b"%d" % len(content)))
        call.reply(Said(status, call.headers, content))
        took = time.monotonic() - call.came
        self._record(call.headers, call.about, status, told, took)

    def watch(self, call: Call) -> None:
        """Sees to it that a request is answered when its time has passed."""
        self._under_way.append(call)
        if len(self._under_way) == 1:
            asyncio.get_running_loop().call_later(TICK, self._look)

    def _look(self) -> None:
        # All have the same time, so that the first to come is the first to be late.
        calls, now = self._under_way, time.monotonic()
        while calls and (calls[0].over or calls[0].deadline < now):
            self._late(calls.popleft())
        if calls:
            asyncio.get_running_loop().call_later(TICK, self._look)

    def _late(self, call: Call) -> None:
        if not call.over:
            wait = self._deadline_ms
            self.fail(call, RefusedError(504, f"no answer within {wait} ms"))


def timing(seconds: Sequence[float]) -> bytes:
    """Returns the `Server-Timing` header of the seconds of `STAGES`."""
    return _TIMING % tuple(1e3 * took for took in seconds)
