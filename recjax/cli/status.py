"""The command `recjax status`: where a run stands, and where its time went."""

from __future__ import annotations

from pathlib import Path

import tyro


def status(run: tyro.conf.Positional[Path]) -> None:
    """Shows where a run stands, whether it is being trained, and where its time went.

    Args:
      run: run folder.
    """
    from recjax.train.status import report

    print(report(run))
