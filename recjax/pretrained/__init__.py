"""Weights that others trained, from a local folder; neither torch nor a network."""
