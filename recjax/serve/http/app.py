"""All paths of the server, as one ASGI application."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from recjax.errors import UserError
from recjax.serve.http import openapi, page
from recjax.serve.http.limits import Limits, RefusedError
from recjax.serve.http.metrics import Metrics
from recjax.serve.http.models import Models, metadata, status
from recjax.serve.http.predict import Predict
from recjax.serve.http.request import (
    Receive,
    Scope,
    Send,
    check_token,
    error_body,
    refusal_headers,
)

MODEL = "/v1/models/{name}"
OPEN = ("/healthz", "/readyz")
"""Paths that need no token."""

Background = Callable[[], contextlib.AbstractAsyncContextManager[None]]


@dataclass
class Paths:
    """Answers everything but predictions.

    Attributes:
      models: that answer.
      metrics: what is counted.
      limits: of requests.
      token: that a request must bear; "" for none.
      pictures: model -> folder of pictures, named by the ids of items.
    """

    models: Models
    metrics: Metrics
    limits: Limits
    token: str
    pictures: Mapping[str, Path] = field(default_factory=dict)

    async def page(self, request: Request) -> Response:
        """The search page."""
        text, headers = page.page()
        return Response(text, headers=headers, media_type="text/html")

    async def names(self, request: Request) -> Response:
        """The names of all models."""
        return _json({"models": [*self.models.sources]})

    async def items(self, request: Request) -> Response:
        """Titles and pictures of items, `?id=a&id=b`."""
        model = self.models.find(request.path_params["name"])
        ids = request.query_params.getlist("id")
        return _json(page.items(model, ids, self.pictures))

    async def picture(self, request: Request) -> Response:
        """The picture of an item, by its row."""
        model = self.models.find(request.path_params["name"])
        row = request.path_params["row"]
        path, kind = page.picture_file(model, row, self.pictures)
        return FileResponse(path, media_type=kind)

    async def status(self, request: Request) -> Response:
        """TensorFlow Serving's GetModelStatus."""
        found = dict(request.path_params)
        name, version = found["name"], found.get("version", "")
        known = map(str, self.models.states.get(name, ()))
        if "label" in found or name not in self.models.sources:
            version = str(self.models.find(**found).version)
        elif version and version not in known:
            self.models.find(**found)
        return _json(status(self.models, name, version))

    async def metadata(self, request: Request) -> Response:
        """TensorFlow Serving's GetModelMetadata."""
        return _json(metadata(self.models.find(**request.path_params)))

    async def healthz(self, request: Request) -> Response:
        """Whether the process lives."""
        return Response("ok", media_type="text/plain")

    async def readyz(self, request: Request) -> Response:
        """Whether every model is loaded and compiled."""
        ready = self.models.ready
        said = "ready" if ready else "loading"
        return Response(said, 200 if ready else 503, media_type="text/plain")

    async def openapi(self, request: Request) -> Response:
        """The server's description of itself."""
        token = bool(self.token)
        return _json(openapi.describe(self.models, self.limits, token))

    async def counts(self, request: Request) -> Response:
        """Everything that is counted, for Prometheus."""
        kind = "text/plain; version=0.0.4; charset=utf-8"
        return Response(self.metrics.text(), media_type=kind)

    def routes(self) -> list[Route]:
        """Returns all paths."""
        places = (MODEL, MODEL + "/versions/{version}", MODEL + "/labels/{label}")
        return [
            *(Route(place, self._guarded(self.status)) for place in places),
            *(Route(f"{p}/metadata", self._guarded(self.metadata)) for p in places),
            Route("/v1/models", self._guarded(self.names)),
            Route(MODEL + "/items", self._guarded(self.items)),
            Route(MODEL + "/items/{row:int}/picture", self._guarded(self.picture)),
            Route("/", self.page),
            Route("/openapi.json", self._guarded(self.openapi)),
            Route("/metrics", self._guarded(self.counts)),
            Route("/healthz", self.healthz),
            Route("/readyz", self.readyz),
        ]

    def _guarded(self, answer: Callable[[Request], Awaitable[Response]]) -> Any:
        async def guarded(request: Request) -> Response:
            check_token(self.token, dict(request.scope["headers"]))
            return await answer(request)

        return guarded


def application(
    predict: Predict, paths: Paths, background: Background
) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """Returns the application; `background` is entered for as long as it runs."""

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with background():
            yield

    handlers: dict[Any, Any] = {
        HTTPException: _refused,
        RefusedError: _refused,
        UserError: _refused,
        Exception: _refused,
    }
    others = Starlette(
        routes=paths.routes(), lifespan=lifespan, exception_handlers=handlers
    )

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and ":" in scope["path"].rpartition("/")[2]:
            await predict(scope, receive, send)
        else:
            await others(scope, receive, send)

    return app


async def _refused(request: Request, error: Exception) -> Response:
    code, told = 400, str(error)
    if isinstance(error, RefusedError):
        code = error.status
    elif isinstance(error, HTTPException):
        code = error.status_code
        told = {404: "Malformed request: no such path", 405: "no such method"}.get(
            code, error.detail
        )
    elif not isinstance(error, UserError):
        code, told = 500, "internal error"
    headers = {n.decode(): v.decode() for n, v in refusal_headers(code)}
    if isinstance(error, HTTPException):
        headers |= error.headers or {}
    return Response(error_body(told), code, headers, "application/json")


def _json(content: Any) -> Response:
    return Response(orjson.dumps(content), media_type="application/json")
