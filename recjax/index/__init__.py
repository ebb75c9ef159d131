"""Top-k by dot product: exact and ScaNN indexes, and item vectors on disk."""
