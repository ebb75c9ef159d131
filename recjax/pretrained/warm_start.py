"""Parameters that do not start at random, but as somebody else's training left them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from recjax.errors import UserError, nearest
from recjax.pretrained import bert
from recjax.pytree import named_leaves
from recjax.text import minilm
from recjax.typing import Params


@dataclass(frozen=True)
class Bert:
    """An encoder starts as a folder of BERT or DistilBERT weights says.

    Attributes:
      folder: the folder, or "minilm_l6", which is fetched if need be.
    """

    folder: str = minilm.FOLDER

    def start(self, params: Params) -> Params:
        """Returns the parameters of a `Transformer` with the folder's in their place.

        Raises:
          UserError: the folder cannot be read, or holds an encoder of other sizes.
        """
        length = len(params["position"])
        given = bert.read_params(minilm.find(self.folder), max_length=length)
        return bert.fill(params, given)


def fill(params: Params, starts: Mapping[str, Bert]) -> Params:
    """Returns parameters with the warm starts in their place.

    Args:
      params: the dense parameters of a model.
      starts: path of an encoder in that tree, such as "query/text" -> its start.

    Raises:
      UserError: no encoder stands there, or one of other sizes.
    """
    for path, start in starts.items():
        params = _fill(params, path.split("/"), start, path, params)
    return params


def _fill(
    node: Params, rest: list[str], start: Bert, path: str, root: Params
) -> Params:
    if rest:
        name, *rest = rest
        if isinstance(node, Mapping) and name in node:
            return {**node, name: _fill(node[name], rest, start, path, root)}
    elif isinstance(node, Mapping) and "position" in node:
        try:
            return start.start(node)
        except UserError as error:
            raise UserError(f"warm_start {path!r}: {error}") from error
    ends = "/position"
    known = [n for n, _ in named_leaves(root) if n.endswith(ends)]
    encoders = [name.removesuffix(ends) for name in known]
    raise UserError(
        f"warm_start {path!r}: no encoder stands there; the model's are: "
        f"{', '.join(map(repr, encoders)) or 'none'}.{nearest(path, encoders)}"
    )
