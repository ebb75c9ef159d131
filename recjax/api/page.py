"""A page of HTML that a notebook shows."""

from __future__ import annotations

import html
from dataclasses import dataclass
from pathlib import Path

HEIGHT = 640


@dataclass(frozen=True)
class Page:
    """A report on disk, which needs no other file.

    Attributes:
      path: the HTML file.
    """

    path: Path

    def __repr__(self) -> str:
        """Returns where it lies."""
        return f"<report {self.path}>"

    def _repr_html_(self) -> str:
        text = html.escape(self.path.read_text("utf-8"), quote=True)
        style = f"width:100%;height:{HEIGHT}px;border:1px solid #ccc"
        return f'<iframe srcdoc="{text}" style="{style}"></iframe>'
