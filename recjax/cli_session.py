"""Commands for sessions: preparing them, and serving users' states."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import tyro

from recjax.cli_data import mapping, prepare_app

Positional = tyro.conf.Positional
Repeated = tyro.conf.UseAppendAction

app = tyro.extras.SubcommandApp()


@app.command
def feed(bundle: Positional[Path], events: Positional[Path], states: Path) -> None:
    """Feeds events (user, item[, timestamp][, session]) to the users' states.

    Args:
      bundle: folder that `recjax export` wrote of a session model.
      events: CSV file, in the order of time.
      states: file of states; made if it is not there.
    """
    from recjax.serve.session import feed_file, open_states

    opened = open_states(bundle, states)
    fed = feed_file(opened, events)
    opened.save(states)
    print(f"fed {fed} events; {len(opened)} users have a state in {states}")


@app.command
def ask(
    bundle: Positional[Path],
    states: Path,
    user: str,
    time: int | None = None,
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
    from recjax.serve.session import answers, open_states

    found = open_states(bundle, states).best(user, k, time, new_session)
    print(answers(found, json))


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


@prepare_app.command(name="tmall")
def prepare_tmall() -> None:
    """Prepares Tmall's shopping sessions from tmall/sessions.csv (SHAN's release)."""
    from recjax.data.prepare import prepare

    print(f"prepared: {prepare('tmall')}")


@prepare_app.command(name="globo")
def prepare_globo() -> None:
    """Prepares Globo's news clicks from globo/globo_full.npz, cut into sessions."""
    from recjax.data.prepare import prepare

    print(f"prepared: {prepare('globo')}")


@prepare_app.command(name="sessions")
def prepare_sessions(
    events: Positional[Path],
    out: str,
    gap: int = 1_800,
    longest: int = 50,
    item_events: int = 1,
    user_events: int = 1,
    column: Repeated[tuple[str, ...]] = (),
    unit: Literal["s", "ms"] = "s",
    encoding: str = "utf-8",
    on_bad_row: Literal["error", "skip"] = "error",
    max_bad_share: float = 0.01,
) -> None:
    """Prepares sessions (user, item, timestamp[, session][, impressions]).

    Args:
      events: CSV, TSV or Parquet file.
      out: name of the data set, or a folder.
      gap: idle seconds that end a session, where the file names no sessions.
      longest: events after which a session goes on as another.
      item_events: fewest events of an item that stays.
      user_events: fewest events of a user that stays.
      column: where a name differs, recjax's=yours; repeatable.
      unit: of numeric timestamps.
      encoding: of CSV files.
      on_bad_row: "skip" leaves bad rows out, counts and lists them.
      max_bad_share: largest share of rows that skip leaves out.
    """
    from recjax.data.sessions_check import Cut
    from recjax.data.sessions_prepare import prepare_sessions

    done = prepare_sessions(
        events,
        out=out,
        cut=Cut(gap, longest, item_events, user_events),
        columns=mapping(column),
        unit=unit,
        encoding=encoding,
        on_bad_row=on_bad_row,
        max_bad_share=max_bad_share,
    )
    print(f"prepared: {done}")
