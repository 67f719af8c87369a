"""What the transformers share that read texts with a language model."""

import copy
import os
from abc import abstractmethod

from sklearn.base import clone

from sklearn_sae.pretrained._highlight import highlight_html, highlight_text
from sklearn_sae.pretrained._loaded import share_loaded


class LanguageModelMixin:
    """Where in a text a latent is active; and a loaded model in the parameters, which clones share and no pickle holds.

    The estimator has the parameters `model` and `tokenizer`.
    """

    @abstractmethod
    def _tokens(self, texts, latent):
        """Return for each text (text, spans of its tokens, activations of the latent on them)."""

    def token_activations(self, text, latent):
        """Return how active a latent is on each token of a text.

        Parameters
        ----------
        text : str or sequence of str
            Several texts are read in batches.
        latent : int

        Returns
        -------
        tokens : DataFrame of shape (n_tokens, 4), or a list of them for a sequence
            One row for each token of the text, with "token" (its characters in the text), "start" and "end" (their
            places in the text) and "activation".

        Raises
        ------
        TypeError, ValueError, OSError
            As `transform`; and if there is no such latent.
        """
        import pandas as pd

        if isinstance(text, str):
            return self.token_activations([text], latent)[0]
        frames = []
        for one, spans, activations in self._tokens(text, latent):
            start, end = spans.T
            tokens = [one[i:j] for i, j in spans]
            frames.append(pd.DataFrame({"token": tokens, "start": start, "end": end, "activation": activations}))
        return frames

    def highlight(self, text, latent, *, html=False):
        """Return a text with the tokens marked on which a latent is active.

        Parameters
        ----------
        text : str or sequence of str
        latent : int
        html : bool, default=False
            False: runs of active tokens stand between ``<<`` and ``>>``, for a prompt. True: each active token is
            shaded by its activation, for people, and the strongest of all texts has the full shade.

        Returns
        -------
        highlighted : str, or a list of str for a sequence
            Tokens that share a character, as those of an emoji, are marked as one.

        Raises
        ------
        TypeError, ValueError, OSError
            As `token_activations`.
        """
        if isinstance(text, str):
            return self.highlight([text], latent, html=html)[0]
        tokens = self._tokens(text, latent)
        if not html:
            return [highlight_text(*one) for one in tokens]
        strongest = max(float(activations.max(initial=0)) for *_, activations in tokens)
        return [highlight_html(*one, strongest=strongest) for one in tokens]

    def __getstate__(self):
        if not isinstance(self.model, str | os.PathLike | None):
            raise TypeError("model is a loaded model, which is not pickled; pass its name or folder instead.")
        return super().__getstate__()

    def __sklearn_clone__(self):
        # A clone shares what is loaded. scikit-learn's own clone would copy a loaded model in the parameters too.
        shared = ("model", "tokenizer")
        parameters = self.get_params(deep=False).items()
        twin = type(self)(**{name: p if name in shared else clone(p, safe=False) for name, p in parameters})
        for name in ("_metadata_request", "_sklearn_output_config"):
            if hasattr(self, name):
                setattr(twin, name, copy.deepcopy(getattr(self, name)))
        share_loaded(self, twin)
        return twin
