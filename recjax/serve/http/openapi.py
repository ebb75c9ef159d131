"""The server's description of itself, OpenAPI 3.1, from the signatures of its models.

https://spec.openapis.org/oas/v3.1.0
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from recjax import __version__
from recjax.bundle.contract import MANY, SERVING, TEXT, Signature, Spec
from recjax.bundle.narrowed import CONDITIONS, SHOWN, TITLE, known_columns
from recjax.bundle.served import K
from recjax.serve.http.limits import Limits
from recjax.serve.http.models import Model, Models
from recjax.serve.http.rest import INT_HIGH, INT_LOW, one_of

Schema = dict[str, Any]
BYTES = {
    "type": "object",
    "properties": {"b64": {"type": "string", "contentEncoding": "base64"}},
    "required": ["b64"],
    "additionalProperties": False,
}
REFUSED = {
    "400": "not what the signature takes; the message names field, row and fix",
    "401": "the token is missing",
    "404": "no such model, version or label",
    "405": "no such method",
    "408": "the request did not come whole in time",
    "411": "no content-length",
    "413": "the body is too large",
    "415": "no JSON",
    "429": "the server is full: `Retry-After`",
    "431": "endless headers",
    "503": "not ready yet, or too many connections",
    "504": "no answer within the deadline",
}


def describe(models: Models, limits: Limits, token: bool) -> Schema:
    """Returns the document; `token`: requests must bear one."""
    paths: dict[str, Schema] = {
        "/v1/models": _get("Names of the models"),
        "/healthz": _get("Whether the process lives", "text/plain"),
        "/readyz": _get("Whether every model answers", "text/plain"),
        "/metrics": _get("Counts, for Prometheus", "text/plain"),
        "/openapi.json": _get("This document"),
    }
    for name, there in models.available.items():
        if there:
            model = there[max(there)]
            place = f"/v1/models/{name}"
            paths[place] = _get("States of the versions (GetModelStatus)")
            paths[f"{place}/metadata"] = _get("Signatures (GetModelMetadata)")
            paths[f"{place}:predict"] = _predict(model, limits)
    made: Schema = {
        "openapi": "3.1.0",
        "info": {
            "title": "recjax serve",
            "version": __version__,
            "description": "TensorFlow Serving's REST API. `/versions/3` and "
            "`/labels/stable` may follow a model's name.",
        },
        "paths": paths,
        "components": {"responses": {c: _error(why) for c, why in REFUSED.items()}},
    }
    if token:
        schemes = {"token": {"type": "http", "scheme": "bearer"}}
        made["components"]["securitySchemes"] = schemes
        made["security"] = [{"token": []}]
    return made


def value(spec: Spec, limits: Limits) -> Schema:
    """Returns the schema of one row's value of an input or an output."""
    made: Schema = _one(spec, limits)
    for size in reversed(spec.shape[1:]):
        made = {"type": "array", "items": made}
        if size != MANY:
            made |= {"minItems": size, "maxItems": size}
    return {"anyOf": [made, {"type": "null"}]} if spec.missing else made


def _one(spec: Spec, limits: Limits) -> Schema:
    if spec.dtype == TEXT:
        if spec.file:
            return BYTES
        cut = f"cut after {limits.characters} characters"
        return {"anyOf": [{"type": "string", "description": cut}, BYTES]}
    if spec.dtype == "DT_BOOL":
        return {"type": "boolean"}
    if "INT" in spec.dtype:
        return {"type": "integer", "minimum": INT_LOW, "maximum": INT_HIGH}
    return {"type": "number"}


def _predict(model: Model, limits: Limits) -> Schema:
    most = min(limits.examples, model.sizes[-1])
    asked = [
        _asked(name, signature, model, limits, most)
        for name, signature in model.signatures.items()
    ]
    given = [_answer(one, limits) for one in model.signatures.values()]
    return {
        "post": {
            "summary": f"Asks {model.name} for {', '.join(model.signatures)}",
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": {"anyOf": asked}}},
            },
            "responses": {
                "200": {
                    "description": "rows where rows were asked, else columns",
                    "content": {"application/json": {"schema": {"anyOf": given}}},
                },
                **{code: _ref(code) for code in REFUSED},
            },
        }
    }


def _asked(
    name: str, signature: Signature, model: Model, limits: Limits, most: int
) -> Schema:
    rows = {n: value(spec, limits) for n, spec in signature.inputs.items()}
    if K in rows:
        rows[K] |= {"minimum": 1, "maximum": model.bundle.serving.k}
    named: Schema = {"signature_name": {"const": name}, **_narrowed(signature, model)}
    needed = [] if name == SERVING else ["signature_name"]
    row = _given(rows, signature)
    # One input needs no name.
    row = {"anyOf": [row, *rows.values()]} if len(rows) == 1 else row
    by_row = {**named, "instances": _list(row, most)}
    columns = _given({n: _list(one, most) for n, one in rows.items()}, signature)
    by_column = {**named, "inputs": columns}
    return {
        "title": name,
        "anyOf": [
            _object(by_row, [*needed, "instances"]),
            _object(by_column, [*needed, "inputs"]),
        ],
    }


def _given(properties: Schema, signature: Signature) -> Schema:
    """Returns the schema of inputs: what may be null may be left out, but not all."""
    inputs = signature.inputs
    made = _object(properties, [n for n in properties if not inputs[n].missing])
    some = one_of(inputs)
    return {**made, "anyOf": [{"required": [n]} for n in some]} if some else made


def _narrowed(signature: Signature, model: Model) -> Schema:
    """Returns what a request may say beside rows: conditions, and columns to show."""
    if signature.narrowed is None:
        return {}
    known = known_columns(model.bundle.finder)
    shown = {"enum": list(dict.fromkeys((TITLE, *known)))}
    made: Schema = {"columns": {"type": "array", "items": shown}}
    if known:
        said = f'conditions such as "price < 50", on {", ".join(known)}'
        texts = {"type": "array", "items": {"type": "string"}}
        made["where"] = {**texts, "description": said, "maxItems": CONDITIONS}
    return made


def _answer(signature: Signature, limits: Limits) -> Schema:
    rows = {name: value(spec, limits) for name, spec in signature.outputs.items()}
    needed = [*rows]
    if signature.narrowed is not None:
        rows[SHOWN] = {"type": "object", "additionalProperties": {"type": "array"}}
    row = _object(rows, needed)
    columns = _object({n: _list(v) for n, v in rows.items()}, needed)
    if len(rows) == 1:
        (row,) = rows.values()
        columns = _list(row)
    by_row = _object({"predictions": _list(row)})
    return {"anyOf": [by_row, _object({"outputs": columns})]}


def _object(properties: Schema, required: Iterable[str] | None = None) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": [*(properties if required is None else required)],
        "additionalProperties": False,
    }


def _list(items: Schema, most: int | None = None) -> Schema:
    made: Schema = {"type": "array", "items": items, "minItems": 1}
    return made if most is None else {**made, "maxItems": most}


def _get(summary: str, kind: str = "application/json") -> Schema:
    responses = {"200": {"description": "as asked", "content": {kind: {}}}}
    refused = {code: _ref(code) for code in ("401", "404", "405", "408", "431", "503")}
    return {"get": {"summary": summary, "responses": responses | refused}}


def _error(why: str) -> Schema:
    schema = _object({"error": {"type": "string"}})
    return {"description": why, "content": {"application/json": {"schema": schema}}}


def _ref(code: str) -> Schema:
    return {"$ref": f"#/components/responses/{code}"}
