"""Asks a server what nobody should ask: nothing may break it, nothing may leak.

    python tools/fuzz_serving.py shop=bundles/shop [NAME=BUNDLE ...] [--requests 20000]

Four fifths are made by schemathesis from the server's own /openapi.json, right ones and
wrong ones; the others come over raw sockets: split, slow, oversized, deeply nested, of
odd Unicode, with tricks of paths, lengths and chunks, and several at once. Each answer
must be what the document says, no 500, and name no file; the server must go on, in the
memory that it had. Needs schemathesis: pip install 'recjax[bench]'.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import hypothesis
import requests
import schemathesis
from fuzz_raw import ask_raw
from hypothesis import HealthCheck, Phase
from schemathesis.specs.openapi import checks
from serving_process import Server

import recjax

MEANT = {503, 504}
GROWTH = 1.05
"""Most memory at the end, of what was held after a quarter of the requests."""
SHOWN = 20


class Found:
    """Counts answers and keeps what is wrong with some.

    Attributes:
      statuses: how often each came; 0: the connection was closed without a word.
      faults: what was wrong.
    """

    def __init__(self, secrets: list[str]) -> None:
        """`secrets`: texts that no answer may hold."""
        self.statuses: Counter[int] = Counter()
        self.faults: list[str] = []
        self._secrets = secrets

    def check(self, asked: str, status: int, text: str) -> None:
        """Counts an answer, and looks at it."""
        self.statuses[status] += 1
        if status >= 500 and status not in MEANT:
            self.fault(f"{asked}: status {status}: {text[:300]}")
        for secret in self._secrets:
            if secret in text:
                self.fault(f"{asked}: says {secret!r}: {text[:300]}")

    def fault(self, text: str) -> None:
        """Keeps a fault."""
        if len(self.faults) < 1_000:
            self.faults.append(text)


def main() -> int:
    """Asks, prints JSON in the last line, and returns 1 where something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundles", nargs="+", help="NAME=FOLDER")
    parser.add_argument("--requests", type=int, default=20_000)
    options = parser.parse_args()
    folders = [Path(one.rpartition("=")[2]).resolve() for one in options.bundles]
    package = Path(recjax.__file__).parent
    places = [*folders, package, sys.prefix, tempfile.gettempdir()]
    found = Found([*map(str, places), "Traceback", "site-packages", ".py"])
    start = time.monotonic()
    with Server(*options.bundles, "--read-s", "1", core=None) as server:
        raw = options.requests // 5
        with ThreadPoolExecutor(1) as pool:  # Both kinds at a time, as it comes.
            sockets = pool.submit(ask_raw, server, found, raw)
            memory = ask_described(server, found, options.requests - raw)
            sockets.result()
        memory.append(server.memory())
        if server.process.poll() is not None or server.get("/healthz") != "ok":
            found.fault("the server has ended")
    if memory[-1] > GROWTH * memory[0]:
        found.fault(f"memory grew from {memory[0]:,} to {memory[-1]:,} bytes")
    for fault in found.faults[:SHOWN]:
        print(fault)
    said = {
        "requests": sum(found.statuses.values()),
        "statuses": dict(sorted(found.statuses.items())),
        "memory_mb": [round(one / 1e6, 1) for one in memory],
        "seconds": round(time.monotonic() - start),
        "faults": len(found.faults),
    }
    print(json.dumps(said))
    return bool(found.faults)


def ask_described(server: Server, found: Found, count: int) -> list[int]:
    """Asks by the server's own description; returns its memory after a quarter."""
    schema = schemathesis.openapi.from_url(server.url("/openapi.json"))
    operations = [one.ok() for one in schema.get_all_operations()]
    posts = [one for one in operations if one.method == "post"]
    session, memory = requests.Session(), list[int]()
    left = count

    def ask(case: Any) -> None:
        nonlocal left
        left -= 1
        answer = case.call(session=session)
        asked = f"{case.method} {case.path} {str(case.body)[:300]}"
        found.check(asked, answer.status_code, answer.text)
        try:
            case.validate_response(answer, checks=CHECKS)
        except BaseException as error:
            found.fault(f"{asked}: {error}"[:1_000])
        if left <= count * 3 / 4 and not memory:
            memory.append(server.memory())

    for one in operations:
        if one not in posts:
            _run(ask, one, "positive", 1, 0)
    seed = 0
    while left > 0:
        for one in posts:
            for mode in ("positive", "negative"):
                _run(ask, one, mode, min(max(left, 1), 500), seed)
        seed += 1
    return memory or [server.memory()]


CHECKS = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]


def _run(ask: Any, operation: Any, mode: str, count: int, seed: int) -> None:
    settings = hypothesis.settings(
        max_examples=count,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    made = operation.as_strategy(generation_mode=schemathesis.GenerationMode(mode))
    hypothesis.seed(seed)(settings(hypothesis.given(made)(ask)))()


if __name__ == "__main__":
    sys.exit(main())
