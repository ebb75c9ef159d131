"""The newest state of a run, opened once, and what is known of it already."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from recjax.api.results import Results
from recjax.data.identity import stamp
from recjax.errors import UserError
from recjax.evals import fusion_choice, measured, run_evaluations
from recjax.evals.finished import Finished
from recjax.evals.measured import Now
from recjax.experiment import Experiment, Runtime
from recjax.train.checkpoint import newest_step
from recjax.train.program import Program
from recjax.train.state import State


@dataclass(frozen=True, eq=False)
class Newest:
    """What a run holds now: another state, or data that is prepared anew, is another.

    Attributes:
      folder: the run folder.
      experiment: what was learned.
      runtime: where it runs.
      open: opens the newest state.
      trained: what the end of its training found, where that was in this process.
    """

    folder: Path
    experiment: Experiment
    runtime: Runtime
    open: Callable[[], tuple[Program, State]]
    trained: Finished | None = None
    _states: dict[Now, tuple[Program, State]] = field(default_factory=dict)
    _results: dict[str, tuple[Now, Results]] = field(default_factory=dict)

    @property
    def now(self) -> Now:
        """The newest state, and the data."""
        step = max(newest_step(self.folder / "checkpoints"), 0)
        return Now.of(self.folder, step, stamp(self.experiment.data))

    def opened(self) -> tuple[Program, State]:
        """Returns the program and the state.

        Raises:
          UserError: nothing was trained.
        """
        now = self.now
        if now.step < 1 and self.experiment.steps:
            raise UserError(f"{self.folder} has no checkpoint: train the run first")
        if now not in self._states:
            self._states.clear()  # Before the next one is in memory.
            program, state = self._states[now] = self.open()
            if self.trained is not None and self._at_end == now:
                fusion_choice.keep(program, state, self.trained.choices)
        return self._states[now]

    def evaluated(self, split: str, again: bool) -> Results:
        """Returns what is known of a split, or measures it.

        Args:
          split: "test" or "validation".
          again: measures it also where it is known.

        Raises:
          UserError: the experiment has no evaluation of the test.
        """
        now = self.now
        known = None if again else self._known(split, now)
        if known is None or known[0] != now:
            known = self._results[split] = now, self._measured(split)
        return known[1]

    @property
    def _at_end(self) -> Now | None:
        return None if self.trained is None else self.trained.now

    def _known(self, split: str, now: Now) -> tuple[Now, Results] | None:
        if split in self._results or split != "test":
            return self._results.get(split)
        evals, found = _of_test(self.experiment.evals), None
        if self.trained is not None and self._at_end == now:
            found = self.trained.found
        elif evals:
            made, where = self.experiment, self.runtime
            key = measured.key_of(self.folder, made, where, now.step, now.data)
            found = measured.read(self.folder, key)
        if found is None or not evals or not evals.keys() <= found.keys():
            return None  # Of data without judged queries nothing is evaluated.
        return now, Results({name: found[name] for name in evals}, evals)

    def _measured(self, split: str) -> Results:
        program, state = self.opened()
        evals = _asked_now(program.experiment.evals, split)
        asked = replace(program.experiment, evals=evals)
        found = run_evaluations.run_all(replace(program, experiment=asked), state)
        return Results(found, evals)


def _asked_now(evals: Mapping[str, Any], split: str) -> dict[str, Any]:
    """Returns the evaluations of the test, or the same of another split.

    Raises:
      UserError: there are none.
    """
    known = _of_test(evals)
    if split != "test":
        other = {name: one for name, one in known.items() if _split(one)}
        known = {name: replace(one, split=split) for name, one in other.items()}
    if not known:
        raise UserError(
            "the experiment has no evaluation of the test: give it evals, as "
            'evals={"model": rj.evals.Ranking("test")}'
        )
    return known


def _of_test(evals: Mapping[str, Any]) -> dict[str, Any]:
    return {name: one for name, one in evals.items() if _split(one) in ("test", "")}


def _split(evaluation: Any) -> str:
    return getattr(evaluation, "split", "")
