"""Writes a page of pictures of a trained image run: retrieval grids and triplets.

python tools/report_images.py runs/deep_ranking --to report.html
"""

import argparse
from pathlib import Path

from recjax.errors import told
from recjax.evals.reports.image_report import image_report
from recjax.runs import open_run


def main() -> None:
    """Writes the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="run folder")
    parser.add_argument("--to", type=Path, required=True, help="HTML file to write")
    parser.add_argument("--best", action="store_true", help="the best checkpoint")
    parser.add_argument("--split", default="test", help="queries")
    options = parser.parse_args()
    program, state = open_run(options.run, options.best)
    options.to.write_text(image_report(program, state, options.split))
    print(f"wrote {options.to}")


if __name__ == "__main__":
    with told():
        main()
