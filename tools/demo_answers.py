"""Opens a bundle and answers: what next for three users, what fits three texts?

    python tools/demo_answers.py runs/demo bundles/demo

The answers come from the bundle alone; the run folder only says which data set the
users are taken from.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

from recjax.bundle.open import open_bundle
from recjax.index.item_vectors import Found
from recjax.train.run_folder import request_of

TEXTS = ("star wars space adventure", "animation musical for children", "horror 1990s")
HISTORY, TOP = 5, 5


def main() -> None:
    """Prints the answers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="run folder")
    parser.add_argument("bundle", type=Path, help="folder of the bundle")
    args = parser.parse_args()
    run, bundle = args.run, args.bundle
    began = time.perf_counter()
    films = open_bundle(bundle)
    print(f"{bundle} opened in {time.perf_counter() - began:.1f} s")
    for user, raw, next_item in some_users(run):
        titles = dict(zip(films.items.ids, films.items.titles, strict=True))
        recent = [titles[id] for id in raw["history"][0][-HISTORY:]]
        print(f"\nUser {user}, {len(raw['history'][0])} films so far, the newest last:")
        print(f"    {' | '.join(recent)}")
        (found,) = films.search(raw, TOP)
        print_found(found, next_item)
        if next_item not in {one.id for one in found}:
            print(f"    (next was {titles[next_item]})")
    for text in TEXTS:
        print(f'\n"{text}":')
        (found,) = films.search({"text": [text]}, TOP)
        print_found(found)


def some_users(run: Path) -> Iterator[tuple[str, dict, str]]:
    """Yields (user, raw query, the item that came next) of three users.

    They are the first, the middle and the last of the users of the test split who have
    a history, each at their first event of the split: no hand picked them.
    """
    experiment, _ = request_of(run).resolve()
    data = experiment.data.open(experiment.seed)
    known, events = data.interactions, (data.part == 2).nonzero()[0]
    raw = data.raw_queries("test", len(events))
    first: dict[int, int] = {}
    for place, event in enumerate(events):
        if len(raw["history"][place]) >= HISTORY:
            first.setdefault(int(known.user[event]), place)
    users = list(first)
    for user in (users[0], users[len(users) // 2], users[-1]):
        place = first[user]
        query = {n: [v[place]] for n, v in raw.items() if n.startswith("history")}
        yield (
            known.user_ids[user],
            query,
            known.item_ids[known.item[events[place]]],
        )


def print_found(found: list[Found], wanted: str | None = None) -> None:
    """Prints results, an arrow at the one that came next."""
    for place, one in enumerate(found, 1):
        mark = "  <- came next" if one.id == wanted else ""
        print(f"    {place}. {one.title} ({one.score:.3f}){mark}")


if __name__ == "__main__":
    main()
