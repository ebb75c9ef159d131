"""What a bundle's SavedModel can be asked: its signatures and their graphs.

Their names, inputs and outputs are those of `served.signatures`, which answers the same
from the bundle's other files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from recjax.bundle import (
    session_served,
    tf_columns,
    tf_fusion,
    tf_ops,
    tf_text,
    tf_word_piece,
)
from recjax.bundle.contract import (
    EMBED,
    ITEM,
    SERVING,
    input_spec,
    tensor_spec,
)
from recjax.bundle.saved_model import Graph, utf8
from recjax.bundle.session_columns import ServedColumns
from recjax.bundle.session_state import SessionState
from recjax.bundle.tf_top_k import top_k
from recjax.data.inputs import (
    AgeListInput,
    IdListInput,
    Input,
    WordPiece,
    source,
)
from recjax.errors import UserError
from recjax.evals.fused import FusedParts
from recjax.index.compact import Vectors
from recjax.index.plan import Plan
from recjax.text.features import TextInput

Functions = Mapping[str, Callable[[dict[str, Any]], Any]]
K = "k"


def queries(
    tf: Any,
    module: Any,
    functions: Functions,
    inputs: Mapping[str, Input],
    vectors: Vectors,
    item_ids: Sequence[str],
    plan: Plan,
    item: Mapping[str, np.ndarray] | None = None,
    fused: FusedParts | None = None,
) -> dict[str, Graph]:
    """Returns the graphs of a bundle with towers.

    All take every column that an input reads by its name (text: string[B]; id list:
    string[B, any], "" for padding; others: see `contract.input_spec`).

    embed            -> embedding f32[B, D]
    serving_default  k i32[B] besides -> ids string[B, max k], scores f32[B, max k]: dot
                     products, or those of a fusion, best first, without the items of id
                     lists; "" and the lowest number behind the row's own k, and
                     everywhere where its k is not in 1..plan.k
    embed_item       arrays like `item` -> embedding f32[B, D]

    Raises:
      UserError: ScaNN is not installed, a name or an id is unusable, or a tokenizer is
        not like BERT's.
    """
    columns = {name: source(name, inputs) for name in inputs}
    for name in columns.values():
        if not name.isidentifier():
            raise UserError(f"input {name!r}: use letters, digits and '_' in its name")
    module.encoders = {name: _encoder(tf, input) for name, input in inputs.items()}
    nearest = top_k(tf, module, vectors, item_ids, plan)
    scored = tf_fusion.scores(tf, module, fused, item_ids) if fused else None
    lists = [name for name, kind in inputs.items() if isinstance(kind, IdListInput)]
    specs = {
        columns[name]: tensor_spec(tf, input_spec(input))
        for name, input in inputs.items()
    }

    def embed(raw: dict[str, Any]) -> dict[str, Any]:
        features = {
            name: module.encoders[name](raw[name], raw[input.of])
            if isinstance(input, AgeListInput)
            else module.encoders[name](raw[columns[name]])
            for name, input in inputs.items()
        }
        return {"embedding": tf.cast(functions["query"](features), tf.float32)}

    def serving(raw: dict[str, Any]) -> dict[str, Any]:
        hidden = [module.encoders[name].table.lookup(raw[name]) for name in lists]
        none = tf.zeros([tf.size(raw[K]), 0], tf.int32)
        hidden, vector = tf.concat([*hidden, none], 1), embed(raw)["embedding"]
        scores = scored(vector, raw) if scored else None
        return nearest(vector, raw[K], hidden, scores=scores)

    made: dict[str, Graph] = {
        SERVING: ({**specs, K: tf.TensorSpec([None], tf.int32)}, serving),
        EMBED: (specs, embed),
    }
    if item is not None:
        made[ITEM] = arrays(tf, functions["item"], item)
    return made


def arrays(tf: Any, function: Callable, example: Mapping[str, np.ndarray]) -> Graph:
    """Returns the graph of a function itself, of arrays like `example`."""
    specs = {
        name: tf.TensorSpec([None, *value.shape[1:]], value.dtype)
        for name, value in example.items()
    }

    def graph(given: dict[str, Any]) -> dict[str, Any]:
        made = function(given)
        return made if isinstance(made, dict) else {"embedding": made}

    return specs, graph


def sessions(
    tf: Any,
    module: Any,
    functions: Functions,
    example: Mapping[str, np.ndarray],
    kept: SessionState,
    vectors: Vectors,
    item_ids: Sequence[str],
    k: int,
    pairs: int,
) -> dict[str, Graph]:
    """Returns the graphs of a bundle of a session model; see `session_served`.

    Where an item is unknown, the state stays as it is.
    """
    nearest = top_k(tf, module, vectors, item_ids, Plan(k))
    module.rows = tf_ops.hash_table(tf, utf8(item_ids), 1)
    module.columns = {
        one.table: {name: _encoder(tf, kind) for name, kind in one.inputs.items()}
        for one in (kept.event, kept.user)
    }
    (size, width), empty = vectors.shape, kept.empty
    held = {n: tf.TensorSpec([None, *one.shape], one.dtype) for n, one in empty.items()}
    ints, floats, bools = (
        tf.TensorSpec([None], kind) for kind in (tf.int32, tf.float32, tf.bool)
    )
    state = {"age": ints, "position": ints, "session_gap": floats, **held}
    when = {session_served.GAP: floats, session_served.NEW: bools}
    when |= {n: tensor_spec(tf, spec) for n, spec in kept.user.specs.items()}

    def features(one: ServedColumns, given: dict[str, Any]) -> dict[str, Any]:
        return {
            one.named(name): encode(given[one.named(source(name, one.inputs))])
            for name, encode in module.columns[one.table].items()
        }

    def nothing(given: dict[str, Any]) -> dict[str, Any]:
        rows = tf.size(given["age"])
        return {n: tf.repeat(a[None], rows, 0) for n, a in kept.event.blank.items()}

    def stepped(
        given: dict[str, Any], item: Any, event: dict[str, Any]
    ) -> dict[str, Any]:
        position, gap = session_served.in_session(given, tf.where)
        at = {"item": item, "position": position, "age": given["age"], "gap": gap}
        arrays = {name: value[:, None] for name, value in at.items()}
        arrays |= {**event, **features(kept.user, given)}
        for name, blank in empty.items():
            new = tf.reshape(given["age"] == 0, [-1, *[1] * blank.ndim])
            arrays[name] = tf.where(new, blank[None], given[name])
        made = functions["step"]({name: arrays[name] for name in example})
        age = given["age"] + 1
        return {**made, "age": age, "position": position + 1, "session_gap": gap}

    def step(given: dict[str, Any]) -> dict[str, Any]:
        item = module.rows.lookup(given["item"])
        made = stepped(given, tf.maximum(item, 1), features(kept.event, given))
        for name in state:
            known = tf.reshape(item > 0, [-1, *[1] * (made[name].shape.rank - 1)])
            made[name] = tf.where(known, made[name], given[name])
        return made

    def close(given: dict[str, Any]) -> dict[str, Any]:
        return {**given, "position": tf.zeros_like(given["position"])}

    def serving(given: dict[str, Any]) -> dict[str, Any]:
        user = stepped(given, tf.ones_like(given["age"]), nothing(given))["user"]
        none, more = tf.zeros([tf.size(given[K]), 0], tf.int32), 0.0
        if pairs:
            more = tf.einsum("bf,bnf->bn", user[:, width:], given["pair"])
        return nearest(user[:, :width], given[K], none, more)

    pair = {"pair": tf.TensorSpec([None, size, pairs], tf.float32)} if pairs else {}
    asked = {**when, **state, **pair, K: ints}
    item = {"item": tf.TensorSpec([None], tf.string)}
    item |= {n: tensor_spec(tf, spec) for n, spec in kept.event.specs.items()}
    return {
        SERVING: (asked, serving),
        session_served.STEP: ({**item, **when, **state}, step),
        session_served.CLOSE: (state, close),
    }


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
            # Ages of another number than ids fail here, and are not taken for others.
            values = tf.reshape(tf.reshape(raw, tf.shape(ids)) if ages else ids, [-1])
            padded = tf.concat([tf.zeros([1], values.dtype), values], 0)
            return tf.gather(padded, kept)

    return ListEncoder()
