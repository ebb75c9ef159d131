"""What a server counts, for Prometheus; and its logs, one line of JSON each."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import prometheus_client as prometheus
from prometheus_client import multiprocess

from recjax.serve.http.batcher import STAGES
from recjax.serve.http.spans import Span

log = logging.getLogger(__name__)
SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128)
FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""Variable that names the folder in which several workers count together."""


class Metrics:
    """Counts of one server."""

    def __init__(self, waiting: Callable[[], int]) -> None:
        """Starts at zero; `waiting` returns the examples that are not answered yet."""
        self._registry = prometheus.CollectorRegistry()
        made: dict[str, Any] = {"registry": self._registry}
        self._requests = prometheus.Counter(
            "recjax_requests",
            "Requests by answer.",
            ("model", "version", "signature", "code"),
            **made,
        )
        self._seconds = prometheus.Histogram(
            "recjax_request_seconds",
            "From the first byte of a request to its answer.",
            ("model",),
            buckets=SECONDS,
            **made,
        )
        self._stages = prometheus.Histogram(
            "recjax_stage_seconds",
            "Parts of the answer to all that is asked at once; queue: of the oldest.",
            ("stage",),
            buckets=SECONDS,
            **made,
        )
        self._rows = prometheus.Histogram(
            "recjax_batch_rows", "Rows asked at once.", buckets=ROWS, **made
        )
        self._cache = prometheus.Counter(
            "recjax_cache_rows",
            "Rows by what the cache knew.",
            ("model", "cache"),
            **made,
        )
        self._cached = prometheus.Gauge(
            "recjax_cache_bytes",
            "Bytes of answers kept.",
            multiprocess_mode="livesum",
            **made,
        )
        self._waiting = prometheus.Gauge(
            "recjax_queue_examples",
            "Examples taken and not answered yet.",
            multiprocess_mode="livesum",
            **made,
        )
        self._version = prometheus.Gauge(
            "recjax_model_version",
            "Newest version that answers.",
            ("model",),
            multiprocess_mode="livemin",
            **made,
        )
        self._now = waiting
        self._count = lru_cache(1_024)(self._requests.labels)
        self._known = lru_cache(64)(self._cache.labels)
        self._took = lru_cache(256)(self._seconds.labels)
        self._stage = [self._stages.labels(stage) for stage in STAGES]

    def request(self, about: Mapping[str, str], code: int, seconds: float) -> None:
        """Counts an answer; `about` has its model, version and signature."""
        self._count(*about.values(), str(code)).inc()
        self._took(about["model"]).observe(seconds)

    def refused(self, about: Mapping[str, str], code: int, requests: int) -> None:
        """Counts requests that were refused at once, whose seconds tell nothing."""
        self._count(*about.values(), str(code)).inc(requests)

    def batch(self, rows: int, seconds: Sequence[float]) -> None:
        """Counts rows that were asked at once, and the parts that `STAGES` names."""
        self._rows.observe(rows)
        for stage, took in zip(self._stage, seconds, strict=True):
            stage.observe(took)

    def cache(
        self, model: str, held: int, awaited: int, asked: int, size: int | None
    ) -> None:
        """Counts rows by what the cache knew; `size` is its bytes, None: as before."""
        for what, rows in (("hit", held), ("awaited", awaited), ("miss", asked)):
            if rows:
                self._known(model, what).inc(rows)
        if size is not None:
            self._cached.set(size)

    def version(self, model: str, version: int) -> None:
        """Says which version answers."""
        self._version.labels(model).set(version)

    def text(self) -> bytes:
        """Returns all counts, those of the other workers too."""
        self._waiting.set(self._now())
        registry = self._registry
        if FOLDER in os.environ:
            registry = prometheus.CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)
        return prometheus.generate_latest(registry)


class Record:
    """Counts answers, and logs those that are not as they should be.

    Attributes:
      metrics: that count.
      log_all: every answer is logged.
      in_full: every request is told of by itself, in the log or as a span.
    """

    def __init__(
        self, metrics: Metrics, log_all: bool = False, span: Span | None = None
    ) -> None:
        """`log_all` logs every answer, `span` is told it."""
        self.metrics, self.log_all, self._span = metrics, log_all, span
        self._sparsely = Sparsely()
        self.in_full = log_all or span is not None

    def refused(self, about: Mapping[str, str], status: int, requests: int) -> None:
        """Counts requests that were refused at once, and logs their number."""
        self.metrics.refused(about, status, requests)
        if (left_out := self._sparsely()) is not None:
            line = {"status": status, **about, **left_out, "requests": requests}
            log.info("refused at once", extra={"fields": line})

    def __call__(
        self,
        headers: Sequence[tuple[bytes, bytes]],
        about: Mapping[str, str],
        status: int,
        told: str,
        seconds: float,
    ) -> None:
        """Counts one; `headers` are those of the answer, `told` is why it is none."""
        self.metrics.request(about, status, seconds)
        if self._span is not None:
            self._span(dict(headers), about, status, seconds)
        if not told and not self.log_all:
            return
        left_out = {} if self.log_all else self._sparsely()
        if left_out is None:
            return
        given = dict(headers)
        line = {"request": given[b"x-request-id"].decode(), "status": status}
        line |= {**about, **left_out, "ms": round(1e3 * seconds, 2)}
        line |= {"error": told} if told else {}
        if b"traceparent" in given:
            line["traceparent"] = given[b"traceparent"].decode()
        log.info("request", extra={"fields": line})


class JsonLines(logging.Formatter):
    """A line of JSON a record; `extra={"fields": {...}}` joins it."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line."""
        when = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line = {
            "time": f"{when}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            "process": record.process,
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


class Sparsely:
    """Lets some lines through a second: a flood of them would stop the server."""

    def __init__(self, most: int = 20) -> None:
        """`most` are let through in each second."""
        self._most, self._second, self._passed, self._left = most, 0, 0, 0

    def __call__(self) -> dict[str, int] | None:
        """Returns what to add to a line, or None where it is left out."""
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._passed = second, 0
        self._passed += 1
        if self._passed > self._most:
            self._left += 1
            return None
        left, self._left = self._left, 0
        return {"left_out_before": left} if left else {}


def log_json() -> None:
    """Has all logs of this process written as lines of JSON to stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for noisy in ("uvicorn", "jax", "absl", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
