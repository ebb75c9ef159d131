"""The commands that ask a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import tyro

from recjax.cli.files import Flat, Form
from recjax.errors import UserError

Positional = tyro.conf.Positional
Repeated = tyro.conf.UseAppendAction


def query(
    bundle: Positional[Path],
    text: str = "",
    history: Repeated[tuple[tuple[str, ...], ...]] = (),
    k: Annotated[int, tyro.conf.arg(aliases=["-k"])] = 10,
    json: bool = False,
    column: Repeated[tuple[str, ...]] = (),
    where: Repeated[tuple[str, ...]] = (),
) -> None:
    """Asks a bundle: what fits this text, or follows this history?

    Args:
      bundle: folder that `recjax export` wrote.
      text: query text.
      history: item ids, the oldest first; may be repeated.
      k: number of results.
      json: print JSON instead of a table.
      column: NAME=VALUE of the user or of the moment, as in --column age=24; lists and
        vectors as JSON, moments as 2026-11-29T18:00 (UTC); may be repeated.
      where: condition on the items' columns, as in --where "price < 50"; may be
        repeated: all must hold.
    """
    from recjax.api.ask import answers
    from recjax.bundle.ask import listed
    from recjax.bundle.open import open_bundle
    from recjax.bundle.queries import from_texts

    if k < 1:
        raise UserError(f"-k {k}: ask for at least one result")
    raw: dict[str, list[Any]] = {"text": [text]} if text.strip() else {}
    met = [item for part in history for item in part]
    raw |= {"history": [met]} if met else {}
    if not raw and not column:
        raise UserError("there is nothing to ask: give --text, --history or --column")
    opened = open_bundle(bundle)
    raw |= from_texts(column, opened.inputs) if column else {}
    print(listed(answers(opened, raw, k, where), json))


def embed(
    bundle: Positional[Path],
    text: Repeated[tuple[str, ...]] = (),
    items: Path | None = None,
    to: Path | None = None,
    k: Annotated[int, tyro.conf.arg(aliases=["-k"])] = 0,
    *,
    form: Flat[Form],
) -> None:
    """Embeds new queries, or new items that no training has met.

    Args:
      bundle: folder that `recjax export` wrote.
      text: query text; may be repeated.
      items: file of items: CSV, TSV or Parquet, with the columns of the data set's own.
      to: .npy file for the vectors; without it they are printed as JSON.
      k: items of the bundle to find for each; 0 finds none.
      form: how the file is written.
    """
    from recjax.bundle import ask

    print(ask.embed(bundle, text, items, to, k, form.options))
