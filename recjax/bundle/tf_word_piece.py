"""The word-piece tokenizer as a TensorFlow graph, equal to `WordPiece.encode`.

Core operations alone, so that any TensorFlow serves it. The longest piece at a place is
found by walking a trie, all words of a batch at once: a step of the loop moves every
word on by one character.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from recjax.bundle import tf_ops as ops
from recjax.extras import require_tensorflow
from recjax.text.ngrams import LETTER, PUNCTUATION
from recjax.text.wordpiece import WordPiece
from recjax.text.wordpiece_tables import WordPieceTables

_WIDE = 2**21
"""Above every code point: node * _WIDE + code point is the key of a child."""
_FIRST, _LATER = 1, 2
"""Roots of the pieces that start a word, and of those that do not; 0 is no node."""


def word_piece_encoder(tokenizer: WordPiece) -> Any:
    """Returns a callable module: string[B] (UTF-8) -> int32[B, tokenizer.length].

    Raises:
      UserError: TensorFlow is not installed, or the tokenizer is not like BERT's.
    """
    tf = require_tensorflow()
    tables = WordPieceTables.of(tokenizer)
    children, pieces = _trie(tables.pieces, tables.prefix)

    class WordPieceEncoder(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.folded = ops.code_point_folder(tf, tables.folding)
            self.kinds = ops.pages(tf, tables.kinds.astype(np.int32))
            keys, nodes = list(children), list(children.values())
            self.children = ops.hash_table(tf, keys, nodes, tf.int64)
            self.pieces = tf.Variable(pieces, trainable=False)

        def __call__(self, texts: Any) -> Any:
            rows = tf.size(texts, tf.int64)
            codes, row = self.folded(texts)
            kinds = ops.lookup(tf, self.kinds, codes)
            inside = (kinds == LETTER) | (kinds == PUNCTUATION)
            joined = (kinds == LETTER) & (ops.shifted(tf, kinds) == LETTER)
            first = tf.boolean_mask(inside & ~joined, inside)
            codes, row = tf.boolean_mask(codes, inside), tf.boolean_mask(row, inside)
            found = self._pieces(codes, first)
            ids = ops.left_packed(tf, found, row, rows)[:, : tokenizer.length - 2]
            one = tf.fill([tf.size(texts), 1], 1)
            ids = tf.concat([one * tables.start, ids, one * tables.end], 1)
            return ids.to_tensor(shape=[None, tokenizer.length])

        def _pieces(self, codes: Any, first: Any) -> Any:
            """Returns at each character the piece that starts there, or 0."""
            starts = tf.cast(tf.where(first)[:, 0], tf.int32)
            ends = tf.concat([starts[1:], [tf.size(codes)]], 0)[: tf.size(starts)]
            word = tf.zeros_like(starts)
            # A walk of each word: where its piece starts, where it is, at which node,
            # and the last place at which a piece ended, with its id.
            walk = {
                "start": starts,
                "at": starts,
                "node": word + _FIRST,
                "end": starts,
                "piece": word,
                "open": ends - starts <= tables.longest,
            }
            spelled = walk["open"]
            state = walk | {"spelled": spelled, "found": tf.zeros_like(codes)}
            state = tf.while_loop(
                lambda state: tf.reduce_any(state["open"]),
                lambda state: (self._step(state, codes, ends),),
                (state,),
            )[0]
            # A word that no pieces spell is unknown as a whole.
            whole = tf.repeat(state["spelled"], ends - starts)
            unknown = tf.where(first, tables.unknown, 0)
            return tf.where(whole, state["found"], unknown)

        def _step(self, state: dict[str, Any], codes: Any, ends: Any) -> dict[str, Any]:
            inside = state["open"] & (state["at"] < ends)
            code = tf.gather(codes, tf.where(inside, state["at"], 0))
            key = tf.cast(state["node"], tf.int64) * _WIDE + tf.cast(code, tf.int64)
            node = tf.where(inside, self.children.lookup(key), 0)
            moved = node > 0
            at = state["at"] + tf.cast(moved, tf.int32)
            piece = tf.gather(self.pieces, node)
            ended = moved & (piece > 0)
            piece = tf.where(ended, piece, state["piece"])
            end = tf.where(ended, at, state["end"])
            stuck = state["open"] & ~moved
            said = stuck & (piece > 0)
            places = tf.boolean_mask(state["start"], said)
            found = tf.tensor_scatter_nd_update(
                state["found"], places[:, None], tf.boolean_mask(piece, said)
            )
            failed = stuck & ~said
            return {
                "start": tf.where(said, end, state["start"]),
                "at": tf.where(said, end, at),
                "node": tf.where(said, _LATER, node),
                "end": end,
                "piece": tf.where(said, 0, piece),
                "open": state["open"] & ~failed & ~(said & (end == ends)),
                "spelled": state["spelled"] & ~failed,
                "found": found,
            }

    return WordPieceEncoder()


def _trie(pieces: Mapping[str, int], prefix: str) -> tuple[dict[int, int], np.ndarray]:
    """Returns key -> child, and the id of the piece that ends at each node, or 0."""
    children: dict[int, int] = {}
    ids = [0, 0, 0]
    for piece, id in pieces.items():
        later = piece.startswith(prefix)
        node = _LATER if later else _FIRST
        for char in piece.removeprefix(prefix) if later else piece:
            key = node * _WIDE + ord(char)
            if key not in children:
                children[key] = len(ids)
                ids.append(0)
            node = children[key]
        ids[node] = id
    return children, np.asarray(ids, np.int32)
