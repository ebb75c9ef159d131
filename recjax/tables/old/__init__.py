"""The former readers, until nothing uses them."""
