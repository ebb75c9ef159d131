"""From a profile to items: neighbours of some medoids, less what was seen.

Paper, section 4: a few medoids are drawn by importance, each asks for its share of the
candidates, and the answers are joined. Medoids are items, and popular ones stand for
many users: their neighbours are kept.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from recjax.bundle.medoids import in_turns
from recjax.errors import UserError
from recjax.index import scann
from recjax.index.exact import Exact
from recjax.index.item_vectors import ItemVectors
from recjax.users.importance import sample, top
from recjax.users.profile import Profile


@dataclass(frozen=True)
class Recommended:
    """One item.

    Attributes:
      id: its id.
      title: its title.
      because: the medoid that it is a neighbour of.
      score: cosine with that medoid.
    """

    id: str
    title: str
    because: str
    score: float


class Retriever:
    """Answers from profiles, and keeps what medoids answered.

    Attributes:
      asked: medoids that were asked for.
      kept: of these, how many answers were there already.
    """

    def __init__(self, items: ItemVectors, most: int = 0, keep=100_000):
        """Reads all vectors into memory.

        Args:
          items: the catalogue.
          most: neighbours that ScaNN's index is built for; 0 searches exactly.
          keep: answers of medoids to keep, the last used.
        """
        self.items = items
        self.vectors = items.unit(np.arange(len(items.ids)))
        most = min(most, len(self.vectors))
        self.index = scann.build(self.vectors, most) if most else Exact(self.vectors)
        self.asked = self.kept = 0
        self._keep = keep
        self._answers: OrderedDict[tuple[int, int], np.ndarray] = OrderedDict()

    @property
    def hit_rate(self) -> float:
        """Share of medoids whose answers were there already."""
        return self.kept / max(self.asked, 1)

    def neighbours(self, row: int, k: int) -> np.ndarray:
        """Returns the k nearest items of an item, itself first: rows [k]."""
        self.asked += 1
        found = self._answers.get((row, k))
        if found is None:
            found = self.index.search(self.vectors[row : row + 1], k)[0][0]
            found = found[found >= 0]
            self._answers[row, k] = found
            if len(self._answers) > self._keep:
                self._answers.popitem(last=False)
        else:
            self.kept += 1
            self._answers.move_to_end((row, k))
        return found

    def recommend(
        self,
        profile: Profile,
        generator: np.random.Generator | None,
        e: int = 3,
        total: int = 400,
        seen: Collection[str] = (),
        alike: float = 1.0,
    ) -> list[Recommended]:
        """Returns at most `total` items for a user, the best of each medoid in turn.

        Args:
          profile: of the user.
          generator: draws the medoids by importance; None takes the most important.
          e: medoids to ask with.
          total: each of those that ask gives an equal share, floor(total / e), of
            neighbours that are not left out.
          seen: ids to leave out.
          alike: items whose cosine with a better one is above this are left out as
            near duplicates; at 1 none are.

        Raises:
          UserError: e or total is not positive.
        """
        if e < 1 or total < e:
            raise UserError(f"e = {e}, total = {total}: ask with 1 <= e <= total")
        rows = np.array([self.items.rows.get(id, -1) for id in profile.medoid], int)
        rows, weight = rows[rows >= 0], profile.importance[rows >= 0]
        if generator is None:
            asked = rows[top(weight, e)]
        else:
            asked = rows[sample(weight, e, generator)]
        hidden = {row for id in seen if (row := self.items.rows.get(id, -1)) >= 0}
        share = total // max(len(asked), 1)
        answers = [self._of(row, share, hidden) for row in asked.tolist()]
        found = in_turns(answers)
        out = {item: int(asked[which]) for item, (which, _) in found.items()}
        kept = self._unlike(list(out), alike)
        return [
            Recommended(
                self.items.ids[row],
                self.items.titles[row],
                self.items.ids[out[row]],
                float(self.vectors[row] @ self.vectors[out[row]]),
            )
            for row in kept
        ]

    def _of(self, row: int, share: int, hidden: Collection[int]) -> np.ndarray:
        """Returns the nearest `share` items that are not hidden."""
        # By doubling, so that users who hide other numbers share what is kept.
        wanted = share
        while wanted < share + len(hidden):
            wanted *= 2
        found = self.neighbours(row, min(wanted, len(self.vectors)))
        return found[~np.isin(found, list(hidden))][:share]

    def _unlike(self, rows: list[int], alike: float) -> list[int]:
        if alike >= 1 or not rows:
            return rows
        vectors = self.vectors[rows]
        close = vectors @ vectors.T > alike
        kept: list[int] = []
        for place in range(len(rows)):
            if not close[place, kept].any():
                kept.append(place)
        return [rows[place] for place in kept]
