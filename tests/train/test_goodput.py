"""Seconds of several attempts, worked by hand."""

import json

import pytest

from recjax.errors import UserError
from recjax.train.fit import bytes_of
from recjax.train.goodput import KINDS, NAME, attempts, goodput


def line(step, clock, begun=None, **seconds):
    told = {"step": step, "time": clock, "seconds": dict.fromkeys(KINDS, 0) | seconds}
    return json.dumps(told | ({} if begun is None else {"begun": begun}))


def test_what_is_done_again_and_another_start_are_lost(tmp_path):
    first = [
        line(0, 105, 100, start=5),
        line(10, 120, start=5, compile=8, productive=7),
        line(20, 130, start=5, compile=8, productive=15, data=2),
    ]
    # Killed at 130, with step 10 saved; begins anew at 160.
    second = [
        line(10, 166, 160, start=6),
        "{ a line that was cut",
        line(30, 196, start=6, compile=4, productive=18, checkpoint=2),
    ]
    (tmp_path / NAME).write_text("\n".join(first + second))
    assert [one.start for one in attempts(tmp_path)] == [0, 10]
    found = goodput(tmp_path, evaluated_s=3.0)
    assert found == {
        **{"attempts": 2, "productive_s": 7 + 18, "compile_s": 8, "data_s": 0},
        **{"checkpoint_s": 2, "evaluate_s": 3, "start_s": 5, "away_s": 30},
        # Ten steps with their wait for data, and the second start and compilation.
        **{"lost_to_restart_s": 8 + 2 + 6 + 4, "sum_s": 63},
    }


def test_a_clock_that_jumps_back_loses_no_time(tmp_path):
    (tmp_path / NAME).write_text(
        line(0, 1e9, 1e9) + "\n" + line(0, 5e8, 5e8, productive=4)
    )
    assert goodput(tmp_path)["away_s"] == 0


@pytest.mark.parametrize(
    ("text", "size"),
    [("16GiB", 16 * 2**30), ("80GB", 8e10), ("1.5k", 1500), ("7", 7), ("2 MiB", 2**21)],
)
def test_sizes(text, size):
    assert bytes_of(text) == size


@pytest.mark.parametrize("text", ["", "GiB", "16 gibberish", "-1GB"])
def test_no_sizes(text):
    with pytest.raises(UserError, match="--memory .*expected a size such as 16GiB"):
        bytes_of(text)
