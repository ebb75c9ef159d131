"""Evaluations: exact ranking of the corpus, baselines, and when they run."""
