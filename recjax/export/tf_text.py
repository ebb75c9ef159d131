"""The text tokenizer as a TensorFlow graph, equal to `Vocabulary.encode_padded`.

Built from core string, ragged and lookup operations and from the same code-point tables
as the Python tokenizer, so the two agree by construction. All work is done on flat
arrays over the whole batch; `row` says which text an entry belongs to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from recjax.data.text.ngrams import (
    IDEOGRAPH,
    JOINER,
    LETTER,
    PLURAL,
    SPACE,
    TextRules,
    classes,
)
from recjax.data.text.normalize import CODE_POINTS, folding
from recjax.data.text.vocabulary import Vocabulary
from recjax.errors import UserError

if TYPE_CHECKING:
    import tensorflow as tf

_PAGE = 256
_WIDE = 2**21  # Above every code point, so three of them make one 63-bit key.


def require_tensorflow() -> Any:
    """Returns the `tensorflow` module.

    Raises:
      UserError: TensorFlow is not installed.
    """
    try:
        import tensorflow
    except ImportError as error:
        raise UserError(
            "a SavedModel needs TensorFlow, which is not installed: "
            "pip install 'recjax[savedmodel]'"
        ) from error
    return tensorflow


def text_encoder(vocabulary: Vocabulary, length: int) -> tf.Module:
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
            changes = folding()
            entry = np.zeros(CODE_POINTS, np.int32)
            entry[list(changes)] = np.arange(1, len(changes) + 1)
            self.replaced = _pages(tf, entry)
            # Entry 0 is any unchanged code point: its one value is read but not used.
            texts = ["?", *changes.values()]
            codes = [ord(char) for text in texts for char in text]
            ends = np.cumsum([0, *map(len, texts)])
            self.folded = tf.Variable(np.asarray(codes, np.int32), trainable=False)
            self.ends = tf.Variable(ends.astype(np.int64), trainable=False)
            self.classes = _pages(tf, classes().astype(np.int32))
            starts = vocabulary.offsets
            unigrams, bigrams, trigrams = vocabulary.tokens
            self.unigrams = hash_table(tf, list(unigrams), starts[0])
            self.bigrams = hash_table(tf, list(bigrams), starts[1])
            keys = [_key(*map(ord, token)) for token in trigrams]
            self.trigrams = hash_table(tf, keys, starts[2], tf.int64)

        @tf.function(
            input_signature=[tf.TensorSpec([None], tf.string, "texts")],
            autograph=False,
        )
        def __call__(self, texts: Any) -> Any:
            rows = tf.size(texts, tf.int64)
            codes, row = self._normalized(texts)
            kinds = _lookup(tf, self.classes, codes)
            words, word_row = _words(tf, codes, kinds, row, vocabulary.rules)
            pair_row, inside = _windows(tf, word_row, 2)
            pairs = tf.strings.join([words[:-1], words[1:]], JOINER)
            pairs = tf.boolean_mask(pairs, inside)
            keys, key_row = _trigram_keys(tf, codes, kinds, row)
            ids = [
                left_packed(tf, self.unigrams.lookup(words), word_row, rows),
                left_packed(tf, self.bigrams.lookup(pairs), pair_row, rows),
                left_packed(tf, self.trigrams.lookup(keys), key_row, rows),
            ]
            ids = tf.concat(ids, 1)
            if vocabulary.rules.once:
                ids = _once(tf, ids, rows, vocabulary.size)
            return ids.to_tensor(shape=[None, length])

        def _normalized(self, texts: Any) -> tuple[Any, Any]:
            """Returns normalised code points, a space around each text, and rows."""
            codes = tf.strings.unicode_decode(texts, "UTF-8")
            space = tf.fill([tf.size(texts), 1], ord(" "))
            codes = tf.concat([space, codes, space], 1)
            row, codes = codes.value_rowids(), codes.flat_values
            entry = _lookup(tf, self.replaced, codes)
            start = tf.gather(self.ends, entry)
            size = tf.gather(self.ends, entry + 1) - start
            source = tf.repeat(tf.range(tf.size(codes)), size)
            first = tf.gather(tf.cumsum(size, exclusive=True), source)
            within = tf.range(tf.size(source, tf.int64)) - first
            folded = tf.gather(self.folded, tf.gather(start, source) + within)
            changed = tf.gather(entry, source) > 0
            codes = tf.where(changed, folded, tf.gather(codes, source))
            return codes, tf.gather(row, source)

    return TextEncoder()


def hash_table(tf: Any, keys: list, first: int, dtype: Any = None) -> Any:
    """Returns a table from keys to first, first + 1, ...; anything else to 0."""
    dtype = dtype or tf.string
    values = tf.range(first, first + len(keys), dtype=tf.int32)
    if not keys:
        # TensorFlow refuses an empty table; an entry of value 0 changes nothing.
        keys, values = ["" if dtype == tf.string else 0], tf.constant([0])
    entries = tf.lookup.KeyValueTensorInitializer(tf.constant(keys, dtype), values)
    return tf.lookup.StaticHashTable(entries, 0)


def left_packed(tf: Any, ids: Any, row: Any, rows: Any) -> Any:
    """Returns the non-zero ids by row, as a ragged int32[B, None]."""
    keep = ids > 0
    return tf.RaggedTensor.from_value_rowids(
        tf.boolean_mask(ids, keep), tf.boolean_mask(row, keep), rows, validate=False
    )


def _pages(tf: Any, values: np.ndarray) -> tuple[Any, Any]:
    """Splits a table over all code points into its distinct pages and their order."""
    pages, order = np.unique(values.reshape(-1, _PAGE), axis=0, return_inverse=True)
    return (
        tf.Variable(order.reshape(-1).astype(np.int32), trainable=False),
        tf.Variable(pages.reshape(-1), trainable=False),
    )


def _lookup(tf: Any, pages: tuple[Any, Any], codes: Any) -> Any:
    page = tf.gather(pages[0], codes // _PAGE)
    return tf.gather(pages[1], page * _PAGE + codes % _PAGE)


def _key(first: Any, second: Any, third: Any) -> Any:
    return (first * _WIDE + second) * _WIDE + third


def _words(
    tf: Any, codes: Any, kinds: Any, row: Any, rules: TextRules
) -> tuple[Any, Any]:
    """Returns the words and their rows; every row starts and ends with whitespace."""
    inside = (kinds == LETTER) | (kinds == IDEOGRAPH)
    joined = (kinds == LETTER) & (_shifted(tf, kinds) == LETTER)
    if rules.split_digits:
        digit = tf.cast((codes >= ord("0")) & (codes <= ord("9")), tf.int32)
        joined &= digit == _shifted(tf, digit)
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
        words = tf.strings.regex_replace(words, PLURAL, r"\1")
    return words, word_row


def _trigram_keys(tf: Any, codes: Any, kinds: Any, row: Any) -> tuple[Any, Any]:
    """Returns the keys of all trigrams and their rows; rows as for `_words`."""
    space = kinds == SPACE
    repeated = space & (_shifted(tf, kinds) == SPACE) & (_shifted(tf, row) == row)
    chars = tf.boolean_mask(tf.where(space, ord(JOINER), codes), ~repeated)
    chars = tf.cast(chars, tf.int64)
    key_row, inside = _windows(tf, tf.boolean_mask(row, ~repeated), 3)
    keys = _key(chars[:-2], chars[1:-1], chars[2:])
    return tf.boolean_mask(keys, inside), key_row


def _once(tf: Any, ids: Any, rows: Any, size: int) -> Any:
    """Returns each id of a row once, in the order of first occurrence."""
    keys = ids.value_rowids() * size + tf.cast(ids.flat_values, tf.int64)
    keys, _ = tf.unique(keys)
    return tf.RaggedTensor.from_value_rowids(
        tf.cast(keys % size, tf.int32), keys // size, rows, validate=False
    )


def _shifted(tf: Any, values: Any) -> Any:
    """Returns for each entry the one before it; -1 for the first."""
    return tf.concat([values[:1] * 0 - 1, values[:-1]], 0)


def _windows(tf: Any, row: Any, width: int) -> tuple[Any, Any]:
    """Returns the row of each whole window of `width` entries, and which are whole."""
    inside = row[: 1 - width] == row[width - 1 :]
    return tf.boolean_mask(row[: 1 - width], inside), inside
