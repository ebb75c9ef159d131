"""The `recjax sweep` command."""

from __future__ import annotations

from pathlib import Path

import tyro

from recjax.errors import UserError

Positional = tyro.conf.Positional
Repeated = tyro.conf.UseAppendAction


def sweep(
    experiment: Positional[str],
    workdir: Path,
    on: str = "",
    seeds: str = "",
    only: tuple[str, ...] = (),
    grid: Repeated[tuple[str, ...]] = (),
    show: str = "",
    jobs: int = 1,
    set: Repeated[tuple[str, ...]] = (),
    set_runtime: Repeated[tuple[str, ...]] = (),
    tiny: bool = False,
    table: bool = False,
) -> None:
    """Trains variants of an experiment with several seeds and compares them.

    The same command goes on where it stopped: what is done is not run again.

    Args:
      experiment: file that defines experiment(), and sweep() unless there is a grid.
      workdir: holds VARIANT/seed_N, a run folder each, and the tables.
      on: file that defines runtime(); without it, all devices of this process.
      seeds: as in 0,1,2; default: the experiment's own.
      only: run these variants alone.
      grid: as in model.temperature=0.05,0.1; may be repeated, for all combinations.
      show: metrics of the table, as in test/recall@10,test/mrr.
      jobs: runs at a time.
      set: override in every run; may be repeated.
      set_runtime: override of the runtime in every run; may be repeated.
      tiny: vary tiny() instead of experiment().
      table: run nothing, make the tables of what is done.
    """
    from recjax.sweep import jobs as processes
    from recjax.sweep import output, plan
    from recjax.train.request import Request

    if jobs < 1:
        raise UserError(f"--jobs {jobs}: must be at least 1")
    request = Request(experiment, on, tiny, set, set_runtime)
    cells = plan.plan(request, workdir, grid, plan.parse_seeds(seeds))
    chosen = plan.chosen(cells, only)
    failures = [] if table else processes.run_all(chosen, jobs)
    shown = [name.strip() for name in show.split(",")] if show else []
    print(output.write(Path(experiment).stem, cells, workdir, shown))
    for failure in failures:
        cell = failure.cell
        print(f"failed: {cell.variant} seed {cell.seed}: {failure.reason}")
    if failures:
        raise SystemExit(1)
