"""Training: state, one step, the loop, checkpoints and what is written on the way."""
