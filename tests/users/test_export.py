"""Users' medoids -> candidates: live, in the bundle, and in its SavedModel."""

import command
import numpy as np
import polars as pl
import pytest

from recjax.bundle import saved_model
from recjax.bundle.contract import NO_SCORE
from recjax.bundle.medoids_export import export
from recjax.bundle.narrowed import COLUMNS, WHERE
from recjax.bundle.open import open_bundle
from recjax.bundle.served import signatures
from recjax.errors import UserError
from recjax.users.profile import Profile
from recjax.users.retrieve import Retriever

MOST = 2


@pytest.fixture(scope="module")
def bundle(items, tmp_path_factory):
    pytest.importorskip("tensorflow", reason="TensorFlow is missing")
    to = tmp_path_factory.mktemp("bundles") / "users"
    said = export(items, {"experiment": "users"}, to, MOST, 100, True)
    assert "saved_model_serving_default_difference" in said
    return to


def asked(count):
    """Returns rows of up to 4 medoids; some hide most of a topic."""
    draw, rows = np.random.default_rng(count), []
    for row in range(count):
        medoids = draw.choice(300, draw.integers(1, 5), replace=False)
        topic = medoids[0] // 30 * 30
        hidden = [*medoids, *range(topic, topic + 25)] if row % 3 else []
        rows.append(
            {
                "medoids": [f"i{one}" for one in medoids],
                "importance": draw.integers(0, 3, len(medoids)).astype(float).tolist(),
                "hidden": [*(f"i{one}" for one in hidden), "gone"],
                "k": int(draw.integers(1, 60)),
            }
        )
    return rows


def by_http(bundle, rows):
    """Returns the answer to a request's body, as a warm server gives it."""
    json = pytest.importorskip("orjson", reason="the extra `serve` is not installed")
    from recjax.serve.http import batcher, models, rest
    from recjax.serve.http.limits import Limits

    model = models.load("users", 1, bundle)
    body = json.dumps({"instances": rows})
    asked = rest.parse(body, model.signatures, Limits(), 128)
    signature = asked.signature
    columns = signature.read(asked.columns)
    work = batcher.Work(signature, model.sizes, columns, asked.rows, 0.0)
    (answer,) = batcher.answered([work])
    return json.loads(rest.answer(answer.columns, asked))["predictions"]


def live(items, row):
    """Returns what the retriever recommends."""
    weight, none = np.array(row["importance"]), np.zeros(0)
    user = Profile(0.0, tuple(row["medoids"]), weight, none, none, none)
    total = MOST * (row["k"] + len(row["hidden"]))
    retriever = Retriever(items)
    return retriever.recommend(user, None, MOST, total, row["hidden"])[: row["k"]]


@pytest.mark.parametrize("count", [1, 3, 17])
def test_all_forms_give_the_same_items(items, bundle, count):
    rows = asked(count)
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    (signature,) = signatures(open_bundle(bundle)).values()
    found = signature.ask(columns)
    saved = saved_model.load(bundle / "saved_model")["serving_default"](columns)
    served = by_http(bundle, rows)
    for at, row in enumerate(rows):
        wanted = live(items, row)
        assert 0 < len(wanted) <= row["k"]
        for name, values in (("ids", "id"), ("because", "because")):
            right = [getattr(one, values) for one in wanted]
            assert found[name][at] == right
            assert [one for one in served[at][name] if one] == right
            width = saved[name].shape[1]
            assert [*saved[name][at]] == right + [""] * (width - len(right))
        scores = np.array([one.score for one in wanted])
        np.testing.assert_allclose(found["scores"][at], scores, atol=1e-4)
        shown = served[at]["scores"][: len(scores)]
        np.testing.assert_allclose(shown, scores, atol=1e-4)
        own = saved["scores"][at]
        np.testing.assert_allclose(own[: len(scores)], scores, atol=1e-4)
        assert (own[len(scores) :] == np.float32(NO_SCORE)).all()


def test_conditions_are_met_by_the_neighbours_of_each_medoid(items, bundle):
    """What does not meet them gives its turn to the next of the same medoid."""
    opened = open_bundle(bundle)
    odd = ["yes" if row % 2 else "no" for row in range(300)]
    vars(opened.finder)["columns"] = pl.DataFrame({"odd": odd})
    (signature,) = signatures(opened).values()
    rows = asked(7)
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    narrow = {WHERE: [("odd = yes",)] * 7, COLUMNS: [("odd",)] * 7}
    found = signature.narrowed.ask(columns | narrow)
    even = [f"i{row}" for row in range(0, 300, 2)]
    hidden = {**columns, "hidden": [[*row, *even] for row in columns["hidden"]]}
    wanted = signature.ask(hidden)
    assert found["ids"] == wanted["ids"] and found["because"] == wanted["because"]
    assert [one["odd"] for one in found["columns"]] == [
        ["yes"] * len(ids) for ids in found["ids"]
    ]


def test_the_most_important_take_turns(items, bundle):
    """By hand: of three medoids the two heaviest, one item of each in turn."""
    row = {"medoids": ["i5", "i95", "i205"], "importance": [1.0, 0.5, 2.0]}
    row |= {"hidden": ["i5", "i205"], "k": 6}
    (signature,) = signatures(open_bundle(bundle)).values()
    found = signature.ask({name: [value] for name, value in row.items()})
    assert found["because"] == [["i205", "i5"] * 3]
    unit = items.vectors / np.linalg.norm(items.vectors, axis=1, keepdims=True)
    for at, id in enumerate(("i205", "i5")):
        near = np.argsort(-(unit @ unit[int(id[1:])]))[1:4]
        assert found["ids"][0][at::2] == [f"i{one}" for one in near]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"medoids": ["i1", "none"]}, "medoids, row 0: .* no item 'none'"),
        ({"medoids": ["i1"]}, "importance, row 0: 2 numbers for 1 medoids"),
        ({"importance": [1, float("nan")]}, "importance, row 0: nan"),
        ({"importance": [1, -1]}, "importance, row 0: -1"),
        ({"medoids": ["", ""]}, "medoids, row 0: give at least one"),
        ({"k": 101}, "k, row 0: 101"),
    ],
)
def test_bad_rows_are_refused(bundle, change, said):
    row = {"medoids": ["i1", "i2"], "importance": [1, 1], "hidden": None, "k": 3}
    (signature,) = signatures(open_bundle(bundle)).values()
    with pytest.raises(UserError, match=said):
        signature.ask({name: [value] for name, value in {**row, **change}.items()})


def test_it_says_what_it_takes(capfd, bundle, items):
    message = command.fails(capfd, "query", bundle, "--text", "lamp")
    assert "it takes medoids of users" in message
    with pytest.raises(UserError, match="exists"):
        export(items, {}, bundle, MOST, 100, False)
    with pytest.raises(UserError, match="at least one"):
        export(items, {}, bundle / "new", 0, 100, False)
