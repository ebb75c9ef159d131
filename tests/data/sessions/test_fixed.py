"""Fixed vectors of items: whose they are, what a batch carries, what is refused."""

import numpy as np
import pytest
import sessions as support

from recjax.data.cooccurrence import Cooccurrence
from recjax.data.sessions.fixed import VectorsFrom, VectorsFromEvents
from recjax.errors import UserError
from recjax.index.item_vectors import write_vectors


@pytest.fixture
def folder(tmp_path):
    """Returns vectors of the twenty items and five others, in another order."""
    names = [f"i{i}" for i in np.random.default_rng(0).permutation(25)]
    # The first number of a vector is the number of its item.
    vectors = [[int(name[1:]), *range(1, support.WIDTH)] for name in names]
    write_vectors(tmp_path, names, [""] * 25, np.array(vectors))
    return tmp_path


def test_a_batch_carries_the_vectors_of_its_items(folder):
    data = support.opened(support.sessions(), vectors=VectorsFrom(str(folder)))
    batch = data.batch(1)
    there = batch["item"] > 0
    assert there.any() and not there.all()
    np.testing.assert_array_equal(
        batch["item_vector"][there][:, 0], batch["item"][there] - 1
    )
    assert not batch["item_vector"][~there].any()
    np.testing.assert_array_equal(batch["negative_vector"][:, 0], batch["negative_id"])
    column = data.corpora["item"].features["vector"]
    np.testing.assert_array_equal(column[3:7][:, 0], [3, 4, 5, 6])


def test_vectors_stay_on_disk(folder):
    data = support.opened(support.sessions(), vectors=VectorsFrom(str(folder)))
    assert isinstance(data.fixed.known.vectors, np.memmap)


def test_items_without_vectors_are_named(folder):
    known = support.sessions(items=27)
    data = support.opened(known, vectors=VectorsFrom(str(folder)))
    with pytest.raises(UserError, match=r"2 of 27 items have no vector \('i25', 'i26'"):
        data.batch(0)


def test_a_vector_that_is_no_number_is_named(folder):
    vectors = np.load(folder / "vectors.npy")
    row = int(np.flatnonzero(vectors[:, 0] == 7)[0])
    vectors[row, 2] = np.nan
    np.save(folder / "vectors.npy", vectors)
    data = support.opened(support.sessions(), vectors=VectorsFrom(str(folder)))
    with pytest.raises(UserError, match=rf"row {row} \(item 'i7'\): holds NaN"):
        data.corpora["item"].features["vector"][0:20]


def test_vectors_from_events_know_training_alone():
    known = support.sessions(users=40, items=30)
    counted = VectorsFromEvents(4, Cooccurrence(window=3))
    data = support.opened(known, vectors=counted)
    found = data.fixed[np.arange(30)]
    met = np.bincount(known.item[data.train], minlength=30) > 0
    assert met.any() and found[met].any()
    assert not found[~met].any()
    # Other items after the training events change nothing.
    item = np.where(data.train, known.item, (known.item + 1) % 30).astype(np.int32)
    other = support.opened(
        type(known)(**{**vars(known), "item": item}), vectors=counted
    )
    np.testing.assert_array_equal(other.fixed[np.arange(30)], found)
