"""What the commands `query` and `embed` do with a bundle."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from recjax.bundle.open import open_bundle
from recjax.bundle.queries import from_texts
from recjax.errors import UserError
from recjax.index.item_vectors import Found
from recjax.tables.result import Options


def query(
    bundle: Path,
    text: str,
    history: Sequence[str],
    k: int,
    as_json: bool,
    columns: Sequence[str] = (),
    where: Sequence[str] = (),
) -> str:
    """Returns the results of one query as text for a person or as JSON.

    Raises:
      UserError: no bundle, nothing to ask, or what the bundle does not take.
    """
    if k < 1:
        raise UserError(f"-k {k}: ask for at least one result")
    raw: dict[str, list[Any]] = {"text": [text]} if text.strip() else {}
    raw |= {"history": [list(history)]} if history else {}
    if not raw and not columns:
        raise UserError("there is nothing to ask: give --text, --history or --column")
    opened = open_bundle(bundle)
    raw |= from_texts(columns, opened.inputs)
    (found,) = opened.search(raw, k, where)
    return listed(found, as_json)


def listed(found: Sequence[Found], as_json: bool) -> str:
    """Returns results as text for a person or as JSON."""
    if as_json:
        return json.dumps([vars(one) for one in found], indent=2)
    return "\n".join(["   score            id  title", *map(_line, found)])


def embed(
    bundle: Path,
    texts: Sequence[str] = (),
    items: Path | None = None,
    to: Path | None = None,
    k: int = 0,
    options: Options | None = None,
) -> str:
    """Embeds texts or the items of a file; returns what to print.

    That is what was written to `to` and what the `k` nearest items are, or, with
    neither, a line of JSON a vector.

    Raises:
      UserError: nothing to embed, or both; no bundle; a file with problems; a place
        that cannot be written.
    """
    if bool(texts) == (items is not None):
        raise UserError("give either --text or --items FILE")
    if k < 0:
        raise UserError(f"-k {k}: ask for at least one result, or 0 for none")
    if to is not None and (to.suffix != ".npy" or to.exists()):
        fault = "exists" if to.exists() else "does not end in .npy"
        raise UserError(f"--to {to} {fault}; choose another file")
    opened = open_bundle(bundle)
    if items is None:
        names, vectors = tuple(texts), opened.embed({"text": list(texts)})
    else:
        names, vectors = opened.embed_items(items, options)
    said = []
    if to is not None:
        np.save(to, vectors)
        rows, width = vectors.shape
        said.append(f"{rows} vectors of {width} numbers: {to}")
    if k:
        for name, found in zip(names, opened.nearest(vectors, k), strict=True):
            said += [name, *map(_line, found)]
    if not said:
        kind = "text" if items is None else "id"
        said = [
            json.dumps({kind: name, "embedding": [round(float(v), 6) for v in vector]})
            for name, vector in zip(names, vectors, strict=True)
        ]
    return "\n".join(said)


def _line(found: Found) -> str:
    return f"{found.score:8.4f}  {found.id:>12}  {found.title}"
