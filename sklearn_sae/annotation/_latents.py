"""Encoders whose outputs are latents of a language model: their labels, and where in a text each is active."""

from typing import NamedTuple

import numpy as np

from sklearn_sae.annotation._outputs import steps_of


class Latents(NamedTuple):
    """The latents that are the outputs of an encoder with a published SAE."""

    reader: object  # with `highlight(texts, latent)` and `feature_labels_`, as PretrainedSAETransformer
    selected: np.ndarray | None  # (n_outputs,) the latent of each output; None: output i is latent i

    def label(self, output):
        """Return the label of an output, or None."""
        return self.reader.feature_labels_.get(self._latent(output))

    def highlight(self, texts, output):
        """Return `texts` with the words between ``<<`` and ``>>`` on which an output is active."""
        return self.reader.highlight(texts, self._latent(output))

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
