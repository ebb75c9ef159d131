"""An invented catalogue: the same in any parts, as skewed and covered as it says."""

from collections import Counter, defaultdict
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from recjax.prepare.feature_logs import clean_text
from recjax.prepare.synthetic.catalog import WINDOWS, chunk
from recjax.prepare.synthetic.cell import CAP, CELL, draw_cell
from recjax.prepare.synthetic.world import CatalogSettings, make_world

SETTINGS = CatalogSettings(seed=3).sized(4_096)
SIZE = 4_096


@pytest.fixture(scope="module")
def world():
    return make_world(SETTINGS)


@pytest.fixture(scope="module")
def pins(world):
    return chunk(world, "pin", 0, SIZE)


def frames(made):
    entities = pl.from_arrow(made.entities)
    return {**vars(made), "entities": entities}


@pytest.mark.parametrize("kind", ["pin", "product"])
def test_parts_are_the_whole(world, kind):
    whole = frames(chunk(world, kind, 0, 2_000))
    cuts = [0, 300, 1_024, 1_025, 2_000]
    parts = [
        frames(chunk(world, kind, a, b)) for a, b in zip(cuts, cuts[1:], strict=False)
    ]
    for name, frame in whole.items():
        again = pl.concat([part[name] for part in parts])
        if name == "entities":
            assert again.equals(frame)
        else:  # rows of a cell that was cut come in another order
            order = frame.columns
            assert again.sort(order).equals(frame.sort(order)), name
            assert frame.height > 100


def test_a_catalogue_follows_from_its_seed(world, pins):
    part = pins.entities.slice(0, 500)
    same = chunk(make_world(SETTINGS), "pin", 0, 500).entities
    other = chunk(make_world(replace(SETTINGS, seed=4)), "pin", 0, 500).entities
    assert same.equals(part)
    assert not any(other[n].equals(part[n]) for n in ("title", "gs_v5", "ue_v4"))


def test_coverage(pins):
    frame = pl.from_arrow(pins.entities)
    share = {name: 1 - frame[name].null_count() / SIZE for name in frame.columns}
    assert share["image_caption"] == share["gs_v5"] == share["ue_v4"] == 1
    for name, expected in {"title": 0.7, "board_title": 0.91}.items():
        assert abs(share[name] - expected) < 0.03
    assert abs(share["engaged_queries"] - 0.65) < 0.03
    written = frame.select(
        pl.any_horizontal(pl.col("title", "description").is_not_null()).mean()
    ).item()
    assert abs(written - 0.71) < 0.03
    assert frame["board_title"].list.len().max() <= 10
    assert frame["engaged_queries"].list.len().max() <= 20
    assert frame["id"].n_unique() == SIZE


def test_features_come_from_the_history_alone(pins):
    first, last = WINDOWS["history"]
    assert pins.events["timestamp"].min() >= first
    assert pins.events["timestamp"].max() < last
    asked = defaultdict(Counter)
    for id_, query, _ in pins.events.iter_rows():
        asked[id_][clean_text(query)] += 1
    frame = pl.from_arrow(pins.entities)
    for id_, queries in frame["id", "engaged_queries"].iter_rows():
        counts = [asked[id_][query] for query in queries or ()]
        assert all(counts) and counts == sorted(counts, reverse=True)
        assert len(counts) == min(20, len(asked[id_]))


def test_windows_of_pairs(pins):
    time, judged = pl.col("timestamp"), pl.col("action") == "relevance"
    train = pins.pairs.filter(time.is_between(*WINDOWS["train"], closed="left"))
    test = pins.pairs.filter(time.is_between(*WINDOWS["test"], closed="left"))
    assert train.height + test.height == pins.pairs.height
    assert WINDOWS["history"][1] <= WINDOWS["train"][0]
    assert WINDOWS["test"][0] - WINDOWS["train"][1] == 15 * 86_400
    assert not train.filter(judged).height and test.filter(judged).height > 100
    assert set(train["candidate_type"]) == {"pin", "query"}


def test_popularity_is_skewed_and_capped(pins):
    of = pins.pairs.filter(pl.col("candidate_type") == "pin")
    of = of.filter(pl.col("timestamp") < WINDOWS["train"][1])
    counts = np.sort(of["candidate"].value_counts()["count"].to_numpy())[::-1]
    assert counts[0] <= CAP["pin"]
    assert counts[: SIZE // 10].sum() > 0.35 * counts.sum()
    assert abs(counts.sum() / SIZE - SETTINGS.pairs) < 1.2
    asked = np.sort(of["query"].value_counts()["count"].to_numpy())[::-1]
    # Common queries and rare ones.
    assert asked[: len(asked) // 10].sum() > 0.25 * asked.sum()
    assert (asked == 1).mean() > 0.3


def test_some_entities_are_new(world, pins):
    of = pins.pairs.filter(pl.col("candidate_type") == "pin")
    before = pl.col("timestamp") < WINDOWS["train"][1]
    known, asked = (set(of.filter(w)["candidate"]) for w in (before, ~before))
    assert len(asked - known) > 20
    columns = (pins.entities[name].to_pylist() for name in ("id", "created"))
    created = dict(zip(*columns, strict=True))
    assert max(created[id_] for id_ in known) < WINDOWS["train"][0]
    late = [id_ for id_, time in created.items() if time >= WINDOWS["train"][1]]
    assert abs(len(late) / SIZE - SETTINGS.new) < 0.03


def test_queries_say_what_their_pin_is_about(world, pins):
    cell = draw_cell(world, "pin", 0)
    word_of = world.words.to_pylist()
    test = pins.pairs.filter(pl.col("action") == "relevance")
    number = pl.col("candidate").str.slice(4).cast(pl.Int64)
    test = test.filter(number < CELL)
    assert test.height > 20
    names = {word_of[i] for i in world.topic_word(np.arange(world.topics))}
    for query, id_ in test["query", "candidate"].iter_rows():
        at = int(id_[4:])
        own = {word_of[c * 3 + v] for c in cell.concepts[at] for v in range(3)}
        own.add(word_of[int(world.topic_word(cell.topic[at : at + 1])[0])])
        assert set(query.split()) <= own
        assert set(query.split()) - names


def neighbours_of_one_topic(settings, name):
    """Returns how often a pin's nearest other pin by a feature is of its topic."""
    made, world = [], make_world(settings)
    frame = pl.from_arrow(chunk(world, "pin", 0, CELL).entities)
    topic = draw_cell(world, "pin", 0).topic
    if name == "ue_v4":
        codes = np.frombuffer(b"".join(frame[name]), np.uint8).reshape(CELL, -1)
        made = np.unpackbits(codes, axis=1).astype(np.float32) * 2 - 1
        assert made.shape[1] == 1_024
    else:
        made = frame[name].to_numpy()
        assert made.shape == (CELL, 256)
        np.testing.assert_allclose(np.linalg.norm(made, axis=1), 1, atol=1e-5)
    alike = made @ made.T
    np.fill_diagonal(alike, -np.inf)
    return (topic[alike.argmax(axis=1)] == topic).mean()


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("gs_v5", "quality"),
        ("item_is_v2", "quality"),
        ("ue_v4", "image_quality"),
        ("legacy", "legacy_quality"),
    ],
)
def test_quality_is_tunable(name, setting):
    found = [
        neighbours_of_one_topic(replace(SETTINGS, **{setting: quality}), name)
        for quality in (0.0, 0.5, 0.95)
    ]
    assert found[0] < 0.15 and found[1] > found[0] + 0.1, found
    assert found[2] > found[1] + 0.05, found


def test_products_have_several_images(world):
    frame = pl.from_arrow(chunk(world, "product", 0, 1_000).entities)
    images = frame["gs_v5"].list.len()
    assert set(images) == {1, 2, 3, 4} and images.equals(frame["ue_v4"].list.len())
    assert 1 - frame["title"].null_count() / 1_000 > 0.95


def test_words_are_distinct():
    words = make_world(CatalogSettings().sized(100_000)).words.to_pylist()
    assert len(set(words)) == len(words) > 70_000
