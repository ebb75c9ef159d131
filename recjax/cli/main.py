"""The command line: parse a command, build what it names, call one function.

Exit status: 0 done (also after a signal that saved), 2 bad input, 130 interrupted, 1
other. Of several processes: 75 saved after a signal, 76 no step ended. Heavy imports
are inside the commands, so that `--help` is quick.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import tyro

from recjax import __version__, disk
from recjax.cli import (
    ask,
    data,
    init,
    launch,
    push,
    serve,
    session,
    status,
    sweep,
    users,
)
from recjax.cli.ending import leave, unraisable
from recjax.cli.files import Flat, Form, refuse_unused
from recjax.errors import UserError, nearest

Positional = tyro.conf.Positional
Repeated = tyro.conf.UseAppendAction

app = tyro.extras.SubcommandApp()
app.command(init.init)
app.command(data.app, name="data", help="Prepares and checks data sets.")
app.command(sweep.sweep)
app.command(launch.launch)
app.command(status.status)
app.command(ask.query)
app.command(ask.embed)
app.command(serve.serve)
app.command(push.push)
app.command(session.app, name="session", help="Serves users' sessions.")
app.command(users.app, name="users", help="PinnerSage: many embeddings a user.")
ABOUT = (
    "Trains, evaluates, exports and serves retrieval embeddings with JAX and Flax. "
    "`recjax COMMAND --help` says what a command takes, `recjax --version` its version."
)


@app.command
def doctor() -> None:
    """Shows devices, versions, known bad pairs of them, and the data that is found."""
    from recjax.doctor import report

    text, healthy = report()
    print(text)
    if not healthy:
        raise SystemExit(2)


@app.command
def show(
    experiment: Positional[str],
    on: str = "",
    set: Repeated[tuple[str, ...]] = (),
    set_runtime: Repeated[tuple[str, ...]] = (),
    tiny: bool = False,
    compile: bool = False,
    memory: str = "",
) -> None:
    """Shows an experiment resolved: settings, arrays, where they lie, and the batch.

    Args:
      experiment: file that defines experiment().
      on: file that defines runtime(); without it, all devices of this process.
      set: as of `recjax train`.
      set_runtime: as of `recjax train`.
      tiny: take tiny() instead of experiment().
      compile: compile the step too: FLOPs, memory, what devices send each other.
      memory: of a device, such as 16GiB: says what does not fit, and what would; the
        step is compiled for it.
    """
    from recjax.train.request import Request
    from recjax.train.summary import summarize

    request = Request(experiment, on, tiny, set, set_runtime)
    print(summarize(*request.resolve(), compile, memory))


@app.command
def train(
    experiment: Positional[str],
    workdir: Path,
    on: str = "",
    set: Repeated[tuple[str, ...]] = (),
    set_runtime: Repeated[tuple[str, ...]] = (),
    tiny: bool = False,
    variant: str = "",
    start: Annotated[str, tyro.conf.arg(name="from")] = "",
    profile: bool = False,
    debug: Literal["no", "nans", "nojit"] = "no",
    hosts: Literal["", "auto"] = "",
) -> None:
    """Trains an experiment and evaluates it; the same command goes on where it stopped.

    Args:
      experiment: file that defines experiment().
      workdir: run folder, for checkpoints, metrics and results.
      on: file that defines runtime(); without it, all devices of this process.
      set: override, for example --set model.query.width=128; may be repeated.
      set_runtime: override of the runtime, for example log_every=10; may be repeated.
      tiny: take tiny() instead of experiment().
      variant: take this one of sweep() instead.
      start: run folder to start from: what it learned of ids, categories and texts that
        the data still has (prepared with --extend) is kept, the rest starts anew.
      profile: trace ten steps into WORKDIR/profile.
      debug: "nans" stops at the operation that makes a NaN, "nojit" runs without
        compilation.
      hosts: "auto" joins the other processes of this SLURM job or TPU pod.
    """
    from recjax.cli import following
    from recjax.launch.hosts import first
    from recjax.launch.join import PREEMPTED, joined
    from recjax.runs import train_run
    from recjax.train.request import Request

    request = Request(experiment, on, tiny, set, set_runtime, variant, start)
    finished = train_run(request, workdir, profile, debug, hosts)
    if joined() and finished is None:
        raise SystemExit(PREEMPTED)
    if finished is not None and first():
        following.tell(following.after_train(workdir))


@app.command(name="eval")
def evaluate(
    run: Positional[Path],
    watch: bool = False,
    best: bool = False,
    triplets: Path | None = None,
    images: Path | None = None,
    beside: Repeated[tuple[str, ...]] = (),
    pools: Path | None = None,
    top: int = 30,
    hosts: Literal["", "auto"] = "",
    *,
    form: Flat[Form],
) -> None:
    """Runs the evaluations of a trained run and prints their table.

    With --triplets, prints similarity precision on your own judged triplets instead.

    Args:
      run: run folder; with --triplets, a bundle of an image model too.
      watch: go on, evaluating each new checkpoint as it appears.
      best: evaluate the best checkpoint instead of the newest.
      triplets: table of query_image, positive_image, negative_image[, text_query].
      images: folder that the table's paths start from.
      beside: what else judges the same triplets: lab, hog, handcrafted, imagenet,
        imagenet1, imagenet2 (EfficientNet-Lite0 to 2 as published; several are joined
        by "+"), or another run or bundle; may be repeated.
      pools: table of text_query and image: adds score-at-top-K of these rankings.
      top: K of it.
      hosts: "auto" joins the other processes of this SLURM job or TPU pod.
      form: how these tables are written.
    """
    from recjax.runs import eval_run, eval_triplets

    refuse_unused(form, "--triplets", triplets)
    if beside and triplets is None:
        raise UserError("--beside says what else judges --triplets, and none are given")
    if triplets is None:
        eval_run(run, watch, best, hosts)
    elif images is None:
        raise UserError("--triplets needs --images: the folder of the images")
    else:
        how = top, best, form.options, beside
        eval_triplets(run, triplets, images, pools, *how)


@app.command
def export(
    run: Positional[Path],
    to: Path,
    set: Repeated[tuple[str, ...]] = (),
    best: bool = False,
) -> None:
    """Writes a bundle: vectors, index, SavedModel, jax.export, manifest; all checked.

    Args:
      run: run folder.
      to: folder of the bundle; must not exist.
      set: override of how it is exported, for example --set export.corpus=query or
        --set export.saved_model=false; may be repeated.
      best: export the best checkpoint instead of the newest.
    """
    from recjax.cli import following
    from recjax.export import export_run

    export_run(run, to, set, best)
    following.tell(following.after_export(to))


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line.

    Args:
      arguments: what stands after `recjax`; None takes the process's own.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # Closed before the start.
            setattr(sys, name, open(os.devnull, "w"))
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S"
    )
    for noisy in ("absl", "asyncio", "orbax", "jax", "tensorflow"):
        # What they call an error is raised as well, and told once.
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if not isinstance(sys.unraisablehook, partial):  # Once, however often this runs.
        sys.unraisablehook = partial(unraisable, sys.unraisablehook)
    try:
        _run(list(sys.argv[1:] if arguments is None else arguments))
    except UserError as error:
        leave(2, error)
        print(f"recjax: error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        print("recjax: interrupted", file=sys.stderr)
        raise SystemExit(130) from None
    except BrokenPipeError:
        # Python flushes once more at its end, and would tell that nobody listens.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except OSError as error:
        if error.filename is None and error.errno not in disk.FULL:
            raise
        reason = disk.told(error.errno, error.strerror)
        reason = f"{error.filename or 'cannot write the output'}: {reason}"
        leave(2, reason)
        print(f"recjax: error: {reason}", file=sys.stderr)
        raise SystemExit(2) from None
    except Exception as error:
        leave(1, f"{type(error).__name__}: {error}", error)
        raise


def _run(words: list[str]) -> None:
    if words == ["--version"]:
        print(f"recjax {__version__}")
    else:
        _check_command(words)
        app.cli(args=words, prog="recjax", description=ABOUT)
    sys.stdout.flush()


def _check_command(words: Sequence[str]) -> None:
    """Names the nearest command where there is none of a name.

    Raises:
      UserError: there is no such command.
    """
    commands, said = app, "recjax"
    for word in words:
        known = getattr(commands, "_subcommands", {})
        if not known or word.startswith("-"):
            return
        name = next((n for n in known if n == word.replace("-", "_")), word)
        if name not in known:
            told = f"{said} has no command {word!r}.{nearest(name, known)}"
            raise UserError(f"{told} There are {', '.join(known)} (`{said} --help`)")
        commands, said = known[name].target, f"{said} {word}"
