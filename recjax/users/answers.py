"""Answers for many users, to print or to write."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import polars as pl
from tqdm import tqdm

from recjax import disk
from recjax.errors import UserError
from recjax.index.item_vectors import ItemVectors
from recjax.users.profile import Profile
from recjax.users.retrieve import Recommended, Retriever

Answer = tuple[str, list[Recommended]]


@dataclass(frozen=True)
class Question:
    """What is asked of every user; see `Retriever.recommend`.

    Attributes:
      e: clusters to ask with.
      total: candidates.
      k: items that are answered.
      seen: ids to leave out for everyone.
      known: leave in what a user has.
      alike: see `Retriever.recommend`.
      seed: of the draw.
      index: "exact" or "scann".
    """

    e: int = 3
    total: int = 400
    k: int = 10
    seen: Sequence[str] = ()
    known: bool = False
    alike: float = 0.999
    seed: int = 0
    index: str = "exact"


def answers(
    items: ItemVectors,
    asked: Iterable[tuple[str, Profile]],
    question: Question,
    acted: pl.DataFrame | None = None,
) -> tuple[Retriever, Iterator[Answer]]:
    """Returns what answers, and each user's answer once it is asked for.

    Args:
      items: the catalogue.
      asked: users and their profiles.
      question: of them all.
      acted: events, whose items a user has.
    """
    most = max(4 * question.total // max(question.e, 1), 1)
    retriever = Retriever(items, most if question.index == "scann" else 0)
    return retriever, _answers(retriever, asked, question, acted)


def _answers(
    retriever: Retriever,
    asked: Iterable[tuple[str, Profile]],
    question: Question,
    acted: pl.DataFrame | None,
) -> Iterator[Answer]:
    draw = np.random.default_rng(question.seed)
    own: dict[str, list[str]] = {}
    if acted is not None and not question.known:
        grouped = acted.group_by("user").agg(pl.col("item").unique())
        own = dict(zip(grouped["user"], grouped["item"].to_list(), strict=True))
    for user, profile in asked:
        left_out = {*question.seen, *own.get(user, ())}
        if not question.known:
            left_out.update(profile.medoid)
        how = question.e, question.total, left_out, question.alike
        yield user, retriever.recommend(profile, draw, *how)[: question.k]


def write(path: Path, found: Iterable[Answer], users: int) -> int:
    """Writes answers, a line a user (.jsonl) or item (.csv); returns the users' number.

    Args:
      path: the file; it appears whole.
      found: the answers.
      users: their number, for the bar.

    Raises:
      UserError: the file has another ending.
    """
    if path.suffix not in (".jsonl", ".csv"):
        raise UserError(f"--to {path}: name a .jsonl or .csv file")
    count = 0
    with (
        disk.whole(path) as partial,
        open(partial, "w", encoding="utf-8", newline="") as file,
    ):
        lines = csv.writer(file, lineterminator="\n")
        if path.suffix == ".csv":
            lines.writerow(("user", "rank", "item", "title", "because", "score"))
        for user, own in tqdm(found, total=users, unit="user"):
            count += 1
            if path.suffix == ".jsonl":
                row = {"user": user, "items": [asdict(item) for item in own]}
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
                continue
            for rank, item in enumerate(own, 1):
                told = item.id, item.title, item.because, f"{item.score:.6f}"
                lines.writerow((user, rank, *told))
    return count
