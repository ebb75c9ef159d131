"""Times: every form, the unit told from the values, and nothing rounded."""

import datetime as dt

import polars as pl
import pytest
from tables import NOW, load, values

from recjax.tables.columns import Column

TIME = (Column("timestamp", "timestamp"),)
MAYBE = (Column("timestamp", "timestamp", filled=False),)
SECOND = 10**9


def times(given, schema=TIME, **options):
    return load(pl.DataFrame({"timestamp": given}), schema, **options)


def test_every_form(tmp_path):
    # date -u -d '2001-02-03 04:05:06' +%s is 981173106.
    forms = {
        "981173106": 981173106 * SECOND,
        " 981173106 ": 981173106 * SECOND,
        "981173106.9": 981173106 * SECOND + 900_000_000,
        "981173106.123456789": 981173106 * SECOND + 123456789,
        "9.81173106e8": 981173106 * SECOND,
        "2001-02-03T04:05:06": 981173106 * SECOND,
        "2001-02-03 04:05:06": 981173106 * SECOND,
        "2001-02-03T04:05:06.789": 981173106 * SECOND + 789_000_000,
        "2001-02-03T04:05:06.123456789": 981173106 * SECOND + 123456789,
        "2001-02-03T04:05:06Z": 981173106 * SECOND,
        "2001-02-03T06:05:06+02:00": 981173106 * SECOND,
        "2001-02-03T06:05:06.000000001+02:00": 981173106 * SECOND + 1,
        "2001-02-03 04:05": 981173100 * SECOND,
        "2001-02-03": 981158400 * SECOND,
    }
    found, report = times(list(forms))
    assert report.ok, str(report)
    assert values(found, "timestamp") == list(forms.values())


@pytest.mark.parametrize(
    "unit, per", [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)]
)
@pytest.mark.parametrize("as_text", [False, True])
def test_the_unit_is_told_from_the_values(unit, per, as_text):
    given = [(981173106 + i) * per for i in range(3)]
    found, report = times([str(x) for x in given] if as_text else given)
    assert report.ok and found.units == {"timestamp": unit}
    assert values(found, "timestamp") == [(981173106 + i) * SECOND for i in range(3)]
    words = {"s": "seconds", "ms": "milliseconds", "us": "micro", "ns": "nano"}[unit]
    assert f"'timestamp' is read as {words}" in str(report)


def test_order_inside_a_second_is_kept():
    given = [978307200900, 978307200500, 978307200100]
    found, _ = times(given)
    assert values(found, "timestamp") == [t * 10**6 for t in given]
    moments = pl.Series([978307200 * SECOND + i for i in (9, 5, 1)])
    found, _ = times(moments.cast(pl.Datetime("ns")))
    assert values(found, "timestamp") == moments.to_list()


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "Asia/Tokyo"])
def test_datetimes(unit, zone):
    given = pl.Series([dt.datetime(2001, 2, 3, 4, 5, 6, 789_000)])
    given = given.dt.cast_time_unit(unit).dt.replace_time_zone(zone)
    found, report = times(given)
    assert report.ok and found.units == {}
    there = 981173106 * SECOND + 789_000_000 - (9 * 3600 * SECOND if zone else 0)
    assert values(found, "timestamp") == [there]


def test_halves_of_floats():
    found, _ = times([981173106.5, 981173106.0])
    assert values(found, "timestamp") == [981173106500000000, 981173106 * SECOND]


@pytest.mark.parametrize(
    "given", [[20011105, 20010203], ["20011105"], [20010203040506]]
)
def test_days_written_as_numbers_are_refused(given):
    found, report = times(given)
    assert found is None
    assert "days written as numbers" in str(report)
    assert "2023-11-05, not 20231105" in str(report)


@pytest.mark.parametrize("given", [[10, 20], [5_000_000_000] * 2, [-7], [0]])
def test_what_no_unit_fits_is_refused(given):
    found, report = times(given)
    assert found is None and "no unit of time fits" in str(report)
    assert f"numbers from {given[0]}" in str(report)


def test_units_that_are_mixed_are_refused():
    given = [981173106, 981173106000]
    found, report = times(given)
    assert found is None and "times of several units" in str(report)
    assert "1 in seconds, 1 in milliseconds" in str(report)


@pytest.mark.parametrize(
    "odd, reading",
    [
        (981173106000, "2001-02-03 in milliseconds?"),
        (981173106 * 10**6, "2001-02-03 in microseconds?"),
        (981173106 * SECOND, "2001-02-03 in nanoseconds?"),
        (20010203, "is the date 2001-02-03 as YYYYMMDD?"),
    ],
)
def test_an_odd_one_is_a_problem_of_its_row_with_its_likely_reading(odd, reading):
    given = [981173106] * 20 + [odd]
    found, report = times(given)
    assert found.table.rows == 20
    assert [(p.row, p.value) for p in report.problems] == [(21, f'"{odd}"')]
    assert reading in str(report)


def test_seconds_under_another_unit_are_refused():
    found, report = times([981173106, 981173107], unit="ms")
    assert found.table.rows == 0 and report.bad_rows == 2
    assert "2001-02-03 in seconds?" in str(report)
    found, report = times([981173106000], unit="ms")
    assert report.ok and values(found, "timestamp") == [981173106 * SECOND]


def test_a_day_ahead_is_not_the_future():
    assert times([NOW + 86_400])[1].ok
    assert not times([NOW, NOW + 86_401])[1].ok
    assert times([631_152_000])[1].ok
    assert not times([NOW, 631_151_999])[1].ok


def test_missing_times():
    found, report = times([981173106, None], MAYBE)
    lost = -(2**63)
    assert report.ok and values(found, "timestamp") == [981173106 * SECOND, lost]
    found, report = times(["", "2001-02-03", "981173106"], MAYBE)
    assert values(found, "timestamp") == [lost, 981158400 * SECOND, 981173106 * SECOND]
    found, report = times(pl.Series([None, dt.date(2001, 2, 3)]), MAYBE)
    assert values(found, "timestamp") == [lost, 981158400 * SECOND]


def test_integers_in_one_part_and_datetimes_in_another(tmp_path):
    moment = dt.datetime(2001, 2, 3, 4, 5, 6)
    for name, given in (("a", [981173106]), ("b", [moment]), ("c", ["2001-02-03"])):
        frame = pl.DataFrame({"timestamp": given})
        frame.write_parquet(tmp_path / f"{name}.parquet")
    found, report = load(tmp_path, TIME)
    assert report.ok
    there = [981173106, 981173106, 981158400]
    assert values(found, "timestamp") == [t * SECOND for t in there]
