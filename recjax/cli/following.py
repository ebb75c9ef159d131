"""What a command prints at its end: the commands that come next."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path


def tell(commands: Sequence[str]) -> None:
    """Prints commands, where there are any."""
    if commands:
        print("next:", *(f"  {command}" for command in commands), sep="\n")


def after_train(run: Path) -> list[str]:
    """Returns what exports a finished run, where its experiment can be."""
    # The file that was named may have changed since: the run's own record is read.
    if "\nexport = None\n" in (run / "experiment.txt").read_text("utf-8"):
        return []
    to = f"bundles/{run.resolve().name}"
    return [shlex.join(["recjax", "export", str(run), "--to", to])]


def after_export(folder: Path) -> list[str]:
    """Returns what serves and asks a bundle; the question is one that it takes."""
    from recjax.bundle.open import open_bundle
    from recjax.bundle.queries import takers

    if not (folder / "vectors.npy").is_file():
        return []  # An encoder alone.
    opened = open_bundle(folder)
    takes = takers(opened.inputs) if "query" in opened.functions else {}
    asked = []
    if "history" in takes:
        asked = ["query", str(folder), "--history", opened.items.ids[0]]
    elif "text" in takes:
        asked = ["query", str(folder), "--text", opened.items.titles[0]]
    elif "step" in opened.functions:
        asked = ["session", "feed", str(folder), "EVENTS", "--states", "states.npz"]
    told = [["serve", str(folder)], *([asked] if asked else [])]
    return [shlex.join(["recjax", *words]) for words in told]
