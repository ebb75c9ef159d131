"""One SavedModel from raw features to item ids: tokenizer, query tower and top-k.

Signature `serving_default`: every input by its name (text: string[B], asked for once
where several inputs are made of it; id list: string[B, any], "" for padding) -> ids
string[B, K], scores f32[B, K] (dot products, best first) and embedding f32[B, D].
Parameters, item vectors and item ids are the model's variables, so its graph stays
small. With an exact plan any TensorFlow runs it; with a ScaNN plan the process must
import scann before it loads the file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from recjax.bundle import tf_ops, tf_text, tf_word_piece
from recjax.data.inputs import AgeListInput, Input, WordPiece, check_ids
from recjax.errors import UserError, nearest
from recjax.extras import require_tensorflow
from recjax.index import scann_index
from recjax.text.features import TextInput

SIGNATURE = "serving_default"
_PLATFORMS = ("cpu", "cuda", "tpu")


Inputs = Mapping[str, Input]


def write(
    path: str | Path,
    *,
    query_fn: Callable[[Any, dict[str, Any]], Any],
    params: Any,
    inputs: Inputs,
    vectors: np.ndarray,
    item_ids: Sequence[str],
    plan: scann_index.Plan,
) -> None:
    """Writes the SavedModel to folder `path`.

    Args:
      path: a folder; made if absent.
      query_fn: pure JAX, (params, {name: i32[B, length]}) -> f32[B, D].
      params: a pytree of arrays.
      inputs: what the features are made of; the names are the signature's.
      vectors: f32[N, D], the items.
      item_ids: N raw ids.
      plan: how to search, and K.

    Raises:
      UserError: TensorFlow or ScaNN is not installed, an input's name is unusable, its
        tokenizer is not like BERT's, or `vectors`, `item_ids` and `plan` do
        not fit each other.
    """
    tf = require_tensorflow()
    check_ids(item_ids)
    for name in inputs:
        if not name.isidentifier():
            raise UserError(f"input {name!r}: use letters, digits and '_' in its name")
    if len(vectors) != len(item_ids):
        raise UserError(f"{len(vectors)} item vectors, but {len(item_ids)} item ids")
    if not 1 <= plan.k <= len(item_ids):
        raise UserError(f"k = {plan.k} results from {len(item_ids)} items")
    vectors = scann_index.finite_matrix("vectors", vectors)
    module = _retriever(tf, query_fn, params, inputs, vectors, item_ids, plan)
    options = tf.saved_model.SaveOptions(namespace_whitelist=["Scann"])
    signature = module.retrieve.get_concrete_function()
    tf.saved_model.save(module, str(path), {SIGNATURE: signature}, options)


def load(path: str | Path) -> Callable[[Mapping[str, Sequence]], dict[str, np.ndarray]]:
    """Returns a callable from raw features to ids, scores and embedding.

    It takes {name: B texts, or B lists of ids of any lengths} and returns {"ids":
    str[B, K] (dtype object), "scores": f32[B, K], "embedding": f32[B, D]}. Uses
    TensorFlow alone, and ScaNN if the file holds it.

    Raises:
      UserError: TensorFlow or ScaNN is needed and missing, or the folder is broken;
        from the callable: names differ from the signature's, or there is no example.
    """
    tf = require_tensorflow()
    graph = Path(path) / "saved_model.pb"
    if not graph.is_file():
        raise UserError(f"{path}: no saved_model.pb; this is not a SavedModel folder")
    if b"Scann>" in graph.read_bytes():
        scann_index.require_scann_tf()
    try:
        model = tf.saved_model.load(str(path))
        specs = model.signatures[SIGNATURE].structured_input_signature[1]
    except (OSError, KeyError, ValueError, tf.errors.OpError) as error:
        raise UserError(
            f"{path}: TensorFlow cannot load this SavedModel ({error}); export it anew"
        ) from error

    def call(features: Mapping[str, Sequence]) -> dict[str, np.ndarray]:
        for name in features.keys() ^ specs.keys():
            hint = nearest(name, specs) if name in features else ""
            raise UserError(
                f"feature {name!r} is {'unknown' if name in features else 'missing'}; "
                f"the model takes {sorted(specs)}.{hint}"
            )
        sizes = {name: len(features[name]) for name in specs}
        if len(set(sizes.values())) > 1 or 0 in sizes.values():
            raise UserError(
                f"numbers of examples {sizes}; give every feature equally many, "
                "at least one"
            )
        tensors = {
            name: _numbers(tf, features[name])
            if spec.dtype == tf.float32
            else _strings(tf, name, features[name], spec.shape.rank)
            for name, spec in specs.items()
        }
        # Through `model`: a signature alone does not keep its variables alive.
        found = model.signatures[SIGNATURE](**tensors)
        found = {name: value.numpy() for name, value in found.items()}
        texts = [id.decode() for id in found["ids"].reshape(-1)]
        found["ids"] = np.array(texts, object).reshape(found["ids"].shape)
        return found

    return call


def _retriever(
    tf: Any,
    query_fn: Callable,
    params: Any,
    inputs: Inputs,
    vectors: np.ndarray,
    item_ids: Sequence[str],
    plan: scann_index.Plan,
) -> Any:
    import jax
    from jax.experimental import jax2tf

    from recjax.bundle.jax_export import host_array

    shapes = {
        name: jax.ShapeDtypeStruct((1, input.length), _dtype(input))
        for name, input in inputs.items()
    }
    made = jax.eval_shape(query_fn, params, shapes).shape
    if made != (1, vectors.shape[1]):
        raise UserError(
            f"the query function makes {list(made)} of one example, but item vectors "
            f"have {vectors.shape[1]} numbers; export both from one model"
        )
    leaves, tree = jax.tree.flatten(params)
    embed = jax2tf.convert(
        lambda leaves, features: query_fn(jax.tree.unflatten(tree, leaves), features),
        polymorphic_shapes=[
            None,
            {name: f"(b, {input.length})" for name, input in inputs.items()},
        ],
        with_gradient=False,
        native_serialization_platforms=_PLATFORMS,
    )
    signature = {
        name: tf.TensorSpec(
            [None] if isinstance(input, TextInput | WordPiece) else [None, None],
            tf.float32 if isinstance(input, AgeListInput) else tf.string,
            name,
        )
        for name, input in inputs.items()
        if _source(name, inputs) == name
    }

    class Retriever(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.params = [
                tf.Variable(host_array(leaf), trainable=False) for leaf in leaves
            ]
            self.item_ids = tf.Variable(_utf8(item_ids), trainable=False)
            self.encoders = {n: _encoder(tf, input) for n, input in inputs.items()}
            if plan.leaves:
                self.index = scann_index.build_tf(vectors, plan)
            else:
                self.vectors = tf.Variable(vectors, trainable=False)

        @tf.function(input_signature=[signature], autograph=False)
        def retrieve(self, raw: dict[str, Any]) -> dict[str, Any]:
            features = {
                name: self.encoders[name](raw[name], raw[input.of])
                if isinstance(input, AgeListInput)
                else self.encoders[name](raw[_source(name, inputs)])
                for name, input in inputs.items()
            }
            embedding = tf.cast(embed(self.params, features), tf.float32)
            if plan.leaves:
                items, scores = scann_index.search_tf(self.index, embedding, plan.k)
            else:
                scores = tf.matmul(embedding, self.vectors, transpose_b=True)
                scores, items = tf.math.top_k(scores, plan.k)
            ids = tf.gather(self.item_ids, tf.maximum(items, 0))
            return {
                "ids": tf.where(items < 0, "", ids),
                "scores": scores,
                "embedding": embedding,
            }

    return Retriever()


def _source(name: str, inputs: Inputs) -> str:
    """Returns whose raw values an input reads: texts read "text", if it exists."""
    is_text = isinstance(inputs[name], TextInput | WordPiece)
    return "text" if is_text and "text" in inputs else name


def _encoder(tf: Any, input: Input) -> Any:
    if isinstance(input, TextInput):
        return tf_text.text_encoder(input.vocabulary, input.length)
    if isinstance(input, WordPiece):
        return tf_word_piece.word_piece_encoder(input)

    ages = isinstance(input, AgeListInput)
    item_ids = input.ids.item_ids if ages else input.item_ids

    class ListEncoder(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = tf_ops.hash_table(tf, _utf8(item_ids), 1)

        def __call__(self, raw: Any, of: Any = None) -> Any:
            ids = self.table.lookup(of if ages else raw)
            rows = tf.shape(ids, tf.int64)[0]
            # Places from 1, so that what `left_packed` drops is what is unknown.
            places = tf.range(1, tf.size(ids) + 1)
            known = tf.where(tf.reshape(ids, [-1]) > 0, places, 0)
            packed = tf_ops.left_packed(tf, known, _rows_of(tf, ids), rows)
            kept = packed[:, -input.length :].to_tensor(shape=[None, input.length])
            values = tf.reshape(raw if ages else ids, [-1])
            padded = tf.concat([tf.zeros([1], values.dtype), values], 0)
            return tf.gather(padded, kept)

    return ListEncoder()


def _dtype(input: Input) -> Any:
    return np.float32 if isinstance(input, AgeListInput) else np.int32


def _rows_of(tf: Any, values: Any) -> Any:
    rows, columns = tf.unstack(tf.shape(values, tf.int64))
    return tf.repeat(tf.range(rows), columns)


def _strings(tf: Any, name: str, values: Sequence, rank: int) -> Any:
    if rank == 1:
        return tf.constant(_utf8(values), tf.string, [len(values)])
    if any(isinstance(row, str) for row in values):
        raise UserError(f"feature {name!r} takes a list of ids per example, not a text")
    width = max(map(len, values), default=0)
    flat = [id for row in values for id in (*row, *[""] * (width - len(row)))]
    return tf.constant(_utf8(flat), tf.string, [len(values), width])


def _numbers(tf: Any, values: Sequence[Sequence[float]]) -> Any:
    width = max(map(len, values), default=0)
    rows = [[*row, *[0.0] * (width - len(row))] for row in values]
    return tf.constant(rows, tf.float32, [len(values), width])


def _utf8(texts: Sequence[str]) -> list[bytes]:
    return [text.encode("utf-8", "replace") for text in texts]
