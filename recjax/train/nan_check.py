"""Ends a run whose numbers went bad."""

from __future__ import annotations

from recjax.train.step import StepReport


class TrainingBroken(RuntimeError):
    """A step produced something that no later step can mend."""


def check(step: int, report: StepReport) -> None:
    """Raises where a step's report shows NaN, infinity or too many table rows.

    Args:
      step: number of the step, for the message.
      report: its report, already on the host.

    Raises:
      TrainingBroken: with the names of the arrays.
    """
    broken = [name for name, bad in report.broken.items() if bad]
    if broken:
        raise TrainingBroken(
            f"step {step}: NaN or infinity in {', '.join(broken)}. The last good "
            "checkpoint is kept; lower the learning rate, or run again from it with "
            "--debug nans to find the operation"
        )
    for table, missing in report.overflow.items():
        if missing:
            raise TrainingBroken(
                f"step {step}: table {table!r} has no room for {int(missing)} of the "
                f"distinct rows of this batch; raise model.tables.{table}.distinct"
            )
