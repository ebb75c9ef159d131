"""Triplets (query, positive, negative) drawn by graded relevance."""
