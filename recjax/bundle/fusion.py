"""Scores of several parts added up, in a bundle: its files, and raw queries for it.

fusion/fusion.json   weight, shape, kind and settings of each part; `top` of those that
                     re-order so many
fusion/NAME.npz      what it learned: weights [V, N] as sparse rows, same [N]
fusion/NAME.txt      its words, a line each
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from recjax.data.events import Histories
from recjax.errors import UserError
from recjax.evals.baselines.bm25 import Bm25
from recjax.evals.baselines.history import History
from recjax.evals.baselines.item_knn import ItemKnn
from recjax.evals.baselines.markov import Markov
from recjax.evals.baselines.moving_average import MovingAverage
from recjax.evals.baselines.popularity import Popularity
from recjax.evals.baselines.session_knn import SessionKnn
from recjax.evals.fused import FusedParts, Part
from recjax.evals.linear_scorer import Learned

FOLDER, INDEX = "fusion", "fusion.json"
KINDS = {
    "bm25": Bm25,
    "history": History,
    "item_knn": ItemKnn,
    "markov": Markov,
    "moving_average": MovingAverage,
    "popularity": Popularity,
    "session_knn": SessionKnn,
}
"""Name in the file -> scorer."""


@dataclass(frozen=True)
class RawQueries:
    """Raw queries as scorers take them.

    Attributes:
      texts: each query as text [Q].
      past: what each query's user did before, of the items that are known.
    """

    texts: tuple[str, ...]
    past: Histories

    def __len__(self) -> int:
        """Returns `Q`."""
        return len(self.texts)


def raw_queries(
    raw: Mapping[str, Sequence[Any]], count: int, rows: Mapping[str, int]
) -> RawQueries:
    """Returns queries as scorers take them.

    A query whose ages, those of known items, are missing or all 0 is known by the order
    of its history.

    Args:
      raw: "text", "history" and "history_age" are read where they are given.
      count: number of queries.
      rows: item id -> row.

    Raises:
      UserError: an age is negative, or younger than that of a later event.
    """
    lists = [row or () for row in raw.get("history", [()] * count)]
    given = [row or () for row in raw.get("history_age", [()] * count)]
    items, ages, ends = [], [], [0]
    for place, (ids, age) in enumerate(zip(lists, given, strict=True)):
        if len(age) and (min(age) < 0 or list(age) != sorted(age, reverse=True)):
            raise UserError(
                f"history_age, query {place}: {list(age)!r}: give seconds since each "
                "event, the oldest first"
            )
        known = [at for at, id in enumerate(ids) if id in rows]
        items += [rows[ids[at]] for at in known]
        timed = len(age) and any(age[at] for at in known)
        ages += [age[at] if timed else np.nan for at in known]
        ends.append(len(items))
    edges, time = np.array(ends), -np.array(ages, np.float64)
    times = (None, None) if np.isnan(time).all() else (time, np.zeros(count))
    past = Histories(np.array(items, int), edges[:-1], edges[1:], *times)
    texts = tuple(text or "" for text in raw.get("text", [""] * count))
    return RawQueries(texts, past)


def save(fused: FusedParts, folder: Path) -> None:
    """Writes a fusion into a bundle."""
    at, about = folder / FOLDER, {}
    at.mkdir()
    kinds = {kind: name for name, kind in KINDS.items()}
    for number, (name, part) in enumerate(fused.every.items()):
        about[name] = {"weight": part.weight, "shape": part.shape}
        if name in fused.rerank:
            about[name]["top"] = fused.top
        if part.scorer is None or part.learned is None:
            continue
        file, learned = f"part_{number}", part.learned
        settings: Any = part.scorer
        about[name] |= {"kind": kinds[type(settings)], "settings": asdict(settings)}
        about[name]["file"] = file
        same = {} if learned.same is None else {"same": learned.same}
        weights = learned.weights
        np.savez(
            at / f"{file}.npz",
            data=weights.data.astype(np.float32),
            indices=weights.indices.astype(np.int32),
            indptr=weights.indptr.astype(np.int64),
            shape=np.array(weights.shape),
            **same,
        )
        (at / f"{file}.txt").write_text("\n".join(learned.words), encoding="utf-8")
    (at / INDEX).write_text(json.dumps(about, indent=2) + "\n")


def names(folder: Path) -> tuple[str, ...]:
    """Returns the parts of a bundle's fusion by name, without opening them.

    Args:
      folder: of the bundle; without a fusion there are none.

    Raises:
      UserError: the list cannot be read.
    """
    return tuple(_about(folder / FOLDER))


def load(folder: Path) -> FusedParts | None:
    """Reads what `save` wrote; None of a bundle without a fusion.

    Raises:
      UserError: a file is missing or broken.
    """
    at = folder / FOLDER
    about = _about(at)
    if not about:
        return None
    try:
        parts = {name: _part(at, one) for name, one in about.items()}
        tops = {name: int(one["top"]) for name, one in about.items() if "top" in one}
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise _broken(at, error) from error
    again = {name: parts.pop(name) for name in tops}
    return FusedParts(parts, again, max(tops.values(), default=0))


def _about(at: Path) -> dict[str, Any]:
    """Returns what is listed of each part; nothing where there is no fusion.

    Raises:
      UserError: the list cannot be read, or is empty.
    """
    if not at.exists():
        return {}
    try:
        about = json.loads((at / INDEX).read_text())
        if not isinstance(about, dict) or not about:
            raise ValueError(f"{INDEX} lists no part")
    except (OSError, ValueError) as error:
        raise _broken(at, error) from error
    return about


def _broken(at: Path, error: Exception) -> UserError:
    return UserError(f"{at}: cannot be read ({error}); export anew")


def _part(folder: Path, about: Mapping[str, Any]) -> Part:
    if "kind" not in about:
        return Part(about["weight"], about["shape"])
    scorer = KINDS[about["kind"]](**about["settings"])
    file = folder / about["file"]
    with np.load(f"{file}.npz") as held:
        weights = sparse.csr_array(
            (held["data"], held["indices"], held["indptr"]), tuple(held["shape"])
        )
        same = held["same"] if "same" in held else None
    text = Path(f"{file}.txt").read_text(encoding="utf-8")
    learned = Learned(weights, same, tuple(text.split("\n")) if text else ())
    return Part(about["weight"], about["shape"], scorer, learned)
