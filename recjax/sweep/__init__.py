"""Several variants of an experiment, each with several seeds, and their table."""
