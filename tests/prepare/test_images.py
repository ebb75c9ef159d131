import numpy as np
import pytest
import tiny_images

from recjax.data.images.source import Images
from recjax.data.images.table import images_of, load_images
from recjax.data.prepared import Prepared
from recjax.data.splits import SPLITS, ByQuery
from recjax.errors import UserError
from recjax.prepare.options import Files, How
from recjax.prepare.prepare import check, prepare


@pytest.fixture
def folder(tmp_path):
    return tiny_images.write(tmp_path / "mine")


def csv(path, *lines):
    path.write_text("\n".join(lines) + "\n")
    return path


def images(source):
    """Returns the table of good images, after checking that all are."""
    checked = check(Files(images=source))
    assert checked.report.ok, str(checked.report)
    return images_of(
        checked.data.tables["image"], tuple(checked.data.settings["levels"])
    )


def test_folders_are_splits_and_nested_classes(folder):
    found = images(folder)
    assert len(found) == 48
    want = tiny_images.table()
    assert [len(c) for c in found.classes] == [2, 4, 8]
    counts = np.bincount(found.split)
    np.testing.assert_array_equal(counts, np.bincount(want.split))
    at = found.names.index("test/kind1/coarse2/fine5/35.png")
    assert found.split[at] == SPLITS["test"]
    assert found.classes[2][found.labels[at, 2]] == "kind1/coarse2/fine5"
    assert found.read(at) == want.read(35)


def test_training_and_testing_are_splits(folder):
    want = images(folder)
    for name, other in (("train", "Training"), ("test", "testing")):
        (folder / name).rename(folder / other)
    found = images(folder)
    np.testing.assert_array_equal(np.bincount(found.split), np.bincount(want.split))
    assert found.classes == want.classes


def test_without_folders_of_splits_the_name_decides(folder):
    found = images(folder / "train")
    assert len(found) == 32
    np.testing.assert_array_equal(found.split, ByQuery().of_texts(found.names))


def test_prepared_images_are_read_back(folder, tmp_path):
    path = prepare(Files(images=folder), tmp_path / "out")
    got, want = load_images(path), images(folder)
    assert (got.names, got.levels, got.classes) == (
        want.names,
        want.levels,
        want.classes,
    )
    np.testing.assert_array_equal(got.labels, want.labels)
    np.testing.assert_array_equal(got.split, want.split)
    assert [got.read(i) for i in (47, 0)] == [want.read(i) for i in (47, 0)]
    opened = Images(str(path), (0.1, 0.5, 1.0), batch_size=2, size=16).open(0)
    assert opened.batch(0)["image"].shape[:2] == (2, 3)
    with pytest.raises(UserError, match="give one grade a level"):
        Images(str(path), (0.1, 1.0)).open(0)


def test_bad_images_are_named_and_counted(folder, tmp_path):
    inner = folder / "train" / "kind0" / "coarse0" / "fine0"
    (inner / "cut.png").write_bytes(tiny_images.table().read(0)[:60])
    (inner / "empty.jpg").write_bytes(b"")
    (inner / "notes.txt").write_text("no image")
    with pytest.raises(UserError) as error:
        prepare(Files(images=folder), tmp_path / "out")
    said = str(error.value)
    assert "cannot be read as an image (2)" in said and "cut.png: damaged" in said
    assert "empty.jpg: the file is empty" in said and "notes.txt" in said
    with pytest.raises(UserError, match="max-bad-share"):
        prepare(Files(images=folder), tmp_path / "out", How(on_bad_row="skip"))
    how = How(on_bad_row="skip", max_bad_share=0.1)
    done = prepare(Files(images=folder), tmp_path / "out", how)
    assert len(load_images(done)) == 48
    assert "cut.png" in (done / "skipped_rows.csv").read_text()


def test_images_at_another_depth_are_named(folder):
    stray = folder / "train" / "kind0" / "stray.png"
    stray.write_bytes(tiny_images.table().read(0))
    said = str(check(Files(images=folder)).report)
    assert "is not 3 class folders deep" in said and "stray.png" in said


def test_csv_of_paths(folder, tmp_path):
    names = [p.relative_to(tmp_path) for p in sorted(folder.rglob("*.png"))][:4]
    file = csv(
        tmp_path / "list.csv",
        "image,fruit,state,split",
        *(
            f"{name},{fruit},{state},{split}"
            for name, fruit, state, split in zip(
                names,
                ("apple", "apple", "pear", "pear"),
                ("fresh", "old", "fresh", "fresh"),
                ("train", "val", "test", "train"),
                strict=True,
            )
        ),
    )
    found = images(file)
    assert found.levels == ("fruit", "state")
    # "fresh" of apples is not "fresh" of pears.
    assert found.classes[1] == ("apple/fresh", "apple/old", "pear/fresh")
    np.testing.assert_array_equal(found.labels[:, 1], [0, 1, 2, 2])
    np.testing.assert_array_equal(found.split, [0, 1, 2, 0])


def test_bad_rows_of_a_csv_name_line_and_column(folder, tmp_path):
    good = sorted(folder.rglob("*.png"))[0].relative_to(tmp_path)
    file = csv(
        tmp_path / "list.csv",
        "image,class,split",
        f"{good},a,train",
        "not_there.png,a,train",
        f"{good},b,train",
        f"{good}x,,train",
        f"{good}y,b,tarin",
    )
    report = check(Files(images=file)).report
    found = {(p.row, p.column, p.kind) for p in report.problems}
    assert found == {
        (3, "image", "cannot be read as an image"),
        (4, "image", "stands in an earlier row too"),
        *((row, "image", "cannot be read as an image") for row in (5, 6)),
        (5, "class", "is empty"),
        (6, "split", "is no split"),
    }
    assert report.bad_rows == 4


def test_one_file_by_two_names_and_columns_that_are_no_classes(folder, tmp_path):
    good = sorted(folder.rglob("*.png"))[0].relative_to(tmp_path)
    file = csv(tmp_path / "a.csv", "image,fruit,price", f"{good},a,2", f"./{good} ,b,3")
    report = check(Files(images=file)).report
    assert [(p.row, p.kind) for p in report.problems] == [
        (3, "stands in an earlier row too")
    ]
    found = prepare(
        Files(images=file), tmp_path / "out", How(on_bad_row="skip", max_bad_share=1)
    )
    assert load_images(found).levels == ("fruit",)
    assert Prepared.open(found).table("image")["price"].values.tolist() == [2]


def test_pictures_of_items(folder, tmp_path):
    good = sorted(folder.rglob("*.png"))[0].relative_to(tmp_path)
    csv(tmp_path / "e.csv", "user,item,timestamp", "u,a,1600000000", "u,b,1600000001")
    items = csv(tmp_path / "i.csv", "item,photo", f"a,{good}", "b,")
    files, how = (
        Files(events=tmp_path / "e.csv", items=items),
        How(("items:photo=image",)),
    )
    known = Prepared.open(prepare(files, tmp_path / "out", how))
    photos = known.table("item")["photo"]
    assert photos.values.encoded(0) == (tmp_path / good).read_bytes()
    assert photos.values.encoded(1) == b""
    csv(items, "item,photo", "a,nowhere.png", "b,")
    (p,) = check(files, how).report.problems
    assert (p.row, p.column) == (2, "photo") and "there is no such file" in p.value


@pytest.mark.parametrize(
    "make, said",
    [
        (lambda p: p / "nowhere.csv", "no such file"),
        (lambda p: csv(p / "a.csv", "picture,class", "x,y"), "missing column"),
        (lambda p: (p / "empty").mkdir() or p / "empty", "holds no images"),
    ],
)
def test_what_is_no_set_of_images(make, said, tmp_path):
    found = check(Files(images=make(tmp_path)))
    assert found.data is None and said in str(found.report)
