"""TensorFlow Serving's REST format of `:predict`: rows or columns of JSON.

https://www.tensorflow.org/tfx/serving/api_rest, and two keys more: "where", conditions
on the items found, and "columns", names of item columns that the answer shows.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from recjax.bundle.contract import (
    MANY,
    NO_SCORE,
    SERVING,
    TEXT,
    Columns,
    Signature,
    Spec,
)
from recjax.bundle.narrowed import COLUMNS, WHERE
from recjax.errors import UserError, nearest
from recjax.serve.http.limits import Limits

INT_LOW, INT_HIGH = -(2**31), 2**31 - 1
SHOWN = 80
"""Characters of a bad value that a message repeats."""
_WHERE, _COLUMNS = "where", "columns"
_KEYS = ("signature_name", "instances", "inputs", _WHERE, _COLUMNS)


@dataclass(frozen=True)
class Asked:
    """One request.

    Attributes:
      signature: what is asked.
      name: of the signature.
      columns: input -> one value a row.
      rows: their number.
      by_row: answered row by row ("predictions"), not by column ("outputs").
    """

    signature: Signature
    name: str
    columns: Columns
    rows: int
    by_row: bool


def parse(
    body: bytes, signatures: Mapping[str, Signature], limits: Limits, most: int
) -> Asked:
    """Reads the body of a request for at most `most` examples.

    Raises:
      UserError: it is not what the signature takes; the message names field, row, fix.
    """
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise UserError(f"JSON Parse error: {error}") from None
    if not isinstance(content, dict):
        raise UserError('give a JSON object with "instances" or "inputs"')
    for key in content:
        if key not in _KEYS:
            known = ", ".join(map(repr, _KEYS))
            close = nearest(key[:SHOWN], _KEYS)
            raise UserError(
                f"there is no {said(key)} in a request, but {known}.{close}"
            )
    name = content.get("signature_name") or SERVING
    if not isinstance(name, str) or name not in signatures:
        close = nearest(name[:SHOWN], signatures) if isinstance(name, str) else ""
        raise UserError(
            f'"signature_name": there is no {said(name)}, but {sorted(signatures)}.'
            + close
        )
    signature = signatures[name]
    inputs, by_row = signature.inputs, "instances" in content
    if by_row == ("inputs" in content):
        raise UserError('give either "instances" (rows) or "inputs" (columns)')
    columns = (
        _of_rows(content["instances"], inputs)
        if by_row
        else _of_columns(content["inputs"], inputs)
    )
    rows = len(next(iter(columns.values())))
    if rows > most:
        raise UserError(f"{rows} examples, of at most {most} a request; ask in parts")
    read = {n: _column(n, v, inputs[n], limits) for n, v in columns.items()}
    where, shown = _texts(content, _WHERE), _texts(content, _COLUMNS)
    if where or shown:
        if signature.narrowed is None:
            raise UserError(f'"where", "columns": {name!r} finds no items')
        signature = signature.narrowed
        read[WHERE], read[COLUMNS] = [where] * rows, [shown] * rows
    return Asked(signature, name, read, rows, by_row)


def _texts(content: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """Returns the texts of a key that names one or a list."""
    given = content.get(key)
    texts = [given] if isinstance(given, str) else [] if given is None else given
    if not isinstance(texts, list) or not all(isinstance(t, str) for t in texts):
        shown = "price < 50" if key == _WHERE else "title"
        raise UserError(f'"{key}": {said(given)}; give a list of texts: ["{shown}"]')
    return tuple(texts)


def _of_rows(instances: Any, inputs: Mapping[str, Spec]) -> dict[str, list]:
    if not isinstance(instances, list) or not instances:
        raise UserError('"instances": give a list with at least one example')
    if len(inputs) == 1 and not any(map(_is_named, instances)):
        return {next(iter(inputs)): instances}
    columns: dict[str, list] = {name: [] for name in inputs}
    for row, example in enumerate(instances):
        if not _is_named(example):
            raise UserError(
                f'"instances", row {row}: {said(example)}; give an object with '
                f"{sorted(inputs)}"
            )
        _check_names(f'"instances", row {row}', example, inputs)
        for name, column in columns.items():
            column.append(example.get(name))
    return columns


def _of_columns(given: Any, inputs: Mapping[str, Spec]) -> dict[str, list]:
    if not _is_named(given) and len(inputs) == 1:
        given = {next(iter(inputs)): given}
    if not isinstance(given, dict):
        raise UserError(f'"inputs": give an object with {sorted(inputs)}')
    _check_names('"inputs"', given, inputs)
    for name, column in given.items():
        if not isinstance(column, list) or not column:
            raise UserError(f"{name}: give a list with at least one value")
    counts = {name: len(column) for name, column in given.items()}
    if len(set(counts.values())) > 1:
        raise UserError(f'"inputs" of {counts} rows: give each equally many')
    rows = len(next(iter(given.values())))
    return {name: given.get(name, [None] * rows) for name in inputs}


def _check_names(place: str, given: Mapping, inputs: Mapping[str, Spec]) -> None:
    """Checks the names of what is given; what may be null may also be left out."""
    if given.keys() == inputs.keys():
        return
    for name in given:
        if name not in inputs:
            close = nearest(name[:SHOWN], inputs)
            known = sorted(inputs)
            raise UserError(f"{place}: there is no {said(name)}, but {known}.{close}")
    lacks = [n for n, spec in inputs.items() if n not in given and not spec.missing]
    if lacks:
        shown = ", ".join(f'"{name}": {example(inputs[name])}' for name in lacks)
        raise UserError(f"{place}: not all that is needed is there; add {shown}")
    some = one_of(inputs)
    if some and not given.keys() & set(some):
        raise UserError(f"{place}: nothing is asked; give at least one of {some}")


def one_of(inputs: Mapping[str, Spec]) -> list[str]:
    """Returns the inputs of which one must be given, though each may be left out.

    None where others, that are always given, say what is asked: medoids, a state.
    """
    needed = {name for name, spec in inputs.items() if not spec.missing}
    return [name for name in inputs if name not in needed] if needed <= {"k"} else []


def _column(name: str, values: Sequence, spec: Spec, limits: Limits) -> list:
    if spec.dtype != TEXT:
        for row, value in enumerate(values):
            if not (value is None and spec.missing):
                _check_numbers(name, row, value, spec, spec.shape[1:])
        return list(values)
    most = limits.characters
    if spec.file:
        return [
            None if value is None and spec.missing else _bytes(name, row, value)
            for row, value in enumerate(values)
        ]
    if len(spec.shape) == 1:
        return [
            None if value is None and spec.missing else _text(name, row, value, most)
            for row, value in enumerate(values)
        ]
    read: list = []
    for row, value in enumerate(values):
        if value is None and spec.missing:
            read.append(None)
            continue
        if not isinstance(value, list):
            wanted = example(spec)
            raise UserError(f"{name}, row {row}: {said(value)} is no list; {wanted}")
        read.append([_text(name, row, one, most) for one in value])
    return read


def _check_numbers(
    name: str, row: int, value: Any, spec: Spec, shape: Sequence[int]
) -> None:
    if shape:
        if not isinstance(value, list):
            wanted = f"give {example(spec)}"
            raise UserError(f"{name}, row {row}: {said(value)} is no list; {wanted}")
        if shape[0] not in (MANY, len(value)):
            raise UserError(
                f"{name}, row {row}: {len(value)} values where {shape[0]} are taken"
            )
        for one in value:
            _check_numbers(name, row, one, spec, shape[1:])
    elif spec.dtype == "DT_BOOL":
        if not isinstance(value, bool):
            raise UserError(f"{name}, row {row}: {said(value)} is not true or false")
    elif isinstance(value, bool) or not isinstance(value, int | float):
        raise UserError(f"{name}, row {row}: {said(value)} is no number")
    elif "INT" in spec.dtype and not (
        isinstance(value, int) and INT_LOW <= value <= INT_HIGH
    ):
        raise UserError(f"{name}, row {row}: {said(value)} is no whole number")


def _text(name: str, row: int, value: Any, most: int) -> str:
    if isinstance(value, str):
        return value[:most]
    if _is_bytes(value):
        try:
            return _bytes(name, row, value).decode()[:most]
        except UnicodeDecodeError as error:
            raise UserError(f"{name}, row {row}: not UTF-8 ({error.reason})") from None
    raise UserError(f"{name}, row {row}: {said(value)} is no text")


def _bytes(name: str, row: int, value: Any) -> bytes:
    if not _is_bytes(value):
        raise UserError(f'{name}, row {row}: give bytes as {{"b64": "..."}}')
    try:
        return base64.b64decode(value["b64"], validate=True)
    except (binascii.Error, ValueError) as error:
        raise UserError(f"{name}, row {row}: no base64 ({error})") from None


def _is_bytes(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"b64"}
        and isinstance(value["b64"], str)
    )


def _is_named(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() != {"b64"}


def example(spec: Spec) -> str:
    """Returns a value that an input takes, as JSON."""
    one = '"a"' if spec.dtype == TEXT else "1"
    return f"[{one}, ...]" if len(spec.shape) > 1 else one


def said(value: Any) -> str:
    """Returns a value for a message: short, and as JSON."""
    text = orjson.dumps(value).decode() if not isinstance(value, str) else repr(value)
    return text if len(text) <= SHOWN else text[:SHOWN] + "..."


def answer(columns: Columns, asked: Asked) -> bytes:
    """Returns the body of an answer: columns, or rows where rows were asked."""
    columns = {name: _filled(values) for name, values in columns.items()}
    if len(columns) == 1:
        (content,) = columns.values()
        content = list(content)
    elif asked.by_row:
        rows = zip(*columns.values(), strict=True)
        content = [dict(zip(columns, row, strict=True)) for row in rows]
    else:
        content = {name: list(values) for name, values in columns.items()}
    key = "predictions" if asked.by_row else "outputs"
    return orjson.dumps({key: content}, option=orjson.OPT_SERIALIZE_NUMPY)


def _filled(values: Sequence[Any]) -> Sequence[Any]:
    """Returns rows of one length: places without a result have id "" and no score."""
    sizes = {len(row) if hasattr(row, "__len__") else 0 for row in values}
    if len(sizes) < 2:
        return values
    most, rows = max(sizes), []
    for row in values:
        filler = "" if isinstance(row, list) else NO_SCORE
        rows.append([*row, *[filler] * (most - len(row))])
    return rows
