"""The text tokenizer as a TensorFlow graph, equal to `Vocabulary.encode_padded`.

Built from core string, ragged and lookup operations and from the same code-point tables
as the Python tokenizer, so the two agree by construction. All work is done on flat
arrays over the whole batch; `row` says which text an entry belongs to.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from recjax.bundle import tf_ops as ops
from recjax.extras import require_tensorflow
from recjax.text import ngrams
from recjax.text.ngrams import JOINER, LETTER, SPACE
from recjax.text.normalize import folding
from recjax.text.vocabulary import Vocabulary

_WIDE = 2**21  # Above every code point, so three of them make one 63-bit key.


def text_encoder(vocabulary: Vocabulary, length: int) -> Any:
    """Returns a callable module: string[B] (UTF-8) -> int32[B, length].

    The result equals `vocabulary.encode_padded(texts, length)`. Bytes that are not
    UTF-8 are read as U+FFFD. Everything it needs is saved with a SavedModel that holds
    the module.

    Raises:
      UserError: TensorFlow is not installed.
    """
    tf = require_tensorflow()

    class TextEncoder(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.folded = ops.code_point_folder(tf, folding())
            self.classes = ops.pages(tf, ngrams.classes().astype(np.int32))
            starts = vocabulary.offsets
            unigrams, bigrams, trigrams = vocabulary.tokens
            self.unigrams = ops.hash_table(tf, list(unigrams), starts[0])
            self.bigrams = ops.hash_table(tf, list(bigrams), starts[1])
            keys = [trigram_key(*map(ord, token)) for token in trigrams]
            self.trigrams = ops.hash_table(tf, keys, starts[2], tf.int64)

        def __call__(self, texts: Any) -> Any:
            rows = tf.size(texts, tf.int64)
            codes, row = self.folded(texts)
            kinds = ops.lookup(tf, self.classes, codes)
            words, word_row = _words(tf, codes, kinds, row, vocabulary.rules)
            pair_row, inside = _windows(tf, word_row, 2)
            pairs = tf.strings.join([words[:-1], words[1:]], JOINER)
            pairs = tf.boolean_mask(pairs, inside)
            keys, key_row = trigram_keys(tf, codes, kinds, row)
            ids = [
                ops.left_packed(tf, self.unigrams.lookup(words), word_row, rows),
                ops.left_packed(tf, self.bigrams.lookup(pairs), pair_row, rows),
                ops.left_packed(tf, self.trigrams.lookup(keys), key_row, rows),
            ]
            ids = tf.concat(ids, 1)
            if vocabulary.rules.once:
                ids = _once(tf, ids, rows, vocabulary.size)
            return ids.to_tensor(shape=[None, length])

    return TextEncoder()


def trigram_key(first: Any, second: Any, third: Any) -> Any:
    """Returns one number for three code points."""
    return (first * _WIDE + second) * _WIDE + third


def _words(
    tf: Any, codes: Any, kinds: Any, row: Any, rules: ngrams.TextRules
) -> tuple[Any, Any]:
    """Returns the words and their rows; every row starts and ends with whitespace."""
    inside = (kinds == LETTER) | (kinds == ngrams.IDEOGRAPH)
    joined = (kinds == LETTER) & (ops.shifted(tf, kinds) == LETTER)
    if rules.split_digits:
        digit = tf.cast((codes >= ord("0")) & (codes <= ord("9")), tf.int32)
        joined &= digit == ops.shifted(tf, digit)
    starts = inside & ~joined
    word = tf.cumsum(tf.cast(starts, tf.int64)) - 1
    word_row = tf.boolean_mask(row, starts)
    chars = tf.RaggedTensor.from_value_rowids(
        tf.boolean_mask(codes, inside),
        tf.boolean_mask(word, inside),
        tf.size(word_row, tf.int64),
        validate=False,
    )
    words = tf.strings.unicode_encode(chars, "UTF-8")
    if rules.strip_plurals:
        words = tf.strings.regex_replace(words, ngrams.PLURAL, r"\1")
    return words, word_row


def trigram_keys(tf: Any, codes: Any, kinds: Any, row: Any) -> tuple[Any, Any]:
    """Returns the keys of all trigrams and their rows; rows as for `_words`."""
    space = kinds == SPACE
    repeated = space & (ops.shifted(tf, kinds) == SPACE) & (ops.shifted(tf, row) == row)
    chars = tf.boolean_mask(tf.where(space, ord(JOINER), codes), ~repeated)
    chars = tf.cast(chars, tf.int64)
    key_row, inside = _windows(tf, tf.boolean_mask(row, ~repeated), 3)
    keys = trigram_key(chars[:-2], chars[1:-1], chars[2:])
    return tf.boolean_mask(keys, inside), key_row


def _once(tf: Any, ids: Any, rows: Any, size: int) -> Any:
    """Returns each id of a row once, in the order of first occurrence."""
    keys = ids.value_rowids() * size + tf.cast(ids.flat_values, tf.int64)
    keys, _ = tf.unique(keys)
    return tf.RaggedTensor.from_value_rowids(
        tf.cast(keys % size, tf.int32), keys // size, rows, validate=False
    )


def _windows(tf: Any, row: Any, width: int) -> tuple[Any, Any]:
    """Returns the row of each whole window of `width` entries, and which are whole."""
    inside = row[: 1 - width] == row[width - 1 :]
    return tf.boolean_mask(row[: 1 - width], inside), inside
