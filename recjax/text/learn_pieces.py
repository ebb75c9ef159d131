"""Learning word pieces: the same ones every time, whatever process learns them.

The package `tokenizers` learns others in each process: it breaks ties by the order
of a hash map; a resumed run would then read its texts in another way.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Mapping

INSIDE = "##"
"""What stands before a piece that continues a word."""


def learn_pieces(words: Mapping[str, int], size: int) -> list[str]:
    """Returns pieces that spell all words: characters, then merged pairs.

    The most frequent pair of neighbouring pieces becomes a piece, until there are
    enough (Sennrich et al. 2016, "Neural Machine Translation of Rare Words with Subword
    Units"); of equally frequent ones that which comes first in the alphabet.

    Args:
      words: word -> how often it stands in the texts.
      size: most pieces; of more characters than that, the most frequent are kept.
    """
    spelled = [[w[0], *(INSIDE + c for c in w[1:])] for w in words]
    counts = list(words.values())
    letters: Counter[str] = Counter()
    for parts, count in zip(spelled, counts, strict=True):
        for part in parts:
            letters[part] += count
    ordered = sorted(letters, key=lambda part: (-letters[part], part))
    found = sorted(ordered[:size])
    known = set(found)
    pairs: Counter[tuple[str, str]] = Counter()
    places: dict[tuple[str, str], set[int]] = defaultdict(set)
    for i, parts in enumerate(spelled):
        for pair in zip(parts, parts[1:], strict=False):
            pairs[pair] += counts[i]
            places[pair].add(i)
    heap = [(-count, pair) for pair, count in pairs.items()]
    heapq.heapify(heap)
    while heap and len(found) < size:
        count, pair = heapq.heappop(heap)
        if -count != pairs[pair]:
            continue  # A newer count of this pair lies elsewhere in the heap.
        merged = pair[0] + pair[1].removeprefix(INSIDE)
        changed = set()
        for i in sorted(places.pop(pair)):
            before, spelled[i] = spelled[i], _merged(spelled[i], pair, merged)
            for parts, sign in ((before, -1), (spelled[i], 1)):
                for other in zip(parts, parts[1:], strict=False):
                    pairs[other] += sign * counts[i]
                    changed.add(other)
                    if sign > 0:
                        places[other].add(i)
        for other in changed:
            if pairs[other] > 0 and other != pair:
                heapq.heappush(heap, (-pairs[other], other))
        if merged not in known:
            known.add(merged)
            found.append(merged)
    return found


def _merged(parts: list[str], pair: tuple[str, str], merged: str) -> list[str]:
    out, i = [], 0
    while i < len(parts):
        if i + 1 < len(parts) and (parts[i], parts[i + 1]) == pair:
            out.append(merged)
            i += 2
        else:
            out.append(parts[i])
            i += 1
    return out
