"""Baselines that every table of results carries: what a model has to beat.

Each is a scorer: settings whose `fit` learns from the training part of the data and
returns scores of all items for each query. NumPy and SciPy, for images scikit-learn.
"""
