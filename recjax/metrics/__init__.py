"""Metrics of ranked lists: per-example values, averaged once. NumPy only."""
