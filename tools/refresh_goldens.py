"""Writes tests/goldens/: the resolved text of every experiment on every config.

    python tools/refresh_goldens.py && git diff tests/goldens

One file an experiment: its settings, those of `tiny()` and of each variant of `sweep()`
that differ, and where it runs.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from recjax import settings
from recjax.experiment import load_experiment, load_runtime, load_sweep

ROOT = Path(__file__).resolve().parents[1]
GOLDENS = ROOT / "tests" / "goldens"


def goldens() -> dict[str, str]:
    """Returns file name -> text, for every experiment."""
    where = [_on(path) for path in sorted((ROOT / "configs").glob("*.py"))]
    return {
        f"{path.stem}.txt": "\n".join([_what(path), *where])
        for path in sorted((ROOT / "experiments").glob("*.py"))
        if not path.stem.startswith("pinnersage_")
    }


def main() -> None:
    """Writes the files, and removes those of experiments that are gone."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    texts = goldens()
    GOLDENS.mkdir(parents=True, exist_ok=True)
    for path in GOLDENS.glob("*.txt"):
        if path.name not in texts:
            path.unlink()
    for name, text in texts.items():
        (GOLDENS / name).write_text(text, encoding="utf-8")
    print(f"wrote {len(texts)} files to {GOLDENS}")


def _what(path: Path) -> str:
    full, tiny = (
        settings.to_text(load_experiment(str(path), tiny=tiny))
        for tiny in (False, True)
    )
    known = set(full.splitlines())
    changed = [line for line in tiny.splitlines() if line not in known]
    parts = [full, "# tiny() differs in", *changed, ""]
    for name, variant in load_sweep(str(path)).items():
        text = settings.to_text(variant).splitlines()
        gone = _gone(full.splitlines(), text)
        new = [f"+ {line}" for line in text if line not in known]
        parts += [f"# sweep() {name!r} differs in", *gone, *new, ""]
    return "\n".join(parts)


def _gone(before: list[str], now: list[str]) -> list[str]:
    """Returns the lines that are gone; of a part that is gone as a whole, its first."""
    kept, paths, whole = set(now), {settings.path_of(line) for line in now}, "\n"
    found = []
    for line in before:
        path = settings.path_of(line)
        if line in kept or path.startswith(f"{whole}."):
            continue
        found.append(f"- {line}")
        whole = whole if path in paths else path
    return found


def _on(path: Path) -> str:
    text = settings.to_text(load_runtime(str(path)))
    return f"# on configs/{path.name}\n{text}"


if __name__ == "__main__":
    main()
