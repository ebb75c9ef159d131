"""What an opened data set offers to training, evaluation and export."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from recjax.data.events import Histories
from recjax.data.inputs import Input
from recjax.data.pipeline import HostBatch
from recjax.features import Sides
from recjax.metrics.task import RankingTask


class Column(Protocol):
    """A feature of a whole corpus: a NumPy array, or one that is made when asked."""

    def __len__(self) -> int:
        """Returns `N`."""
        ...

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        """Returns the array of a slice, or of any positions, [B, ...]."""
        ...


@dataclass(frozen=True)
class NewItems:
    """Items that may never have been met.

    Attributes:
      ids: the user's own ids [N].
      features: name -> array [N, ...].
    """

    ids: tuple[str, ...]
    features: Mapping[str, Column]


class ItemReader(Protocol):
    """How a file of items becomes the features of a corpus's side."""

    def read(
        self, path: Path, columns: Mapping[str, str], encoding: str
    ) -> Iterator[NewItems]:
        """Yields the items of a file in its order, part by part.

        Args:
          path: the file.
          columns: recjax's name -> the file's, where they differ.
          encoding: of a CSV file.

        Raises:
          UserError: the file cannot be used, or a row of it is bad.
        """
        ...

    def save(self, folder: Path) -> None:
        """Writes what `recjax.data.item_readers.load` reads."""
        ...


@dataclass(frozen=True)
class Corpus:
    """Everything of one kind that can be retrieved; an item's position is its index.

    Attributes:
      ids: the user's own ids [N].
      titles: what to show a person [N].
      features: the features of `side`, name -> array [N, ...].
      side: the side of the model that embeds its items.
      reader: makes the same features of new items; None where that cannot be.
    """

    ids: tuple[str, ...]
    titles: tuple[str, ...]
    features: Mapping[str, Column]
    side: str = "candidate"
    reader: ItemReader | None = None

    def __len__(self) -> int:
        """Returns `N`."""
        return len(self.ids)


@dataclass(frozen=True)
class Queries:
    """The queries of one split and task, and what they should find.

    Attributes:
      features: the query side's features, name -> array [Q, ...].
      task: judged and excluded items of each query.
      texts: the queries as text [Q], where they are text.
      history: what the user of each query did before, where that is known.
      corpus: the corpus that the task ranks.
      cohorts: parts of the judged items that are reported on their own: name -> bool
        [P], for example those without a title or of rare queries.
    """

    features: Mapping[str, Column]
    task: RankingTask
    texts: tuple[str, ...] | None = None
    history: Histories | None = None
    corpus: str = "item"
    cohorts: Mapping[str, np.ndarray] = field(default_factory=dict)


class Dataset(Protocol):
    """An opened data set."""

    sides: Sides
    corpora: Mapping[str, Corpus]
    """Name -> everything of one kind; a data set of one kind calls it "item"."""
    tasks: tuple[str, ...]
    """What `queries` can be asked for; a data set with one task calls it ""."""
    inputs: Mapping[str, Input]
    """Query feature -> how its array is made from raw values."""

    def batches(
        self, start: int, host: tuple[int, int], threads: int, prefetch: int
    ) -> Iterator[HostBatch]:
        """Yields this host's part of batch `start`, `start + 1`, ... without end."""
        ...

    def queries(self, split: str, task: str = "") -> Queries:
        """Returns the queries of "validation" or "test" for one of `tasks`."""
        ...

    def raw_queries(self, split: str, count: int) -> dict[str, list]:
        """Returns some queries of a split as the raw values that `inputs` take."""
        ...

    def facts(self) -> Mapping[str, Any]:
        """Returns what a person wants to know of the data: sizes, source, splits."""
        ...


class Source(Protocol):
    """The data part of an experiment: settings, and how to open them."""

    def open(self, seed: int) -> Dataset:
        """Reads the prepared data.

        Raises:
          UserError: it is not prepared, or does not fit the settings.
        """
        ...
