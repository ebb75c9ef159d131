"""The `recjax users` commands that answer, and tell how good the answers are."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from recjax.cli.files import EventForm, Flat, refuse_unused
from recjax.errors import UserError, nearest

Positional = tyro.conf.Positional
Repeated = tyro.conf.UseAppendAction


def query(
    profiles: Positional[Path],
    users: Positional[tuple[str, ...]] = (),
    e: int = 3,
    total: int = 400,
    k: Annotated[int, tyro.conf.arg(aliases=["-k"])] = 10,
    seen: Repeated[tuple[str, ...]] = (),
    events: tuple[Path, ...] = (),
    known: bool = False,
    alike: float = 0.999,
    seed: int = 0,
    index: Literal["exact", "scann"] = "exact",
    to: Path | None = None,
    *,
    form: Flat[EventForm],
) -> None:
    """Recommends items to users.

    Args:
      profiles: folder that `recjax users build` wrote.
      users: user ids; with `to`, none for all users.
      e: clusters to ask with, drawn by importance.
      total: candidates; each cluster gives an equal share.
      k: items to print.
      seen: item id to leave out; may be repeated.
      events: tables (user, item, timestamp); items in a user's are left out.
      known: recommend these and the medoids too, which are left out otherwise.
      alike: leave out items whose cosine with a better one is above this.
      seed: of the draw.
      index: exact, or ScaNN's, built first: for many users of a large catalogue.
      to: .jsonl or .csv file to write, in place of printing: a line a user, or item.
      form: how the events are written.
    """
    from recjax.users.answers import Question, answers, write
    from recjax.users.folder import open_profiles
    from recjax.users.shard import read_events

    refuse_unused(form, "--events", events)
    if not users and to is None:
        raise UserError("name users; or give --to FILE to answer all of them")
    store, items, _ = open_profiles(profiles)
    question = Question(e, total, k, seen, known, alike, seed, index)
    acted = read_events(events, form.options) if events else None
    asked = ((user, profile_of(store, user)) for user in users or store.users())
    retriever, found = answers(items, asked, question, acted)
    if to is not None:
        print(f"written: {write(to, found, len(users) or len(store)):,} users in {to}")
        return
    for user, own in found:
        if len(users) > 1:
            print(f"user {user}")
        for item in own:
            print(f"{item.score:6.3f}  {item.id}  {item.title}  (as {item.because})")
    if len(users) > 1:
        print(
            f"medoids asked: {retriever.asked}, answered from the cache: "
            f"{retriever.kept} ({100 * retriever.hit_rate:.0f} %)"
        )


def evaluate(
    events: Positional[tuple[Path, ...]],
    vectors: Path | None = None,
    after: str | None = None,
    share: float = 0.2,
    window: float = 90.0,
    most: int = 1_000,
    users: int = 1_000,
    known: bool = False,
    k: Annotated[tuple[int, ...], tyro.conf.arg(aliases=["-k"])] = (10, 100),
    width: int = 64,
    to: tuple[Path, ...] = (),
    *,
    form: Flat[EventForm],
) -> None:
    """Compares methods on held-out events, and chooses alpha, decay and embeddings.

    Half of the users choose the settings of each method, the others are reported.

    Args:
      events: tables (user, item, timestamp).
      vectors: a bundle, or a folder with vectors.npy and items.jsonl, that have seen no
        held-out event; by default made of the events that are not held out.
      after: what users did from this moment on is held out: a date, or unix seconds. By
        default each user's newest events are.
      share: of a user's events, where no moment is given.
      window: days before the moment that count.
      most: newest actions of a user that count.
      users: that choose, and that are reported, at most.
      known: ask for items that the user met before, too.
      k: lengths of lists; settings are chosen by the recall in the longest.
      width: of vectors that are made.
      to: .json and .csv files to write.
      form: how the events are written.
    """
    from recjax import disk
    from recjax.bundle.items import open_items
    from recjax.users import evaluate as methods
    from recjax.users.held_out import Parting, facts, hold_out
    from recjax.users.shard import read_events

    writers = {".json": methods.as_json, ".csv": methods.as_csv}
    if wrong := [str(path) for path in to if path.suffix not in writers]:
        raise UserError(f"--to {wrong[0]}: name a .json or .csv file")
    if not k or min(k) < 1:
        raise UserError(f"-k {' '.join(map(str, k))}: give lengths of 1 or more")
    moment = None if after is None else _moment(after)
    parting = Parting(moment, share, window, most, users, known)
    items = None if vectors is None else open_items(vectors)
    data = hold_out(read_events(events, form.options), items, parting, width)
    told: dict[str, Any] = facts(data)
    print("\n".join(f"{name:>16}: {value:,}" for name, value in told.items()))
    rows = methods.evaluate(data, sorted(set(k)), lambda text: print(text, flush=True))
    print(methods.table(rows))
    print(methods.verdict(rows))
    for path in to:
        disk.write_text(path, writers[path.suffix](rows, told))
        print(f"written: {path}")


def profile_of(store, user: str):
    """Returns a user's profile.

    Raises:
      UserError: there is none.
    """
    profile = store.get(user)
    if profile is None:
        some = [known for known, _ in zip(store.users(), range(1_000), strict=False)]
        raise UserError(f"no profile of user {user!r}.{nearest(user, some)}")
    return profile


def _moment(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        pass
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise UserError(
            f"--after {text}: give a date such as 2026-05-31, or unix seconds"
        ) from None
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
