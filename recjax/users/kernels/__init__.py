"""Kernels that numba compiles: distances, Ward's clustering, whole users."""
