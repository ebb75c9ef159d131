"""`make demo`: raw data -> training -> evaluation -> bundle -> answers -> report.html.

Runs the commands that a user would type, prints each of them with its time, and keeps
what is done: a second call only repeats the cheap end. When settings, code or data have
changed since, it says so and starts anew.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from recjax.data.prepared import ABOUT, prepared_path
from recjax.evals.reports import page as report
from recjax.evals.run_evaluations import MAIN
from recjax.train.run_folder import request_of
from recjax.train.writer import read_metrics

EXPERIMENT, CONFIG = "experiments/two_tower_movielens.py", "configs/cpu.py"
RUN, BUNDLE = Path("runs/demo"), Path("bundles/demo")
STAMP, PAGE = RUN / "demo.json", RUN / "report.html"
CURVE = "validation/ndcg@10"
ABOUT_TABLE = (
    "Test events are the last tenth in time. Every method sees the user's whole "
    "history up to the event and ranks every film that the user has not rated yet. "
    "Recall@K: how often the next film is among the first K. Coverage@K: the share of "
    "films that anyone gets to see there."
)
ABOUT_CURVE = (
    "Loss of the training steps, and NDCG@10 of the validation events, which lie just "
    "before the test events. It starts high, since the embedding joins what was "
    "counted (which film follows which) to what is learned."
)
ABOUT_MAP = (
    "The 700 films that were rated most, placed by t-SNE of their embeddings: near "
    "films are near in what the model learned. A film's colour is the rarest of its "
    "genres among the nine commonest; larger dots were rated more often."
)
ABOUT_ANSWERS = (
    "A fresh process that has the bundle alone ranks all films, for three users of the "
    "test events, whom no hand picked, and for three texts; in brackets the score."
)


def main() -> None:
    """Does the steps in order."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    began = time.perf_counter()
    step(1, "prepare the data", "data", "prepare", "movielens_100k")
    keep_or_clear()
    if (RUN / "result.json").exists():
        done(2, "train", RUN)
    else:
        step(2, "train", "train", EXPERIMENT, "--on", CONFIG, "--workdir", str(RUN))
        if not (RUN / "result.json").exists():
            raise SystemExit("demo: training was stopped; the same command goes on")
    if BUNDLE.exists():
        done(3, "export", BUNDLE)
    else:
        step(3, "export, load back, compare", "export", str(RUN), "--to", str(BUNDLE))
    script = [sys.executable, "tools/demo_answers.py", str(RUN), str(BUNDLE)]
    answers = run(4, "ask the bundle, in a fresh process", script, capture=True)
    print(f"\n[5/5] results and {PAGE}")
    result = json.loads((RUN / "result.json").read_text())
    rows = table(result)
    print("\n" + plain(rows) + "\n")
    write_page(result, rows, answers)
    print(f"Open {PAGE.resolve()} in a browser.")
    print(f"make demo took {time.perf_counter() - began:.0f} s (after installation).")


def keep_or_clear() -> None:
    """Removes the run and the bundle of another state of code, settings or data."""
    stamp = {"of": fingerprint()}
    if RUN.exists() and (not STAMP.exists() or json.loads(STAMP.read_text()) != stamp):
        print(f"      code, settings or data have changed: removing {RUN} and {BUNDLE}")
        shutil.rmtree(RUN)
        shutil.rmtree(BUNDLE, ignore_errors=True)
    elif not RUN.exists():
        shutil.rmtree(BUNDLE, ignore_errors=True)
    RUN.mkdir(parents=True, exist_ok=True)
    STAMP.write_text(json.dumps(stamp) + "\n")


def fingerprint() -> str:
    """Returns a hash of everything that the run depends on."""
    files = [*sorted(Path("recjax").rglob("*.py")), Path(EXPERIMENT), Path(CONFIG)]
    digest = hashlib.sha256()
    for path in [*files, prepared_path("movielens_100k") / ABOUT]:
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def step(number: int, what: str, *arguments: str) -> None:
    """Runs a recjax command."""
    run(number, what, [sys.executable, "-m", "recjax", *arguments])


def run(number: int, what: str, command: list[str], capture: bool = False) -> str:
    """Runs a command, prints it and its time; ends the demo where it fails.

    Args:
      number: of the step.
      what: it does.
      command: the command.
      capture: print the output only when it is complete, and return it.
    """
    shown = shlex.join(["python", *command[1:]])
    print(f"\n[{number}/5] {what}\n      {shown}", flush=True)
    began = time.perf_counter()
    pipe = subprocess.PIPE if capture else None
    with subprocess.Popen(command, stdout=pipe, text=True) as process:
        try:
            output, _ = process.communicate()
        except KeyboardInterrupt:
            process.wait()  # It was interrupted as well, and may be saving.
            raise
    if process.returncode:
        raise SystemExit(f"demo: `{shown}` ended with status {process.returncode}")
    if capture:
        print(output, end="")
    print(f"      done in {time.perf_counter() - began:.1f} s", flush=True)
    return output or ""


def done(number: int, what: str, where: Path) -> None:
    """Says that a step is not repeated."""
    print(f"\n[{number}/5] {what}\n      already done: {where} (remove it to repeat)")


def table(result: dict) -> list[list[str]]:
    """Returns the results as cells, a row a method, the heading first."""
    rows = [["", *MAIN, "training s", "ranking s"]]
    for name, figures in result["results"].items():
        if name == "validation":
            continue
        cells = [f"{figures[metric]:.4f}" for metric in MAIN]
        trained = name == "two_tower"
        seconds = f"{result['training']['wall_s']:.1f}" if trained else "-"
        rows.append([name, *cells, seconds, f"{figures['seconds']:.1f}"])
    return rows


def plain(rows: list[list[str]]) -> str:
    """Returns cells as text in columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            [row[0].ljust(widths[0])]
            + [c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True)]
        )
        for row in rows
    )


def write_page(result: dict, rows: list[list[str]], answers: str) -> None:
    """Writes report.html."""
    experiment, _ = request_of(RUN).resolve()
    data = experiment.data.open(experiment.seed)
    known = data.interactions
    weight = np.bincount(
        known.item[data.training_events], minlength=len(known.item_ids)
    )
    vectors = np.load(BUNDLE / "vectors.npy")
    ranked = {k: v for k, v in result["results"].items() if k != "validation"}
    facts = {**data.facts(), **result["environment"], **result["training"]}
    lines = read_metrics(RUN)
    curve = report.learning_curve(lines, CURVE)
    places = report.item_map(vectors, known.titles, known.tags, weight)
    sections = [
        report.Section("Results on the test events", ABOUT_TABLE, table=rows),
        report.Section("Recall over K", picture=report.recall_curves(ranked)),
        report.Section("Learning curve", ABOUT_CURVE, picture=curve),
        report.Section("A map of the films", ABOUT_MAP, picture=places),
        report.Section(
            "Answers of the exported bundle", ABOUT_ANSWERS, text=answers.strip()
        ),
        report.Section("The run", text=listed(facts)),
    ]
    PAGE.write_text(report.page("MovieLens-100K: a two-tower with recjax", sections))


def listed(facts: dict) -> str:
    """Returns facts as text, one a line."""
    short = {k: f"{v:.1f}" if isinstance(v, float) else v for k, v in facts.items()}
    return "\n".join(f"{key}: {v}" for key, v in short.items())


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit("\ndemo: interrupted; the same command goes on") from None
