"""Cheap rankers that every table of results carries: what a model has to beat.

Each is fitted on the training split alone and answers `scores(start, stop)` for the
queries of a task. NumPy and SciPy only.
"""
