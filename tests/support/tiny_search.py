"""A few search pairs in memory: the first word of a title leads to it."""

import numpy as np

from recjax.data.search import Search, SearchData
from recjax.data.search_pairs import SearchPairs
from recjax.prepare import make

TITLES = ("red shoe", "green hat", "blue lamp", "grey shoe", "red hat", "green lamp")


def tables(queries, ids, titles):
    """Returns the tables of queries and of products."""
    item = make.entity(list(ids), make.text("title", titles))
    return {"query": make.entity(queries), "item": item}


class InMemory(Search):
    """The pairs (title's first word, title)."""

    def open(self, seed):
        """Returns the data set."""
        queries = tuple(dict.fromkeys(title.split()[0] for title in TITLES))
        known = SearchPairs(
            query=np.array([queries.index(t.split()[0]) for t in TITLES], np.int32),
            product=np.arange(len(TITLES), dtype=np.int32),
            relevance=np.full(len(TITLES), 3, np.float32),
            tables=tables(queries, map(str, range(len(TITLES))), TITLES),
        )
        return SearchData(self, seed, known)
