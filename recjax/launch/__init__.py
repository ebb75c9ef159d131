"""Several processes as one run: joining, waiting, stopping, and starting them."""
