"""Text fields of entities as one row of ids, against one field at a time."""

import numpy as np
import pytest

from recjax.data.catalog.entity_text import FieldText, all_texts
from recjax.features import field_of
from recjax.text.column import pack
from recjax.text.vocabulary import Vocabulary

TEXTS = {
    "title": pack(["red lamp", "", "blue rug"]),
    "brand": pack(["acme", "acme", ""]),
    "unread": pack(["secret", "secret", "secret"]),
}
FIELDS = ("brand", "title", "missing")


def vocabulary():
    sizes = {"unigrams": 50, "bigrams": 50, "trigrams": 50}
    return Vocabulary.build(all_texts(TEXTS, FIELDS), **sizes)


def test_only_texts_of_the_fields_that_are_not_empty():
    assert list(all_texts(TEXTS, FIELDS)) == ["acme", "acme", "red lamp", "blue rug"]


@pytest.mark.parametrize("field_length", [2, 100])
@pytest.mark.parametrize("length", [3, 40])
def test_fields_follow_each_other(field_length, length):
    known = vocabulary()
    made = FieldText(known, FIELDS, field_length, length).encode(TEXTS, 3)
    ids, fields = made["text"][:], made[field_of("text")][:]
    for row in range(3):
        wanted = [
            (number, id)
            for number, name in enumerate(FIELDS)
            if name in TEXTS
            for id in known.encode(TEXTS[name][row])[:field_length]
        ][:length]
        got = [(f, i) for f, i in zip(fields[row], ids[row], strict=True) if i]
        assert got == wanted
        assert not ids[row, len(wanted) :].any()


def test_entities_without_any_text():
    made = FieldText(vocabulary(), FIELDS, 8, 8).encode({}, 2)
    assert made["text"][:].shape == (2, 8) and not made["text"][:].any()
    assert made["text"][:].dtype == np.int32
