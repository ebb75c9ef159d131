"""Spans of requests for OpenTelemetry, where the extra `otlp` is installed.

The variables of OpenTelemetry say where they go: OTEL_EXPORTER_OTLP_ENDPOINT, or
OTEL_EXPORTER_OTLP_TRACES_ENDPOINT; without one of them there are none.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from recjax.extras import require

ENDPOINTS = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
NAME = "OTEL_SERVICE_NAME"

Span = Callable[[Mapping[bytes, bytes], Mapping[str, str], int, float], None]
"""Is told (headers of an answer, what was asked, status, seconds)."""


def spans(processor: Any = None) -> Span | None:
    """Returns what sends a span an answer; None where nobody wants them.

    Args:
      processor: takes them; None for OTLP over HTTP, in batches.

    Raises:
      UserError: the variables want spans, and the extra is not installed.
    """
    if processor is None and not any(os.environ.get(name) for name in ENDPOINTS):
        return None
    require("opentelemetry", "otlp", "a server with OTEL_EXPORTER_OTLP_ENDPOINT")
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.trace import SpanKind, Status, StatusCode
    from opentelemetry.trace.propagation import tracecontext

    named = {} if os.environ.get(NAME) else {"service.name": "recjax"}
    provider = TracerProvider(resource=Resource.create(named))
    if processor is None:
        processor = BatchSpanProcessor(OTLPSpanExporter())
    provider.add_span_processor(processor)
    tracer = provider.get_tracer("recjax")
    propagator = tracecontext.TraceContextTextMapPropagator()

    def tell(
        headers: Mapping[bytes, bytes],
        about: Mapping[str, str],
        status: int,
        seconds: float,
    ) -> None:
        end, parent = time.time_ns(), headers.get(b"traceparent", b"").decode()
        span = tracer.start_span(
            "predict",
            propagator.extract({"traceparent": parent}),
            SpanKind.SERVER,
            {
                "http.response.status_code": status,
                "recjax.request": headers[b"x-request-id"].decode(),
                **{f"recjax.{name}": value for name, value in about.items()},
            },
            start_time=end - int(1e9 * seconds),
        )
        if status >= 500:
            span.set_status(Status(StatusCode.ERROR))
        span.end(end)

    return tell
