"""Preparing a user's own log of sessions."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from recjax.prepare import validate_sessions as sessions_check
from recjax.prepare.datasets.sessions import OwnSessions
from recjax.prepare.prepare import OnBadRow, prepare_own
from recjax.tables.old.convert import Unit


def prepare_sessions(
    events: str | Path,
    *,
    out: str | Path,
    cut: sessions_check.Sessionize,
    columns: Mapping[str, str] | None = None,
    unit: Unit = "s",
    encoding: str = "utf-8",
    on_bad_row: OnBadRow = "error",
    max_bad_share: float = 0.01,
) -> Path:
    """Checks and prepares your own log of sessions; as `prepare_interactions`.

    Args:
      events: file with columns user, item, timestamp[, session][, impressions].
      out: name or path of the data set; see `place`.
      cut: how the log becomes sessions.
      columns: recjax's column name -> the file's, where they differ.
      unit: of numeric timestamps: "s" or "ms".
      encoding: of CSV files.
      on_bad_row: "error" or "skip".
      max_bad_share: the largest share of rows that "skip" leaves out.

    Raises:
      UserError: a file, an argument or `out` is bad; with the whole report.
    """
    options = {"columns": dict(columns or {}), "unit": unit, "encoding": encoding}
    return prepare_own(
        "sessions",
        partial(sessions_check.validate_sessions, events, **options),
        lambda c: partial(OwnSessions, data=sessions_check.from_checked(c, cut)),
        {"events": events},
        {**options, "cut": dict(vars(cut))},
        out=out,
        on_bad_row=on_bad_row,
        max_bad_share=max_bad_share,
    )
