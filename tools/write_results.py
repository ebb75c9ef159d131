"""Writes the tables of results in documents from docs/results/*.csv, the one source.

    python tools/write_results.py            # writes them
    python tools/write_results.py --check    # fails where a document differs

A document has the table of a file between two comments, with some of its columns if
these are named:

    <!-- results: catalog: pin saves; queries -->
    <!-- end of results -->

A file has a row a method: `kind` (model, rival, counts, fusion, variant or published),
`method`, the number of `seeds`, measures (with `X ±`, the standard deviation over
seeds, where it is known) and `command`, which made the row. summary.csv picks rows.
"""

import csv
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs/results"
DOCUMENTS = ("README.md", "docs/results.md", "docs/measurements/history.md")
PLACE = re.compile(
    r"(<!-- results: ([\w]+)(?:: ([^>]*?))? -->\n).*?(<!-- end)", re.DOTALL
)


def read(name: str) -> list[dict[str, str]]:
    """Returns the rows of docs/results/NAME.csv."""
    with open(RESULTS / f"{name}.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def number(text: str) -> float:
    """Returns the number that a cell begins with, -inf where there is none."""
    try:
        return float(text)
    except ValueError:
        return float("-inf")


def grid(head: list[str], rows: list[list[str]]) -> str:
    """Returns a table of markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def table(rows: list[dict[str, str]], measures: list[str]) -> str:
    """Returns the rows as markdown, the largest figure of a column in bold.

    Published figures are of others' runs: they take no part in that.
    """
    own = [row for row in rows if row["kind"] != "published"]
    best = {name: max(number(row[name]) for row in own) for name in measures}

    def cell(row: dict[str, str], name: str) -> str:
        text, spread = row[name], row.get(f"{name} ±")
        if row in own and number(text) == best[name] > float("-inf"):
            text = f"**{text}**"
        return f"{text} ±{spread}" if spread else text

    head = ["method", "", "seeds", *measures]
    return grid(
        head,
        [
            [
                row["method"],
                row["kind"],
                row["seeds"],
                *(cell(row, m) for m in measures),
            ]
            for row in rows
        ],
    )


def commands(rows: list[dict[str, str]]) -> str:
    """Returns the commands that made the rows as a block of markdown."""
    lines = dict.fromkeys(c for row in rows for c in row["command"].split(" && ") if c)
    return "\n```\n" + "".join(f"{line}\n" for line in lines) + "```\n"


def summary() -> str:
    """Returns the rows that summary.csv picks: a measure, ours and what is beside."""

    def cell(pick: dict[str, str], method: str) -> str:
        (row,) = [r for r in read(pick["table"]) if r["method"] == method]
        return f"{row[pick['measure']]} {method}"

    head = ["data", "measure", "recjax", "the strongest beside it"]
    lines = []
    for pick in read("summary"):
        ours, other = cell(pick, pick["recjax"]), cell(pick, pick["beside"])
        lines.append([pick["data"], pick["measure"], ours, other])
    return grid(head, lines)


def written(text: str) -> str:
    """Returns a document with all its tables of results written anew."""

    def fill(found: re.Match[str]) -> str:
        start, name, names, end = found.groups()
        if name == "summary":
            return f"{start}{summary()}{end}"
        rows = read(name)
        fixed = ("kind", "method", "seeds", "command")
        every = [c for c in rows[0] if c not in fixed and not c.endswith(" ±")]
        measures = [each.strip() for each in names.split(";")] if names else every
        return f"{start}{table(rows, measures)}{commands(rows)}{end}"

    return PLACE.sub(fill, text)


def main(words: list[str]) -> None:
    """Writes all documents, or checks them."""
    for name in DOCUMENTS:
        path = ROOT / name
        text = path.read_text(encoding="utf-8")
        if (new := written(text)) != text:
            if "--check" in words:
                raise SystemExit(f"{name} differs from docs/results: run this tool")
            path.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
