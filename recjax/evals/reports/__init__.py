"""Reports of runs: figures, plots, and one self-contained HTML page."""
