"""What folders of profiles remember, and how their events may be written."""

import command
import pytest

from recjax.cli.main import main
from recjax.index.item_vectors import write_vectors
from recjax.users import build as batch
from recjax.users.shard import Job
from recjax.users.store import SqliteStore


@pytest.mark.parametrize("what", ["ids", "vectors"])
def test_profiles_are_of_one_catalogue(capfd, tmp_path, items, events, now, what):
    """The same ids in another order, or the same with other vectors, are refused."""
    vectors, out, log = (tmp_path / name for name in ("vectors", "out", "e.parquet"))
    events.write_parquet(log)
    job = Job(now)
    write_vectors(vectors, items.ids, items.titles, items.vectors)
    batch.build([log], vectors, out, job)
    user = events["user"][0]
    main(["users", "query", str(out), user])
    ids = items.ids[::-1] if what == "ids" else items.ids
    values = -items.vectors if what == "vectors" else items.vectors
    write_vectors(vectors, ids, items.titles, values)
    event = log
    for told in (
        ["query", out, user],
        ["show", out, user],
        ["update", out, event],
    ):
        message = command.fails(capfd, "users", *told)
        assert f"{out} was built with other items or vectors than" in message
        assert "build the profiles again" in message
    # Built again, shards too.
    batch.build([log], vectors, out, job)
    main(["users", "query", str(out), user])


def test_events_under_other_names_and_units(capfd, tmp_path, folder, now):
    log = tmp_path / "log.csv"
    rows = [("u1", "i1", now), ("u1", "i40", now - 60)]
    lines = [f"{user};{item};{int(when * 1000)}" for user, item, when in rows]
    log.write_text("\n".join(["wer;was;wann", *lines]).replace(";", ","), "utf-16")
    options = ["--rename", "wer=user", "--rename", "was=item", "--rename"]
    options += ["wann=timestamp", "--encoding", "utf-16", "--unit", "ms"]
    build = ["--vectors", folder, "--out", tmp_path / "out", "--now", now + 1]
    message = command.refused(capfd, "users", "build", log, *build)
    assert "--encoding" in message
    message = command.refused(capfd, "users", "build", log, *build, *options[-4:])
    assert "--rename NAME=user" in message
    main([str(word) for word in ("users", "build", log, *build, *options)])
    store = SqliteStore(tmp_path / "out" / "profiles.sqlite")
    assert store.get("u1").newest.max() == now
    told = ["users", "show", tmp_path / "out", "u1", "--rename", "a=b"]
    assert "say how --events is written" in command.fails(capfd, *told)
