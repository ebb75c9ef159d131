"""A user's own log: bad rows are named, good ones become sessions."""

import numpy as np
import pytest

from recjax.data.sessions.read import load_sessions
from recjax.errors import UserError
from recjax.prepare import prepare_sessions as sessions_prepare
from recjax.prepare.validate_sessions import Sessionize

LOG = """user,item,timestamp
b,x,5000
a,x,100
a,y,1899
a,z,3700
b,y,5001
"""


def prepared(tmp_path, text=LOG, name="log.csv", **cut):
    path = tmp_path / name
    path.write_text(text)
    return load_sessions(
        sessions_prepare.prepare_sessions(
            path, out=tmp_path / "out", cut=Sessionize(**cut)
        )
    )


def test_unsorted_events_are_sorted_and_cut_at_gaps(tmp_path):
    known = prepared(tmp_path)
    assert tuple(known.user_ids) == ("b", "a") and known.item_ids == ("x", "y", "z")
    np.testing.assert_array_equal(known.item, [0, 1, 0, 1, 2])
    np.testing.assert_array_equal(known.session_start, [0, 2, 4, 5])
    np.testing.assert_array_equal(known.user_start, [0, 1, 3])


def test_named_sessions_and_impressions(tmp_path):
    text = "user,item,timestamp,session,impressions\na,x,1,s,y z\na,y,2,s,\na,x,3,t,w\n"
    known = prepared(tmp_path, text)
    np.testing.assert_array_equal(known.session_start, [0, 2, 3])
    shown = [
        [known.item_ids[i] for i in known.shown[a:b]]
        for a, b in zip(known.shown_start[:-1], known.shown_start[1:], strict=True)
    ]
    assert shown == [["y", "z"], [], ["w"]] and "w" in known.item_ids


def test_long_sessions_and_rare_items(tmp_path):
    known = prepared(tmp_path, longest=1)
    assert len(known.session_start) - 1 == 5
    known = prepared(tmp_path, item_events=2, user_events=2)
    assert known.item_ids == ("x", "y") and len(known.item) == 4
    with pytest.raises(UserError, match="no event is left.*--user-events"):
        prepared(tmp_path, user_events=9)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("a,x,-5", "-5"),
        ("a,x,99999999999", "99999999999"),
        ("a,x,100", "the same event twice"),
        ("a,,300", "item"),
        (",x,300", "user"),
        ("a,x,soon", "soon"),
    ],
)
def test_a_bad_row_is_named(tmp_path, row, said):
    with pytest.raises(UserError) as error:
        prepared(tmp_path, LOG + row + "\n")
    assert said in str(error.value) and "7" in str(error.value)


def test_a_missing_column_and_a_wrong_number(tmp_path):
    with pytest.raises(UserError, match="timestamp"):
        prepared(tmp_path, "user,item\na,x\n")
    with pytest.raises(UserError, match="--gap 0: must be at least 1"):
        Sessionize(gap=0)
