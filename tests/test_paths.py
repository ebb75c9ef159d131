"""Where raw and prepared data are looked for."""

from pathlib import Path

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


def test_downloads_go_to_the_named_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("RECJAX_DATA", str(tmp_path / "new" / "raw"))
    monkeypatch.setenv("RECJAX_CACHE", str(tmp_path / "cache"))
    assert paths.writable_raw("set") == tmp_path / "new" / "raw" / "set"


def test_downloads_leave_a_read_only_folder_alone(monkeypatch, tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir(mode=0o555)
    monkeypatch.setenv("RECJAX_DATA", str(raw))
    monkeypatch.setenv("RECJAX_CACHE", str(tmp_path / "cache"))
    assert paths.writable_raw("set") == tmp_path / "cache" / "raw" / "set"
    assert not any(raw.iterdir())


def test_downloads_never_go_beside_the_checkout(monkeypatch, tmp_path):
    monkeypatch.delenv("RECJAX_DATA", raising=False)
    monkeypatch.setenv("RECJAX_CACHE", str(tmp_path))
    assert paths.writable_raw("set") == tmp_path / "raw" / "set"
