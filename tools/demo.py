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

from recjax.data.prepared import ABOUT, prepared_path
from recjax.evals import results

EXPERIMENT, CONFIG = "experiments/two_tower_movielens.py", "configs/cpu.py"
RUN, BUNDLE = Path("runs/demo"), Path("bundles/demo")
STAMP, PAGE = RUN / "demo.json", RUN / "report.html"


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
    run(4, "ask the bundle, in a fresh process", script)
    print(f"\n[5/5] results and {PAGE}\n")
    found = json.loads((RUN / "result.json").read_text())["results"]
    print(results.text(found, ("two_tower", "validation"), {}, str(PAGE)))
    print(f"\nOpen {PAGE.resolve()} in a browser.")
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


def run(number: int, what: str, command: list[str]) -> None:
    """Runs a command, prints it and its time; ends the demo where it fails.

    Args:
      number: of the step.
      what: it does.
      command: the command.
    """
    shown = shlex.join(["python", *command[1:]])
    print(f"\n[{number}/5] {what}\n      {shown}", flush=True)
    began = time.perf_counter()
    with subprocess.Popen(command) as process:
        try:
            process.wait()
        except KeyboardInterrupt:
            process.wait()  # It was interrupted as well, and may be saving.
            raise
    if process.returncode:
        raise SystemExit(f"demo: `{shown}` ended with status {process.returncode}")
    print(f"      done in {time.perf_counter() - began:.1f} s", flush=True)


def done(number: int, what: str, where: Path) -> None:
    """Says that a step is not repeated."""
    print(f"\n[{number}/5] {what}\n      already done: {where} (remove it to repeat)")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit("\ndemo: interrupted; the same command goes on") from None
