"""Encoders whose outputs are latents of a reader: their labels, and on which words of a text each is active."""

from typing import NamedTuple

import numpy as np

from sklearn_sae.annotation._outputs import steps_of


class Latents(NamedTuple):
    """The latents that are the outputs of an encoder whose first step is a reader."""

    reader: object  # with `highlight(texts, latent)` and `feature_labels_`, as PretrainedSAETransformer
    selected: np.ndarray | None  # (n_outputs,) the reader's column that each output is; None: output i is column i

    def label(self, output):
        """Return the label of an output, or None."""
        return self.reader.feature_labels_.get(self._latent(output))

    def highlight(self, texts, output):
        """Return `texts` with the words between ``<<`` and ``>>`` on which an output is active."""
        return self.reader.highlight(texts, self._latent(output))

    @property
    def knows_words(self):
        """Whether the reader says on which words its latents are active, as ReaderSAETransformer does."""
        return hasattr(self.reader, "word_activations")

    def word_activations(self, texts, outputs):
        """Return on which words outputs are active, as `ReaderSAETransformer.word_activations` does."""
        return self.reader.word_activations(texts, [self._latent(output) for output in outputs])

    def token_activations(self, texts, output):
        """Return for each text its words, where they stand and how active an output is on each, as a DataFrame."""
        return self.reader.token_activations(texts, self._latent(output))

    def _latent(self, output):
        return int(output if self.selected is None else self.selected[output])


def latents_of(encoder):
    """Return the `Latents` of a fitted encoder: such a transformer, with selectors behind it or none.

    None for any other encoder.
    """
    reader, *selectors = steps_of(encoder, frozen=True)
    if not (hasattr(reader, "highlight") and hasattr(reader, "feature_labels_")):
        return None
    selected = None
    for selector in selectors:
        if not hasattr(selector, "get_support"):
            return None
        chosen = selector.get_support(indices=True)
        selected = chosen if selected is None else selected[chosen]
    return Latents(reader, selected)
