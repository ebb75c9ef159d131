"""One HTML page that needs no other file: sections of tables, plots and text."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from recjax.evals.reports.style import SCRIPT, STYLE
from recjax.evals.reports.svg import safe


@dataclass(frozen=True)
class Section:
    """A part of a page.

    Attributes:
      title: its heading.
      note: what the reader should know, one paragraph; may be empty.
      body: HTML, in which every text is escaped already.
    """

    title: str
    note: str = ""
    body: str = ""


def page(title: str, sections: Sequence[Section], lead: str = "") -> str:
    """Returns an HTML page.

    Args:
      title: its heading.
      sections: its parts, in order.
      lead: HTML below the heading.
    """
    parts = [
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="data:,"><title>{safe(title)}</title>\n'
        f"<style>{STYLE}</style></head>\n<body><h1>{safe(title)}</h1>{lead}"
    ]
    for section in sections:
        note = f'<p class="note">{safe(section.note)}</p>' if section.note else ""
        parts.append(f"<section><h2>{safe(section.title)}</h2>{note}")
        parts.append(f"{section.body}</section>")
    parts.append(f"<script>{SCRIPT}</script></body></html>\n")
    return "\n".join(parts)


def table(rows: Sequence[Sequence[str]], kind: str = "") -> str:
    """Returns a table of texts; it scrolls where it is wider than the page.

    Args:
      rows: cells; the first row is the heading, empty cells make it none.
      kind: class of the table.
    """
    head, *body = rows
    lines = [_row(head, "th")] if any(head) else []
    lines += [_row(row, "td") for row in body]
    found = "\n".join(lines)
    return f'<div class="scroll"><table class="{kind}">{found}</table></div>'


def facts(rows: Sequence[tuple[str, str]]) -> str:
    """Returns names and what is known of each, in columns where there is room."""
    found = "\n".join(
        f"<div><dt>{safe(name)}</dt><dd>{safe(value)}</dd></div>"
        for name, value in rows
    )
    return f'<dl class="facts">{found}</dl>'


def folded(title: str, body: str) -> str:
    """Returns HTML that is seen once its title is clicked."""
    return f"<details><summary>{safe(title)}</summary>{body}</details>"


def figure(title: str, body: str, note: str = "") -> str:
    """Returns HTML of a plot with its title."""
    below = f'<p class="note">{safe(note)}</p>' if note else ""
    return f"<figure><figcaption>{safe(title)}</figcaption>{body}{below}</figure>"


def legend(names: Sequence[tuple[str, str, str]]) -> str:
    """Returns the legend of a plot: name, colour and dash of each line."""
    made = [
        f'<span><i class="{dash and "dashed"}" style="border-color:{colour}"></i>'
        f"{safe(name)}</span>"
        for name, colour, dash in names
    ]
    return f'<div class="legend">{"".join(made)}</div>'


def image(data: bytes, alt: str, kind: str = "") -> str:
    """Returns a PNG or JPEG as part of the page."""
    form = "png" if data.startswith(b"\x89PNG") else "jpeg"
    code = base64.b64encode(data).decode()
    of = f' class="{kind}"' if kind else ""
    return f'<img{of} alt="{safe(alt)}" src="data:image/{form};base64,{code}">'


def short(text: str, most: int = 120) -> str:
    """Returns a text, cut where it is longer than that."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def _row(cells: Sequence[str], kind: str) -> str:
    return f"<tr>{''.join(f'<{kind}>{safe(c)}</{kind}>' for c in cells)}</tr>"
