"""Embeddings of what a bundle has never met: new queries and new items."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from recjax.bundle.retriever import Retriever
from recjax.errors import UserError


def embed(
    bundle: Path,
    texts: Sequence[str] = (),
    items: Path | None = None,
    to: Path | None = None,
    k: int = 0,
    rename: Mapping[str, str] | None = None,
    encoding: str = "utf-8",
) -> str:
    """Embeds texts or the items of a file; returns what to print.

    Args:
      bundle: folder of the bundle.
      texts: query texts.
      items: file of items.
      to: .npy file for the vectors, a row a text or item; it must not exist.
      k: results to search with each vector; 0 searches nothing.
      rename: column of `items` -> recjax's name, where they differ.
      encoding: of a CSV file.

    Returns:
      What was written or found, or, with neither `to` nor `k`, a line of JSON a vector.

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
    retriever = Retriever.open(bundle)
    if items is None:
        names, vectors = tuple(texts), retriever.embed({"text": list(texts)})
    else:
        names, vectors = retriever.embed_items(items, rename, encoding)
    said = []
    if to is not None:
        np.save(to, vectors)
        rows, width = vectors.shape
        said.append(f"{rows} vectors of {width} numbers: {to}")
    if k:
        found = retriever.nearest(vectors, k)
        for name, results in zip(names, found, strict=True):
            said.append(f"{name}")
            said += [f"{one.score:8.4f}  {one.id:>12}  {one.title}" for one in results]
    if not said:
        kind = "text" if items is None else "id"
        said = [
            json.dumps({kind: name, "embedding": [round(float(v), 6) for v in vector]})
            for name, vector in zip(names, vectors, strict=True)
        ]
    return "\n".join(said)
