"""Foursquare's check-ins: small files of their form."""

import gzip

import numpy as np
import pytest

from recjax.data.prepared import Prepared
from recjax.errors import UserError
from recjax.prepare.built_in import prepare_built_in
from recjax.prepare.datasets import foursquare_nyc

START = 1_335_000_000
VENUES = "item,latitude,longitude\np1,40.5,-74.0\np2,40.75,-73.5\n"


@pytest.fixture
def raw(monkeypatch, tmp_path):
    monkeypatch.setenv("RECJAX_DATA", str(tmp_path / "raw"))
    monkeypatch.setenv("RECJAX_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "raw" / foursquare_nyc.FOLDER
    folder.mkdir(parents=True)
    # The share of check-ins that are there twice is small, as in the real file.
    when = [START + 60 * i for i in range(150)] + [START + 60 * 149 + 86_400, START]
    lines = "".join(f"u1,p{1 + i % 2},{time}\n" for i, time in enumerate(when[:-1]))
    content = f"user,item,timestamp\n{lines}u1,p1,{START}\n"
    (folder / "checkins.csv.gz").write_bytes(gzip.compress(content.encode()))
    (folder / "venues.csv").write_text(VENUES)
    return folder


def test_prepared_and_read_back(raw):
    known = Prepared.open(prepare_built_in("foursquare_nyc"))
    events, items = known.table("events"), known.table("item")
    np.testing.assert_array_equal(events["session"].array, [0] * 150 + [1])
    np.testing.assert_array_equal(items["latitude"].array, np.float32([40.5, 40.75]))
    np.testing.assert_array_equal(items["longitude"].array, [-74, -73.5])


def test_damage_is_named(raw):
    (raw / "venues.csv").write_text(VENUES.replace("40.5", "north"))
    with pytest.raises(UserError, match='(?s)venues.csv.*row 2.*"north"'):
        foursquare_nyc.data()
