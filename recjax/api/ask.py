"""Asking a bundle from Python: queries, neighbours, vectors."""

from __future__ import annotations

import html
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recjax.api import arguments
from recjax.bundle.open import OpenBundle, open_bundle
from recjax.bundle.queries import takers
from recjax.errors import UserError, nearest
from recjax.index.filters import as_list
from recjax.index.item_vectors import Found
from recjax.serve.whole_sessions import next_items
from recjax.shown import table
from recjax.tables.result import Options


class Answers(list[Found]):
    """Results, best first, which show themselves as a table."""

    def __repr__(self) -> str:
        """Returns a table of score, id and title."""
        rows = [(f"{one.score:.4f}", one.id, one.title) for one in self]
        return table([("score", "id", "title"), *rows], right=(0,))

    def _repr_html_(self) -> str:
        rows = [
            f"<tr><td>{one.score:.4f}</td><td>{html.escape(one.id)}</td>"
            f"<td>{html.escape(one.title)}</td></tr>"
            for one in self
        ]
        head = "<tr><th>score</th><th>id</th><th>title</th></tr>"
        return f"<table>{head}{''.join(rows)}</table>"


@dataclass(frozen=True, repr=False)
class Bundle(OpenBundle):
    """An opened bundle that is asked by words: what `rj.load` returns."""

    def query(
        self,
        text: str = "",
        *,
        history: Sequence[str] = (),
        k: int = 10,
        where: str | Sequence[str] = (),
        **columns: Any,
    ) -> Answers:
        """Returns the items that fit a text, or follow a history.

        Args:
          text: what is asked.
          history: item ids, the oldest first.
          k: how many.
          where: a condition on the items' columns, as "price < 50", or several that
            all hold.
          columns: of the user or of the moment, as age=24.

        Raises:
          UserError: there is nothing to ask, or the bundle does not take it.

        Example:
          >>> rj.load("bundles/shop").query("red lamp", where="price < 50")
          ... # doctest: +SKIP
        """
        with arguments.in_python():
            return _query(self, text, history, k, where, columns)

    def neighbors(self, of: str, k: int = 10) -> Answers:
        """Returns the items nearest to an item, by its id or title, or to a text.

        Raises:
          UserError: it is neither, or `k` is too small.
        """
        with arguments.in_python():
            return _neighbors(self, of, k)

    def vectors(
        self, *, items: Any = None, queries: Sequence[str] | None = None
    ) -> np.ndarray:
        """Returns vectors f32[N, D] of items, or of texts.

        Args:
          items: ids of the bundle, or a table of new items: a file or a frame.
          queries: texts.

        Raises:
          UserError: both or neither, an id that is unknown, or a model without texts.
        """
        with arguments.in_python():
            return _vectors(self, items, queries)


def load(path: str | Path) -> Bundle:
    """Opens a bundle that `Run.export` or `recjax export` wrote.

    Raises:
      UserError: it is no bundle, or a file is missing or damaged.

    Example:
      >>> rj.load("bundles/shop").query("red lamp", k=5)  # doctest: +SKIP
    """
    with arguments.in_python():
        opened = open_bundle(arguments.path("path", path))
        return Bundle(opened.folder, opened.items, opened.info, opened.model)


def _query(
    bundle: OpenBundle,
    text: str,
    history: Sequence[str],
    k: int,
    where: str | Sequence[str],
    columns: Mapping[str, Any],
) -> Answers:
    k = arguments.whole("k", k)
    if not isinstance(text, str):
        raise UserError(
            f"text={text!r}: expected one text; ask once for each, or take "
            "vectors(queries=[...])"
        )
    met = arguments.texts("history", history, "item ids")
    where = arguments.texts("where", as_list(where), "conditions")
    raw: dict[str, list[Any]] = {"text": [text]} if text.strip() else {}
    raw |= {"history": [met]} if met else {}
    raw |= {name: [value] for name, value in columns.items()}
    if not raw and "step" not in bundle.functions:
        raise UserError(
            'there is nothing to ask: give a text, as query("red lamp"), or '
            "history=[...]"
        )
    return Answers(answers(bundle, raw, k, where))


def answers(
    bundle: OpenBundle,
    raw: Mapping[str, Sequence[Any]],
    k: int,
    where: Sequence[str] = (),
) -> list[Found]:
    """Returns the best `k` items of one query, or of one session of a user.

    Args:
      bundle: of a model of either.
      raw: feature -> its one raw value; of a model of sessions "history" alone.
      k: how many.
      where: conditions on the items' columns that all hold.

    Raises:
      UserError: there is nothing to ask, or the bundle does not take it.
    """
    if "step" not in bundle.functions:
        return bundle.search(raw, k, where)[0]
    if not raw.get("history") or len(raw) > 1:
        raise UserError(
            "this model follows sessions: give it a --history, item ids, and no more"
        )
    (met,) = raw["history"]
    for item in met:
        if item not in bundle.items.rows:
            raise UserError(
                f"--history: there is no item {item!r}."
                + nearest(item, bundle.items.ids)
            )
    return bundle.items.found(*next_items(bundle, met, k, where))


def _neighbors(bundle: OpenBundle, of: str, k: int) -> Answers:
    k = arguments.whole("k", k)
    if not isinstance(of, str) or not of.strip():
        raise UserError(f"neighbors of {of!r}: expected an item id or a text")
    if of in bundle.items.rows:
        vector = bundle.items.vectors[[bundle.items.rows[of]]]
        return Answers(bundle.nearest(np.asarray(vector), k, [{of}])[0])
    titled = [i for i, one in enumerate(bundle.items.titles) if one == of]
    if len(titled) == 1:  # What a person has of an item is its title.
        return _neighbors(bundle, bundle.items.ids[titled[0]], k)
    takes = "query" in bundle.functions and "text" in {*_columns(bundle)}
    if not takes:
        raise UserError(
            f"there is no item {of!r}.{nearest(of, bundle.items.ids)} This model takes "
            "no texts: name an item by its id"
        )
    return Answers(bundle.search({"text": [of]}, k)[0])


def _columns(bundle: OpenBundle) -> list[str]:
    return list(takers(bundle.inputs))


def _vectors(
    bundle: OpenBundle, items: Any, queries: Sequence[str] | None
) -> np.ndarray:
    if (items is None) == (queries is None):
        raise UserError("give either items=[...] or queries=[...]")
    if queries is not None:
        return bundle.embed({"text": arguments.texts("queries", queries, "texts")})
    if isinstance(items, str | os.PathLike):
        if not Path(items).exists():
            known = items in bundle.items.rows
            raise UserError(
                f"items={items!r}: no such file"
                + (
                    f"; for the item of this id write items=[{items!r}]"
                    if known
                    else "; give a list of ids, or a table of new items"
                )
            )
        return bundle.embed_items(Path(items), Options())[1]
    if hasattr(items, "columns"):
        return bundle.embed_items(arguments.table("items", items), Options())[1]
    ids = arguments.texts("items", items)
    for one in ids:
        if one not in bundle.items.rows:
            raise UserError(
                f"items: there is no item {one!r}.{nearest(one, bundle.items.ids)} For "
                "new items give a table with their columns"
            )
    rows = [bundle.items.rows[one] for one in ids]
    return np.asarray(bundle.items.vectors[rows], np.float32)
