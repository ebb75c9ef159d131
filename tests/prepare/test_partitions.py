"""Events that are sorted by partitions of users are what one process makes of them."""

import numpy as np
import polars as pl
import pytest
from preparing import far, files_of, same

from recjax.data.prepared import Prepared
from recjax.prepare import prepare as preparing
from recjax.prepare.options import Files, How
from recjax.prepare.parts import Parts
from recjax.prepare.prepare import LISTS, check, prepare

PARTS, ROWS, MOST = 3, 60, 40
START = 1_600_000_000
USERS = pl.DataFrame({"id": [f"u{i}" for i in (9, 3, 0, 5, 4, 1, 8, 30)]})
ITEMS = pl.DataFrame(
    {"id": [f"i{i}" for i in range(9, 1, -1)], "title": list("abcdefgh")}
)
SKIP = {"on_bad_row": "skip", "max_bad_share": 1.0}
TYPES = ("note=text", "device=category", "tags=categories", "v=vector", "more=number")
TYPES += ("impressions=ids",)


def log(part):
    """Returns events with every type of column; many happen at once, some twice."""
    rng = np.random.default_rng(part)
    user = np.minimum(rng.geometric(0.2, ROWS), 12) - 1 + part
    tags = [[f"t{t}" for t in rng.integers(0, 5, n)] for n in rng.integers(0, 3, ROWS)]
    shown = [
        [f"i{i}" for i in rng.integers(2, 11, n)] for n in rng.integers(0, 3, ROWS)
    ]
    frame = pl.DataFrame(
        {
            "user": [f"u{u}" for u in user],
            "item": [f"i{i}" for i in rng.integers(0, 10, ROWS)],
            "timestamp": START + rng.integers(0, 400, ROWS) * 20,
            "action": rng.choice(["view", "buy", "save"], ROWS),
            "note": [f"n{n}" * (n % 3) for n in range(ROWS)],
            "device": [f"d{d}" for d in rng.integers(part, 4 + part, ROWS)],
            "tags": ["|".join(some) for some in tags],
            "v": rng.normal(size=(ROWS, 2)).astype(np.float32),
            "more": rng.normal(size=ROWS),
            "impressions": shown,
        }
    )
    session = pl.col("user") + "-" + (pl.col("timestamp") // 2000).cast(pl.String)
    return pl.concat([frame, frame[7:9]]).with_columns(session=session)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Parts of a log."""
    made = tmp_path_factory.mktemp("logs")
    for part in range(PARTS):
        frame = log(part)
        bad = frame[:3].with_columns(timestamp=pl.lit(None, pl.Int64))
        back = frame[20:22].with_columns(timestamp=pl.col("timestamp") + 3_000)
        for name, one in {
            "gaps": pl.concat([frame, bad]).drop("session", "impressions"),
            "shown": frame.drop("session", "action"),
            "sessions": pl.concat([frame, back]),
            "anonymous": frame.drop("user"),
            "good": frame.unique(["user", "item", "timestamp"], maintain_order=True),
        }.items():
            (made / name).mkdir(exist_ok=True)
            one.write_parquet(made / name / f"{part}.parquet")
    return made


SETS = {
    "gaps": ("gaps", {}, {"gap": 300, "longest": 3}),
    "filter": ("gaps", {}, {"item_events": 14, "user_events": 6, "gap": 300}),
    "machines": ("gaps", {}, {"most_user_events": 20}),
    "shown": ("shown", {}, {"user_events": 9}),
    "shown items": ("shown", {"items": ITEMS}, {"gap": 100}),
    "known": ("gaps", {"items": ITEMS, "users": USERS}, {"item_events": 10}),
    "sessions": ("sessions", {"users": USERS}, {"longest": 2}),
    "anonymous": ("anonymous", {"items": ITEMS}, {"longest": 2}),
}


def how_of(folder, more):
    names = pl.read_parquet(folder / "0.parquet").columns
    types = tuple(one for one in TYPES if one.split("=")[0] in names)
    return How(column=tuple(f"events:{one}" for one in types), **SKIP, **more)


@pytest.mark.parametrize("name", SETS)
def test_partitions(name, folder, tmp_path):
    log, tables, more = SETS[name]
    files, how = Files(events=folder / log, **tables), how_of(folder / log, more)
    parts = Parts(far, tmp_path, MOST)
    one, other = check(files, how), check(files, how, parts)
    assert same(one, other) and not one.report.ok
    assert len([*tmp_path.glob("column *")]) > 6


def test_folders(folder, tmp_path, monkeypatch):
    """Also of events that an earlier data set's ids come first in."""
    monkeypatch.setattr(preparing, "PARTITION", MOST)
    files = Files(events=folder / "sessions", users=USERS)
    before = {"first": Files(events=folder / "good"), "again": files}
    for out, each in (("one", None), ("other", far)):
        for step, files in before.items():
            how = how_of(folder / "sessions", {"extend": step == "again"})
            prepare(files, tmp_path / out, how, each)
    one, other = files_of(tmp_path / "one"), files_of(tmp_path / "other")
    assert one == other and len(one) > 20
    abouts = [dict(Prepared.open(tmp_path / out).about) for out in ("one", "other")]
    for about in abouts:
        del about["command"]
    assert abouts[0] == abouts[1] and len(abouts[0]["extends"]) == 1
    told = [(tmp_path / out / LISTS["skip"]).read_bytes() for out in ("one", "other")]
    assert told[0] == told[1] and told[0].count(b"\n") > 9
    assert {path.name for path in tmp_path.iterdir()} == {"one", "other"}


def test_more_problems_than_are_listed(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("recjax.tables.report.LISTED", 4)
    for module in ("result", "check"):
        monkeypatch.setattr(f"recjax.tables.{module}.LISTED", 4)
    log, tables, more = SETS["shown items"]
    files, how = Files(events=folder / log, **tables), how_of(folder / log, more)
    parts = Parts(far, tmp_path, MOST)
    assert same(check(files, how), check(files, how, parts))
