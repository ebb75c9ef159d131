"""Where arrays live: the mesh, and the placement of state and batches on it."""
