"""Spans of requests, where OpenTelemetry is installed."""

import pytest

from recjax.errors import UserError
from recjax.serve.http import spans as made

HEADERS = {
    b"x-request-id": b"abc",
    b"traceparent": b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
}


def test_none_without_an_endpoint(monkeypatch):
    for name in made.ENDPOINTS:
        monkeypatch.delenv(name, raising=False)
    assert made.spans() is None


def test_an_endpoint_needs_the_extra(monkeypatch):
    monkeypatch.setattr(made, "require", _missing)
    monkeypatch.setenv(made.ENDPOINTS[0], "http://127.0.0.1:4318")
    with pytest.raises(UserError, match="otlp"):
        made.spans()


def _missing(package, extra, what):
    raise UserError(f"{what} needs {package}: {extra}")


def test_a_span_follows_its_parent():
    memory = pytest.importorskip(
        "opentelemetry.sdk.trace.export.in_memory_span_exporter"
    )
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    exporter = memory.InMemorySpanExporter()
    tell = made.spans(SimpleSpanProcessor(exporter))
    tell(HEADERS, {"model": "m", "version": "1", "signature": "s"}, 503, 0.25)
    tell({b"x-request-id": b"b"}, {"model": "m"}, 200, 0.1)
    one, other = exporter.get_finished_spans()
    assert f"{one.context.trace_id:032x}" == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert f"{one.parent.span_id:016x}" == "00f067aa0ba902b7"
    assert one.end_time - one.start_time == 250_000_000 and not one.status.is_ok
    assert one.attributes["recjax.request"] == "abc"
    assert one.attributes["recjax.version"] == "1" and other.parent is None
