"""What a session bundle keeps of a user, and the features of pairs that join scores.

session/session.json       when a session ends; kind and settings of each feature;
                           columns of a file of events
session/arrays.npz         memory of a user that nobody met; arrays of features, their
                           names led by the feature's number
session/event_inputs.json  how features are made of these columns; those of users in
                           user_inputs.json
"""

from __future__ import annotations

import dataclasses
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from recjax.bundle.session_columns import EVENT, USER, ServedColumns
from recjax.data.sessions import recent_popularity as recent
from recjax.data.sessions.habits import Habits, HabitValues
from recjax.data.sessions.pair_features import PairValues
from recjax.data.sessions.repeats import RepeatValues
from recjax.data.sessions.rules import SessionRules
from recjax.data.sessions.transitions import Transitions, TransitionValues
from recjax.errors import UserError

FOLDER, SETTINGS, ARRAYS = "session", "session.json", "arrays.npz"
_CSR = ("data", "indices", "indptr")


@dataclass(frozen=True)
class SessionState:
    """The state of a user that nobody met, and what scores need beside it.

    Attributes:
      empty: memory by name, arrays without rows.
      rules: when a session ends.
      pairs: features of pairs; `RecentPopularityValues` that were read hold no click
        but each item's first.
      event: the columns of events.
      user: the columns of users.
    """

    empty: Mapping[str, np.ndarray]
    rules: SessionRules = SessionRules()
    pairs: tuple[PairValues | recent.RecentPopularityValues, ...] = ()
    event: ServedColumns = ServedColumns(EVENT)
    user: ServedColumns = ServedColumns(USER)

    @property
    def unmet(self) -> dict[str, np.ndarray]:
        """What is held of a user of whom nothing is known, arrays without rows."""
        return {**self.empty, **self.user.blank}

    @property
    def blank(self) -> dict[str, np.ndarray]:
        """The same, with what a step takes of an event of which nothing is known."""
        return {**self.unmet, **self.event.blank}

    def save(self, bundle: Path) -> None:
        """Writes it into a bundle."""
        arrays, pairs = dict(self.empty), []
        for number, one in enumerate(self.pairs):
            kind, settings, held = _parts(one)
            pairs.append({"kind": kind, **settings})
            arrays |= {f"{number}.{name}": array for name, array in held.items()}
        folder = bundle / FOLDER
        folder.mkdir()
        about = {"rules": dataclasses.asdict(self.rules), "pairs": pairs}
        about |= {one.table: one.save(folder) for one in (self.event, self.user)}
        (folder / SETTINGS).write_text(json.dumps(about, indent=2) + "\n")
        np.savez(folder / ARRAYS, **arrays)

    @classmethod
    def load(cls, bundle: Path) -> SessionState:
        """Reads what `save` wrote.

        Raises:
          UserError: a file is missing or damaged.
        """
        folder = bundle / FOLDER
        try:
            about = json.loads((folder / SETTINGS).read_text())
            with np.load(folder / ARRAYS, allow_pickle=False) as file:
                held = {name: file[name] for name in file.files}
            pairs = (_made(dict(one), held, n) for n, one in enumerate(about["pairs"]))
            empty = {name: array for name, array in held.items() if "." not in name}
            rules, pairs = SessionRules(**about["rules"]), tuple(pairs)
            columns = (ServedColumns.load(t, folder, about[t]) for t in (EVENT, USER))
            return cls(empty, rules, pairs, *columns)
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            raise UserError(f"{folder}: damaged ({error}); export it anew") from error


def step_arrays(blank: Mapping[str, np.ndarray], users: int) -> dict[str, np.ndarray]:
    """Returns arrays that a step takes, with rows of `blank`, for their shapes."""
    whole = {name: np.repeat(value[None], users, 0) for name, value in blank.items()}
    return {
        "item": np.ones((users, 1), np.int32),
        "position": np.zeros((users, 1), np.int32),
        "age": np.zeros((users, 1), np.int32),
        "gap": np.zeros((users, 1), np.float32),
        **whole,
    }


def _parts(one: PairValues) -> tuple[str, dict[str, Any], dict[str, np.ndarray]]:
    match one:
        case RepeatValues():
            return "seen", dataclasses.asdict(one), {}
        case HabitValues():
            return "habits", one.told(), {}
        case TransitionValues(settings, counts, total):
            parts = {name: getattr(counts, name) for name in _CSR}
            settings = dataclasses.asdict(settings)
            return "followed", settings, {**parts, "total": total}
        case recent.RecentPopularityValues(settings, _, _, first):
            return "clicked", dataclasses.asdict(settings), {"first": first}
    raise TypeError(f"no bundle holds {type(one).__name__}")


def _made(settings: dict[str, Any], held: dict[str, np.ndarray], number: int) -> Any:
    kind, own = settings.pop("kind"), f"{number}."
    if kind == "seen":
        return RepeatValues(**settings)
    if kind == "habits":
        size = settings.pop("num_items")
        return HabitValues(Habits(**settings), size)
    if kind == "followed":
        total = held[own + "total"]
        parts = tuple(held[own + name] for name in _CSR)
        counts = sparse.csr_array(parts, shape=(len(total),) * 2)
        return TransitionValues(Transitions(**settings), counts, total)
    windows = tuple(recent.Window(**one) for one in settings.pop("windows"))
    made = recent.RecentPopularity(windows, **settings)
    return recent.RecentPopularityValues(made, (), (), held[own + "first"])
