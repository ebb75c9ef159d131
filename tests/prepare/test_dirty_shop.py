"""What a shop's own files get wrong: told where it matters, with what to do."""

import logging

import polars as pl
import pytest
import tiny_images

from recjax.data.prepared import Prepared
from recjax.data.splits import LastOut
from recjax.errors import UserError
from recjax.prepare.options import Files, How
from recjax.prepare.prepare import check, prepare

EVENTS = pl.DataFrame(
    {
        "user": ["u", "u", "v", "v"],
        "item": ["a", "b", "a", "c"],
        "timestamp": [1_600_000_000 + n for n in range(4)],
    }
)


def test_a_bad_photograph_costs_no_product(tmp_path):
    good = tiny_images.png(tiny_images.pixels(0, 0))
    (tmp_path / "a.png").write_bytes(good)
    (tmp_path / "b.png").write_bytes(good[:90])
    items = tmp_path / "items.csv"
    items.write_text("id,photo\na,a.png\nb,b.png\nc,\n")
    files = Files(events=EVENTS, items=items)
    with pytest.raises(UserError, match="row 3, column 'photo': b.png: damaged"):
        prepare(files, tmp_path / "strict")
    how = How(on_bad_row="skip", max_bad_share=0.5)
    told = str(check(files, how).report)
    assert "1 rows stay without their photograph" in told
    data = Prepared.open(prepare(files, tmp_path / "out", how))
    photo = data.table("item")["photo"].texts
    assert data.table("events").rows == 4 and photo.present.tolist() == [1, 0, 0]


def test_what_is_missing_of_extended_events_is_told(tmp_path, caplog):
    prepare(Files(events=EVENTS), tmp_path / "out")
    with caplog.at_level(logging.WARNING):
        prepare(Files(events=EVENTS[3:]), tmp_path / "out", How(extend=True))
    assert "events: 1, those of these files alone; the 4 of before" in caplog.text


def test_sessions_without_users_cannot_be_left_out(tmp_path):
    log = EVENTS.rename({"user": "session"})
    with pytest.raises(UserError, match="leave out --gap: without users, sessions say"):
        prepare(Files(events=log), tmp_path / "a", How(gap=60))
    how = How(gap=60, column=("events:session=skip",))
    with pytest.raises(UserError, match="take --column session=skip out") as told:
        prepare(Files(events=log), tmp_path / "b", how)
    assert "without users, sessions say whose events they are" in str(told.value)
    assert "ByUser((.8, .1, .1))" in LastOut().fix


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        (
            "price",
            ["1.5"] * 30 + ["24,90"],
            "price is category, for 1 of 34 values (2.941%) is no number: '24,90' (row "
            "34); correct them, or pass --column items:price=number, and --on-bad-row",
        ),
        (
            "bought_at",
            ["2024-05-06T07:08:09Z"] * 30 + ["0000-00-00T00:00:00"],
            "is no time: '0000-00-00T00:00:00' (row 34); correct them, or pass "
            "--column items:bought_at=timestamp",
        ),
    ],
)
def test_the_value_that_decides_a_type_is_told(name, values, said):
    ids = [f"i{n}" for n in range(len(values))]
    items = pl.DataFrame({"id": [*"abc", *ids], name: [values[0]] * 3 + values})
    report = check(Files(events=EVENTS, items=items)).report
    assert report.ok and said in str(report)
    assert "zeros in front" not in str(report)


def test_codes_keep_their_zeros():
    items = pl.DataFrame({"id": list("abc"), "shelf": ["007", "12", "1"]})
    table = check(Files(events=EVENTS, items=items)).data.tables["item"]
    assert table["shelf"].type == "category"
