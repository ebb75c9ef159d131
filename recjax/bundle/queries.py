"""Raw queries as a caller gives them: refused where they are not what they seem."""

from __future__ import annotations

import datetime
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from recjax.data.column_inputs import (
    BucketInput,
    CategoryInput,
    NumberInput,
    TimeInput,
    VectorInput,
)
from recjax.data.image_input import ImageInput
from recjax.data.inputs import AgeListInput, IdListInput, Input, encode_all, source
from recjax.errors import UserError, nearest
from recjax.text.features import TextInput
from recjax.text.wordpiece import WordPiece

log = logging.getLogger(__name__)
NOTHING, SHOWN = "there is nothing to ask: give a text or a history", 3
NO_PART, NO_WORD = ": it says nothing", ", only runs of letters that other words share"
COMPARED = 2_000
"""Ids that a misspelled one is compared with: more would take a second."""

NUMBER = float | int | np.number
LATEST = 1e11
"""A moment beyond it is not in seconds."""

Raw = Mapping[str, Sequence[Any]]


def encode_queries(raw: Raw, inputs: Mapping[str, Input]) -> dict[str, np.ndarray]:
    """Returns the feature arrays of raw queries, [B, ...].

    What is left out, or None, is missing. A text of which the bundle knows no part, and
    a category that it does not know, are told in a warning.

    Raises:
      UserError: a feature that is not taken, values of another kind or number, an id
        that is unknown, or a query that says nothing.
    """
    takes = takers(inputs)
    features = encode_all(inputs, raw, check_queries(raw, takes))
    for text in (
        name for name in raw if isinstance(takes[name], TextInput | WordPiece)
    ):
        reads = [n for n in inputs if source(n, inputs) == text]
        made = [features[n].any(1) for n in reads]
        parts, words = np.any(made, 0), _words(features, reads, inputs)
        _tell(f"no part of the {text}", raw[text], parts, NO_PART)
        _tell(f"no word of the {text}", raw[text], words | ~parts, NO_WORD)
    for name, kind in takes.items():
        if name in raw and isinstance(kind, CategoryInput) and not kind.buckets:
            lists = raw[name] if kind.many else [[value] for value in raw[name]]
            each = dict.fromkeys(one for some in lists for one in some or () if one)
            known = [value in kind.positions for value in each]
            _tell(f"no {name}", [*each], known, NO_PART)
    return features


def from_texts(
    columns: Sequence[str], inputs: Mapping[str, Input]
) -> dict[str, list[Any]]:
    """Returns one raw query of texts NAME=VALUE, as a command line gives them.

    Raises:
      UserError: one has another form, a name is not taken, or a value cannot be read.
    """
    takes, found = takers(inputs), {}
    for given in columns:
        name, equals, text = given.partition("=")
        if not equals or name not in takes or name in found:
            close = nearest(name, takes)
            raise UserError(
                f"--column {given}: expected NAME=VALUE, each once, of {sorted(takes)}."
                + close
            )
        found[name] = [_from_text(given, text, takes[name])]
    return found


def _from_text(given: str, text: str, kind: Input) -> Any:
    if isinstance(kind, TextInput | WordPiece) or _is_one_label(kind):
        return text
    if isinstance(kind, ImageInput):
        try:
            return Path(text).read_bytes()
        except OSError as error:
            why = error.strerror
            raise UserError(f"--column {given}: expected a file ({why})") from error
    try:
        if isinstance(kind, TimeInput) and not text.replace(".", "").isdigit():
            when = datetime.datetime.fromisoformat(text)
            return when.replace(tzinfo=when.tzinfo or datetime.UTC).timestamp()
        return json.loads(text)
    except ValueError as error:
        wanted = "2026-11-29T18:00" if isinstance(kind, TimeInput) else _example(kind)
        wanted = wanted.replace("'", '"')
        raise UserError(f"--column {given}: expected such as {wanted}") from error


def takers(inputs: Mapping[str, Input]) -> dict[str, Input]:
    """Returns the columns that a query may have -> what is made of each."""
    return {source(name, inputs): kind for name, kind in inputs.items()}


def _is_one_label(kind: Input) -> bool:
    return isinstance(kind, CategoryInput) and not kind.many


def _words(
    features: Mapping[str, np.ndarray], reads: Sequence[str], inputs: Mapping
) -> np.ndarray:
    """Returns whether each text has a whole word that is known, bool[B]."""
    known = []
    for name in reads:
        ids, kind = features[name], inputs[name]
        # Word pieces know every word by its parts.
        top = len(kind.vocabulary.unigrams) if isinstance(kind, TextInput) else np.inf
        known.append(((ids > 0) & (ids <= (top or np.inf))).any(1))
    return np.any(known, 0)


def _tell(what: str, values: Sequence, known: Sequence[bool], instead: str) -> None:
    """Warns of values that say nothing, or little."""
    pairs = zip(values, known, strict=True)
    lost = [repr(value) for value, any in pairs if value and value.strip() and not any]
    if lost:
        more = f" and {len(lost) - SHOWN} more" if len(lost) > SHOWN else ""
        said = ", ".join(lost[:SHOWN]) + more
        log.warning("the bundle knows %s %s%s", what, said, instead)


def check_queries(raw: Raw, takes: Mapping[str, Input]) -> int:
    """Returns the number of raw queries; `takes` is what `takers` returns.

    Raises:
      UserError: see `encode_queries`.
    """
    said = check_values(raw, takes)
    if not said.all() or not len(said):
        where = f"query {said.argmin()}: " if len(said) > 1 else ""
        raise UserError(where + NOTHING)
    return len(said)


def check_values(
    raw: Raw, takes: Mapping[str, Input], one: str = "query"
) -> np.ndarray:
    """Returns whether each row of raw values says anything, bool[B].

    Args:
      raw: column -> a raw value a row.
      takes: what `takers` returns.
      one: what messages call a row.

    Raises:
      UserError: a column that is not taken, or values of another kind or number.
    """
    if not isinstance(raw, Mapping):
        raise UserError(f"{raw!r}: give a mapping of features to lists of values")
    for name, values in raw.items():
        if name not in takes:
            close = nearest(str(name), takes)
            if name == "user" and "history" in takes:
                close = " A user is what they did: give history=[item ids]"
            raise UserError(f"the bundle takes {sorted(takes)}, not {name!r}.{close}")
        if not _is_list(values):
            given = f"[{_example(takes[name])}]"
            raise UserError(f"{name} = {values!r}: give one value a query: {given}")
    counts = {name: len(values) for name, values in raw.items()}
    if len(set(counts.values())) > 1:
        raise UserError(f"numbers of queries {counts}: give every feature equally many")
    said = [False] * max(counts.values(), default=0)
    for name, values in raw.items():
        for row, value in enumerate(values):
            if _says(f"{name}, {one} {row}", value, takes[name]):
                said[row] = True
    return np.array(said, bool)


def _says(place: str, value: Any, kind: Input) -> bool:
    """Checks one value; returns whether it asks anything."""
    if value is None:
        return False
    if isinstance(kind, TextInput | WordPiece):
        return _text(place, value)
    if isinstance(kind, ImageInput):
        return _image(place, value)
    if isinstance(kind, NumberInput | BucketInput | TimeInput):
        return _number(place, value, isinstance(kind, TimeInput))
    if _is_one_label(kind):
        return _text(place, value)
    if not _is_list(value):
        raise UserError(f"{place}: {value!r} is no list, such as {_example(kind)}")
    if isinstance(kind, CategoryInput):
        return any([_text(place, one) for one in value])
    if isinstance(kind, VectorInput):
        return _vectors(place, value, kind)
    if isinstance(kind, IdListInput):
        for id in value:
            if not isinstance(id, str):
                raise UserError(f"{place}: {id!r} is no text: write ids as '17'")
            if id not in kind.positions:
                few = len(kind.positions) <= COMPARED
                close = nearest(id, kind.positions) if few else ""
                raise UserError(f"{place}: the bundle knows no item {id!r}.{close}")
        return len(value) > 0
    numbers = all(isinstance(age, NUMBER) for age in value)
    if not numbers or not all(0 <= age < np.inf for age in value):
        raise UserError(
            f"{place}: {value!r}: give seconds since each event, finite and at least 0"
        )
    return False


def _text(place: str, value: Any) -> bool:
    if not isinstance(value, str):
        raise UserError(f"{place}: {value!r} is no text: write '{value}'")
    return bool(value.strip())


def _image(place: str, value: Any) -> bool:
    # Reading images needs packages that no other bundle does.
    from recjax.images.decode import BadImageError, decode

    if not isinstance(value, bytes):
        raise UserError(f"{place}: {value!r}: give the bytes of an image file")
    try:
        decode(value, 1, 1)
    except BadImageError as error:
        raise UserError(f"{place}: no image that can be read: {error}") from error
    return True


def _number(place: str, value: Any, is_time: bool) -> bool:
    if not isinstance(value, NUMBER) or isinstance(value, bool):
        raise UserError(f"{place}: {value!r} is no number")
    if np.isinf(value):
        raise UserError(f"{place}: {value!r}: give a finite number, or None")
    if is_time and not (np.isnan(value) or 0 <= value < LATEST):
        raise UserError(f"{place}: {value!r}: give seconds since 1970 (UTC)")
    return not np.isnan(value)


def _vectors(place: str, value: Any, kind: VectorInput) -> bool:
    try:
        given = np.asarray(value, np.float32)
    except (ValueError, TypeError):
        given = np.full(1, np.nan)
    fits = given.ndim in (1, 2) and given.shape[-1] == kind.width
    if len(value) and not (fits and np.isfinite(given).all()):
        raise UserError(f"{place}: give a vector of {kind.width} numbers, or None")
    return len(value) > 0


def _is_list(values: Any) -> bool:
    return isinstance(values, list | tuple | np.ndarray)


def _example(kind: Input) -> str:
    if isinstance(kind, TextInput | WordPiece):
        return "'red lamp'"
    if isinstance(kind, ImageInput):
        return "open('a.jpg', 'rb').read()"
    if isinstance(kind, CategoryInput):
        return "['a', 'b']" if kind.many else "'a'"
    if isinstance(kind, IdListInput):
        return "['a', 'b']"
    return "[3600.0, 60.0]" if isinstance(kind, AgeListInput | VectorInput) else "3.5"
