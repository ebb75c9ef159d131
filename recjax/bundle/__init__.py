"""Export: item index, SavedModel, jax.export artefact and the bundle manifest."""
