"""Which runs a sweep is made of, where they lie, and which of them are done."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from recjax import settings
from recjax.data.identity import Identity, refuse_other
from recjax.errors import UserError, nearest
from recjax.experiment import load_sweep
from recjax.train import run_folder
from recjax.train.data_record import DataRecord
from recjax.train.request import Request


@dataclass(frozen=True)
class SweepRun:
    """One run of a sweep.

    Attributes:
      variant: name of what is compared.
      seed: of the run.
      request: what the run is asked for.
      folder: its run folder.
    """

    variant: str
    seed: int
    request: Request
    folder: Path

    def result(self) -> Mapping | None:
        """Returns `result.json`, or None where the run is not done with these settings.

        Raises:
          UserError: `result.json` is damaged, or of other data than there is now.
        """
        found = run_folder.read_result(self.folder)
        if found is None:
            return None
        experiment, _ = self.request.resolve()
        before = "\n".join(map(str, found["settings"]))
        if any(settings.changes(before, experiment)):
            return None
        # A table of runs of different data would compare nothing.
        data = Identity.of_source(experiment.data)
        made = DataRecord.read(self.folder).data if data is not None else None
        if data is not None and made is not None:
            refuse_other(str(self.folder), made, data, str(self.folder))
        return found


def plan(
    request: Request, workdir: Path, grid: Sequence[str], seeds: Sequence[int]
) -> list[SweepRun]:
    """Returns all runs of a sweep, seeds of a variant together.

    Args:
      request: what all runs have in common.
      workdir: holds `VARIANT/seed_N`.
      grid: "path=value,value,...": each value of each path with each of the others.
      seeds: of each variant; none takes the experiment's own.

    Raises:
      UserError: there is nothing to compare, a setting is wrong, or a run folder holds
        a run with other settings.
    """
    points = _points(grid)
    assert isinstance(request.experiment, str)  # It has sweep().
    variants = load_sweep(request.experiment, request.tiny)
    if not variants and not grid:
        raise UserError(
            f"{request.experiment} defines no function sweep(), so there is nothing to "
            "compare: write one (docs/sweeps.md), or give --grid path=value,value"
        )
    cells, taken = [], {}
    for variant, point in itertools.product(variants or [""], points):
        name = ",".join(part for part in (variant, *point) if part)
        one = dataclasses.replace(request, variant=variant)
        one = dataclasses.replace(one, set=(*request.set, *point))
        own, _ = one.resolve()
        folder = re.sub(r"[^\w.,=+-]", "_", name)
        if taken.setdefault(folder, name) != name:
            raise UserError(
                f"the variants {taken[folder]!r} and {name!r} would share the folder "
                f"{workdir / folder}: rename one"
            )
        for seed in seeds or (own.seed,):
            seeded = dataclasses.replace(one, set=(*one.set, f"seed={seed}"))
            place = workdir / folder / f"seed_{seed}"
            run_folder.agree(place, seeded.resolve()[0])
            cells.append(SweepRun(name, seed, seeded, place))
    return cells


def chosen(cells: Sequence[SweepRun], only: Sequence[str]) -> list[SweepRun]:
    """Returns the runs of the variants that were asked for; of all without a name.

    Raises:
      UserError: there is no such variant.
    """
    names = list(dict.fromkeys(cell.variant for cell in cells))
    for name in only:
        if name not in names:
            raise UserError(
                f"--only {name}: there is no such variant; there are "
                f"{', '.join(names)}.{nearest(name, names)}"
            )
    return [cell for cell in cells if not only or cell.variant in only]


def parse_seeds(text: str) -> tuple[int, ...]:
    """Returns the seeds of "0,1,2"; none of "".

    Raises:
      UserError: not whole numbers of at least 0, or one twice.
    """
    parts = [part.strip() for part in text.split(",")] if text else []
    if not all(part.isdecimal() for part in parts):
        raise UserError(f"--seeds {text}: expected whole numbers, as in --seeds 0,1,2")
    seeds = tuple(map(int, parts))
    if len(set(seeds)) < len(seeds):
        raise UserError(f"--seeds {text}: a seed is named twice")
    return seeds


def _points(grid: Sequence[str]) -> list[tuple[str, ...]]:
    axes = []
    for axis in grid:
        path, equals, text = axis.partition("=")
        # A comma inside brackets belongs to a value.
        values = re.findall(r"(?:\([^)]*\)|\[[^]]*\]|[^,(\[])+", text)
        if not equals or not path or not values:
            raise UserError(f"--grid {axis}: expected path=value,value")
        if path.strip() == "seed":
            raise UserError(f"--grid {axis}: for seeds use --seeds {text}")
        axes.append([f"{path.strip()}={value.strip()}" for value in values])
    return list(itertools.product(*axes))
