"""What a bundle's SavedModel can be asked: its signatures and their graphs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from recjax.bundle import tf_columns, tf_ops, tf_text, tf_word_piece
from recjax.bundle.saved_model import Graph, utf8
from recjax.data.inputs import (
    AgeListInput,
    IdListInput,
    Input,
    WordPiece,
    check_ids,
    source,
)
from recjax.errors import UserError
from recjax.index import scann
from recjax.text.features import TextInput

SERVING = "serving_default"


def retrieve(
    tf: Any,
    module: Any,
    function: Callable,
    inputs: Mapping[str, Input],
    vectors: np.ndarray,
    item_ids: Sequence[str],
    plan: scann.Plan,
) -> Graph:
    """Returns the graph from raw queries to the best items.

    It takes every column that an input reads by its name (text: string[B]; id list:
    string[B, any], "" for padding; others: see `tf_columns.spec`), and gives ids
    string[B, K], scores f32[B, K] (dot products, best first) and embedding f32[B, D].

    Raises:
      UserError: ScaNN is not installed, a name or an id is unusable, or a tokenizer is
        not like BERT's.
    """
    check_ids(item_ids)
    columns = {name: source(name, inputs) for name in inputs}
    for name in columns.values():
        if not name.isidentifier():
            raise UserError(f"input {name!r}: use letters, digits and '_' in its name")
    module.item_ids = tf.Variable(utf8(item_ids), trainable=False)
    module.encoders = {name: _encoder(tf, input) for name, input in inputs.items()}
    if plan.leaves:
        module.index = scann.build_tf(vectors, plan)
    else:
        module.vectors = tf.Variable(vectors, trainable=False)
    specs = {columns[name]: _spec(tf, input) for name, input in inputs.items()}

    def graph(raw: dict[str, Any]) -> dict[str, Any]:
        features = {
            name: module.encoders[name](raw[name], raw[input.of])
            if isinstance(input, AgeListInput)
            else module.encoders[name](raw[columns[name]])
            for name, input in inputs.items()
        }
        embedding = tf.cast(function(features), tf.float32)
        if plan.leaves:
            items, scores = scann.search_tf(module.index, embedding, plan.k)
        else:
            scores = tf.matmul(embedding, module.vectors, transpose_b=True)
            scores, items = tf.math.top_k(scores, plan.k)
        ids = tf.gather(module.item_ids, tf.maximum(items, 0))
        ids = tf.where(items < 0, "", ids)
        return {"ids": ids, "scores": scores, "embedding": embedding}

    return specs, graph


def arrays(
    tf: Any, module: Any, function: Callable, example: Mapping[str, np.ndarray]
) -> Graph:
    """Returns the graph of the function itself, of arrays like `example`."""
    specs = {
        name: tf.TensorSpec([None, *value.shape[1:]], value.dtype)
        for name, value in example.items()
    }

    def graph(given: dict[str, Any]) -> dict[str, Any]:
        made = function(given)
        return made if isinstance(made, dict) else {"embedding": made}

    return specs, graph


def scores(
    tf: Any, module: Any, function: Callable, vectors: np.ndarray, pairs: int
) -> Graph:
    """Returns the graph from users' queries to scores of all items.

    It takes user f32[B, D + F] and, where there are features, pair f32[B, N, F].
    """
    module.vectors = tf.Variable(vectors, trainable=False)
    size, width = vectors.shape
    specs = {"user": tf.TensorSpec([None, width + pairs], tf.float32)}
    if pairs:
        specs["pair"] = tf.TensorSpec([None, size, pairs], tf.float32)

    def graph(given: dict[str, Any]) -> dict[str, Any]:
        user = given["user"]
        found = tf.matmul(user[:, :width], module.vectors, transpose_b=True)
        if pairs:
            found += tf.einsum("bf,bnf->bn", user[:, width:], given["pair"])
        return {"scores": found}

    return specs, graph


def _spec(tf: Any, input: Input) -> Any:
    if isinstance(input, TextInput | WordPiece):
        return tf.TensorSpec([None], tf.string)
    if isinstance(input, IdListInput):
        return tf.TensorSpec([None, None], tf.string)
    if isinstance(input, AgeListInput):
        return tf.TensorSpec([None, None], tf.float32)
    return tf_columns.spec(tf, input)


def _encoder(tf: Any, input: Input) -> Any:
    if isinstance(input, TextInput):
        return tf_text.text_encoder(input.vocabulary, input.length)
    if isinstance(input, WordPiece):
        return tf_word_piece.word_piece_encoder(input)
    if not isinstance(input, IdListInput | AgeListInput):
        return tf_columns.encoder(tf, input)
    ages = isinstance(input, AgeListInput)
    item_ids = input.ids.item_ids if ages else input.item_ids

    class ListEncoder(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = tf_ops.hash_table(tf, utf8(item_ids), 1)

        def __call__(self, raw: Any, of: Any = None) -> Any:
            ids = self.table.lookup(of if ages else raw)
            rows, columns = tf.unstack(tf.shape(ids, tf.int64))
            # Places from 1, so that what `left_packed` drops is what is unknown.
            places = tf.range(1, tf.size(ids) + 1)
            known = tf.where(tf.reshape(ids, [-1]) > 0, places, 0)
            row = tf.repeat(tf.range(rows), columns)
            packed = tf_ops.left_packed(tf, known, row, rows)
            kept = packed[:, -input.length :].to_tensor(shape=[None, input.length])
            values = tf.reshape(raw if ages else ids, [-1])
            padded = tf.concat([tf.zeros([1], values.dtype), values], 0)
            return tf.gather(padded, kept)

    return ListEncoder()
