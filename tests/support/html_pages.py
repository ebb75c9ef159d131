"""HTML of reports, looked at as a browser would."""

from html.parser import HTMLParser

ALONE = ("meta", "link", "br", "img", "input")
EMPTY = ("section", "table", "svg", "ol", "article", "figure", "h2", "dd")
"""Elements that hold something, or should not be there."""


class _Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.filled, self.faults, self.words = [], [], [], []

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        if len(set(names)) != len(names):
            self.faults.append(f"<{tag}> has an attribute twice")
        if self.filled:
            self.filled[-1] = True
        if tag not in ALONE:
            self.open.append(tag)
            self.filled.append(False)

    def handle_startendtag(self, tag, attrs):
        if self.filled:
            self.filled[-1] = True

    def handle_endtag(self, tag):
        if not self.open or self.open[-1] != tag:
            self.faults.append(f"</{tag}> closes {self.open[-3:]}")
            return
        self.open.pop()
        if not self.filled.pop() and tag in EMPTY:
            self.faults.append(f"<{tag}> is empty in {self.open[-3:]}")

    def handle_data(self, data):
        if data.strip() and self.filled:
            self.filled[-1] = True
            if self.open[-1] not in ("style", "script"):
                self.words.append(data.strip())


def check(page):
    """Fails where tags do not close each other or hold nothing; returns the words."""
    parser = _Page()
    parser.feed(page)
    parser.close()
    assert parser.faults == [] and parser.open == []
    return parser.words
