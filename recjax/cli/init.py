"""The `recjax init` command: an experiment of one's own to begin with."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Literal

from recjax import disk
from recjax.errors import UserError

Template = Literal[
    "two_tower", "search", "catalog", "sessions", "sequences", "images", "users"
]


def init(template: Template, data: str, to: Path | None = None) -> None:
    """Writes an experiment that fits prepared data, to be read, changed and trained.

    Args:
      template: two_tower (what next, from events and texts), search (products by
        graded judgements), catalog (several kinds of things by actions), sessions
        (what next in a session), sequences (what next, by order alone), images (what
        looks alike) or users (item vectors for many embeddings of a user).
      data: name or folder of prepared data.
      to: file to write; TEMPLATE.py in this folder without it.
    """
    from recjax import templates, written

    to = to or Path(f"{template}.py")
    if to.exists():
        raise UserError(f"{to} exists: choose another file with --to")
    choices: list[str] = []
    made = getattr(templates, template)(data, choices.append)
    command = f"recjax train {to} --workdir runs/{made.name}"
    about = f"{made.name}: what the template {template} chose for {data}."
    why = textwrap.fill("; ".join(choices) + ".", 88)
    text = written.file(made, "experiment", f"{about}\n\n{why}\n\n{command}")
    with disk.writing("the experiment", to, "choose another file with --to"):
        disk.write_text(to, text)
    print(*choices, f"wrote {to}; next:", sep="\n")
    print(f"  {command}")
