"""What evaluations found, as a table for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from recjax.errors import UserError, nearest
from recjax.evals import results
from recjax.evals.evaluation import Evaluated
from recjax.evals.reports.results_table import results_html


class Results(Mapping[str, Mapping[str, float]]):
    """Evaluation -> metric -> figure: the model beside its baselines.

    Example:
      >>> run.evaluate()["two_tower"]["recall@10"]  # doctest: +SKIP
    """

    def __init__(
        self, found: Mapping[str, Evaluated], evals: Mapping[str, Any]
    ) -> None:
        """Takes what was found, and the evaluations that found it."""
        self.found, self.evals = found, evals

    def __getitem__(self, name: str) -> Mapping[str, float]:
        """Returns the figures of an evaluation.

        Raises:
          UserError: there is none of that name.
        """
        if name not in self.found:
            known = ", ".join(self.found)
            raise UserError(
                f"there is no evaluation {name!r}; there are {known}."
                + nearest(str(name), self.found)
            )
        return self.found[name].figures

    def __iter__(self) -> Iterator[str]:
        """Yields the names of the evaluations."""
        return iter(self.found)

    def __len__(self) -> int:
        """Returns how many evaluations there are."""
        return len(self.found)

    def __contains__(self, name: object) -> bool:
        """Returns whether there is an evaluation of a name."""
        return name in self.found

    def __repr__(self) -> str:
        """Returns the table with intervals, and whether the model beats baselines."""
        where = f'the figures of each, as evaluate()["{next(iter(self.found), "")}"]'
        return results.told(self.found, self.evals, where)

    def _repr_html_(self) -> str:
        return results_html(self.found, self.evals)
