"""The report of a run: its facts gathered, the page written."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Mapping
from pathlib import Path

from recjax import disk, settings
from recjax.evals.evaluation import Evaluated
from recjax.evals.reports.run_page import write_report
from recjax.train.program import Program
from recjax.train.run_folder import environment, read_result
from recjax.train.writer import read_metrics

log = logging.getLogger(__name__)


def report_run(
    run: Path, program: Program, found: Mapping[str, Evaluated], step: int
) -> None:
    """Writes `report.html` and `plots/`, where plots can be drawn.

    Args:
      run: the run folder.
      program: its opened experiment.
      found: what each evaluation found.
      step: steps done by the state that was evaluated.

    Raises:
      UserError: the folder cannot be written.
    """
    if importlib.util.find_spec("matplotlib") is None:
        log.warning("no report.html: pip install matplotlib")
        return
    experiment = program.experiment
    done = read_result(run) or {}
    facts = {
        **program.dataset.facts(),
        "seed": experiment.seed,
        "step": step,
        **{f"training {k}": v for k, v in done.get("training", {}).items()},
        **(done.get("environment") or environment()),
    }
    with disk.writing("the report of", run, disk.GO_ON):
        page = write_report(
            run,
            experiment.name,
            found,
            experiment.evals,
            read_metrics(run),
            experiment.best,
            facts,
            settings.to_text(experiment),
        )
    log.info("report: %s", page)
