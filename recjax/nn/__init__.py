"""Building blocks of models: Linen modules and pure functions over arrays."""
