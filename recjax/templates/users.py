"""Item vectors for PinnerSage: several embeddings of each user, by clustering."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from recjax.data.prepared import Prepared
from recjax.experiment import Experiment
from recjax.templates import chosen
from recjax.templates.two_tower import two_tower


def users(data: Prepared | str | Path, say: chosen.Say = print) -> Experiment:
    """Returns an experiment whose item vectors `rj.cluster_users` clusters by user.

    It is `two_tower` with vectors of length 1, whose distances are those of Ward's
    rule.

    Args:
      data: prepared data with events, or its name or folder.
      say: takes a line for each choice, with its reason.

    Raises:
      UserError: the data is not prepared, or has no events.
    """
    chosen.opened(data, "users", "events")
    made = two_tower(data, say, fused=False)
    say(
        "vectors: of length 1, for clusters by distance; next: rj.cluster_users(events,"
        " bundle)"
    )
    towers: Any = made.model
    model = replace(
        towers,
        query=towers.query.clone(normalize=True),
        candidate=towers.candidate.clone(normalize=True),
        temperature=0.1,
        learn_temperature=True,
    )
    return replace(made, name=f"users_{chosen.data_name(data)}", model=model)
