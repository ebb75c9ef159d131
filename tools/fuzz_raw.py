"""Requests over raw sockets that no client would send, for tools/fuzz_serving.py."""

from __future__ import annotations

import json
import random
import re
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from serving_process import Server

WAIT = 3.0
"""Seconds without a byte after which an answer is over."""
SOON = 0.2
"""The same, once it has begun."""
STATUS = re.compile(rb"HTTP/1\.1 ([0-9]{3}) ")
ODD = [
    *("\ud800", "\x00", "‮abc", "\ufeff", "a" * 100_000, "İ" * 5_000, "\r\nX: y"),
    *("\U0010ffff" * 99, "e" + "\u0301" * 9_999, "../../etc/passwd", "${jndi:x}"),
]
NUMBERS = ["1e400", "-1e400", "1" * 400, "-0", "NaN", "0.1e-999", "9223372036854775808"]
PATHS = [
    *("/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "//", "/%00", "/\\..\\x"),
    *(
        "/v1/models/../..:predict",
        "/v1/models/%2e%2e%2f:predict",
        "/v1/models/:predict",
    ),
    *("/v1/models/{name}/items?id=../x", "/v1/models/{name}/items/-1/picture"),
    *("/v1/models/{name}/items/99999999999999999999/picture", "/v1/models/{name}:x"),
    *("/v1/models/{name}/items/..%2f..%2fetc%2fpasswd/picture", "/" + "a" * 9_000),
    *("/v1/models/{name}/versions/99999999999999999999999:predict", "*", "/é"),
    *(
        "http://elsewhere/v1/models",
        "/v1/models/{name};x=y:predict",
        "/?" + "a=b&" * 999,
    ),
]
METHODS = ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PATCH", "X"]
LENGTHS = ["-1", "+5", "0x10", "1e3", "99999999999999999999", "5, 5", " ", "4\r\nx: y"]
CHUNKS = [
    *(b"-5\r\nhello\r\n0\r\n\r\n", b"FFFFFFFFFFFFFFFFFF\r\n", b"5\r\nhel", b"\r\n\r\n"),
    *(
        b"5;" + b"x" * 9_000 + b"\r\nhello\r\n0\r\n\r\n",
        b"5\nhello\n0\n\n",
        b"0\r\n" * 99,
    ),
    b"2\r\n{}\r\n" * 400 + b"0\r\nTrailer: x\r\n\r\n",
]
EXTRA = [
    *("Expect: 100-continue", "Upgrade: websocket\r\nConnection: upgrade", "Host: b"),
    *("X-Request-Id: a b\x01", "X: " + "y" * 40_000, " folded: x", "traceparent: \xff"),
    *("Content-Type: image/png", "Content-Encoding: gzip", "Connection: close"),
    *("Content-Type: application/json; charset=utf-16", "Transfer-Encoding: gzip"),
]
Parts = list[bytes | float]
"""What is sent, and seconds between."""


class Raw:
    """Makes requests to a model, of which `body` is a good one."""

    def __init__(self, name: str, body: bytes, random: random.Random) -> None:
        self.name, self.body, self.random = name, body, random

    def post(self, body: bytes, *headers: str, length: str | None = None) -> bytes:
        """Returns a prediction's request."""
        size = str(len(body)) if length is None else length
        head = [f"POST /v1/models/{self.name}:predict HTTP/1.1", "Host: a", *headers]
        head += [f"Content-Length: {size}"] if size else []
        return "\r\n".join([*head, "", ""]).encode("latin-1") + body

    def kinds(self) -> Iterator[Callable[[], Parts]]:
        """Yields makers of requests, without end."""
        made = [getattr(self, n) for n in vars(Raw) if n.startswith("of_")]
        while True:
            yield self.random.choice(made)

    def of_noise(self) -> Parts:
        """Random bytes."""
        return [self.random.randbytes(self.random.randrange(1, 3_000)), b"\r\n\r\n"]

    def of_changed_bytes(self) -> Parts:
        """A good request with some bytes changed."""
        made = bytearray(self.post(self.body))
        for _ in range(self.random.randrange(1, 6)):
            made[self.random.randrange(len(made))] = self.random.randrange(256)
        return [bytes(made)]

    def of_split(self) -> Parts:
        """A good request in pieces."""
        made, parts = self.post(self.body), list[bytes | float]()
        while made:
            size = self.random.randrange(1, 60)
            parts += [made[:size], 0.001]
            made = made[size:]
        return parts

    def of_slow(self) -> Parts:
        """One that never ends."""
        made = self.post(self.body)
        return [made[: self.random.randrange(len(made))], 1.6]

    def of_pipeline(self) -> Parts:
        """Several at once, good and bad."""
        bad = self.post(b"{}")
        return [b"".join(self.random.choices([self.post(self.body), bad], k=6))]

    def of_length(self) -> Parts:
        """A wrong length."""
        short = str(max(len(self.body) - 3, 0))
        return [self.post(self.body, length=self.random.choice([*LENGTHS, short, ""]))]

    def of_chunks(self) -> Parts:
        """Chunks, broken or beside a length."""
        both = self.random.choice(["", "5"])
        head = self.post(b"", "Transfer-Encoding: chunked", length=both)
        return [head + self.random.choice(CHUNKS)]

    def of_size(self) -> Parts:
        """A body, or headers, too large."""
        if self.random.random() < 0.5:
            return [self.post(b" " * self.random.choice([2**20 + 1, 2**21]))]
        return [self.post(self.body, *["X: " + "y" * 500] * 200)]

    def of_depth(self) -> Parts:
        """Deep nesting."""
        deep = self.random.choice([100, 1_020, 1_030, 100_000])
        opened = self.random.choice([b"[", b'{"a":'])
        start = self.random.choice([b"", b'{"instances":', b'{"inputs":{"k":'])
        return [self.post(start + opened * deep)]

    def of_unicode(self) -> Parts:
        """Odd texts and numbers, at some place of a good body."""
        content = self.body.decode()
        values = re.findall(r'"[^"]*"|-?[0-9.]+', content)
        old = self.random.choice(values)
        new = self.random.choice([*NUMBERS, *map(json.dumps, ODD)])
        raw = self.random.choice([new.encode(), b'"\xff\xc0\x80"', b'"\\ud800"'])
        return [self.post(content.encode().replace(old.encode(), raw, 1))]

    def of_path(self) -> Parts:
        """Tricks of paths and methods."""
        path = self.random.choice(PATHS).replace("{name}", self.name)
        method = self.random.choice(["GET", "POST", *METHODS])
        version = self.random.choice(["1.1"] * 8 + ["1.0", "9.9", "2.0"])
        head = f"{method} {path} HTTP/{version}\r\nHost: a\r\nContent-Length: 2\r\n\r\n"
        return [head.encode() + b"{}"]

    def of_header(self) -> Parts:
        """Odd headers."""
        return [self.post(self.body, *self.random.choices(EXTRA, k=2))]


def ask_raw(server: Server, found: Any, count: int) -> None:
    """Sends so many, several at a time."""
    described = json.loads(server.get("/openapi.json"))
    makers = []
    for at, (path, one) in enumerate(described["paths"].items()):
        if path.endswith(":predict"):
            content = one["post"]["requestBody"]["content"]["application/json"]
            body = json.dumps(example(content["schema"])).encode()
            name = path.rpartition("/")[2].removesuffix(":predict")
            makers.append(Raw(name, body, random.Random(at)).kinds())
    with ThreadPoolExecutor(16) as pool:
        asked = [next(makers[at % len(makers)]) for at in range(count)]
        for kind, parts in [(one.__name__, one()) for one in asked]:
            pool.submit(_ask, server.port, found, kind, parts)


def _ask(port: int, found: Any, kind: str, parts: Parts) -> None:
    said = b""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=WAIT) as link:
            for part in parts:
                if isinstance(part, float):
                    time.sleep(part)
                else:
                    link.sendall(part)
            while len(said) < 2**20 and (more := link.recv(65_536)):
                said += more
                link.settimeout(SOON)
    except OSError:  # Closed or silent: what was said before counts.
        pass
    statuses = [int(one) for one in STATUS.findall(said)]
    for status in statuses or [0]:
        found.check(f"raw {kind} {parts[0]!r:.300}", status, said.decode("latin-1"))
    if kind == "of_split" and statuses not in ([200], [400]):
        found.fault(f"raw {kind}: answered with {statuses}")


def example(schema: dict[str, Any]) -> Any:
    """Returns a value that a schema of the server's takes."""
    if "anyOf" in schema:
        return example(schema["anyOf"][0])
    if "const" in schema:
        return schema["const"]
    kind = schema["type"]
    if kind == "object":
        return {
            name: example(schema["properties"][name]) for name in schema["required"]
        }
    if kind == "array":
        return [example(schema["items"])] * schema.get("minItems", 0)
    return {"string": "red", "boolean": True}.get(kind, schema.get("minimum", 1))
