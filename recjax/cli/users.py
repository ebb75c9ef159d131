"""The `recjax users` commands."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import tyro

from recjax.cli import users_answers
from recjax.cli.files import EventForm, Flat, refuse_unused
from recjax.cli.users_answers import profile_of
from recjax.errors import UserError

Positional = tyro.conf.Positional

app = tyro.extras.SubcommandApp()
app.command(users_answers.query)
app.command(users_answers.evaluate)


@app.command
def partition(
    events: Positional[tuple[Path, ...]],
    out: Path,
    shards: int = 16,
    *,
    form: Flat[EventForm],
) -> None:
    """Parts events by user: all that one user did goes to one file.

    Args:
      events: tables with the columns user, item, timestamp.
      out: folder of the parts.
      shards: number of files.
      form: how the events are written.
    """
    from recjax.users import build

    files = build.partition(events, out, shards, form.options)
    print(f"parted: {len(files)} files in {out}")


@app.command
def build(
    events: Positional[tuple[Path, ...]],
    vectors: Path,
    out: Path,
    now: float | None = None,
    alpha: float = 1.0,
    decay: float = 0.01,
    cap: int | None = None,
    window: float = 90.0,
    most: int = 1_000,
    workers: int = 1,
    *,
    form: Flat[EventForm],
) -> None:
    """Clusters what each user did; the same command goes on where it stopped.

    Args:
      events: tables (user, item, timestamp), parted by user.
      vectors: a bundle, or a folder with vectors.npy and items.jsonl.
      out: folder of the profiles.
      now: unix seconds; later events are left out. By default the present; a run that
        was stopped goes on with its own.
      alpha: largest height of a merge, in squared distance of unit vectors.
      decay: of importance, per day.
      cap: most clusters of a user.
      window: days that count.
      most: newest actions of a user that count.
      workers: processes.
      form: how the events are written.
    """
    from recjax.jobs import processes
    from recjax.users import build as batch
    from recjax.users.settings import Settings
    from recjax.users.shard import Job

    try:
        settings = Settings(alpha, decay, cap)
    except ValueError as error:
        raise UserError(str(error)) from None
    now = batch.moment(out, now, time.time())
    date = datetime.fromtimestamp(now, UTC)
    print(f"counted: {window:g} days up to {date:%Y-%m-%d %H:%M} UTC (--now {now:.0f})")
    job, each = Job(now, settings, window, most), processes(workers)
    made = batch.build(events, vectors, out, job, each, True, form.options)
    counts = made["counts"]
    (out / "now").unlink()
    print("\n".join(f"{name:>12}: {value:,}" for name, value in counts.items()))


@app.command
def alphas(
    events: Positional[Path],
    vectors: Path,
    now: float | None = None,
    window: float = 90.0,
    most: int = 1_000,
    users: int = 1_000,
    *,
    form: Flat[EventForm],
) -> None:
    """Counts the clusters of users at several alphas, to choose one for `build`.

    Args:
      events: table (user, item, timestamp), such as one that `partition` wrote.
      vectors: a bundle, or a folder with vectors.npy and items.jsonl.
      now: unix seconds; later events are left out. By default that of the last event.
      window: days that count.
      most: newest actions of a user that count.
      users: those to look at, the first.
      form: how the events are written.
    """
    from recjax.bundle.items import open_items
    from recjax.users.alphas import report
    from recjax.users.shard import Job, read_events

    found = read_events(events, form.options)
    last = found["timestamp"].to_numpy().max(initial=0)
    job = Job(float(last) if now is None else now, window=window, most=most)
    print(report(found, open_items(vectors), job, users))


@app.command
def update(
    profiles: Positional[Path],
    events: Positional[Path],
    now: float | None = None,
    *,
    form: Flat[EventForm],
) -> None:
    """Merges new events into profiles, the last 20 of each user.

    Args:
      profiles: folder that `recjax users build` wrote.
      events: table (user, item, timestamp).
      now: unix seconds, by default the present.
      form: how the events are written.
    """
    from recjax.users.folder import open_profiles
    from recjax.users.profile import empty
    from recjax.users.profile import update as merge
    from recjax.users.shard import read_events

    store, items, job = open_profiles(profiles)
    now = time.time() if now is None else now
    done = []
    found = read_events(events, form.options)
    for (user,), own in found.group_by("user", maintain_order=True):
        old = store.get(user) or empty(items.vectors.shape[1], job.now)
        times = own["timestamp"].to_list()
        new = merge(old, own["item"].to_list(), times, now, items, job.settings)
        if new.medoid:
            done.append((user, new))
    store.put(done)
    print(f"updated: {len(done)} users")


@app.command
def show(
    profiles: Positional[Path],
    user: Positional[str],
    to: Path | None = None,
    most: int = 30,
    events: Path | None = None,
    images: Path | None = None,
    *,
    form: Flat[EventForm],
) -> None:
    """Shows a user's clusters, and draws them.

    Args:
      profiles: folder that `recjax users build` wrote.
      user: user id.
      to: .png or .html file to draw to.
      most: clusters to show, the most important first.
      events: Parquet file (user, item, timestamp) with the user's actions, for the
        timeline; without it each cluster shows its last action.
      images: folder of the items' pictures: ID.jpg, .jpeg, .png or .webp.
      form: how the events are written.
    """
    from recjax.users.folder import open_profiles
    from recjax.users.picture import draw, table
    from recjax.users.shard import read_events, select

    refuse_unused(form, "--events", events)
    store, items, job = open_profiles(profiles)
    profile = profile_of(store, user)
    actions: list[tuple[str, float]] = []
    if events is not None:
        own = read_events(events, form.options).filter(user=user)
        # Those that count, also where `update` came after the build.
        own, _ = select(own, items, replace(job, now=profile.as_of))
        actions = own.select("item", "timestamp").rows()
    rows = table(profile, items, most, actions, images)
    print(f"{'importance':>10} {'actions':>7} {'days ago':>8}  medoid")
    for row in rows:
        print(
            f"{row.importance:10.2f} {row.actions:7} {row.days.min():8.1f}  {row.name}"
        )
    if to is not None:
        count, left = len(profile.medoid), len(profile.medoid) - len(rows)
        title = f"{user}: {count} clusters, {profile.size.sum()} actions"
        draw(title + (f" ({left} smaller ones left out)" if left else ""), rows, to)
        print(f"drawn: {to}")


@app.command
def export(
    profiles: Positional[Path],
    to: Path,
    e: int = 3,
    k: Annotated[int, tyro.conf.arg(aliases=["-k"])] = 100,
    saved_model: bool = True,
) -> None:
    """Writes a bundle that answers users' medoids with items, for `recjax serve`.

    Args:
      profiles: folder that `recjax users build` wrote.
      to: folder of the bundle; must not exist.
      e: clusters of a user that are asked with, the most important.
      k: most items of an answer.
      saved_model: write a SavedModel (needs TensorFlow).
    """
    from recjax.bundle import medoids_export
    from recjax.users.folder import items_of

    print(medoids_export.export(*items_of(profiles), to, e, k, saved_model))
