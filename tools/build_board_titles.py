"""Builds the board titles of pins or products from a log of saves.

    python tools/build_board_titles.py saves-*.parquet --out board_title.parquet

A log has the columns id and board_title, a row a save. Join the result to the table of
pins on `id`. With --counts FOLDER the counts are kept, and the next run adds new logs
to them: pass each log once. An --out without .parquet is a folder of a file a shard.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from recjax import jobs
from recjax.errors import UserError, told
from recjax.prepare import feature_jobs, feature_logs


def parser() -> argparse.ArgumentParser:
    """Returns the parser of arguments that both tools share."""
    made = argparse.ArgumentParser()
    made.add_argument("logs", nargs="+", type=Path)
    made.add_argument("--out", type=Path, required=True)
    made.add_argument("--counts", type=Path, help="folder of counts to add to")
    made.add_argument("--shards", type=int, default=16)
    made.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    made.add_argument(
        "--beam", action="store_true", help="Apache Beam pipelines, not processes"
    )
    return made


def run(job: feature_jobs.Job, given: argparse.Namespace) -> None:
    """Runs a job as the arguments say."""
    with told():
        before = given.counts and feature_jobs.counted(given.counts)
        if before and before["shards"] != given.shards:
            raise UserError(
                f"--shards {given.shards}: {given.counts} was made with "
                f"{before['shards']}; pass that."
            )
        feature_jobs.run(
            job,
            given.logs,
            given.out,
            counts=given.counts,
            shards=given.shards,
            each=jobs.beam() if given.beam else jobs.processes(given.workers),
        )
    print(f"wrote {given.out}")


def main() -> None:
    """Builds the feature."""
    made = parser()
    made.add_argument("--top", type=int, default=feature_logs.BOARD_TITLES)
    given = made.parse_args()
    run(feature_jobs.BoardTitles(given.top), given)


if __name__ == "__main__":
    main()
