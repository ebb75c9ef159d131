"""Text to token ids: normalisation, n-grams and a vocabulary over them."""

from recjax.text import ngrams
from recjax.text.normalize import normalize
from recjax.text.vocabulary import Vocabulary

__all__ = ["Vocabulary", "ngrams", "normalize"]
