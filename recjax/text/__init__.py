"""Text to token ids: normalisation, n-grams and a vocabulary over them."""

from typing import TYPE_CHECKING

from recjax import lazy

if TYPE_CHECKING:
    from recjax.text.features import NGrams, Pieces
    from recjax.text.ngrams import TextRules
    from recjax.text.vocabulary import Vocabulary

__getattr__, __dir__ = lazy.names(__name__, __file__)
