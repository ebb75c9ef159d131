"""PinnerSage: many embeddings for every user, by clustering what each did.

A. Pal et al., "PinnerSage: Multi-Modal User Embedding Framework for Recommendations at
Pinterest", KDD 2020 (arXiv 2007.03634). NumPy alone, and numba where it is installed:
nothing here needs JAX.
"""
