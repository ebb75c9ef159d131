"""What a request says beside what it asks, and how one is refused."""

from __future__ import annotations

import hmac
import itertools
import os
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from recjax.serve.http.limits import RefusedError

TYPES = (
    b"",
    b"application/json",
    b"application/x-www-form-urlencoded",  # What curl says of -d.
    b"text/plain",
)
JSON = (b"content-type", b"application/json")
SMALL = 16_384
"""Longest body that is answered without ASGI, and known word for word."""
WASTE = 16 * 2**20
"""Bytes of a body too large that are read, so that its sender hears the answer."""
_PATH = re.compile(
    r"/v1/models/(?P<name>[^/:]+)"
    r"(?:/versions/(?P<version>[0-9]+)|/labels/(?P<label>[^/:]+))?:(?P<verb>\w+)"
)
_ID = re.compile(rb"[\w.:/+=-]{1,128}")
_TRACE = re.compile(rb"[0-9a-f]{2}(-[0-9a-f]{2,32}){3}")
_START = os.urandom(8).hex()
_number = itertools.count().__next__

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = Mapping[bytes, bytes]


class Place(NamedTuple):
    """What a path names: a model, and its version or label; what is done with it."""

    name: str
    version: str
    label: str
    verb: str


@lru_cache(1_024)
def place(path: str) -> Place | None:
    """Returns what the path of a prediction names, if it is one."""
    found = _PATH.fullmatch(path)
    return found and Place(*(part or "" for part in found.groups()))


def request_id(headers: Headers) -> bytes:
    """Returns the id that a request bears, or one of its own."""
    given = headers.get(b"x-request-id", b"")
    if given and _ID.fullmatch(given):
        return given
    return b"%b%016x" % (_START.encode(), _number())


def told_headers(headers: Headers) -> list[tuple[bytes, bytes]]:
    """Returns what every answer says of its request: type, id, and trace if it has."""
    made = [JSON, (b"x-request-id", request_id(headers))]
    trace = headers.get(b"traceparent")
    if trace is not None and _TRACE.fullmatch(trace):
        made.append((b"traceparent", trace))
    return made


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


def bears(token: str, headers: Headers) -> bool:
    """Returns whether a request bears the token, where there is one."""
    given = headers.get(b"authorization", b"")
    return not token or hmac.compare_digest(given, f"Bearer {token}".encode())


def check_token(token: str, headers: Headers) -> None:
    """Checks that a request bears the token, where there is one.

    Raises:
      RefusedError: it does not (401).
    """
    if not bears(token, headers):
        raise RefusedError(401, "give the server's token: Authorization: Bearer ...")


class Said(NamedTuple):
    """An answer: status, headers and content."""

    status: int
    headers: Sequence[tuple[bytes, bytes]]
    content: bytes


def check_kind(headers: Headers) -> None:
    """Checks that a body is JSON, by its headers.

    Raises:
      RefusedError: it is not (415).
    """
    given = headers.get(b"content-type", b"")
    if given != JSON[1]:
        kind, *rest = given.lower().split(b";")
        charset = b"".join(rest).strip().removeprefix(b"charset=").strip(b'"')
        if kind.strip() not in TYPES or charset not in (b"", b"utf-8", b"us-ascii"):
            raise RefusedError(415, "give content-type: application/json, in UTF-8")
    if headers.get(b"content-encoding", b"identity") != b"identity":
        raise RefusedError(415, "give the body as it is, without content-encoding")


async def read_body(headers: Headers, receive: Receive, most: int) -> bytes:
    """Returns the body of a request.

    Raises:
      RefusedError: it is no JSON by its headers (415), has no length (411), is too
        large (413), or did not come (400).
    """
    check_kind(headers)
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
