"""What was chosen for a fusion, for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from recjax.evals.fusion_weights import Chosen, Shape
from recjax.evals.reranking import Reranking

SHAPES: Mapping[Shape, str] = {
    "z": "(score - the query's mean) / their standard deviation",
    "max": "score / the query's largest",
    "rank": "61 / (60 + rank)",
}


def said(
    chosen: Chosen,
    metric: str,
    splits: Sequence[str],
    parts: Iterable[str],
    again: Reranking,
) -> str:
    """Returns what each part's score becomes, how it counts, and what it adds.

    Args:
      chosen: of the first stage.
      metric: what was made best.
      splits: whose queries it was chosen on.
      parts: names of the first stage.
      again: what was chosen for the second.
    """
    of = f"the {' and '.join(splits)} queries"
    how = "which the weights below are chosen on"
    if chosen.folds:
        how = f"each of {chosen.folds} folds by weights chosen on the others"
    lines = [
        f"fusion: {metric} {chosen.figure:.4f} {_ends(*chosen.interval)} on {of} (not "
        f"on the test's), {how}. An item's score is the sum of"
    ]
    for name in parts:
        gain, low, high = chosen.gains[name]
        if name not in chosen.weights:
            lines.append(f"  {name}: nothing, it does not help")
            continue
        line = f"  {name}: {chosen.weights[name]:.3g} x ({_shape(chosen, name)})"
        if len(chosen.weights) > 1:
            line += f"; without it {metric} {-gain:+.4f} {_ends(-high, -low, '+')}"
        lines.append(line)
    gain, low, high = again.gain
    for name, weight in again.weights.items():
        lines.append(
            f"  of the best alone, {name}: {weight:.3g} x ({_shape(again, name)}); "
            f"this second stage {metric} {gain:+.4f} {_ends(low, high, '+')}"
        )
    return "\n".join(lines)


def _shape(of: Chosen | Reranking, name: str) -> str:
    return SHAPES[of.shapes[name]]


def _ends(low: float, high: float, sign: str = "") -> str:
    return f"[{low:{sign}.4f}, {high:{sign}.4f}]"
