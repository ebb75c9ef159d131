"""What a caller gives as raw queries: taken as it is meant, or refused."""

import numpy as np
import pytest

from recjax.bundle.queries import encode_queries
from recjax.data.inputs import AgeListInput, IdListInput
from recjax.errors import UserError
from recjax.text import Vocabulary
from recjax.text.features import TextInput

IDS = ("17", "b", "c")
HISTORY = IdListInput(IDS, 2)
TEXT = TextInput(Vocabulary.build(["red lamp"], unigrams=9, bigrams=9, trigrams=9), 8)
LONGER = TextInput(TEXT.vocabulary, 12, "text")
INPUTS = {
    "text": TEXT,
    "more": LONGER,
    "history": HISTORY,
    "age": AgeListInput("history", HISTORY),
}


def test_features_are_those_of_the_inputs():
    raw = {
        "text": ["red lamp", ""],
        "history": (["b", "17", "c"], np.array(["c"])),
        "age": [[3.0, 2, 1], [9.0]],
    }
    found = encode_queries(raw, INPUTS)
    np.testing.assert_array_equal(found["text"], TEXT.encode(["red lamp", ""]))
    np.testing.assert_array_equal(found["more"], LONGER.encode(["red lamp", ""]))
    assert found["history"].tolist() == [[1, 3], [3, 0]]
    assert found["age"].tolist() == [[2, 1], [9, 0]]
    assert not encode_queries({"text": ["red"]}, INPUTS)["history"].any()


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"text": "red lamp"}, r"text = 'red lamp'.*\['red lamp'\]"),
        ({"history": "17"}, r"history = '17'.*\[\['a', 'b'\]\]"),
        ({"history": ["17", "b"]}, r"history, query 0: '17' is no list"),
        ({"history": [[17]]}, "17 is no text: write ids as '17'"),
        ({"history": [["17", "x"]]}, "history, query 0: the bundle knows no item 'x'"),
        ({"history": [["170"]]}, "no item '170'. Did you mean '17'"),
        ({"history": [[""]]}, "no item ''"),
        ({"history": [[None]]}, "None is no text"),
        ({"history": [[]]}, "nothing to ask"),
        ({"history": [["b"], []]}, "query 1: there is nothing to ask"),
        ({"history": [None]}, "nothing to ask"),
        ({"history": None}, "history = None"),
        ({"text": None}, "text = None"),
        ({"text": [None]}, "nothing to ask"),
        ({"text": [3]}, "text, query 0: 3 is no text"),
        ({"text": ["  "]}, "nothing to ask"),
        ({"text": []}, "nothing to ask"),
        ({}, "nothing to ask"),
        (None, "None: give a mapping"),
        (["red"], "give a mapping"),
        ({"text": ["red"], "history": [["b"], ["b"]]}, "equally many"),
        ({"history": [["b"]], "age": [["new"]]}, "give seconds"),
        ({"history": [["b"]], "age": [[1.0, 2.0]]}, "2 ages of 1 history ids"),
        ({"age": [[1.0]]}, "nothing to ask"),
        ({"txt": ["red"]}, r"takes \['age', 'history', 'text'\].*mean 'text'"),
        ({"more": ["red"]}, "not 'more'"),
    ],
)
def test_what_is_refused(raw, said):
    with pytest.raises(UserError, match=said):
        encode_queries(raw, INPUTS)


def test_texts_that_are_not_known_are_told(caplog):
    encode_queries({"text": ["red", "☃"], "history": [[], ["b"]]}, INPUTS)
    assert "knows no part of the text '☃'" in caplog.text
    caplog.clear()
    encode_queries({"text": ["☃"] * 9}, INPUTS)
    assert "and 6 more" in caplog.text
    caplog.clear()
    encode_queries({"text": ["", "red"], "history": [["b"], []]}, INPUTS)
    assert not caplog.text
