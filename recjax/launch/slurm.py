"""A run of recjax as a SLURM batch job."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from recjax.errors import UserError, nearest
from recjax.launch.join import BAD_INPUT

FIELDS = (
    *("account", "constraint", "cpus-per-task", "exclude", "gres", "mem", "nodelist"),
    *("partition", "qos", "reservation", "time"),
)
"""Options of sbatch that a user may give; the others decide how the run works."""
NOTICE_SECONDS = 120


@dataclass(frozen=True)
class SlurmJob:
    """What a batch file says besides the command.

    Attributes:
      name: of the job.
      nodes: nodes, with one process on each.
      restarts: how often the job is queued again after a failure.
      options: more options of sbatch, such as {"partition": "gpu"}.
    """

    name: str
    nodes: int
    restarts: int = 3
    options: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Checks the options.

        Raises:
          UserError: one is none of `FIELDS`, or holds a line break.
        """
        for name, value in self.options.items():
            if name not in FIELDS:
                raise UserError(
                    f"--slurm {name}={value}: there are {', '.join(FIELDS)}."
                    + nearest(name, FIELDS)
                )
            if "\n" in value:
                raise UserError(f"--slurm {name}={value!r}: holds a line break")


def batch_file(words: Sequence[str], job: SlurmJob) -> str:
    """Returns a file for `sbatch`: it trains, saves at its end, and goes on after it.

    SLURM sends SIGTERM to the tasks `NOTICE_SECONDS` before the time is up; the run
    saves, leaves with 75, and the job puts itself back into the queue, as it does after
    a failure, at most `restarts` times. Bad input does not: it would fail again.

    Args:
      words: what stands after `recjax`; paths that all nodes see.
      job: the rest.
    """
    lines = [
        "#!/bin/bash",
        f"#SBATCH --job-name={job.name}",
        f"#SBATCH --nodes={job.nodes}",
        "#SBATCH --ntasks-per-node=1",
        f"#SBATCH --signal=TERM@{NOTICE_SECONDS}",
        "#SBATCH --requeue",
        "#SBATCH --open-mode=append",
        *(f"#SBATCH --{name}={value}" for name, value in sorted(job.options.items())),
        "",
        "# Preemption and `scancel --batch` tell this shell: the tasks save and end.",
        """trap 'scancel --signal=TERM "$SLURM_JOB_ID"' TERM""",
        f"srun --kill-on-bad-exit=1 recjax {shlex.join([*words, '--hosts', 'auto'])} &",
        "task=$!",
        "wait $task; status=$?",
        "while kill -0 $task 2>/dev/null; do wait $task; status=$?; done",
        'if [ "$status" -ne 0 ] && ' + f'[ "$status" -ne {BAD_INPUT} ] &&',
        f'  [ "${{SLURM_RESTART_COUNT:-0}}" -lt {job.restarts} ]; then',
        '  echo "status $status: queued again"',
        '  scontrol requeue "$SLURM_JOB_ID"',
        "fi",
        'exit "$status"',
    ]
    return "\n".join(lines) + "\n"
