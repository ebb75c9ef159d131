"""The catalogue's tools: files by any number of processes, prepared, and the ladder."""

import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from recjax.data.catalog.read import load_catalog
from recjax.prepare.invented import invented_files
from recjax.prepare.prepare import prepare
from recjax.prepare.synthetic.world import CatalogSettings
from recjax.prepare.synthetic.write import write_catalog

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from catalog_ladder import ladder  # noqa: E402

HERE = {**os.environ, "PYTHONPATH": str(ROOT)}
PINS = 9_000
"""More than one chunk."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    settings = CatalogSettings().sized(PINS)
    rows = write_catalog(settings, folder, logs=True)
    assert rows["pins"] == PINS and rows["products"] == PINS // 5
    return folder


def test_what_is_made_can_be_prepared(folder, tmp_path):
    files, how = invented_files(folder)
    catalog = load_catalog(prepare(files, tmp_path / "out", how))
    pairs = pl.read_parquet(folder / "pairs.parquet")
    assert len(catalog.pairs.query) == pairs.height
    for kind, count in (("pin", PINS), ("product", PINS // 5)):
        table = catalog.entities[kind]
        assert len(table) == count and len(table.texts) == 19
        assert set(table.dense) == {"gs_v5", "item_is_v2", "ue_v4", "legacy"}
        frame = pl.read_parquet(folder / f"{kind}s.parquet")
        images = (
            frame["ue_v4"].explode().to_list() if kind == "product" else frame["ue_v4"]
        )
        assert table.dense["ue_v4"].values[-1].tobytes() == images[-1]
        assert list(table.ids) == frame["id"].to_list()


def test_processes_do_not_matter(folder, tmp_path):
    told = [tmp_path, "--pins", str(PINS), "--workers", "2", "--logs"]
    tool = [sys.executable, ROOT / "tools" / "make_catalog.py"]
    subprocess.run([*tool, *told], check=True, env=HERE)
    for name in ("pins", "products", "pairs", "saves", "events"):
        one = pl.read_parquet(folder / f"{name}.parquet")
        assert pl.read_parquet(tmp_path / f"{name}.parquet").equals(one), name


def test_logs_make_the_fields(folder, tmp_path):
    tool = [sys.executable, ROOT / "tools" / "build_board_titles.py"]
    out = tmp_path / "board_title.parquet"
    told = [folder / "saves.parquet", "--out", out, "--workers", "1"]
    subprocess.run([*tool, *told], check=True, env=HERE)
    built = dict(pl.read_parquet(out).iter_rows())
    for name in ("pins", "products"):
        frame = pl.read_parquet(folder / f"{name}.parquet")
        for id_, titles in frame["id", "board_title"].iter_rows():
            assert built.get(id_) == titles


def test_every_group_of_features_tells_something():
    found = ladder(CatalogSettings().sized(4_000))
    for column in ("save", "relevance"):
        steps = found[column].diff().drop_nulls()
        assert len(steps) == 4
        assert (steps > 0).all(), found
    assert found["save"][0] > 0.2 and found["save"][-1] < 0.95
