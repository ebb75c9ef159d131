"""Catalogues: pairs of queries and candidates, and tables of pins and products."""
