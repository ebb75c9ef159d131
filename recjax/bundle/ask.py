"""What the command `embed` does with a bundle, and how results are told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from recjax.bundle.open import open_bundle
from recjax.errors import UserError
from recjax.index.item_vectors import Found
from recjax.tables.result import Options


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
