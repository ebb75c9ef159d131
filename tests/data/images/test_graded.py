"""Relevance from a table of the user and from visual features, in training data."""

from dataclasses import replace

import numpy as np
import pytest
import tiny_images

from recjax.data.images.graded import HandcraftedRelevance, RelevanceTable
from recjax.data.images.source import Images, ImagesData
from recjax.data.triplets.exact import TripletRules
from recjax.data.triplets.online import FromReservoirs
from recjax.errors import UserError
from recjax.images.handcrafted import handcrafted

TABLE = tiny_images.table()
SETTINGS = Images("tiny", rules=TripletRules(margin=0.0), batch_size=8, size=32)


def opened(**changes):
    return ImagesData(replace(SETTINGS, **changes), 0, TABLE)


def write(path, rows):
    path.write_text("\n".join(["image,other_image,relevance", *rows]) + "\n")
    return RelevanceTable(str(path))


def pairs(seed=0, count=150):
    """Random pairs within a category, each once and in either order."""
    generator = np.random.default_rng(seed)
    found = {}
    while len(found) < count:
        one, two = sorted(generator.choice(len(TABLE), 2, replace=False).tolist())
        if TABLE.labels[one, 0] == TABLE.labels[two, 0]:
            found[one, two] = float(np.float32(generator.random()))
    turned = generator.random(count) < 0.5
    return {
        (two, one) if turn else (one, two): value
        for ((one, two), value), turn in zip(found.items(), turned, strict=True)
    }


@pytest.fixture
def listed(tmp_path):
    known = pairs()
    rows = [f"{TABLE.names[i]},{TABLE.names[j]},{v!r}" for (i, j), v in known.items()]
    return known, write(tmp_path / "pairs.csv", rows)


def test_a_table_says_how_relevant_training_images_are(listed):
    known, table = listed
    data = opened(relevance=table)
    dense = np.zeros((len(TABLE), len(TABLE)))
    for (one, two), value in known.items():
        dense[one, two] = dense[two, one] = value
    images = data.training
    position = np.arange(len(images))
    apart = ~np.eye(len(images), dtype=bool)
    got = data.relevance.between(position[:, None], position[None])
    np.testing.assert_allclose(got[apart], dense[np.ix_(images, images)][apart])
    batch = data.batch(0)
    query, positive, negative = batch["image_id"].T
    np.testing.assert_allclose(batch["relevance"][:, 0], dense[query, positive])
    np.testing.assert_allclose(batch["relevance"][:, 1], dense[query, negative])
    assert (batch["relevance"][:, 0] > batch["relevance"][:, 1]).all()


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            "no.png,0/1.png,1",
            "no prepared image has this name.*row 3.*'image': \"no.png\"",
        ),
        ("0/1.png,no.png,1", r"no prepared image has this name.*other_image"),
        ("0/1.png,0/1.png,1", "an image with itself"),
        ("0/1.png,7/1.png,1", "images of different classes of level 'kind'"),
        ("0/1.png,0/0.png,.4", "the pair stands in an earlier row"),
        ("0/2.png,0/1.png,-1", 'row 3.*relevance.*"-1"'),
        ("0/2.png,0/1.png,nan", 'row 3.*relevance.*"nan"'),
        ("0/2.png,0/1.png,much", 'row 3.*relevance.*"much"'),
        ("0/2.png,0/1.png", "wrong number of fields"),
    ],
)
def test_a_wrong_row_is_named(tmp_path, row, said):
    table = write(tmp_path / "pairs.csv", ["0/0.png,0/1.png,.5", row])
    with pytest.raises(UserError, match=f"(?s)data.relevance.path.*{said}"):
        _ = opened(relevance=table).relevance


def test_a_file_that_is_no_table_is_named(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        _ = opened(relevance=RelevanceTable(str(tmp_path / "none.csv"))).relevance
    (tmp_path / "other.csv").write_text("image,relevance\n0/1.png,1\n")
    with pytest.raises(UserError, match="other_image"):
        _ = opened(relevance=RelevanceTable(str(tmp_path / "other.csv"))).relevance


def test_images_that_look_alike_are_relevant():
    data = opened(relevance=HandcraftedRelevance(scale=2.0))
    images = data.training
    features = np.stack([handcrafted(pixels) for pixels in data.center_crops(images)])
    distance = np.linalg.norm(features[:, None] - features[None], axis=-1)
    same = TABLE.labels[images, 0][:, None] == TABLE.labels[images, 0][None]
    upper = np.triu(same, 1)
    median = np.median(distance[upper])
    got = data.relevance.between(*np.nonzero(upper))
    np.testing.assert_allclose(got, np.exp(-distance[upper] / 2 / median), rtol=1e-3)
    assert not data.relevance.between(*np.nonzero(~same)).any()


def test_one_source_of_relevance_is_taken(tmp_path, monkeypatch):
    monkeypatch.setattr("recjax.data.images.source.load_images", lambda path: TABLE)
    monkeypatch.setattr("recjax.data.images.source.prepared_path", lambda name: name)
    both = replace(SETTINGS, grades=(0.1, 0.5, 1.0), relevance=HandcraftedRelevance())
    with pytest.raises(UserError, match="both given"):
        both.open(0)
    with pytest.raises(UserError, match=r"data\.grades has 0 numbers"):
        SETTINGS.open(0)


def test_a_run_may_draw_from_reservoirs():
    settings = {"grades": (0.1, 0.5, 1.0), "reservoirs": FromReservoirs(8, every=3)}
    one, again = opened(**settings), opened(**settings)
    steps = [one.triplets(step) for step in range(9)]
    for step in (7, 2, 8, 0):  # in any order, as after a restart
        for left, right in zip(again.triplets(step), steps[step], strict=True):
            np.testing.assert_array_equal(left, right)
    batch = one.batch(4)
    np.testing.assert_array_equal(batch["image_id"][:, 0], one.training[steps[4].query])
    assert (batch["relevance"][:, 0] > batch["relevance"][:, 1]).all()
