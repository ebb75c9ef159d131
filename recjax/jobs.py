"""Steps that do not depend on each other: in processes of this machine, or by Beam.

A step takes one task, writes its files whole and returns nothing, so that one which is
repeated, or done twice at once, does no harm.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any

from recjax.errors import UserError

Runner = Callable[[Callable[[Any], object], Sequence[Any]], Iterator[None]]
"""Does a step for each task; yields as often as one is done."""


def processes(workers: int = 1) -> Runner:
    """Returns a runner in processes; in this one where one is enough.

    Args:
      workers: processes.

    Raises:
      UserError: there are none.
    """
    if workers < 1:
        raise UserError(f"--workers {workers}: give 1 or more processes")

    def run(step: Callable[[Any], object], tasks: Sequence[Any]) -> Iterator[None]:
        if min(workers, len(tasks)) <= 1:
            for task in tasks:
                step(task)
                yield
            return
        # Forked processes would inherit locks that threads of this one hold.
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, spawn) as pool:
            try:
                for done in as_completed([pool.submit(step, task) for task in tasks]):
                    done.result()
                    yield
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    return run


def beam(options: Any = None) -> Runner:
    """Returns a runner of Apache Beam pipelines: on Flink, Spark, Dataflow, or here.

    All files must be seen by every worker.

    Args:
      options: Beam's PipelineOptions; by default the runner in this process.
    """

    def run(step: Callable[[Any], object], tasks: Sequence[Any]) -> Iterator[None]:
        import apache_beam
        from apache_beam.options.pipeline_options import PipelineOptions

        chosen = options or PipelineOptions(["--runner=DirectRunner"])
        with apache_beam.Pipeline(options=chosen) as pipeline:
            (
                pipeline
                | "Tasks" >> apache_beam.Create(list(tasks))
                | "Spread" >> apache_beam.Reshuffle()
                | "Step" >> apache_beam.Map(step)
            )
        yield from (None for _ in tasks)

    return run
