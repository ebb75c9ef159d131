"""The `recjax init` command: an experiment of one's own to begin with."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Literal

from recjax import disk
from recjax.errors import UserError

TEMPLATES = {
    "two_tower": "two_tower_movielens",
    "search": "search_without_training",
    "omni_search": "omnisearchsage_catalog",
    "hiertcn": "hiertcn_tmall",
    "deep_ranking": "deep_ranking_grocery",
}
"""Name -> experiment that is copied."""


def init(
    template: Literal["two_tower", "search", "omni_search", "hiertcn", "deep_ranking"],
    to: Path | None = None,
) -> None:
    """Copies an experiment here, to be read, changed and trained.

    Args:
      template: two_tower (what next, from events and texts), search (products by words
        and meaning, without training), omni_search (one query embedding for several
        kinds of items), hiertcn (what next in a session) or deep_ranking (images by
        graded relevance).
      to: file to write; TEMPLATE.py in this folder without it.
    """
    to = to or Path(f"{template}.py")
    if to.exists():
        raise UserError(f"{to} exists: choose another file with --to")
    name = f"{TEMPLATES[template]}.py"
    text = (_folder() / name).read_text("utf-8").replace(f"experiments/{name}", str(to))
    with disk.writing("the experiment", to, "choose another file with --to"):
        disk.write_text(to, text)
    told = (ast.get_docstring(ast.parse(text)) or "").splitlines()
    commands = [line for line in told if line.startswith("recjax ")]
    print(f"wrote {to}; next:", *commands[:2], sep="\n  ")
    print(
        "or, with data of your own (`recjax data prepare --help`), train it with\n"
        "  --set data.source=NAME"
    )


def _folder() -> Path:
    """Returns where the experiments lie: in the package, or beside it in a checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "templates"
    return installed if installed.is_dir() else package.parent / "experiments"
