"""Conditions on what is found, and what is known of it, in a request."""

import base64
import itertools
import re

import numpy as np
import pytest
import serving
import tiny_images
from serving import PATH

from recjax.bundle.narrowed import COLUMNS, WHERE
from recjax.bundle.served import signatures

ROWS = [
    {"text": "red thing 4", "history": [], "history_age": [], "k": 5},
    {"text": "grey", "history": ["i3"], "history_age": [1.0], "k": 40},
    {"text": None, "history": ["i5", "i9"], "history_age": [3.0, 1.0], "k": 2},
]
COLOURS = [title.split()[0] for title in serving.TITLES]
MEETS = {
    (): lambda at: True,
    ("price < 12",): lambda at: at % 5 and at < 12,
    ("colour in red, grey", "price >= 20"): lambda at: (
        at % 5 and at >= 20 and COLOURS[at] in ("red", "grey")
    ),
    ("colour = pink",): lambda at: False,
}


def by_hand(server, row, where):
    """Returns the ids of all items, best first, of which some meet conditions."""
    body = {"instances": [{**row, "k": len(serving.IDS)}]}
    status, said, _ = server.ask(PATH, body)
    assert status == 200
    found = [id for id in said["predictions"][0]["ids"] if id]
    return [id for id in found if MEETS[where](int(id[1:]))][: row["k"]]


@pytest.mark.parametrize("where", MEETS)
@pytest.mark.parametrize("by_row", [True, False])
def test_the_best_that_meet_all_conditions(server, where, by_row):
    body = {"where": list(where), "columns": ["price", "title"]}
    if by_row:
        body["instances"] = ROWS
    else:
        body["inputs"] = {name: [row[name] for row in ROWS] for name in ROWS[0]}
    for _ in range(2):  # From the model, then from what it said before.
        status, said, _ = server.ask(PATH, body)
        assert status == 200, said
        rows = said.get("predictions") or [
            dict(zip(said["outputs"], row, strict=True))
            for row in zip(*said["outputs"].values(), strict=True)
        ]
        for row, found in zip(ROWS, rows, strict=True):
            ids = [id for id in found["ids"] if id]
            assert ids == by_hand(server, row, where)
            places = [int(id[1:]) for id in ids]
            assert found["columns"] == {
                "price": [float(at) if at % 5 else None for at in places],
                "title": [serving.TITLES[at] for at in places],
            }


def test_one_condition_needs_no_list_and_none_changes_nothing(server):
    one = {"instances": ROWS, "where": "price < 12"}
    several = {"instances": ROWS, "where": ["price < 12"]}
    assert server.ask(PATH, one)[1] == server.ask(PATH, several)[1]
    nothing = {"instances": ROWS, "where": [], "columns": None}
    assert server.ask(PATH, nothing)[1] == server.ask(PATH, {"instances": ROWS})[1]


def test_rows_of_several_requests_are_answered_together(films):
    """Each under its own conditions, though one batch has them all."""
    narrow = signatures(films)["serving_default"].narrowed
    asked = [*itertools.product(ROWS, MEETS)]
    columns = {name: [row[name] for row, _ in asked] for name in ROWS[0]}
    shown = [("colour",) if where else () for _, where in asked]
    extra = {WHERE: [where for _, where in asked], COLUMNS: shown}
    read = [
        narrow.read({name: [values[at]] for name, values in (columns | extra).items()})
        for at in range(len(asked))
    ]
    together = {name: [one[name][0] for one in read] for name in read[0]}
    made = np.asarray(narrow.call(narrow.encode(together, len(asked))))
    found = narrow.finish(made, together)
    for at, one in enumerate(read):
        alone = narrow.finish(made[at : at + 1], one)
        assert found["ids"][at] == alone["ids"][0]
        np.testing.assert_allclose(found["scores"][at], alone["scores"][0], atol=1e-6)
        assert all(MEETS[asked[at][1]](int(id[1:])) for id in found["ids"][at])
        own = [COLOURS[int(id[1:])] for id in found["ids"][at]]
        assert found["columns"][at] == ({"colour": own} if shown[at] else None)


@pytest.mark.parametrize(
    ("model", "more", "said"),
    [
        ("films", {"where": "prize < 5"}, "no column 'prize'.*Did you mean 'price'"),
        ("films", {"where": ["price <"]}, "write COLUMN OPERATOR VALUE"),
        ("films", {"where": [""]}, "write COLUMN OPERATOR VALUE"),
        ("films", {"where": 0}, '"where": 0; give a list of texts'),
        ("films", {"where": {"price": 3}}, '"where": .*give a list of texts'),
        ("films", {"where": ["price < 3", 4]}, "give a list of texts"),
        ("films", {"where": "price < cheap"}, "the column holds numbers"),
        ("films", {"where": "colour > 1990"}, "'colour' is text.*items:colour=number"),
        ("films", {"where": ["price < 5"] * 33}, "at most 32"),
        ("films", {"where": "price < 5" + " " * 5_000}, "at most .* 4096"),
        ("films", {"columns": ["colur"]}, "no 'colur'.*Did you mean 'colour'"),
        ("films", {"columns": [["colour"]]}, '"columns": .*give a list of texts'),
        ("films", {"signature_name": "embed", "where": "price < 5"}, "finds no items"),
        ("pictures", {"where": "price < 5"}, "no columns of its items"),
    ],
)
def test_what_is_no_condition_is_refused(server, model, more, said):
    row = {n: v for n, v in ROWS[0].items() if n != "k" or "signature_name" not in more}
    if model == "pictures":
        photograph = tiny_images.png(tiny_images.pixels(1, 1))
        row = {"image_bytes": {"b64": base64.b64encode(photograph).decode()}, "k": 1}
    path = f"/v1/models/{model}:predict"
    status, content, _ = server.ask(path, {"instances": [row], **more})
    assert status == 400
    assert "/" not in content["error"]
    assert re.search(said, content["error"]), content["error"]
