"""Sample queries and their answers in HTML: titles, pictures, what came before."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from recjax.evals.answers import Answer, Shown
from recjax.evals.reports.page import image, short
from recjax.evals.reports.svg import safe
from recjax.images.decode import BadImageError


def answers_html(answers: Sequence[Answer]) -> str:
    """Returns a card a query, or a row of pictures where queries are pictures."""
    made = [_grid(one) if _pictured(one) else _card(one) for one in answers]
    return f'<div class="answers">{"".join(made)}</div>'


def _pictured(one: Answer) -> bool:
    return one.asked is not None and one.asked.picture is not None


def _grid(one: Answer) -> str:
    """Returns the picture that is asked, and those that it finds."""
    shown = [_tile(one.asked, "asked")] if one.asked is not None else []
    shown += [_tile(found, found.mark) for found in one.found]
    return f'<div class="grid">{"".join(shown)}{_missed(one)}</div>'


def _tile(shown: Shown, kind: str) -> str:
    name = safe(short(shown.title, 40))
    alt = f"{shown.title}: {kind}"
    return f'<figure class="{kind}">{picture_html(shown, alt)}{name}</figure>'


def _card(one: Answer) -> str:
    parts = []
    if one.asked is not None and one.asked.title:
        parts.append(f"<h3>“{safe(short(one.asked.title, 200))}”</h3>")
    if one.before or one.session:
        parts += [
            _past("Earlier, the newest last" if one.session else "After", one.before),
            _past("In this session", one.session),
        ]
    elif one.asked is None:
        parts.append("<p>Nothing is known of the user.</p>")
    found = [
        f'<li class="{s.mark}">{picture_html(s, s.title, "small")}'
        f"{safe(short(s.title))}</li>"
        for s in one.found
    ]
    parts.append(f"<ol>{''.join(found)}</ol>{_missed(one)}")
    return f'<article class="answer">{"".join(parts)}</article>'


def _past(name: str, events: Sequence[Shown]) -> str:
    """Returns what was done before, in a row, as on a line of time."""
    made = [
        f"<li>{safe(short(one.title, 60))}<small>{safe(one.note)}</small></li>"
        for one in events
    ]
    if not made:
        return ""
    return f'<small>{name}</small><ol class="past">{"".join(made)}</ol>'


def _missed(one: Answer) -> str:
    """Returns what should have been found and was not."""
    if not one.missed:
        return ""
    named = [
        f"{safe(short(s.title))} <small>{safe(s.note)}</small>" for s in one.missed
    ]
    more = f", and {one.more:,} more" if one.more else ""
    return f'<p class="missed"><b>Missed:</b> {", ".join(named)}{more}</p>'


def picture_html(shown: Shown, alt: str, kind: str = "") -> str:
    """Returns what is shown as a small picture; "" where it has none."""
    if shown.picture is not None:
        with contextlib.suppress(BadImageError):
            return image(shown.picture(), short(alt), kind)
    return ""
