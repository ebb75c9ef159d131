"""Builds the queries that pins or products were found by, from a log of engagements.

    python tools/build_engaged_queries.py events-*.parquet --now 2024-07-01 \
        --counts counts --out engaged_queries.parquet

A log has the columns id, query and timestamp (unix seconds), a row an engagement. Join
the result to the table of pins on `id`. With --counts FOLDER the counts are kept by
periods of --every days: the next run takes only periods that are new, so passing a log
again does no harm, and forgets those that left the window. A period counts once it is
over. What is written equals what counting the whole window again would give.
"""

from __future__ import annotations

import datetime

from build_board_titles import parser, run

from recjax.prepare import feature_jobs, feature_logs


def main() -> None:
    """Builds the feature."""
    made = parser()
    made.add_argument("--now", type=datetime.date.fromisoformat, required=True)
    made.add_argument("--every", type=int, default=7, help="days of a period")
    made.add_argument("--window", type=int, default=feature_logs.WINDOW_DAYS)
    made.add_argument("--top", type=int, default=feature_logs.ENGAGED_QUERIES)
    given = made.parse_args()
    days = (given.now - datetime.date(1970, 1, 1)).days
    after = -1
    if given.counts and (before := feature_jobs.counted(given.counts)):
        if before["every"] != given.every:
            raise SystemExit(
                f"error: --every {given.every}: {given.counts} was made with "
                f"{before['every']}; pass that, or another folder."
            )
        after = before["now"] // (given.every * feature_logs.DAY) - 1
    job = feature_jobs.EngagedQueries(
        now=days * feature_logs.DAY,
        every=given.every,
        window=given.window,
        after=after,
        top=given.top,
    )
    run(job, given)


if __name__ == "__main__":
    main()
