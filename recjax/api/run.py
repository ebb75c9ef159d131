"""A run: its history, figures and answers, opened when they are first asked for."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from recjax import runs
from recjax.api import arguments, history
from recjax.api.ask import Answers, Bundle, load
from recjax.api.logs import told
from recjax.api.newest import Newest
from recjax.api.results import Results
from recjax.errors import UserError
from recjax.evals.finished import Finished
from recjax.evals.measured import Now
from recjax.experiment import Experiment, Runtime
from recjax.export import export_program
from recjax.train import data_record
from recjax.train.checkpoint import newest_step
from recjax.train.memory import keep_compiled
from recjax.train.program import Program, open_program
from recjax.train.run_folder import request_of
from recjax.train.state import State

if TYPE_CHECKING:
    import polars as pl

    from recjax.api.errors import Errors
    from recjax.api.page import Page

SPLITS = ("test", "validation")


@dataclass(frozen=True, eq=False)
class Run:
    """A trained experiment in its folder.

    Attributes:
      folder: the run folder.
      given: the experiment, where it was made in this process.
      runtime: where that ran.
      trained: what its training found at the end, in this process.
    """

    folder: Path
    given: Experiment | None = None
    runtime: Runtime = field(default_factory=Runtime)
    trained: Finished | None = None

    @classmethod
    def open(cls, folder: str | Path) -> Run:
        """Opens the folder of an earlier run.

        Raises:
          UserError: it holds no run.
        """
        made = cls(arguments.path("folder", folder))
        request_of(made.folder)
        return made

    @cached_property
    def experiment(self) -> Experiment:
        """What was learned."""
        return self._resolved[0]

    @property
    def step(self) -> int:
        """Steps done."""
        return max(newest_step(self.folder / "checkpoints"), 0)

    @property
    def finished(self) -> bool:
        """Whether all steps are done; else train it again with the same workdir."""
        return self.step >= self.experiment.steps

    @property
    def history(self) -> pl.DataFrame:
        """The figures of training: a row a log line, a column a figure."""
        return history.frame(self.folder)

    def plot(self, *names: str) -> Any:
        """Returns a figure of matplotlib: the loss and the validation over the steps.

        Args:
          names: columns of `history`; none: the loss and the best metric.

        Raises:
          UserError: there is no such column, or nothing was trained.
        """
        return history.plot(self.history, names, self.experiment)

    def evaluate(self, split: str = "test", *, again: bool = False) -> Results:
        """Returns the evaluations of a split: the model beside its baselines.

        What this run has measured at this step, at the end of its training or by an
        earlier call, is returned as it was measured.

        Args:
          split: "test" or "validation".
          again: measures anew.

        Raises:
          UserError: there is no such split, or no evaluation.
        """
        if split not in SPLITS:
            raise UserError(f"split={split!r}: expected 'test' or 'validation'")
        with told(), arguments.in_python():
            return self._newest.evaluated(split, again)

    def embed(
        self, *, items: Any = None, queries: Sequence[str] | None = None
    ) -> np.ndarray:
        """Returns vectors f32[N, D] of items, or of texts.

        Args:
          items: ids of the data, or a table of new items: a file or a frame.
          queries: texts.

        Raises:
          UserError: both or neither, an id that is unknown, or a model without texts.
        """
        with told(), arguments.in_python():
            return self._asked.vectors(items=items, queries=queries)

    def neighbors(self, of: str, k: int = 10) -> Answers:
        """Returns the items nearest to an item, by its id, or to a text.

        Raises:
          UserError: it is neither, or `k` is too small.
        """
        with told(), arguments.in_python():
            return self._asked.neighbors(of, k)

    def query(
        self,
        text: str = "",
        *,
        history: Sequence[str] = (),
        k: int = 10,
        where: str | Sequence[str] = (),
        **columns: Any,
    ) -> Answers:
        """Returns the items that fit a text, or follow a history.

        Args:
          text: what is asked.
          history: item ids, the oldest first.
          k: how many.
          where: a condition on the items' columns, as "price < 50", or several that
            all hold.
          columns: of the user or of the moment, as age=24.

        Raises:
          UserError: there is nothing to ask, or the model does not take it.
        """
        with told(), arguments.in_python():
            asked = self._asked
            return asked.query(text, history=history, k=k, where=where, **columns)

    def errors(self, n: int = 10, split: str = "test") -> Errors:
        """Returns the queries that do worst: what was found, and what should have been.

        Args:
          n: how many queries.
          split: "test" or "validation".

        Raises:
          UserError: the experiment ranks no items for queries.
        """
        from recjax.api.errors import worst

        if split not in SPLITS:
            raise UserError(f"split={split!r}: expected 'test' or 'validation'")
        with told(), arguments.in_python():
            return worst(*self._opened, split, arguments.whole("n", n))

    def report(self) -> Page:
        """Returns the report, which notebooks show; it lies in the run folder.

        Raises:
          UserError: it cannot be written.
        """
        from recjax.api.page import Page

        path = self.folder / "report.html"
        if not path.exists():
            with told(), arguments.in_python():
                program, state = self._opened
                runs.write_report(self.folder, program, state)
        return Page(path)

    def export(self, to: str | Path, **settings: Any) -> Bundle:
        """Writes a bundle, checks it, and opens it.

        Args:
          to: its folder, which must not exist.
          settings: of how it is exported, as saved_model=False.

        Raises:
          UserError: `to` exists, a setting is wrong, or the model cannot be exported.
        """
        path = arguments.path("to", to)
        with told(), arguments.in_python():
            print(self._export(path, settings))
            return load(path)

    def __repr__(self) -> str:
        """Returns what it is, how far it is, and where it lies."""
        name, steps = self.experiment.name, self.experiment.steps
        done = "finished" if self.finished else "not finished: train it again to go on"
        return f"<run {name}: step {self.step:,} of {steps:,}, {done}; {self.folder}>"

    @property
    def _opened(self) -> tuple[Program, State]:
        return self._newest.opened()

    @cached_property
    def _newest(self) -> Newest:
        return Newest(self.folder, *self._resolved, self._open, self.trained)

    @cached_property
    def _resolved(self) -> tuple[Experiment, Runtime]:
        if self.given is not None:
            return self.given, self.runtime
        return request_of(self.folder).resolve()

    def _open(self) -> tuple[Program, State]:
        keep_compiled()
        if self.given is None or (self.folder / "experiment/experiment.py").exists():
            return runs.open_run(self.folder)
        # No file builds it: only this process knows what it is.
        program = open_program(self.given, self.runtime)
        data_record.check(self.folder, program)
        return program, program.restore(self.folder / "checkpoints")

    @property
    def _asked(self) -> Bundle:
        """The bundle of the run, in a temporary folder: answers are those served."""
        now = self._newest.now
        if now not in self._bundles:
            folder = Path(self._temporary.name) / str(len(self._bundles))
            self._export(folder, {"saved_model": False})
            self._bundles[now] = load(folder)
        return self._bundles[now]

    @cached_property
    def _bundles(self) -> dict[Now, Bundle]:
        return {}

    @cached_property
    def _temporary(self) -> tempfile.TemporaryDirectory:
        """A folder that goes when the run does."""
        return tempfile.TemporaryDirectory(prefix="recjax_asked_")

    def _export(self, to: Path, settings: dict[str, Any]) -> str:
        said = [f"export.{name}={value}" for name, value in settings.items()]
        return export_program(*self._opened, to, said)
