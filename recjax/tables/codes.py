"""Labels and their codes: ids and categories, one or many a row."""

from __future__ import annotations

import json

import numpy as np
import polars as pl

from recjax.tables.convert import Problem, WrongType, problems, to_text
from recjax.text.column import Texts, pack

LISTS = "lists of text or integers"


class Codes:
    """Gives each label a code in order of appearance, over all blocks.

    Code 0 is "", for what is missing. Polars keeps the labels; that one is another with
    spaces around it is looked up once a label, not once a row.
    """

    def __init__(self) -> None:
        """Starts with "" alone."""
        self._dtype = pl.Categorical(pl.Categories.random())
        # The labels live as long as a column that has them.
        self._alive = pl.Series([""], dtype=self._dtype)
        self._stripped = np.zeros(1, np.int32)
        self._plain = True

    def add(self, labels: pl.Series) -> np.ndarray:
        """Returns i32[n] codes of texts; 0 for null and for blank ones."""
        given = labels.cast(self._dtype).to_physical().fill_null(0)
        codes = given.to_numpy().view(np.int32)
        self._learn(int(codes.max(initial=0)) + 1)
        return codes if self._plain else self._stripped[codes]

    def _learn(self, count: int) -> None:
        start = len(self._stripped)
        if count <= start:
            return
        labels = self._labels(np.arange(start, count))
        stripped, own = labels.str.strip_chars(), np.arange(start, count)
        odd = stripped != labels
        if odd.any():
            self._plain = False
            own[odd.to_numpy()] = stripped.filter(odd).cast(self._dtype).to_physical()
        self._stripped = np.append(self._stripped, own.astype(np.int32))
        self._learn(int(own.max()) + 1)

    def _labels(self, codes: np.ndarray) -> pl.Series:
        physical = pl.Series("codes", codes, dtype=pl.UInt32)
        return physical.cat.to(self._dtype).cast(pl.String)

    def labels(self) -> Texts:
        """Returns the label of each code."""
        return pack(self._labels(np.arange(len(self._stripped))))


def to_lists(
    values: pl.Series, separator: str | None, codes: Codes
) -> tuple[np.ndarray, np.ndarray, list[Problem]]:
    """Returns labels a row and i32 codes of all labels, without missing ones.

    Args:
      values: lists of texts or integers; or texts: lists in JSON, or labels between
        separators.
      separator: between labels in a text; None for spaces.
      codes: of the labels.

    Raises:
      WrongType: the column holds something else.
    """
    found = []
    if values.dtype == pl.Null:
        values = values.cast(pl.List(pl.String))
    if isinstance(values.dtype, pl.Array):
        values = values.cast(pl.List(values.dtype.inner))
    if values.dtype == pl.String:
        values, found = _split(values, separator)
    if not isinstance(values.dtype, pl.List) or values.dtype.inner.is_nested():
        raise WrongType(values.dtype, LISTS)
    counts = values.list.len().fill_null(0).to_numpy()
    rows = np.repeat(np.arange(len(values)), counts)
    flat = values.filter(pl.Series(counts > 0)).explode()
    labels, wrong = to_text(flat, LISTS)
    for problem in wrong:
        bad = np.zeros(len(values), bool)
        bad[rows[problem.bad]] = True
        found.append(Problem(problem.kind, problem.fix, bad))
    given = codes.add(labels)
    there = given > 0
    return np.bincount(rows[there], minlength=len(values)), given[there], found


def _split(values: pl.Series, separator: str | None) -> tuple[pl.Series, list[Problem]]:
    values = values.str.strip_chars()
    as_json = values.str.starts_with("[").fill_null(False)
    bad = pl.Series(np.zeros(len(values), bool))
    if separator is None:
        bad = (values.str.contains(r"[,;|]") & ~as_json).fill_null(False)
        lists = values.str.replace_all(r"\s+", " ").str.split(" ")
    else:
        lists = values.str.split(separator)
    if as_json.any():
        pairs = zip(values, as_json, strict=True)
        read = [_json_list(text) if right else None for text, right in pairs]
        read = pl.Series(read, dtype=pl.List(pl.String))
        bad |= as_json & read.is_null()
        lists = read.zip_with(as_json, lists)
    between = "spaces" if separator is None else repr(separator)
    fix = f'write {between} between them, or a JSON list such as ["a", "b"]'
    return lists, problems(("not a list", fix, bad))


def _json_list(text: str) -> list[str | None] | None:
    try:
        found = json.loads(text, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return None
    right = all(label is None or isinstance(label, str) for label in found)
    return found if right else None
