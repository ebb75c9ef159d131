"""Logs that are fed: cut as `prepare` cuts them, whatever the calls and the form."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recjax.bundle.session_state import SessionState
from recjax.data.sessions.read import load_sessions
from recjax.data.sessions.rules import SessionRules
from recjax.errors import UserError
from recjax.index.item_vectors import ItemVectors
from recjax.prepare.options import Files, How
from recjax.prepare.prepare import prepare
from recjax.serve.session import feed_file
from recjax.serve.user_state import UserStates
from recjax.tables.result import Options

ITEMS = tuple(f"i{i}" for i in range(9))
START = 1_600_000_000_000
BY_GAP = SessionRules(gap=100, longest=3, unit="ms")
NAMED = SessionRules(longest=3)


def step(arrays):
    """A model that forgets nothing: its memory depends on all that it was told."""
    told = [arrays[name][:, 0] for name in ("item", "position", "age", "gap")]
    now = np.stack(told, 1).astype(np.float64)
    return {
        "user": np.concatenate([arrays["memory_0"], now[:, 1:]], 1),
        "memory_0": 0.7 * arrays["memory_0"] + now,
    }


def states(rules=BY_GAP, **of):
    """Returns states of that model."""
    items = ItemVectors(ITEMS, ITEMS, np.eye(9, 7))
    return UserStates(step, items, SessionState({"memory_0": np.zeros(4)}, rules), of)


def log(seed, events=60, users=4):
    """Returns a log in milliseconds by time, with ties of different users."""
    random = np.random.default_rng(seed)
    when = START + np.cumsum(random.integers(0, 60_000, events))
    user, item = (random.integers(0, n, events) for n in (users, len(ITEMS)))
    # Of one user and moment there is one event: else their order is that of the rows.
    frame = pl.DataFrame({"user": user, "item": item, "timestamp": when})
    frame = frame.unique(["user", "timestamp"], keep="first", maintain_order=True)
    return frame.with_columns(
        pl.format("u{}", "user").alias("user"), pl.format("i{}", "item").alias("item")
    )


def with_names(frame, every=4):
    """Returns a log whose users' events have sessions by name, `every` long or more."""
    at = pl.int_range(pl.len()).over("user") // every
    return frame.with_columns(pl.format("s{}", at).alias("session"))


def same(one, other):
    """Asserts that two hold the same states, bit for bit."""
    assert set(one._rows) == set(other._rows) and one._session == other._session
    for user in one._rows:
        rows = one._rows[user], other._rows[user]
        for name, held in one._held.items():
            mine, theirs = held[rows[0]], other._held[name][rows[1]]
            np.testing.assert_array_equal(mine, theirs, err_msg=f"{user} {name}")


@settings(max_examples=25)
@given(st.integers(0, 999), st.lists(st.integers(0, 60), max_size=6), st.booleans())
def test_any_calls_are_one_call(seed, cuts, named):
    whole = with_names(log(seed)) if named else log(seed)
    rules = NAMED if named else BY_GAP
    once, often = states(rules), states(rules)
    assert feed_file(once, whole).events == len(whole)
    edges = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    random = np.random.default_rng(seed)
    for first, stop in zip(edges, edges[1:], strict=False):
        if first < stop:
            part = whole[first:stop]
            feed_file(often, part[random.permutation(len(part))])
    same(once, often)


@pytest.mark.parametrize(
    ("rules", "how"),
    [
        (BY_GAP, {"gap": 100, "longest": 3}),
        (NAMED, {"longest": 3}),
        (SessionRules(gap=60), {"gap": 60}),
        (SessionRules(longest=1), {}),
    ],
)
def test_sessions_are_those_of_prepare(tmp_path, rules, how):
    """A user's state after each event is that of the prepared sessions."""
    whole = log(3, 90) if rules.gap or rules.apart else with_names(log(3, 90))
    path = prepare(Files(events=whole), tmp_path / "data", How(**how))
    known = load_sessions(path, rules.apart)
    online = states(rules)
    for user in range(known.users):
        first, last = known.session_start[known.user_start[user : user + 2]]
        own = whole.filter(pl.col("user") == known.user_ids[user]).sort("timestamp")
        memory, gap = np.zeros(4), 0.0
        for event in range(first, last):
            position = known.position[event]
            if position == 0 and event > first:
                gap = known.timestamp[event] - known.timestamp[event - 1]
            feed_file(online, own[event - first : event - first + 1])
            told = np.array([known.item[event] + 1, position, event - first, gap])
            # The bundle's items have an order of their own.
            told[0] = 1 + ITEMS.index(known.item_ids[known.item[event]])
            memory = 0.7 * memory + told
            row = online._rows[known.user_ids[user]]
            np.testing.assert_array_equal(online._held["memory_0"][row], memory)
    assert len(online) == known.users


def at(milliseconds):
    return np.datetime64(START + milliseconds, "ms")


def test_order_inside_a_second_and_gaps_to_the_millisecond():
    """A gap of 99.999 s goes on, one of 100 s does not."""
    rows = [("a", "i1", START), ("a", "i2", START + 900), ("a", "i3", START + 100)]
    frame = pl.DataFrame(rows, ["user", "item", "timestamp"], orient="row")
    fed, by_hand = states(SessionRules(gap=100)), states(SessionRules(gap=100))
    feed_file(fed, frame)
    for item, when in (("i1", 0), ("i3", 100), ("i2", 900)):
        by_hand.feed("a", item, at(when))
    same(fed, by_hand)
    for when, position in ((100_899, 4), (200_899, 1), (200_900, 2)):
        feed_file(fed, frame[:1].with_columns(timestamp=pl.lit(START + when)))
        assert fed._held["position"][0] == position
    # Seconds with fractions are the same times.
    by_hand.feed("a", "i1", START / 1_000 + 100.899)
    assert by_hand._held["position"][0] == 4


def test_every_form_of_a_log_is_read(tmp_path):
    whole, wanted = log(1, 20), states()
    feed_file(wanted, whole)
    times = pl.from_epoch("timestamp", "ms")
    iso = whole.with_columns(times.dt.strftime("%Y-%m-%dT%H:%M:%S%.3f"))
    files = {name: tmp_path / f"log.{name}" for name in ("csv", "tsv", "parquet")}
    files["csv"].write_text("\ufeff" + iso.write_csv(), encoding="utf-8")
    iso.with_columns(note=pl.lit("x")).write_csv(files["tsv"], separator="\t")
    whole.with_columns(times).write_parquet(files["parquet"])
    (tmp_path / "parts").mkdir()
    theirs = {"user": "who", "item": "what"}
    for number, part in enumerate((whole[::2], whole[1::2])):
        part.rename(theirs).write_ndjson(tmp_path / "parts" / f"{number}.jsonl")
    for source in (*files.values(), tmp_path / "parts"):
        fed, own = states(), source.name == "parts"
        rename = {v: k for k, v in theirs.items()} if own else {}
        said = str(feed_file(fed, source, Options(rename=rename)))
        same(fed, wanted)
        assert ("leaves out note" in said) == (source == files["tsv"])


def test_a_log_without_times_says_so():
    named = with_names(log(1, 20)).rename({"timestamp": "clicked_ms"})
    said = str(feed_file(states(NAMED), named))
    assert "has no timestamp: rows count in their order" in said
    assert "leaves out clicked_ms" in said


def test_the_unit_is_that_of_the_data():
    """10^9 ms are 1970: said to be seconds, they are 2001."""
    frame = pl.DataFrame({"user": ["a"], "item": ["i1"], "timestamp": [10**9]})
    with pytest.raises(UserError, match="timestamp"):
        feed_file(states(), frame)
    fed = states()
    feed_file(fed, frame, Options(unit="s"))
    assert fed.last("a") == 10**18


def test_unknown_items_are_left_out_and_counted():
    whole, wanted, fed = log(2, 30), states(), states()
    feed_file(wanted, whole)
    more = whole.with_columns(item=pl.lit("gone"), timestamp=pl.col("timestamp") + 1)
    done = feed_file(fed, pl.concat([whole, more[:7], more[9:10]]))
    same(fed, wanted)
    assert done.unknown == {"gone": 8}
    assert "left out 8 events of 1 items that the bundle does not know" in str(done)
    with pytest.raises(UserError, match="knows none of its 1 items, such as 'gone'"):
        feed_file(fed, more)


def test_a_bad_log_changes_nothing():
    whole = log(4, 30)
    fed, before = states(), states()
    for one in (fed, before):
        feed_file(one, whole)
    later = whole.with_columns(timestamp=pl.col("timestamp") + 10**7)
    for bad, said in (
        (pl.concat([later, whole[:1]]), "the last one that was fed was at"),
        (pl.concat([later, later[3:4]]), "the same event twice"),
        (later.with_columns(timestamp=pl.lit("9" * 20)), "not a timestamp"),
        (later.with_columns(timestamp=pl.col("timestamp") // 1_000), "timestamp"),
        (later.with_columns(item=pl.lit("")), "empty text"),
        (later.drop("item"), "missing column(.|\n)*--rename NAME=item"),
        (later.drop("timestamp"), "missing column(.|\n)*--rename NAME=timestamp"),
    ):
        with pytest.raises(UserError, match=said):
            feed_file(fed, bad)
        same(fed, before)
    with pytest.raises(UserError, match="missing column(.|\n)*'session'"):
        feed_file(states(NAMED), whole)


def test_anonymous_sessions_are_users():
    rules = SessionRules(anonymous=True)
    frame = with_names(log(5, 20)).drop("user")
    fed = states(rules)
    feed_file(fed, frame)
    assert sorted(fed._rows) == sorted(frame["session"].unique())


def test_states_of_another_model_are_refused(tmp_path):
    path = tmp_path / "states.npz"
    one = states(model="1 2", bundle="bundles/a (shop, step 4)", data="shop (digest 1)")
    feed_file(one, log(6, 20))
    one.save(path)
    again = states(model="1 2")
    again.load(path)
    same(one, again)
    other = states(model="1 3", bundle="bundles/b (shop, step 8)", data="shop (2)")
    with pytest.raises(UserError) as caught:
        other.load(path)
    for words in ("another model", "bundles/a (shop, step 4) of shop (digest 1)"):
        assert words in str(caught.value)
    assert "bundles/b (shop, step 8) of shop (2)" in str(caught.value)
    assert not len(other)
