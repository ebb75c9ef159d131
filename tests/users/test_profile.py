"""Merging the last actions into a profile, against runs on everything."""

import numpy as np
import pytest

from recjax.seconds import DAY
from recjax.users.profile import RECENT, Profile, empty, update
from recjax.users.settings import Settings
from recjax.users.shard import Job, profiles

SETTINGS = Settings(alpha=1.0, decay=0.05)


def run(tmp_path, events, items, now):
    events.write_parquet(tmp_path / "e.parquet")
    return dict(profiles(tmp_path / "e.parquet", items, Job(now, SETTINGS))[0])


def by_medoid_topic(profile):
    order = np.argsort([int(id[1:]) // 30 for id in profile.medoid], kind="stable")
    names = [int(profile.medoid[i][1:]) // 30 for i in order]
    return names, profile.importance[order], profile.size[order], profile.center[order]


def test_online_is_what_a_full_run_gives(tmp_path, items, events, now):
    events = events.unique()
    later = now + 2 * DAY
    rng = np.random.default_rng(3)
    old = run(tmp_path, events, items, now)
    for user, profile in list(old.items())[:25]:
        own = events.filter(events["user"] == user)
        count = int(rng.integers(1, RECENT + 1))
        topics = [int(id[1:]) // 30 for id in own["item"]] + [9]
        new = [f"i{rng.choice(topics) * 30 + rng.integers(30)}" for _ in range(count)]
        times = now + rng.uniform(1, 2 * DAY, count)
        online = update(profile, new, times, later, items, SETTINGS)
        rows = [(user, id, time) for id, time in zip(new, times, strict=True)]
        times = own.with_columns(own["timestamp"].cast(float))
        both = times.vstack(type(own)(rows, own.columns, orient="row"))
        full = run(tmp_path, both, items, later)[user]
        one, other = by_medoid_topic(online), by_medoid_topic(full)
        assert one[0] == other[0]
        for a, b in zip(one[1:], other[1:], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_two_updates_are_one(items, now):
    ids = [f"i{i}" for i in (1, 2, 61, 62, 3, 121)]
    times = [now + i for i in range(6)]
    once = update(empty(16, now - 1), ids, times, now + 9, items, SETTINGS)
    first = update(empty(16, now - 1), ids[:3], times[:3], now + 2, items, SETTINGS)
    twice = update(first, ids[3:], times[3:], now + 9, items, SETTINGS)
    for a, b in zip(by_medoid_topic(once), by_medoid_topic(twice), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    assert sorted(once.size) == [1, 2, 3]


def test_what_is_not_new_or_not_known_is_left_out(items, now):
    profile = update(empty(16, 0), ["i1"], [now], now, items, SETTINGS)
    same = update(
        profile,
        ["i1", "i5", "what", "i7"],
        [now, now - 5, now + 1, now + 2 * DAY],
        now + DAY,
        items,
        SETTINGS,
    )
    assert same.medoid == ("i1",) and same.size.tolist() == [1]
    np.testing.assert_allclose(same.importance, np.exp(-0.05))
    assert update(empty(16), ["what"], [now], now, items, SETTINGS).medoid == ()


def test_only_the_newest_count(items, now):
    times = [now + i for i in range(50)]
    found = update(empty(16, now - 1), ["i1"] * 50, times, now + 60, items, SETTINGS)
    assert found.size.tolist() == [RECENT] and found.newest.tolist() == [now + 49]


@pytest.mark.parametrize("count", [0, 3])
def test_bytes_come_back(count):
    rng = np.random.default_rng(0)
    one = Profile(
        5.0,
        tuple(f"é{i}" for i in range(count)),
        rng.random(count),
        np.arange(count, dtype=np.int32),
        rng.random(count),
        rng.random((count, 4)).astype(np.float32),
    )
    other = Profile.unpack(one.pack())
    assert (other.as_of, other.medoid) == (one.as_of, one.medoid)
    for name in ("importance", "size", "newest", "center"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
