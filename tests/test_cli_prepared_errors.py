"""Raw files and prepared data that are damaged or missing: one clear error each."""

import zipfile
from pathlib import Path

import command
import pytest
import small

T = 1_600_000_000
EVENTS = f"user,item,timestamp\nu1,i1,{T}\nu1,i2,{T + 100}\nu2,i1,{T + 200}\n"


def write(path, content):
    path.write_text(content)
    return path


def test_home_depot_raw_file(capfd, tmp_path, monkeypatch):
    monkeypatch.setenv("RECJAX_DATA", str(tmp_path / "raw"))
    monkeypatch.setenv("RECJAX_CACHE", str(tmp_path / "cache"))
    message = command.fails(capfd, "data", "prepare", "home_depot")
    assert "raw data is not here: download train.csv.zip" in message
    path = tmp_path / "raw" / "home_depot" / "train.csv.zip"
    path.parent.mkdir(parents=True)
    rows = "".join(f"{i},{i},Title {i},query {i},3\n" for i in range(500))
    header = "id,product_uid,product_title,search_term,relevance\n"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("train.csv", header + rows)
    whole = path.read_bytes()
    for damaged in (whole[:-30], whole[:100] + b"\xff" * 60 + whole[160:], b""):
        path.write_bytes(damaged)
        message = command.fails(capfd, "data", "prepare", "home_depot")
        assert f"{path} is not Home Depot's train.csv.zip" in message
        assert "Download it again." in message


def test_movielens_raw_file(capfd, tmp_path, monkeypatch):
    monkeypatch.setenv("RECJAX_DATA", str(tmp_path / "raw"))
    monkeypatch.setenv("RECJAX_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "raw" / "movielens_100k" / "ml-100k.zip"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"PK\x03\x04 cut short")
    message = command.fails(capfd, "data", "prepare", "movielens_100k")
    assert f"{path} is not MovieLens-100K" in message
    assert "Delete it and prepare again." in message


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    path = write(folder / "events.csv", EVENTS)
    out = folder / "mine"
    command.main(["data", "prepare", "--events", str(path), "--out", str(out)])
    return out


def trained_on(capfd, tmp_path, source):
    told = ["train", small.ROOT / "experiments" / "two_tower_movielens.py", "--tiny"]
    where = ["--workdir", tmp_path / "run", "--on", small.ROOT / "configs" / "cpu.py"]
    return command.fails(capfd, *told, *where, "--set", f"data.source={source}")


def test_data_that_is_not_prepared(capfd, tmp_path, monkeypatch):
    monkeypatch.setenv("RECJAX_CACHE", str(tmp_path / "cache"))
    message = trained_on(capfd, tmp_path, "movielens_100k")
    assert "Run `recjax data prepare movielens_100k` first." in message
    message = trained_on(capfd, tmp_path, "movielens")
    assert "Did you mean 'movielens_100k'" in message


def test_prepared_data_that_was_damaged(capfd, tmp_path, prepared):
    path = Path(prepared, "columns", "events", "timestamp.npy")
    whole = path.read_bytes()
    try:
        for damaged in (whole[: len(whole) // 2], b""):
            path.write_bytes(damaged)
            message = trained_on(capfd, tmp_path, prepared)
            assert f"Cannot read the prepared data set {prepared}" in message
            assert path.name in message
            assert "Delete that folder and prepare it again" in message
    finally:
        path.write_bytes(whole)


def test_a_description_that_was_damaged(capfd, tmp_path, prepared):
    path = Path(prepared, "prepared.json")
    whole = path.read_text()
    try:
        path.write_text(whole[:20])
        assert "prepared.json is damaged" in trained_on(capfd, tmp_path, prepared)
        path.write_text(whole.replace('"format": 2', '"format": 1'))
        message = trained_on(capfd, tmp_path, prepared)
        assert "was prepared by an older recjax; prepare it again" in message
        path.write_text(whole.replace('"events"', '"judgements"'))
        message = trained_on(capfd, tmp_path, prepared)
        assert f"{prepared} has no events; it has" in message
    finally:
        path.write_text(whole)
