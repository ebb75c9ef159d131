"""`:predict`: the one path that must be quick, without a framework before it."""

from __future__ import annotations

import asyncio
import hmac
import logging
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import orjson

from recjax.errors import UserError
from recjax.serve.http import rest
from recjax.serve.http.batcher import STAGES, Answer, Batcher, Work
from recjax.serve.http.limits import Limits, RefusedError, Room
from recjax.serve.http.metrics import Metrics, Sparsely
from recjax.serve.http.models import Model, Models

log = logging.getLogger(__name__)
PATH = re.compile(
    r"/v1/models/(?P<name>[^/:]+)"
    r"(?:/versions/(?P<version>[0-9]+)|/labels/(?P<label>[^/:]+))?:(?P<verb>\w+)"
)
TYPES = (
    b"",
    b"application/json",
    b"application/x-www-form-urlencoded",  # What curl says of -d.
    b"text/plain",
)
JSON = (b"content-type", b"application/json")
WASTE = 16 * 2**20
"""Bytes of a body too large that are read, so that its sender hears the answer."""
_ID = re.compile(rb"[\w.:/+=-]{1,128}")
_TRACE = re.compile(rb"[0-9a-f]{2}(-[0-9a-f]{2,32}){3}")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = Mapping[bytes, bytes]


class Predict:
    """Answers `POST /v1/models/NAME[/versions/V|/labels/L]:predict`.

    Attributes:
      models: that answer.
      limits: of requests.
      room: examples under way.
      batcher: asks the models.
      metrics: what is counted.
      token: that a request must bear; "" for none.
      log_all: log answers that are as they should be, too.
    """

    def __init__(
        self,
        models: Models,
        limits: Limits,
        room: Room,
        batcher: Batcher,
        metrics: Metrics,
        token: str = "",
        log_all: bool = False,
    ) -> None:
        self.models, self.limits, self.room = models, limits, room
        self.batcher, self.metrics = batcher, metrics
        self.token, self.log_all = token, log_all
        self._sparsely = Sparsely()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        came, headers = time.monotonic(), dict(scope["headers"])
        given = headers.get(b"x-request-id", b"")
        id = given if _ID.fullmatch(given) else uuid.uuid4().hex.encode()
        more = [JSON, (b"x-request-id", id)]
        trace = headers.get(b"traceparent", b"")
        if _TRACE.fullmatch(trace):
            more.append((b"traceparent", trace))
        about = {"model": "", "version": "", "signature": ""}
        status, told, content = 200, "", b""
        try:
            content, answer = await self._answer(scope, headers, receive, about, came)
            parts = zip(STAGES, answer.seconds, strict=True)
            timing = ", ".join(f"{name};dur={1e3 * took:.3f}" for name, took in parts)
            more.append((b"server-timing", timing.encode()))
        except (UserError, RefusedError) as error:
            status = error.status if isinstance(error, RefusedError) else 400
            told = str(error)
            more += refusal_headers(status)
        except Exception:
            status, told = 500, f"internal error; request {id.decode()} is in the log"
            log.exception("internal error", extra={"fields": {"request": id.decode()}})
        if told:
            content = error_body(told)
        more.append((b"content-length", b"%d" % len(content)))
        await send({"type": "http.response.start", "status": status, "headers": more})
        await send({"type": "http.response.body", "body": content})
        took = time.monotonic() - came
        self.metrics.request(about, status, took)
        left_out = self._sparsely() if told and not self.log_all else {}
        if left_out is not None and (told or self.log_all):
            line = {"request": id.decode(), "status": status, **about, **left_out}
            line |= {"ms": round(1e3 * took, 2), **({"error": told} if told else {})}
            line |= {"traceparent": trace.decode()} if _TRACE.fullmatch(trace) else {}
            log.info("request", extra={"fields": line})

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
        return rest.answer(answer.columns, asked), answer

    def _model(self, scope: Scope, about: dict[str, str]) -> Model:
        found = PATH.fullmatch(scope["path"])
        if found is None:
            raise RefusedError(404, "Malformed request: give /v1/models/NAME:predict")
        if found["verb"] != "predict":
            raise RefusedError(404, f":{found['verb'][:20]} is not served, :predict is")
        if scope["method"] != "POST":
            raise RefusedError(405, f"{scope['method'][:20]} a prediction: POST it")
        model = self.models.find(
            found["name"], found["version"] or "", found["label"] or ""
        )
        about.update(model=model.name, version=str(model.version))
        return model

    async def ask(self, model: Model, asked: rest.Asked, came: float) -> Answer:
        """Returns the answer to a request.

        Raises:
          UserError: it asks what cannot be answered.
          RefusedError: there is no room, or no time.
        """
        signature, loop = model.signatures[asked.signature], asyncio.get_running_loop()
        self.room.enter(asked.rows)
        try:
            if signature.slow:
                columns = await asyncio.to_thread(signature.read, asked.columns)
            else:
                columns = signature.read(asked.columns)
            done: asyncio.Future[Answer] = loop.create_future()
            deadline = came + self.limits.deadline_ms / 1e3
            self.batcher.submit(
                Work(signature, model.sizes, columns, asked.rows, deadline, done)
            )
            left = max(deadline - time.monotonic(), 0)
            timer = loop.call_later(left, _expire, done, self.limits.deadline_ms)
            try:
                answer = await done
            finally:
                timer.cancel()
            self.metrics.stages(answer.seconds)
            return answer
        finally:
            self.room.leave(asked.rows)


def _expire(done: asyncio.Future, deadline_ms: int) -> None:
    if not done.done():
        done.set_exception(RefusedError(504, f"no answer within {deadline_ms} ms"))


def error_body(message: str) -> bytes:
    """Returns TensorFlow Serving's body of an error."""
    return orjson.dumps({"error": message.encode("utf-8", "replace").decode()[:2_000]})


def refusal_headers(status: int) -> list[tuple[bytes, bytes]]:
    """Returns what a refusal of some status says beside its body."""
    if status in (429, 503):
        return [(b"retry-after", b"1")]
    if status == 405:
        return [(b"allow", b"POST")]
    if status == 401:
        return [(b"www-authenticate", b"Bearer")]
    # What is left of the body is not read.
    return [(b"connection", b"close")] if status in (411, 413, 415) else []


def check_token(token: str, headers: Headers) -> None:
    """Checks that a request bears the token, where there is one.

    Raises:
      RefusedError: it does not (401).
    """
    given = headers.get(b"authorization", b"")
    if token and not hmac.compare_digest(given, f"Bearer {token}".encode()):
        raise RefusedError(401, "give the server's token: Authorization: Bearer ...")


async def read_body(
    scope: Scope, headers: Headers, receive: Receive, most: int
) -> bytes:
    """Returns the body of a request.

    Raises:
      RefusedError: it is no JSON by its headers (415), has no length (411), is too
        large (413), or did not come (400).
    """
    kind, *rest = headers.get(b"content-type", b"").lower().split(b";")
    charset = b"".join(rest).strip().removeprefix(b"charset=").strip(b'"')
    if kind.strip() not in TYPES or charset not in (b"", b"utf-8", b"us-ascii"):
        raise RefusedError(415, "give content-type: application/json, in UTF-8")
    if headers.get(b"content-encoding", b"identity") != b"identity":
        raise RefusedError(415, "give the body as it is, without content-encoding")
    length = headers.get(b"content-length")
    if length is None and b"transfer-encoding" not in headers:
        raise RefusedError(411, "give the content-length of the body")
    large = RefusedError(413, f"a body of more than {most} bytes; ask for less at once")
    if int(length or 0) > WASTE or (int(length or 0) > most and b"expect" in headers):
        raise large
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RefusedError(400, "the connection was closed before the body's end")
        size += len(message.get("body", b""))
        if size <= most:
            parts.append(message.get("body", b""))
        elif size > WASTE:
            raise large
        if not message.get("more_body", False):
            break
    if size > most:
        raise large
    return parts[0] if len(parts) == 1 else b"".join(parts)
