"""Columns of events and users in a session bundle: answers are the live model's."""

import numpy as np
import pytest
import session_columns

from recjax.bundle.open import open_bundle
from recjax.bundle.served import signatures
from recjax.cli.main import main
from recjax.errors import UserError
from recjax.serve.session import open_states


@pytest.mark.parametrize("size", [1, 17])
def test_steps_are_those_of_the_evaluation(program, trained, bundle, size):
    own = signatures(open_bundle(bundle))
    session_columns.steps_agree(program, trained, own, own["step"].ask, size)


@pytest.mark.parametrize(
    ("column", "other"),
    [
        ("color", "blue"),
        ("kinds", ["blue"]),
        ("price", 1.5),
        ("made", 1_700_000_000.0),
        ("title", "old hat"),
        ("look", [1.0, 2.0, 3.0]),
        ("code", [[7, 1]]),
    ],
)
def test_each_column_of_an_event_counts_once_it_is_over(bundle, column, other):
    one, two = open_states(bundle), open_states(bundle)
    one.feed("a", "i1", 1_000, columns={column: None})
    two.feed("a", "i1", 1_000, columns={column: other})
    assert np.abs(one.query("a", 1_001) - two.query("a", 1_001)).max() > 1e-4


@pytest.mark.parametrize(("column", "other"), [("color", "blue"), ("price", 1.5)])
def test_each_column_of_a_user_counts_at_once(bundle, column, other, tmp_path):
    one, two = open_states(bundle), open_states(bundle)
    two.about("a", {column: other})
    assert not one.described("a") and two.described("a")
    assert np.abs(one.query("a") - two.query("a")).max() > 1e-4
    two.save(tmp_path / "states.npz")
    again = open_states(bundle, tmp_path / "states.npz")
    np.testing.assert_array_equal(again.query("a"), two.query("a"))
    two.about("a", {})
    np.testing.assert_array_equal(one.query("a"), two.query("a"))


def test_columns_that_are_not_there_are_named(bundle):
    states = open_states(bundle)
    with pytest.raises(UserError, match="no column 'colour' of events.*'color'"):
        states.feed("a", "i1", 1_000, columns={"colour": "red"})
    with pytest.raises(UserError, match="event_price, row 0: 'x' is no number"):
        states.feed("a", "i1", 1_000, columns={"price": "x"})
    with pytest.raises(UserError, match="no column 'look' of users"):
        states.about("a", {"look": [1.0, 2.0, 3.0]})
    assert not len(states)


def test_commands_take_columns(bundle, tmp_path, capsys):
    log, users = tmp_path / "log.csv", tmp_path / "users.csv"
    log.write_text(
        "user,item,timestamp,session,farbe,kinds,made\n"
        "a,i1,1600000100,1,red,red|blue,1600000000\na,i2,1600000160,1,pink,,\n"
        "b,i3,1600000200,1,,,\n"
    )
    states = ["--states", str(tmp_path / "states.npz")]
    users.write_text("user,color,price\na,blue,3.5\nc,,\n")
    main(["session", "users", str(bundle), str(users), *states])
    said = capsys.readouterr().out
    assert "'color' is missing in 1 of 2 users" in said and "2 users; 2 are in" in said
    feed = ["session", "feed", str(bundle), str(log), *states]
    main([*feed, "--rename", "farbe=color"])
    said = capsys.readouterr().out
    assert "fed 3 events; 3 users" in said
    assert "has no code, look, price, title: missing for all events" in said
    assert "'color' is missing in 1 of 3 events" in said
    assert "'color' has categories unknown to the bundle: 'pink' (1)" in said
    assert "nothing is known of the columns of 1 users ('b')" in said
    by_hand = open_states(bundle)
    by_hand.about("a", {"color": "blue", "price": 3.5})
    did = {"color": "red", "kinds": ["red", "blue"], "made": 1_600_000_000}
    by_hand.feed("a", "i1", 1_600_000_100, session="1", columns=did)
    by_hand.feed("a", "i2", 1_600_000_160, session="1")
    fed = open_states(bundle, tmp_path / "states.npz")
    np.testing.assert_array_equal(fed.query("a"), by_hand.query("a"))
