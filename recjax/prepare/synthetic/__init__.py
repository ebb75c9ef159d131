"""Invented data with a known structure, at any size."""
