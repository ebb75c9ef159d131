"""Where raw and prepared data are looked for."""

from pathlib import Path

import pytest

from recjax import paths


def test_environment_names_both_roots(monkeypatch, tmp_path):
    monkeypatch.setenv("RECJAX_DATA", str(tmp_path / "raw"))
    monkeypatch.setenv("RECJAX_CACHE", str(tmp_path / "cache"))
    assert paths.raw_root() == tmp_path / "raw"
    assert paths.prepared_root() == tmp_path / "cache" / "prepared"


def test_raw_data_falls_back_to_checkout_then_cache(monkeypatch, tmp_path):
    monkeypatch.delenv("RECJAX_DATA", raising=False)
    monkeypatch.setenv("RECJAX_CACHE", str(tmp_path))
    beside = Path(paths.__file__).resolve().parents[2] / "shared" / "data"
    expected = beside if beside.is_dir() else tmp_path / "raw"
    assert paths.raw_root() == expected


def test_home_is_expanded(monkeypatch):
    monkeypatch.setenv("RECJAX_CACHE", "~/somewhere")
    assert paths.cache_root() == Path.home() / "somewhere"


def test_find_raw_looks_in_the_cache_too(monkeypatch, tmp_path):
    monkeypatch.setenv("RECJAX_DATA", str(tmp_path / "raw"))
    monkeypatch.setenv("RECJAX_CACHE", str(tmp_path / "cache"))
    assert paths.find_raw("a", "b.csv") is None
    cached = tmp_path / "cache" / "raw" / "a" / "b.csv"
    cached.parent.mkdir(parents=True)
    cached.touch()
    assert paths.find_raw("a", "b.csv") == cached
    named = tmp_path / "raw" / "a" / "b.csv"
    named.parent.mkdir(parents=True)
    named.touch()
    assert paths.find_raw("a", "b.csv") == named


@pytest.mark.parametrize("named", ["new/raw", "raw", None])
def test_downloads_go_to_the_cache_whatever_is_named(monkeypatch, tmp_path, named):
    (tmp_path / "raw").mkdir()
    monkeypatch.setenv("RECJAX_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("RECJAX_DATA", raising=False)
    if named:
        monkeypatch.setenv("RECJAX_DATA", str(tmp_path / named))
    folder = paths.writable_raw("set")
    assert folder == tmp_path / "cache" / "raw" / "set" and folder.is_dir()
    assert [p.name for p in sorted(tmp_path.iterdir())] == ["cache", "raw"]
    assert not any((tmp_path / "raw").iterdir())
