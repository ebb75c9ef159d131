"""recjax: train, evaluate, export and serve retrieval embeddings with JAX and Flax."""

__version__ = "0.2.0"
