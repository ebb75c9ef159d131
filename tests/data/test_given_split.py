"""Every split for every kind of data that has what it needs; else it is refused."""

import numpy as np
import polars as pl
import pytest
import tiny_catalog

from recjax.data.catalog.search import CatalogSearch
from recjax.data.next_item import NextItem
from recjax.data.search import Search
from recjax.data.sessions.next import NextInSession
from recjax.data.splits import (
    ByColumn,
    ByItem,
    ByQuery,
    ByTime,
    ByUser,
    FromTime,
    LastOut,
)
from recjax.errors import UserError
from recjax.prepare.options import Files, How
from recjax.prepare.prepare import prepare

START = 1_600_000_000
NAMES = ("train", "validation", "test")
GIVEN = ("train", "Training", "val", "test")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Returns kind -> settings of a data set whose rows say their split."""
    folder = tmp_path_factory.mktemp("split")
    row = np.arange(48)
    events = pl.DataFrame(
        {
            "user": [f"u{i // 12}" for i in row],
            "item": [f"i{i % 7}" for i in row],
            "timestamp": START + 100 * row,
            "split": [GIVEN[i // 3 % 4] for i in row],
        }
    )
    judged = pl.DataFrame(
        {
            "query": [f"q{i % 12}" for i in row],
            "candidate": [f"p{i // 4}" for i in row],
            "grade": [3.0] * 48,
            "timestamp": START + row,
            "split": [GIVEN[i % 4] for i in row],
        }
    )
    pairs = tiny_catalog.pairs()
    pairs = pairs.with_columns(split=pl.Series(["train", "val", "test"] * 9)[:5])
    catalogue = Files(
        judgements=pairs,
        entities={"pin": tiny_catalog.pins(), "product": tiny_catalog.products()},
    )
    made = {
        "events": prepare(Files(events=events), folder / "events"),
        # Sessions of three events, which have one split each.
        "sessions": prepare(
            Files(events=events), folder / "sessions", How(gap=10_000, longest=3)
        ),
        "judgements": prepare(Files(judgements=judged), folder / "judgements"),
        "catalogue": prepare(catalogue, folder / "catalogue", tiny_catalog.HOW),
        "mixed": prepare(Files(events=events), folder / "mixed", How(gap=10_000)),
    }
    return {name: str(path) for name, path in made.items()}


def opened(data, kind, split):
    """Returns the parts of the examples of a kind."""
    settings = {
        "events": lambda name: NextItem(name, split=split),
        "sessions": lambda name: NextInSession(name, split),
        "mixed": lambda name: NextInSession(name, split),
        "judgements": lambda name: Search(name, split=split),
        "catalogue": lambda name: CatalogSearch(name, {}, {}, split=split),
    }
    return settings[kind](data[kind]).open(0)


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("events", np.array([0, 0, 1, 2])[np.arange(48) // 3 % 4]),
        ("sessions", np.tile([0, 0, 1, 2], 4)),
        ("judgements", np.tile([0, 0, 1, 2], 12)),
        ("catalogue", [0, 1, 2, 0, 1]),
    ],
)
def test_a_column_says_it(data, kind, wanted):
    np.testing.assert_array_equal(opened(data, kind, ByColumn()).part, wanted)


FITS = {
    "events": {ByTime(), FromTime(START + 2_400), LastOut(), ByUser(), ByItem()},
    "sessions": {ByTime(), FromTime(START + 2_400), LastOut(), ByUser()},
    "judgements": {ByTime(), FromTime(START + 24), ByItem(), ByQuery(5, 1)},
    "catalogue": {ByTime(), FromTime(START + 150), ByQuery(5, 2)},
}
EVERY = {type(split).__name__: split for fits in FITS.values() for split in fits}


@pytest.mark.parametrize("kind", FITS)
@pytest.mark.parametrize("name", sorted(EVERY))
def test_a_split_fits_or_says_what_it_needs(data, kind, name):
    fits = {type(split).__name__: split for split in FITS[kind]}
    if name in fits:
        part = opened(data, kind, fits[name]).part
        assert set(part.tolist()) <= {0, 1, 2} and len(set(part.tolist())) > 1
        return
    with pytest.raises(UserError, match=f"data.split = {name} needs .* choose another"):
        _ = opened(data, kind, EVERY[name]).part


def test_without_a_column_there_is_nothing_to_go_by(data, tmp_path):
    rows = [("u", "i", START), ("u", "j", START + 1), ("v", "i", START)]
    frame = pl.DataFrame(rows, ["user", "item", "timestamp"], orient="row")
    path = {"events": str(prepare(Files(events=frame), tmp_path / "none"))}
    with pytest.raises(UserError, match="ByColumn needs a split, which these events"):
        _ = opened(path, "events", ByColumn()).part
    bad = frame.with_columns(split=pl.Series(["train", "tset", "test"]))
    path = {"events": str(prepare(Files(events=bad), tmp_path / "bad"))}
    said = "'tset' in 1 of 3 rows is no split; .*Did you mean 'test'"
    with pytest.raises(UserError, match=said):
        _ = opened(path, "events", ByColumn()).part
    with pytest.raises(UserError, match="4 of 4 sessions have events of several"):
        opened(data, "mixed", ByColumn())


def test_an_empty_part_says_how_to_get_one(data, tmp_path, caplog):
    rows = [("u", f"i{i}", START + i, "train") for i in range(5)]
    names = ["user", "item", "timestamp", "split"]
    frame = pl.DataFrame(rows, names, orient="row")
    path = {"events": str(prepare(Files(events=frame), tmp_path / "train"))}
    with pytest.raises(UserError, match="none of 5 events is in the split 'test'"):
        opened(path, "events", ByColumn()).queries("test")
    nothing = frame.with_columns(split=pl.lit("test"))
    path = {"events": str(prepare(Files(events=nothing), tmp_path / "test"))}
    with pytest.raises(UserError, match="no training examples.* a data.split"):
        opened(path, "events", ByColumn()).batch(0)
    assert len(opened(path, "events", ByColumn()).queries("test")) == 5
    assert "only 5 of 5 events are in test (split ByColumn)" in caplog.text
