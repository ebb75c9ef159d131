"""Where a run stands, read from its folder alone."""

from __future__ import annotations

import time
from pathlib import Path

from recjax.train.checkpoint import newest_step
from recjax.train.goodput import attempts, goodput
from recjax.train.lock import owner
from recjax.train.run_folder import read_result, request_of
from recjax.train.writer import read_metrics


def report(workdir: Path) -> str:
    """Returns where a run stands, for people.

    Args:
      workdir: the run folder.

    Raises:
      UserError: it is no run folder, or a file in it is damaged.
    """
    experiment, _ = request_of(workdir).resolve()
    made, lines = attempts(workdir), read_metrics(workdir)
    done = max([one["step"] for one in lines], default=0)
    saved = newest_step(workdir / "checkpoints")
    trained_by = owner(workdir)
    state = f"is being trained by {trained_by}" if trained_by else "nobody trains it"
    if read_result(workdir) is not None and saved >= experiment.steps:
        state = "done" if not trained_by else state
    facts = {
        "run": f"{experiment.name}: {state}",
        "step": f"{int(done):,} of {experiment.steps:,}",
        "newest checkpoint": f"step {saved:,}" if saved >= 0 else "none",
    }
    if lines:
        last = lines[-1]
        seconds = max(time.time() - last["time"], 0)
        facts["last figures"] = f"{seconds:,.0f} s ago"
        facts |= {"loss": f"{last['loss']:.4f}"} if "loss" in last else {}
    if made:
        facts["attempts"] = str(len(made))
    width = max(map(len, facts)) + 2
    told = [f"{name.ljust(width)}{value}" for name, value in facts.items()]
    return "\n".join([*told, *_spent(workdir)]) if made else "\n".join(told)


def _spent(workdir: Path) -> list[str]:
    spent = (read_result(workdir) or {}).get("goodput") or goodput(workdir)
    total = spent["sum_s"] or 1.0
    rows = [
        f"  {name.removesuffix('_s').replace('_', ' '):<16}{value:>10,.1f} s"
        + ("" if name == "away_s" else f"{value / total:>7.1%}")
        for name, value in spent.items()
        if name != "attempts"
    ]
    return ["seconds:", *rows]
