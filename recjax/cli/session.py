"""The `recjax session` commands: users' states between their events."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

from recjax.cli.files import EventForm, Flat, Form

Positional = tyro.conf.Positional

app = tyro.extras.SubcommandApp()


@app.command
def feed(
    bundle: Positional[Path],
    events: Positional[str],
    states: Path,
    *,
    form: Flat[EventForm],
) -> None:
    """Feeds events to the users' states: what `recjax data prepare --events` takes.

    Sessions end as those did that the model was trained on. Feed a log in as many calls
    as you like, each with what came after the one before.

    Args:
      bundle: folder that `recjax export` wrote of a session model.
      events: user, item, timestamp[, session]: CSV, TSV, JSON lines (maybe .gz) or
        Parquet, or a folder or quoted pattern of parts.
      states: file of states; made if it is not there.
      form: how the file is written.
    """
    from recjax.serve.session import feed_file, open_states

    opened = open_states(bundle, states if states.exists() else None)
    fed = feed_file(opened, events, form.options)
    opened.save(states)
    print(f"{fed}; {len(opened):,} users have a state in {states}")


@app.command
def users(
    bundle: Positional[Path],
    users: Positional[Path],
    states: Path,
    *,
    form: Flat[Form],
) -> None:
    """Tells the columns of users, such as their country, to their states.

    A user may be told of before the first event, and again when something changes.

    Args:
      bundle: folder that `recjax export` wrote of a session model.
      users: user (or id) and the columns that the model reads: CSV, TSV, JSON lines
        (maybe .gz) or Parquet.
      states: file of states; made if it is not there.
      form: how the file is written.
    """
    from recjax.serve.session import describe_users, open_states

    opened = open_states(bundle, states if states.exists() else None)
    count, notes = describe_users(opened, users, form.options)
    opened.save(states)
    print("\n".join([*notes, f"{count:,} users; {len(opened):,} are in {states}"]))


@app.command
def ask(
    bundle: Positional[Path],
    states: Path,
    user: str,
    time: float | None = None,
    new_session: bool = False,
    k: Annotated[int, tyro.conf.arg(aliases=["-k"])] = 10,
    json: bool = False,
) -> None:
    """Says what a user looks at next; one that nobody met gets what suits anybody.

    Args:
      bundle: folder that `recjax export` wrote of a session model.
      states: file of states that `recjax session feed` wrote.
      user: own id of the user.
      time: unix seconds of now, where events have times.
      new_session: a session starts now.
      k: number of results.
      json: print JSON instead of a table.
    """
    from recjax.bundle.ask import listed
    from recjax.serve.session import open_states

    print(listed(open_states(bundle, states).best(user, k, time, new_session), json))


@app.command
def close(bundle: Positional[Path], states: Path, user: str) -> None:
    """Ends the session of a user: the next event starts another.

    Args:
      bundle: folder that `recjax export` wrote of a session model.
      states: file of states that `recjax session feed` wrote.
      user: own id of the user.
    """
    from recjax.serve.session import open_states

    opened = open_states(bundle, states)
    opened.close(user)
    opened.save(states)
    print(f"closed the session of {user}")
