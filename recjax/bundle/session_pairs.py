"""The features of pairs that a session bundle holds.

pairs.json  kind and settings of each source
pairs.npz   its arrays, the names led by the source's number
"""

from __future__ import annotations

import dataclasses
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from recjax.data.sessions.pair_features import PairValues
from recjax.data.sessions.recent_popularity import (
    RecentPopularity,
    RecentPopularityValues,
    Window,
)
from recjax.data.sessions.repeats import RepeatValues
from recjax.data.sessions.transitions import Transitions, TransitionValues
from recjax.errors import UserError


def write_pairs(folder: Path, values: Sequence[PairValues]) -> None:
    """Writes what is needed to give the features online."""
    kinds, arrays = [], {}
    for number, one in enumerate(values):
        kind, settings, held = _parts(one)
        kinds.append({"kind": kind, **settings})
        arrays |= {f"{number}.{name}": array for name, array in held.items()}
    (folder / "pairs.json").write_text(json.dumps(kinds, indent=2) + "\n")
    np.savez(folder / "pairs.npz", **arrays)


def read_pairs(folder: Path) -> tuple[PairValues | RecentPopularityValues, ...]:
    """Returns what `write_pairs` wrote.

    `RecentPopularityValues` hold no click but each item's first.

    Raises:
      UserError: a file is missing or damaged.
    """
    try:
        kinds = json.loads((folder / "pairs.json").read_text())
        with np.load(folder / "pairs.npz", allow_pickle=False) as file:
            held = {name: file[name] for name in file.files}
        return tuple(_made(dict(one), held, k) for k, one in enumerate(kinds))
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise UserError(f"{folder}: damaged features of pairs: {error}") from error


def _parts(one: PairValues) -> tuple[str, dict[str, Any], dict[str, np.ndarray]]:
    match one:
        case RepeatValues():
            return "seen", dataclasses.asdict(one), {}
        case TransitionValues(settings, counts, total):
            parts = {name: getattr(counts, name) for name in _CSR}
            settings = dataclasses.asdict(settings)
            return "followed", settings, {**parts, "total": total}
        case RecentPopularityValues(settings, _, _, first):
            return "clicked", dataclasses.asdict(settings), {"first": first}
    raise TypeError(f"no bundle holds {type(one).__name__}")


def _made(settings: dict[str, Any], held: dict[str, np.ndarray], number: int) -> Any:
    kind = settings.pop("kind")
    own = {
        name.removeprefix(f"{number}."): array
        for name, array in held.items()
        if name.startswith(f"{number}.")
    }
    if kind == "seen":
        return RepeatValues(**settings)
    if kind == "followed":
        shape = (len(own["total"]),) * 2
        counts = sparse.csr_array(tuple(own[name] for name in _CSR), shape=shape)
        return TransitionValues(Transitions(**settings), counts, own["total"])
    windows = tuple(Window(**one) for one in settings.pop("windows"))
    return RecentPopularityValues(
        RecentPopularity(windows, **settings), (), (), own["first"]
    )


_CSR = ("data", "indices", "indptr")
