"""The command `recjax serve`: bundles behind a port."""

from __future__ import annotations

import os
from pathlib import Path

import tyro

from recjax.cli.files import Flat
from recjax.errors import UserError
from recjax.extras import require
from recjax.serve.http.limits import Limits

LOCAL = ("127.0.0.1", "::1", "localhost")
TOKEN = "RECJAX_TOKEN"
PACKAGES = (
    *("uvicorn", "httptools", "uvloop", "starlette", "orjson", "prometheus_client"),
)
"""What only a server needs."""

Positional = tyro.conf.Positional
Repeated = tyro.conf.UseAppendAction


def serve(
    bundles: Positional[tuple[str, ...]],
    port: int = 8501,
    host: str = "127.0.0.1",
    workers: int = 1,
    wait_us: int = 0,
    label: Repeated[tuple[str, ...]] = (),
    token_file: Path | None = None,
    no_auth: tyro.conf.FlagCreatePairsOff[bool] = False,
    log_requests: bool = False,
    poll_s: float = 5.0,
    pictures: Repeated[tuple[str, ...]] = (),
    *,
    limits: Flat[Limits],
) -> None:
    """Answers over HTTP as TensorFlow Serving does, without TensorFlow.

    Args:
      bundles: folder that `recjax export` wrote, or folder of numbered ones, of which
        the newest answers; NAME=FOLDER gives the model another name than its folder's.
      port: to listen at; 0 takes a free one, which the log names.
      host: address to listen at; any but this machine's own needs a token.
      workers: processes that share the port.
      wait_us: microseconds that a batch waits for more requests; 0 takes what has come.
      label: NAME/LABEL=VERSION: keeps a version beside the newest; may be repeated.
      token_file: file of the token that requests must bear; else RECJAX_TOKEN has it.
      no_auth: listen at any address without a token.
      log_requests: log every request, not only those that were refused.
      poll_s: seconds between looks for new versions.
      pictures: NAME=FOLDER: pictures that the page shows, named by the ids of items;
        may be repeated.
      limits: what is taken of a request, and of all at once.
    """
    for package in PACKAGES:
        require(package, "serve", "recjax serve")
    from recjax.serve.http.models import Source
    from recjax.serve.http.run import Settings
    from recjax.serve.http.workers import serve as start

    if not bundles:
        raise UserError("give at least one bundle: recjax serve BUNDLE")
    if workers < 1 or wait_us < 0 or not poll_s > 0:
        given = f"--workers {workers} --wait-us {wait_us} --poll-s {poll_s}"
        raise UserError(f"{given}: at least 1, at least 0, above 0")
    sources = [Source.of(one) for one in bundles]
    names = [one.name for one in sources]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"two models are called {name!r}: give NAME=FOLDER")
    token = _token(token_file)
    if host not in LOCAL and not token and not no_auth:
        raise UserError(
            f"--host {host} lets others ask: give --token-file FILE (or {TOKEN}), or "
            "--no-auth where something else guards the port"
        )
    labels = _labels(label, names)
    start(
        Settings(
            sources,
            labels=labels,
            host=host,
            port=port,
            workers=workers,
            wait_us=wait_us,
            token=token,
            log_all=log_requests,
            poll_s=poll_s,
            pictures=_pictures(pictures, names),
            limits=limits,
        )
    )


def _token(path: Path | None) -> str:
    token = os.environ.get(TOKEN, "")
    if path is not None:
        try:
            token = path.read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"--token-file {path}: cannot be read ({error})") from error
        if not token.strip():
            raise UserError(f"--token-file {path}: it is empty")
    return token.strip()


def _labels(given: tuple[str, ...], names: list[str]) -> dict[str, dict[str, int]]:
    labels: dict[str, dict[str, int]] = {name: {} for name in names}
    for one in given:
        place, _, version = one.rpartition("=")
        name, _, label = place.rpartition("/")
        if name not in labels or not label or not version.isdecimal():
            raise UserError(f"--label {one}: give NAME/LABEL=VERSION, NAME of {names}")
        labels[name][label] = int(version)
    return labels


def _pictures(given: tuple[str, ...], names: list[str]) -> dict[str, Path]:
    folders = {}
    for one in given:
        name, _, place = one.partition("=")
        if name not in names or not Path(place).is_dir():
            raise UserError(f"--pictures {one}: give NAME=FOLDER, NAME of {names}")
        folders[name] = Path(place).resolve()
    return folders
