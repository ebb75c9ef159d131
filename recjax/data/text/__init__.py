"""Text to token ids: normalisation, n-grams and a vocabulary over them."""

from recjax.data.text import ngrams
from recjax.data.text.normalize import normalize
from recjax.data.text.vocabulary import Vocabulary

__all__ = ["Vocabulary", "ngrams", "normalize"]
