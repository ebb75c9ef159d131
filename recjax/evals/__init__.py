"""Evaluation: exact ranking of the whole corpus, and the cheap lines beside it."""
