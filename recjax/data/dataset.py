"""What an opened data set offers to training, evaluation and export."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from recjax.blocks import block_of
from recjax.data.events import Events, Histories
from recjax.data.inputs import Input
from recjax.features import Sides
from recjax.metrics.task import RankingTask

if TYPE_CHECKING:  # Readers need packages that training does not, batches JAX.
    from recjax.data.images.table import ImageTable
    from recjax.data.pipeline import Host, HostBatch
    from recjax.data.sessions.fixed import FixedVectors
    from recjax.data.sessions.packing import EpochPlan, Grid
    from recjax.data.sessions.pair_features import SessionPairs
    from recjax.data.sessions.read import Sessions
    from recjax.tables.result import Options
    from recjax.tables.typed import Table


class CorpusColumn(Protocol):
    """A feature of a whole corpus: a NumPy array, or one that is made when asked."""

    def __len__(self) -> int:
        """Returns `N`."""

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        """Returns the array of a slice, or of any positions, [B, ...]."""


@dataclass(frozen=True)
class NewItems:
    """Items that may never have been met.

    Attributes:
      ids: the user's own ids [N].
      features: name -> array [N, ...].
    """

    ids: tuple[str, ...]
    features: Mapping[str, CorpusColumn]

    def blank(self) -> np.ndarray:
        """Returns the items of which every feature is zero."""
        left, block = np.arange(len(self.ids)), block_of(self.features)
        for column in self.features.values():
            said = [
                column[left[at : at + block]].any(axis=tuple(range(1, column[:0].ndim)))
                for at in range(0, len(left), block)
            ]
            left = left[~np.concatenate([np.zeros(0, bool), *said])]
        return left


class ItemReader(Protocol):
    """How a file of items becomes the features of a corpus's side."""

    def read(self, path: Path, options: Options) -> Iterator[NewItems]:
        """Yields the items of a file in its order, part by part.

        Args:
          path: the file.
          options: how it is read.

        Raises:
          UserError: the file cannot be used, or a row of it is bad.
        """

    def save(self, folder: Path) -> None:
        """Writes what `recjax.data.item_readers.load` reads."""


@dataclass(frozen=True)
class Corpus:
    """Everything of one kind that can be retrieved; an item's position is its index.

    Attributes:
      ids: the user's own ids [N].
      titles: what to show a person [N].
      features: the features of `side`, name -> array [N, ...].
      side: the side of the model that embeds its items.
      reader: makes the same features of new items; None where that cannot be.
      table: the columns of the items; None where there are none.
    """

    ids: tuple[str, ...]
    titles: tuple[str, ...]
    features: Mapping[str, CorpusColumn]
    side: str = "candidate"
    reader: ItemReader | None = None
    table: Table | None = field(default=None, repr=False, compare=False)

    def __len__(self) -> int:
        """Returns `N`."""
        return len(self.ids)


@dataclass(frozen=True)
class Queries:
    """The queries of one split and task, and what they should find.

    Attributes:
      features: the query side's features, name -> array [Q, ...]; none of sessions,
        whose queries a model makes as it streams over the events.
      task: judged and excluded items of each query.
      texts: the queries as text [Q], where they are text.
      history: what the user of each query did before, where that is known.
      user: the user of each query [Q], for means over users; None for none.
      corpus: the corpus that the task ranks.
      cohorts: parts of the judged items that are reported on their own: name -> bool
        [P], for example those without a title or of rare queries.
    """

    features: Mapping[str, CorpusColumn]
    task: RankingTask
    texts: tuple[str, ...] | None = None
    history: Histories | None = None
    user: np.ndarray | None = None
    corpus: str = "item"
    cohorts: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        """Returns `Q`."""
        return len(self.task)

    @property
    def past(self) -> Histories:
        """The histories of queries that have some.

        Raises:
          ValueError: they have none.
        """
        if self.history is None:
            raise ValueError("these queries have no histories")
        return self.history

    def every(self, nth: int) -> Queries:
        """Returns the queries of every nth user, or every nth where none is known."""
        if nth == 1:
            return self
        numbers = np.arange(len(self)) if self.user is None else self.user
        return self._take(np.flatnonzero(numbers % nth == 0))

    def at_most(self, most: int, draw: int | None = None) -> Queries:
        """Returns at most so many queries: evenly spread, or drawn by a number."""
        if len(self) <= most:
            return self
        if draw is not None:
            drawn = np.random.default_rng(draw).choice(len(self), most, replace=False)
            return self._take(np.sort(drawn))
        return self._take(np.linspace(0, len(self) - 1, most).astype(int))

    def _take(self, rows: np.ndarray) -> Queries:
        judged = np.isin(self.task.query, rows)
        return replace(
            self,
            features={name: column[rows] for name, column in self.features.items()},
            task=self.task.take(rows),
            texts=None if self.texts is None else tuple(self.texts[i] for i in rows),
            history=None if self.history is None else self.history.take(rows),
            user=None if self.user is None else self.user[rows],
            cohorts={name: mask[judged] for name, mask in self.cohorts.items()},
        )


class Dataset(Protocol):
    """An opened data set: what training needs of it."""

    @property
    def sides(self) -> Sides:
        """The features of each side of the model."""

    def batch(self, step: int, host: Host = (0, 1)) -> HostBatch:
        """Returns a host's part of the batch of a step: a function of these alone.

        Raises:
          UserError: the hosts do not divide it, or nothing trains.
        """

    def facts(self) -> Mapping[str, Any]:
        """Returns what a person wants to know of the data: sizes, source, splits."""


@runtime_checkable
class HasQueries(Protocol):
    """Data of which items are ranked for queries."""

    @property
    def corpora(self) -> Mapping[str, Corpus]:
        """Name -> everything of one kind; a data set of one kind calls it "item"."""

    @property
    def tasks(self) -> tuple[str, ...]:
        """What `queries` can be asked for; a data set with one task calls it ""."""

    def queries(self, split: str, task: str = "") -> Queries:
        """Returns the queries of "validation" or "test" for one of `tasks`."""

    def training_items(self, corpus: str = "item") -> np.ndarray:
        """Returns the item of each training pair or event, i32[P]."""


@runtime_checkable
class HasEvents(Protocol):
    """Data that is made of users' events."""

    @property
    def log(self) -> Events:
        """The events of all splits; histories of queries are stretches of it."""

    @property
    def train(self) -> np.ndarray:
        """Whether each event of the log trains the model, bool[E]."""


@runtime_checkable
class HasSessions(Dataset, HasQueries, HasEvents, Protocol):
    """Data of sessions, over which a model streams."""

    @property
    def sessions(self) -> Sessions:
        """All sessions."""

    @property
    def pairs(self) -> SessionPairs:
        """The features of pairs of a moment and an item."""

    @property
    def columns(self) -> Any:
        """Its `SessionColumns`: the columns of items, users and events."""

    @property
    def fixed(self) -> FixedVectors | None:
        """The vectors of items that are not learned."""

    def stream(self, event: np.ndarray) -> EpochPlan:
        """Returns the plan in which a model meets events [Q] and all before them."""

    def packed_arrays(self, grid: Grid) -> dict[str, np.ndarray]:
        """Returns what a model reads of some rows."""


@runtime_checkable
class HasImages(Protocol):
    """Data of labelled images."""

    @property
    def settings(self) -> Any:
        """Among them `size` and `center_crop`: how a photograph becomes pixels."""

    @property
    def table(self) -> ImageTable:
        """All images."""

    def shown(self, positions: Sequence[int]) -> HostBatch:
        """Returns what evaluation gives the model of images: image, perhaps maps."""

    def center_crops(
        self, positions: Sequence[int], size: int | None = None
    ) -> np.ndarray:
        """Decodes what evaluation sees of images, uint8 [n, size, size, 3]."""


@runtime_checkable
class HasInputs(Protocol):
    """Data whose queries a bundle can make from raw values."""

    @property
    def inputs(self) -> Mapping[str, Input]:
        """Query feature -> how its array is made from raw values."""

    def raw_queries(self, split: str, count: int) -> dict[str, list]:
        """Returns some queries of a split as the raw values that `inputs` take."""


class Source(Protocol):
    """The data part of an experiment: settings, and how to open them."""

    def open(self, seed: int) -> Dataset:
        """Reads the prepared data.

        Raises:
          UserError: it is not prepared, or does not fit the settings.
        """
