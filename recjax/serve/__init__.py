"""Serving: answers from a bundle."""
