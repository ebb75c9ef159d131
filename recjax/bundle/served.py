"""The signatures of an open bundle, on its jax.export functions and its index."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from recjax.bundle import medoids_served, session_served
from recjax.bundle.contract import (
    EMBED,
    FLOAT,
    FOUND,
    IMAGE_BYTES,
    INT,
    ITEM,
    MANY,
    SERVING,
    TEXT,
    Arrays,
    Columns,
    Signature,
    Spec,
    check_k,
    input_spec,
)
from recjax.bundle.narrowed import narrowed
from recjax.bundle.open import OpenBundle
from recjax.bundle.queries import check_queries, takers
from recjax.data.image_input import ImageInput
from recjax.data.inputs import AgeListInput, IdListInput, encode_all
from recjax.errors import UserError
from recjax.text.features import TextInput
from recjax.text.wordpiece import WordPiece

K = "k"


def signatures(bundle: OpenBundle) -> dict[str, Signature]:
    """Returns what a bundle can be asked, by name.

    Raises:
      UserError: a file of it is damaged.
    """
    made = {}
    if "query" in bundle.functions:
        made |= _queries(bundle)
    if "item" in bundle.functions:
        made[ITEM] = _items(bundle)
    if "image" in bundle.functions:
        made |= _images(bundle)
    if "step" in bundle.functions:
        made |= session_served.signatures(bundle)
    if bundle.medoids is not None:
        made |= medoids_served.signatures(bundle, bundle.medoids)
    return made


def _queries(bundle: OpenBundle) -> dict[str, Signature]:
    takes = takers(bundle.inputs)
    lists = [name for name, kind in takes.items() if isinstance(kind, IdListInput)]

    def read(columns: Columns) -> Columns:
        # Rows of one length are filled up with "", and their ages with anything.
        filled = {
            name: [[id for id in row or () if id != ""] for row in columns[name]]
            for name in lists
        }
        filled |= {
            name: list(map(_ages_of_ids, columns[name], columns[kind.of]))
            for name, kind in takes.items()
            if isinstance(kind, AgeListInput)
        }
        asked = {**{name: columns[name] for name in takes}, **filled}
        check_queries(asked, takes)
        return asked

    def encode(columns: Columns, rows: int) -> Arrays:
        return encode_all(bundle.inputs, columns, rows)

    def hidden(columns: Columns) -> list[Collection[str]]:
        rows = zip(*(columns[name] for name in lists), strict=True)
        return [{id for ids in row for id in ids} for row in rows]

    specs = {name: input_spec(kind) for name, kind in takes.items()}
    texts = tuple(name for name, kind in takes.items() if isinstance(kind, TextInput))
    words = [n for n, kind in takes.items() if isinstance(kind, TextInput | WordPiece)]
    blank: dict[str, list] = {n: [[]] if n in lists else [None] for n in takes}
    embed = Signature(
        specs,
        _vector(bundle),
        read,
        encode,
        bundle.functions["query"],
        _embedding,
        blank=blank,
        slow=any(isinstance(kind, ImageInput) for kind in takes.values()),
        texts=texts,
        kept=True,
        # Vocabularies make their tables at the first word that they look up.
        asked={**blank, **dict.fromkeys(words, ["a"])} if words else {},
    )
    return {SERVING: _top_k(bundle, embed, hidden), EMBED: embed}


def _images(bundle: OpenBundle) -> dict[str, Signature]:
    images = bundle.images
    # Once a bundle of photographs is open, what they need is here.
    from recjax.images.decode import BadImageError, example_image

    def read(columns: Columns) -> Columns:
        pixels = []
        for row, data in enumerate(columns[IMAGE_BYTES]):
            try:
                pixels.append(images.pixels(data))
            except BadImageError as error:
                raise UserError(f"{IMAGE_BYTES}, row {row}: {error}") from error
        return {IMAGE_BYTES: pixels}

    def encode(columns: Columns, rows: int) -> Arrays:
        return {"image": np.stack(columns[IMAGE_BYTES])}

    embed = Signature(
        {IMAGE_BYTES: Spec(TEXT, file=True)},
        _vector(bundle),
        read,
        encode,
        bundle.functions["image"],
        _embedding,
        slow=True,
        blank={IMAGE_BYTES: [np.zeros((images.size, images.size, 3), np.uint8)]},
        asked={IMAGE_BYTES: [example_image()]},
    )
    return {SERVING: _top_k(bundle, embed), EMBED: embed}


def _top_k(bundle: OpenBundle, embed: Signature, hidden: Any = None) -> Signature:
    """Returns the signature that finds the items nearest to what `embed` returns."""
    most, ids = bundle.serving.k, np.array(bundle.items.ids, object)

    def read(columns: Columns) -> Columns:
        check_k(columns[K], most)
        return {**embed.read(columns), K: columns[K]}

    def find(made: Any, columns: Columns, where: Sequence[str] = ()) -> Columns:
        without = hidden(columns) if hidden else ()
        wanted = max(columns[K]) + max(map(len, without), default=0)
        items, scores = bundle.finder.find(made, columns, wanted, where)
        names: list[Any] = ids[np.maximum(items, 0)].tolist()
        rows, there = list(scores), items >= 0
        whole = np.logical_and.reduce(there, 1).tolist()
        for row, k in enumerate(columns[K]):
            keep = there[row]
            if without and without[row]:
                keep = keep & [id not in without[row] for id in names[row]]
                whole[row] = keep.all()
            if not whole[row]:
                names[row] = [names[row][at] for at in np.flatnonzero(keep)]
                rows[row] = rows[row][keep]
            names[row], rows[row] = names[row][:k], rows[row][:k]
        return {"ids": names, "scores": rows}

    plain = Signature(
        {**embed.inputs, K: Spec(INT)},
        FOUND,
        read,
        embed.encode,
        embed.call,
        find,
        embed.slow,
        {**embed.blank, K: [most]},
        embed.texts,
        embed.kept,
    )
    return narrowed(bundle.finder, plain, find)


def _items(bundle: OpenBundle) -> Signature:
    """Returns the signature of the features of items, as arrays."""
    function = bundle.functions["item"]
    inputs = function.inputs

    def encode(columns: Columns, rows: int) -> Arrays:
        return {
            name: np.asarray(columns[name], spec.dtype).reshape(rows, *spec.shape[1:])
            for name, spec in inputs.items()
        }

    return Signature(
        {name: _spec(array) for name, array in inputs.items()},
        _vector(bundle),
        lambda columns: columns,
        encode,
        function,
        _embedding,
        blank={n: [np.zeros(a.shape[1:], a.dtype)] for n, a in inputs.items()},
    )


def _ages_of_ids(ages: Any, ids: Any) -> Any:
    """Returns the ages of the ids that are not ""; other numbers of ages as given."""
    if not isinstance(ages, Sequence | np.ndarray) or len(ages) != len(ids or ()):
        return ages
    return [age for age, id in zip(ages, ids or (), strict=True) if id != ""]


def _embedding(made: Any, columns: Columns) -> Columns:
    return {"embedding": made}


def _vector(bundle: OpenBundle) -> dict[str, Spec]:
    return {"embedding": Spec(FLOAT, (MANY, bundle.items.vectors.shape[1]))}


def _spec(array: Any) -> Spec:
    kind = np.dtype(array.dtype)
    # A TensorFlow type is NumPy's name in capitals, but for booleans and floats.
    name = {"float32": "FLOAT", "float16": "HALF", "bool": "BOOL"}.get(
        kind.name, kind.name.upper()
    )
    return Spec(f"DT_{name}", (MANY, *array.shape[1:]))
