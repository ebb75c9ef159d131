"""The batch job: the same rows however it runs, is stopped or goes on."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import small

from recjax.cli import main as cli
from recjax.errors import UserError
from recjax.index.item_vectors import ItemVectors, write_vectors
from recjax.jobs import beam, processes
from recjax.seconds import DAY
from recjax.users import build as batch
from recjax.users.settings import Settings
from recjax.users.shard import Job, profiles
from recjax.users.store import SqliteStore


@pytest.fixture
def job(now):
    return Job(now, Settings(alpha=1.0, decay=0.01))


@pytest.fixture
def files(tmp_path, events):
    events.write_parquet(tmp_path / "all.parquet")
    return batch.partition([tmp_path / "all.parquet"], tmp_path / "events", 4)


def rows(out):
    made = sorted((out / "shards").glob("*.parquet"))
    return pl.concat([pl.read_parquet(file) for file in made]).sort("user")


def write(tmp_path, rows, name="e.parquet"):
    frame = pl.DataFrame(rows, ["user", "item", "timestamp"], orient="row")
    frame.write_parquet(tmp_path / name)
    return tmp_path / name


def test_profiles_hold_what_their_users_did(
    tmp_path, folder, items, events, files, job
):
    manifest = batch.build(files, folder, tmp_path / "out", job)
    assert manifest["counts"]["events"] == len(events)
    store = SqliteStore(tmp_path / "out" / "profiles.sqlite")
    assert len(store) == manifest["counts"]["users"] == events["user"].n_unique()
    for (user,), own in events.unique().group_by("user"):
        profile = store.get(user)
        topics = {int(id[1:]) // 30 for id in own["item"]}
        assert {int(id[1:]) // 30 for id in profile.medoid} == topics
        assert profile.size.sum() == len(own)
        weight = np.exp(-0.01 * (job.now - own["timestamp"].to_numpy()) / DAY)
        np.testing.assert_allclose(profile.importance.sum(), weight.sum())
        assert profile.newest.max() == own["timestamp"].max()
    assert store.get("nobody") is None


def test_processes_and_resume_change_nothing(tmp_path, folder, files, job):
    batch.build(files, folder, tmp_path / "one", job)
    batch.build(files, folder, tmp_path / "two", job, processes(2))
    assert rows(tmp_path / "one").equals(rows(tmp_path / "two"))
    made = sorted((tmp_path / "one" / "shards").glob("*.parquet"))
    before = [file.stat().st_mtime_ns for file in made]
    made[0].with_suffix(".json").unlink()
    batch.build(files, folder, tmp_path / "one", job)
    after = [file.stat().st_mtime_ns for file in made]
    assert before[1:] == after[1:] and before[0] != after[0]
    assert rows(tmp_path / "one").equals(rows(tmp_path / "two"))
    batch.build(files, folder, tmp_path / "one", replace(job, most=3))
    assert max(map(sum, rows(tmp_path / "one")["size"].to_list())) == 3


def test_beam_writes_the_same_rows(tmp_path, folder, files, job):
    pytest.importorskip("apache_beam", reason="the extra `beam` is not installed")
    one = batch.build(files, folder, tmp_path / "one", job)
    two = batch.build(files, folder, tmp_path / "two", job, beam())
    assert one == two and rows(tmp_path / "one").equals(rows(tmp_path / "two"))


KILLED = """
import sys, time
from pathlib import Path
from recjax.users import build as batch
from recjax.users.shard import Job
from recjax.users.settings import Settings
plain = batch.disk.whole
def slow(path):
    time.sleep(0.15)
    return plain(path)
batch.disk.whole = slow
files = sorted(Path(sys.argv[1]).glob("*.parquet"))
print("begin", flush=True)
batch.build(files, Path(sys.argv[2]), Path(sys.argv[3]), Job(float(sys.argv[4])))
"""


@pytest.mark.slow
def test_killed_five_times_nothing_is_lost_or_doubled(tmp_path, folder, files, now):
    batch.build(files, folder, tmp_path / "calm", Job(now))
    rng = np.random.default_rng(0)
    command = [sys.executable, "-c", KILLED, tmp_path / "events", folder]
    command += [tmp_path / "killed", str(now)]
    for _ in range(5):
        process = subprocess.Popen(
            [str(part) for part in command],
            stdout=subprocess.PIPE,
            cwd=small.ROOT,
            env=small.environment(),
        )
        assert process.stdout.readline() == b"begin\n"
        time.sleep(rng.uniform(0.05, 0.7))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    one = batch.build(files, folder, tmp_path / "calm", Job(now))
    two = batch.build(files, folder, tmp_path / "killed", Job(now))
    assert one == two
    assert rows(tmp_path / "calm").equals(rows(tmp_path / "killed"))
    stores = [
        {user: store.get(user).pack() for user in store.users()}
        for store in (
            SqliteStore(tmp_path / name / "profiles.sqlite")
            for name in ("calm", "killed")
        )
    ]
    assert stores[0] == stores[1] and len(stores[0]) == one["counts"]["users"]


def test_each_event_is_counted_or_accounted_for(tmp_path, items, now):
    rows = [
        ("a", "i1", now - 5),
        ("a", "i1", now - 5),
        ("a", "i2", now + 1),
        ("a", "i3", now - 91 * DAY),
        ("a", "nothing", now - 1),
        ("b", "i40", now),
        *(("c", f"i{i % 300}", now - i) for i in range(100_000)),
    ]
    found, counts = profiles(write(tmp_path, rows), items, Job(now, most=500))
    assert counts == {
        **{"events": 100_006, "future": 1, "too_old": 1, "unknown_item": 1},
        **{"twice": 1, "beyond_most": 99_500, "users": 3},
    }
    found = dict(found)
    assert found["a"].medoid == ("i1",) and found["a"].size.tolist() == [1]
    assert found["b"].importance.tolist() == [1.0]
    assert found["c"].size.sum() == 500 and found["c"].newest.min() > now - 500


def test_an_order_of_rows_is_as_good_as_another(tmp_path, items, events, now):
    one, _ = profiles(write(tmp_path, events.rows()), items, Job(now))
    mixed = events.sample(fraction=1, shuffle=True, seed=1).rows()
    other, _ = profiles(write(tmp_path, mixed), items, Job(now, at_once=50))
    assert [(u, p.pack()) for u, p in one] == [(u, p.pack()) for u, p in other]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([("a", "i1", None), ("b", "i2", 1.0)], "row 1, column 'timestamp'"),
        ([("a", "i1", 1.0), (None, "i2", 1.0)], "row 2, column 'user'"),
        ([("a", "i1", float("nan"))], "row 1, column 'timestamp'"),
        ([("a", "i1", "monday")], "row 1, column 'timestamp': \"monday\""),
        ([("a", "x", 1_700_000_000.0)], "none of the items"),
    ],
)
def test_bad_events_are_named(tmp_path, items, now, rows, said):
    with pytest.raises(UserError, match=said):
        profiles(write(tmp_path, rows), items, Job(now))


@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf])
def test_a_vector_without_direction_is_named(tmp_path, now, bad):
    vectors = np.ones((3, 4), np.float32)
    vectors[2] = bad
    write_vectors(tmp_path / "v", ["a", "b", "c"], ["", "", ""], vectors)
    items = ItemVectors.open(tmp_path / "v")
    file = write(tmp_path, [("u", "c", now)])
    with pytest.raises(UserError, match="row 2 .item 'c'.: the vector has length"):
        profiles(file, items, Job(now))


def test_a_user_in_two_files_is_refused(tmp_path, folder, now, job):
    for name in ("one.parquet", "two.parquet"):
        write(tmp_path, [("a", "i1", now)], name)
    files = [tmp_path / "one.parquet", tmp_path / "two.parquet"]
    with pytest.raises(
        UserError, match="one.parquet, .*two.parquet: user 'a' stands in 2 files"
    ):
        batch.build(files, folder, tmp_path / "out", job)


def test_files_that_are_not_what_they_should_be(tmp_path, folder, job, files):
    (tmp_path / "x.parquet").write_text("no")
    with pytest.raises(UserError, match="unreadable Parquet"):
        batch.build([tmp_path / "x.parquet"], folder, tmp_path / "o", job)
    with pytest.raises(UserError, match="no such file"):
        batch.build([tmp_path / "y.parquet"], folder, tmp_path / "o", job)
    with pytest.raises(UserError, match="must be a bundle"):
        batch.build(files, tmp_path, tmp_path / "o", job)
    (tmp_path / "s.sqlite").write_text(json.dumps("no" * 600))
    with pytest.raises(UserError, match="not a store"):
        SqliteStore(tmp_path / "s.sqlite")


def test_nothing_is_done_in_silence(tmp_path, capsys, folder, job, files):
    def command(*arguments):
        cli.main(["users", *map(str, arguments)])
        return capsys.readouterr().out

    def refused(*arguments):
        with pytest.raises(SystemExit):
            command(*arguments)
        return capsys.readouterr().err

    build = ["build", *files, "--vectors", folder, "--out", tmp_path / "o"]
    assert "no user is left: events" in (said := refused(*build))
    assert "too_old" in said and not (tmp_path / "o" / "profiles.sqlite").exists()
    # It was not done, so the moment stays; one that was done leaves none.
    kept = tmp_path / "o" / "now"
    kept.write_text(repr(job.now))
    assert "2023-11-14 22:13 UTC" in command(*build)
    assert not kept.exists()
    assert "no user is left" in refused(*build)
    kept.write_text("")
    assert "now is damaged; delete it, or give --now" in refused(*build)
    assert "--workers 0" in refused(*build, "--now", 1, "--workers", 0)


def test_parts_of_an_earlier_call_go(tmp_path, events, files):
    everything, out = tmp_path / "all.parquet", tmp_path / "events"
    assert len(files) == 4
    two = batch.partition([everything], out, 2)
    assert sorted(out.iterdir()) == two
    assert sum(pl.read_parquet(file).height for file in two) == len(events)
    with pytest.raises(UserError, match="events-00001.* would be replaced"):
        batch.partition([two[1]], out, 2)
    with pytest.raises(UserError, match="--shards 0"):
        batch.partition([everything], out, 0)
    events.head(0).write_parquet(everything)
    with pytest.raises(UserError, match="all.parquet: no rows"):
        batch.partition([everything], out, 2)
    assert sorted(out.iterdir()) == two


READ_ONLY = """
import os, sys
from recjax.errors import UserError
from recjax.users.store import SqliteStore
if os.getuid() == 0:
    os.setuid(65534)
store = SqliteStore(sys.argv[1])
user = next(store.users())
try:
    store.put([(user, store.get(user))])
except UserError as error:
    print(error)
"""


def test_profiles_in_a_folder_that_nobody_can_write(folder, files, job):
    with tempfile.TemporaryDirectory() as name:
        out = Path(name, "out")
        batch.build(files, folder, out, job)
        for place in (Path(name), out):
            place.chmod(0o555)
        try:
            done = subprocess.run(
                [sys.executable, "-c", READ_ONLY, out / batch.STORE],
                capture_output=True,
                env=small.environment(),
                text=True,
            )
        finally:
            for place in (Path(name), out):
                place.chmod(0o755)
    assert "cannot write to it: attempt to write a readonly" in done.stdout, done.stderr
