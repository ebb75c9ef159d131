from dataclasses import replace

import numpy as np
import pytest
import tiny_images

from recjax.data.images.source import Images, ImagesData
from recjax.data.triplets.exact import TripletRules
from recjax.errors import UserError

SETTINGS = Images(
    "tiny", (0.1, 0.5, 1.0), TripletRules(margin=0.2), batch_size=6, size=32
)


def opened(settings=SETTINGS, seed=0):
    return ImagesData(settings, seed, tiny_images.table())


def equal(one, other):
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])


def test_a_batch_is_a_function_of_seed_and_step():
    equal(opened().batch(3), opened().batch(3))
    for other in (opened().batch(4), opened(seed=1).batch(3)):
        assert (opened().batch(3)["image"] != other["image"]).any()


def test_hosts_make_the_rows_of_one_global_batch():
    whole = opened().batch(2)
    parts = [opened().batch(2, (i, 3)) for i in range(3)]
    equal(whole, {k: np.concatenate([p[k] for p in parts]) for k in whole})


def test_rows_are_triplets_of_training_images_with_their_labels():
    data = opened()
    got = data.batch(0)
    assert got["image"].shape == (6, 3, 32, 32, 3) and got["image"].dtype == np.uint8
    assert set(got["image_id"].ravel()) <= set(data.training)
    np.testing.assert_array_equal(got["label"], data.table.labels[got["image_id"]])
    levels = (got["label"][:, :1] == got["label"]).cumprod(2).sum(2)
    grades = np.array([0, 0.1, 0.5, 1.0])[levels[:, 1:]]
    np.testing.assert_allclose(got["relevance"], grades)
    assert (got["relevance"][:, 0] - got["relevance"][:, 1] > 0.19).all()


def test_pixels_are_those_of_the_image_that_is_named():
    still = dict(flip=0.0, brightness=0.0, contrast=0.0, colour=0.0, tint=0.0)
    vary = replace(SETTINGS.augment, area=(1.0, 1.0), shape=(1.0, 1.0), **still)
    data = opened(replace(SETTINGS, augment=vary, size=72))
    got = data.batch(0)
    for at in np.ndindex(got["image_id"].shape):
        fine, number = divmod(int(got["image_id"][at]), tiny_images.EACH)
        np.testing.assert_array_equal(
            got["image"][at], tiny_images.pixels(fine, number)
        )


def test_a_bad_image_is_named():
    data = opened()
    broken = replace(data.table, read=lambda i: b"")
    with pytest.raises(UserError, match=r"image '0/0.png' cannot be decoded: .*empty"):
        replace(data, table=broken).center_crops([0])


def test_facts_count_images_that_nothing_is_relevant_to():
    table = tiny_images.table()
    alone = table.labels.copy()
    alone[0] = (9, 9, 9)
    facts = ImagesData(SETTINGS, 0, replace(table, labels=alone)).facts()
    assert facts["training images without a relevant other"] == 1
    assert facts["train images"] == 32 and facts["test images"] == 8


def test_splits_and_levels_that_are_not_there_are_named():
    table = tiny_images.table()
    with pytest.raises(UserError, match="no split 'tset'.*test"):
        table.of_split("tset")
    with pytest.raises(UserError, match="levels are"):
        table.level("species")
    empty = replace(table, split=table.split * 0)
    with pytest.raises(UserError, match="none of .* images is in the split 'test'"):
        empty.of_split("test")


def test_classes_held_out_train_nothing():
    data = opened(replace(SETTINGS, held_out=("coarse1", "fine5")))
    labels = data.table.labels
    seen = {int(fine) for fine in labels[data.training, 2]}
    assert seen == set(range(tiny_images.FINE)) - {2, 3, 5}
    assert data.facts()["images held out of training"] == 3 * 4
    for step in range(5):
        images = data.batch(step)["image_id"]
        assert set(images.ravel()) <= set(data.training)


@pytest.mark.parametrize(
    ("held_out", "said"),
    [
        (("coarse9",), r"there is no class 'coarse9'\. Did you mean .*coarse"),
        (("kind0", "kind1"), r"leaves no image to train on"),
    ],
)
def test_what_cannot_be_held_out(held_out, said):
    with pytest.raises(UserError, match=said):
        _ = opened(replace(SETTINGS, held_out=held_out)).training
