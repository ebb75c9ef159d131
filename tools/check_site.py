"""Checks that what the built site links to inside itself is there, without a network.

python tools/check_site.py docs/_build/html
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class _Page(HTMLParser):
    """Gathers the links of a page, and what can be linked to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = {""}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src") and value and tag != "base":
                self.links.append(value)
            elif name in ("id", "name") and value and tag != "meta":
                self.anchors.add(value)


def broken(site: Path) -> list[str]:
    """Returns a line for each link to a file or a part of a page that is not there."""
    pages = {path: _Page(path.read_text("utf-8")) for path in site.rglob("*.html")}
    found = []
    for path, page in pages.items():
        for link in page.links:
            to = urlsplit(link)
            if to.scheme or to.netloc:
                continue
            target = (path.parent / unquote(to.path)).resolve() if to.path else path
            other = pages.get(target)
            if not target.exists():
                found.append(f"{path.relative_to(site)}: no file for {link}")
            elif other is not None and unquote(to.fragment) not in other.anchors:
                found.append(f"{path.relative_to(site)}: no such part: {link}")
    return sorted(set(found))


def main(folder: str) -> None:
    """Lists what is broken; none is a success."""
    site = Path(folder).resolve()
    found = broken(site)
    print(
        "\n".join(found) or f"{sum(1 for _ in site.rglob('*.html'))} pages: links hold"
    )
    raise SystemExit(bool(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
