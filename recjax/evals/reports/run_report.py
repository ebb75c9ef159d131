"""The report of a run: its facts gathered, the page and its plots written."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax

from recjax import disk, settings
from recjax.errors import UserError
from recjax.evals.evaluation import Evaluated
from recjax.evals.reports import svg
from recjax.evals.reports.run_page import PAGE, About, plots_of, run_html
from recjax.evals.results import main_metrics
from recjax.train.program import Program
from recjax.train.run_folder import environment, read_result, request_of
from recjax.train.writer import read_metrics

log = logging.getLogger(__name__)
PLOTS = "plots"


def report_run(
    run: Path, program: Program, found: Mapping[str, Evaluated], step: int
) -> None:
    """Writes `report.html`, and its plots as SVG files in `plots/`.

    Args:
      run: the run folder.
      program: its opened experiment.
      found: what each evaluation found.
      step: steps done by the state that was evaluated.

    Raises:
      UserError: the folder cannot be written.
    """
    about, evals = _about(run, program, step), program.experiment.evals
    drawn = plots_of(found, evals, about)
    text = run_html(found, evals, about, drawn)
    with disk.writing("the report of", run, disk.GO_ON):
        (run / PLOTS).mkdir(exist_ok=True)
        for plot in drawn:
            name = re.sub(r"\W+", "_", plot.title.lower())
            disk.write_text(run / PLOTS / f"{name}.svg", svg.alone(plot.svg))
        disk.write_text(run / PAGE, text)
    log.info("report: %s", run / PAGE)


def _about(run: Path, program: Program, step: int) -> About:
    experiment, done = program.experiment, read_result(run) or {}
    data, trained = dict(program.dataset.facts()), done.get("training", {})
    told = done.get("environment") or environment()
    return About(
        experiment.name,
        _lead(experiment.name, experiment.seed, step, data, trained, told["date"]),
        {
            **data,
            **_asked(run),
            "seed": experiment.seed,
            "steps": step,
            **_spent(trained),
            "devices": _devices(),
            **_versions(told),
        },
        settings.differing(experiment),
        settings.to_text(experiment),
        read_metrics(run),
        ("loss", *_validation(program)),
    )


def _lead(
    name: str,
    seed: int,
    step: int,
    data: Mapping[str, Any],
    trained: Mapping[str, float],
    date: str,
) -> str:
    """Returns what was trained on what, how long and when."""
    sizes = [f"{v:,} {k}" for k, v in data.items() if type(v) is int][:3]
    took = f" in {_duration(trained['wall_s'])}" if "wall_s" in trained else ""
    on = f"on {data.get('source', 'its data')} ({', '.join(sizes)})"
    return f"{name} was trained {on}: {step:,} steps{took}, seed {seed}, {date}."


def _asked(run: Path) -> dict[str, str]:
    """Returns what the command line said beside the name of the experiment."""
    if not (run / "run.json").exists():
        return {}
    try:
        request = request_of(run)
    except UserError:  # What no file can build was made in memory.
        return {"experiment": "made in memory"}
    set_ = "; ".join((*request.set, *request.set_runtime))
    kind = "its small twin, --tiny" if request.tiny else ""
    assert isinstance(request.experiment, str)  # As run folders name it.
    of = Path(request.experiment).name
    told = {"experiment": of, "variant": request.variant, "form": kind}
    told |= {"set by --set": set_, "started from": request.start}
    return {name: value for name, value in told.items() if value}


def _validation(program: Program) -> list[str]:
    """Returns the figures of evaluations in training that are drawn over the steps."""
    experiment = program.experiment
    if experiment.best is not None:
        return [experiment.best]
    names = [n for n, one in experiment.evals.items() if one.trained and one.every]
    return [
        f"{name}/{metric}"
        for name in names
        for metric in main_metrics(
            {name: dict.fromkeys(experiment.evals[name].metrics(program.dataset), 0.0)}
        )[:1]
    ]


def _devices() -> str:
    kinds = [one.device_kind for one in jax.devices()]
    return ", ".join(f"{kinds.count(kind)} x {kind}" for kind in dict.fromkeys(kinds))


def _spent(trained: Mapping[str, float]) -> dict[str, str]:
    """Returns how long the last attempt trained."""
    if not {"wall_s", "cpu_s", "steps"} <= trained.keys():
        return {}
    took, cpu = _duration(trained["wall_s"]), _duration(trained["cpu_s"])
    return {"training": f"{trained['steps']:,} steps, {took}, {cpu} of CPU"}


def _versions(told: Mapping[str, str]) -> dict[str, str]:
    """Returns the record of the machine, the versions of packages in one line."""
    first = {name: told[name] for name in ("date", "python", "commit") if name in told}
    others = [f"{name} {told[name]}" for name in told if name not in first]
    return {**first, "packages": ", ".join(others)}


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7_200 else f"{seconds / 3600:.1f} h"
