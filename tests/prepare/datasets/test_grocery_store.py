import numpy as np
import pytest

from recjax.data.images.table import images_of
from recjax.data.splits import SPLITS
from recjax.errors import UserError
from recjax.paths import find_raw
from recjax.prepare.datasets import grocery_store

CLASSES = (
    "Class Name (str),Class ID (int),Coarse Class Name (str),Coarse Class ID (int)\n"
    "Gala,0,Apple,0\nFuji,1,Apple,0\nMilk-A,2,Milk,1\n"
)


def write(folder, train="train/Fruit/Apple/Gala/1.jpg, 0, 0\n"):
    (folder / "classes.csv").write_text(CLASSES)
    (folder / "train.txt").write_text(train)
    (folder / "val.txt").write_text("val/Packages/Milk/A/1.jpg, 2, 1\n")
    (folder / "test.txt").write_text("test/Fruit/Apple/Fuji/1.jpg, 1, 0\n\n")
    for name in (
        "train/Fruit/Apple/Gala",
        "val/Packages/Milk/A",
        "test/Fruit/Apple/Fuji",
    ):
        (folder / name).mkdir(parents=True)
        (folder / name / "1.jpg").write_bytes(name.encode())
    return folder


def images(folder):
    data = grocery_store.read(folder)
    return images_of(data.tables["image"], data.settings["levels"])


def test_files_become_labels(tmp_path):
    got = images(write(tmp_path))
    assert got.levels == ("kind", "coarse", "fine")
    assert got.classes == (
        ("Fruit", "Packages"),
        ("Apple", "Milk"),
        ("Gala", "Fuji", "Milk-A"),
    )
    np.testing.assert_array_equal(got.labels, [[0, 0, 0], [1, 1, 2], [0, 0, 1]])
    np.testing.assert_array_equal(got.split, [0, 1, 2])
    assert got.read(1) == b"val/Packages/Milk/A"


@pytest.mark.parametrize(
    "train", ["a/Fruit/b.jpg, 0, 1\n", "a/b.jpg, 9, 0\n", "a.jpg\n", "a/b.jpg, x, 0\n"]
)
def test_files_that_do_not_fit_are_refused(tmp_path, train):
    with pytest.raises(UserError, match="is not the folder `dataset`"):
        grocery_store.read(write(tmp_path, train))


def test_the_official_splits():
    path = find_raw(grocery_store.FOLDER, "classes.csv")
    if path is None:
        pytest.skip("Grocery Store is not in $RECJAX_DATA")
    got = images(path.parent)
    counts = [int((got.split == s).sum()) for s in SPLITS.values()]
    assert counts == [2_640, 296, 2_485]
    assert [len(c) for c in got.classes] == [3, 43, 81]
    several = np.unique(got.labels[:, 1:], axis=0)[:, 0]
    count = np.bincount(several)
    assert (count > 1).sum() == 12 and count[count > 1].sum() == 50
    assert got.read(0)[:2] == b"\xff\xd8"
