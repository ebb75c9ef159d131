import numpy as np
import pytest
import tiny_images

from recjax.data.images.source import Images
from recjax.data.images.table import load_images
from recjax.data.splits import SPLITS
from recjax.errors import UserError
from recjax.prepare.image_folder import validate_images
from recjax.prepare.prepare_images import prepare_images


@pytest.fixture
def folder(tmp_path):
    return tiny_images.write(tmp_path / "mine")


def csv(path, *lines):
    path.write_text("\n".join(lines) + "\n")
    return path


def test_folders_are_splits_and_nested_classes(folder):
    found = validate_images(folder)
    assert found.report.ok and len(found.table) == 48
    want = tiny_images.table()
    assert [len(c) for c in found.table.classes] == [2, 4, 8]
    counts = np.bincount(found.table.split)
    np.testing.assert_array_equal(counts, np.bincount(want.split))
    at = found.table.names.index("test/kind1/coarse2/fine5/35.png")
    assert found.table.split[at] == SPLITS["test"]
    assert found.table.classes[2][found.table.labels[at, 2]] == "kind1/coarse2/fine5"
    assert found.table.read(at) == want.read(35)


def test_without_folders_of_splits_the_name_decides(folder):
    found = validate_images(folder / "train")
    assert found.report.ok and len(found.table) == 32
    again = validate_images(folder / "train").table.split
    np.testing.assert_array_equal(found.table.split, again)


def test_prepared_images_are_read_back(folder, tmp_path):
    path = prepare_images(folder, out=tmp_path / "out")
    got, want = load_images(path), validate_images(folder).table
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
        prepare_images(folder, out=tmp_path / "out")
    said = str(error.value)
    assert "cannot be decoded (2)" in said and "cut.png: damaged" in said
    assert "empty.jpg: the file is empty" in said and "notes.txt" in said
    with pytest.raises(UserError, match="max-bad-share"):
        prepare_images(folder, out=tmp_path / "out", on_bad_row="skip")
    done = prepare_images(
        folder, out=tmp_path / "out", on_bad_row="skip", max_bad_share=0.1
    )
    assert len(load_images(done)) == 48
    assert "cut.png" in (done / "skipped_rows.csv").read_text()


def test_images_at_another_depth_are_named(folder):
    stray = folder / "train" / "kind0" / "stray.png"
    stray.write_bytes(tiny_images.table().read(0))
    said = str(validate_images(folder).report)
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
    found = validate_images(file)
    assert found.report.ok
    assert found.table.levels == ("fruit", "state")
    # "fresh" of apples is not "fresh" of pears.
    assert found.table.classes[1] == ("apple/fresh", "apple/old", "pear/fresh")
    np.testing.assert_array_equal(found.table.labels[:, 1], [0, 1, 2, 2])
    np.testing.assert_array_equal(found.table.split, [0, 1, 2, 0])


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
    report = validate_images(file).report
    found = {(p.row, p.column, p.kind) for p in report.problems}
    assert found == {
        (3, "image", "there is no such file"),
        (4, "image", "stands in an earlier row too"),
        (5, "class", "is empty"),
        (6, "split", "is no split"),
    }
    assert report.bad_rows == 4


@pytest.mark.parametrize(
    "make, said",
    [
        (lambda p: p / "nowhere", "no such folder or file"),
        (lambda p: csv(p / "a.csv", "picture,class", "x,y"), "needs the column image"),
        (lambda p: (p / "empty").mkdir() or p / "empty", "holds no images"),
    ],
)
def test_what_is_no_set_of_images(make, said, tmp_path):
    found = validate_images(make(tmp_path))
    assert found.empty and said in str(found.report)
