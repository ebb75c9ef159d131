"""Evaluation: queries, something that scores all items for them, and metrics."""
