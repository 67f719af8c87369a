"""The embedding and the autoencoder of the standard pipeline, carried over from texts to their sentences."""

import math

import numpy as np
from sklearn.base import clone

from sklearn_sae.compose import ChunkTransformer
from sklearn_sae.utils._sentences import sentence_spans
from sklearn_sae.utils._sklearn_compat import StrOptions
from sklearn_sae.utils._validation import check_texts

_FEWEST_NEURONS = 64
_SEVERAL = 2  # sentences of a text on average; with fewer, texts are read whole and sizes suit texts


class SentenceEncoder(ChunkTransformer):
    """Pipeline of steps `embed` and `sae` over the sentences of texts; sizes "auto" suit these.

    Where texts have several sentences, M "auto" is the power of two nearest to ``n_sentences ** 0.6``, and at least 64,
    and K "auto" is a 32nd of M, between 4 and 8: neurons must be active in fewer sentences than texts, because one
    sentence makes them active in its text. Else the autoencoder chooses as it does for texts, and with ``unit="auto"``
    texts are read whole, as `unit_` says. See docs/pipeline.md.
    """

    _parameter_constraints: dict = ChunkTransformer._parameter_constraints | {
        "unit": [StrOptions({"auto", "sentence"})]
    }

    def n_rows(self, texts):
        """Return the number of sentences, or of texts where these are read whole."""
        n_sentences = sum(len(sentence_spans(text)) for text in texts)
        is_whole = self.unit == "auto" and n_sentences < _SEVERAL * len(texts)
        return len(texts) if is_whole else n_sentences

    def sizes(self, n_rows, n_texts):
        """Return the parameters `n_components` and `k` of the autoencoder for so many rows and texts."""
        sae = self.transformer["sae"]
        n_components, k = sae.n_components, sae.k
        if n_rows >= _SEVERAL * n_texts:
            if n_components == "auto":
                nearest = 2 ** round(2 * math.log10(n_rows))
                n_components = max(_FEWEST_NEURONS, nearest, 1 if k == "auto" else k)
            if k == "auto":
                k = max(1, min(n_components // 4, max(4, n_components // 32), 8))
        return {"n_components": n_components, "k": k}

    def sized(self, n_rows, n_texts):
        """Return the pipeline, not fitted, with sizes for so many rows and texts."""
        sizes = {f"sae__{name}": size for name, size in self.sizes(n_rows, n_texts).items()}
        return clone(self.transformer).set_params(**sizes)

    def _fit(self, X, y, method):
        texts = check_texts(X)
        self.unit_ = "document" if self.unit == "auto" and self.n_rows(texts) == len(texts) else "sentence"
        return super()._fit(X, y, method)

    def _to_fit(self, document):
        return self.sized(len(document), document[-1] + 1)

    def _split(self, X):
        if self.unit_ == "sentence":
            return super()._split(X)
        texts = check_texts(X)
        return texts, np.arange(len(texts))
