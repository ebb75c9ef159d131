"""Parts that several TensorFlow graphs share: texts as code points, lookup tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from recjax.text.normalize import CODE_POINTS

_PAGE = 256


def code_point_folder(tf: Any, changes: Mapping[int, str]) -> Any:
    """Returns a module: string[B] -> code points [M], and the row of each [M].

    A space stands before and behind each text, so that no word goes on in the next.
    `changes` has what replaces a code point: another, several or none.
    """

    class Folder(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            entry = np.zeros(CODE_POINTS, np.int32)
            entry[list(changes)] = np.arange(1, len(changes) + 1)
            self.replaced = pages(tf, entry)
            # Entry 0 is any unchanged code point: its one value is read but not used.
            texts = ["?", *changes.values()]
            codes = [ord(char) for text in texts for char in text]
            ends = np.cumsum([0, *map(len, texts)])
            self.folded = tf.Variable(np.asarray(codes, np.int32), trainable=False)
            self.ends = tf.Variable(ends.astype(np.int64), trainable=False)

        def __call__(self, texts: Any) -> tuple[Any, Any]:
            codes = tf.strings.unicode_decode(texts, "UTF-8")
            space = tf.fill([tf.size(texts), 1], ord(" "))
            codes = tf.concat([space, codes, space], 1)
            row, codes = codes.value_rowids(), codes.flat_values
            entry = lookup(tf, self.replaced, codes)
            start = tf.gather(self.ends, entry)
            size = tf.gather(self.ends, entry + 1) - start
            source = tf.repeat(tf.range(tf.size(codes)), size)
            first = tf.gather(tf.cumsum(size, exclusive=True), source)
            within = tf.range(tf.size(source, tf.int64)) - first
            folded = tf.gather(self.folded, tf.gather(start, source) + within)
            changed = tf.gather(entry, source) > 0
            codes = tf.where(changed, folded, tf.gather(codes, source))
            return codes, tf.gather(row, source)

    return Folder()


def hash_table(tf: Any, keys: list, values: int | list[int], dtype: Any = None) -> Any:
    """Returns a table from keys to values, or `values`, `values` + 1, ...; else 0."""
    dtype = dtype or tf.string
    if isinstance(values, int):
        values = list(range(values, values + len(keys)))
    if not keys:
        # TensorFlow refuses an empty table; an entry of value 0 changes nothing.
        keys, values = ["" if dtype == tf.string else 0], [0]
    entries = tf.constant(keys, dtype), tf.constant(values, tf.int32)
    return tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(*entries), 0)


def left_packed(tf: Any, ids: Any, row: Any, rows: Any) -> Any:
    """Returns the non-zero ids by row, as a ragged int32[B, None]."""
    keep = ids > 0
    return tf.RaggedTensor.from_value_rowids(
        tf.boolean_mask(ids, keep), tf.boolean_mask(row, keep), rows, validate=False
    )


def weighed(tf: Any, held: Any, weights: Any) -> Callable[[Any], Any]:
    """Returns (what is asked f32[V, B]) -> scores f32[B, N], as `LinearScores` has.

    Args:
      tf: TensorFlow.
      held: the module that holds the weights.
      weights: what each of V words or items says of each of N items, sparse [V, N].
    """
    turned = weights.T.tocoo()
    order = np.lexsort((turned.col, turned.row))
    places = np.stack([turned.row[order], turned.col[order]], 1)
    shape = tuple(map(int, turned.shape))
    held.places = tf.Variable(places.astype(np.int64), trainable=False)
    held.weights = tf.Variable(turned.data[order].astype(np.float32), trainable=False)

    def scores(asked: Any) -> Any:
        matrix = tf.sparse.SparseTensor(held.places, held.weights, shape)
        return tf.transpose(tf.sparse.sparse_dense_matmul(matrix, asked))

    return scores


def pages(tf: Any, values: np.ndarray) -> tuple[Any, Any]:
    """Splits a table over all code points into its distinct pages and their order."""
    distinct, order = np.unique(values.reshape(-1, _PAGE), axis=0, return_inverse=True)
    return (
        tf.Variable(order.reshape(-1).astype(np.int32), trainable=False),
        tf.Variable(distinct.reshape(-1), trainable=False),
    )


def lookup(tf: Any, pages: tuple[Any, Any], codes: Any) -> Any:
    """Returns the entries of a table that `pages` made."""
    page = tf.gather(pages[0], codes // _PAGE)
    return tf.gather(pages[1], page * _PAGE + codes % _PAGE)


def shifted(tf: Any, values: Any) -> Any:
    """Returns for each entry the one before it; -1 for the first."""
    return tf.concat([values[:1] * 0 - 1, values[:-1]], 0)
