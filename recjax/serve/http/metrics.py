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
            "Parts of an answer.",
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
        self._took = lru_cache(256)(self._seconds.labels)
        self._stage = [self._stages.labels(stage) for stage in STAGES]
        self.batch = self._rows.observe

    def request(self, about: Mapping[str, str], code: int, seconds: float) -> None:
        """Counts an answer; `about` has its model, version and signature."""
        self._count(*about.values(), str(code)).inc()
        self._took(about["model"]).observe(seconds)

    def stages(self, seconds: Sequence[float]) -> None:
        """Counts the parts of an answer, as `STAGES` names them."""
        for stage, took in zip(self._stage, seconds, strict=True):
            stage.observe(took)

    def cache(self, model: str, hits: int, misses: int, size: int) -> None:
        """Counts rows that the cache knew and did not know; `size` is its bytes."""
        self._cache.labels(model, "hit").inc(hits)
        self._cache.labels(model, "miss").inc(misses)
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
