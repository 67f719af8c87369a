"""Encoders that can tell where in a text an output is active: on which words, or in which sentences."""

from typing import NamedTuple

import numpy as np
from scipy import sparse
from sklearn import config_context

from sklearn_sae.annotation._outputs import steps_of
from sklearn_sae.utils._sentences import sentence_spans

_STRONG = 0.5  # of the strongest activation in a text; weaker sentences are not marked


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


class OfSentences(NamedTuple):
    """The outputs of an encoder whose first step is a transformer of sentences, pooled to texts."""

    chunks: object  # with `transformer_`, as ChunkTransformer
    selected: np.ndarray | None  # as in `Latents`

    def highlight(self, texts, output):
        """Return `texts` with the sentences between ``<<`` and ``>>`` in which an output is active."""
        spans = [sentence_spans(text) for text in texts]
        sentences = [text[start:end] for text, some in zip(texts, spans, strict=True) for start, end in some]
        with config_context(transform_output="default"):
            activations = sparse.csc_array(self.chunks.transformer_.transform(sentences))
        column = output if self.selected is None else self.selected[output]
        values = activations[:, [int(column)]].toarray().ravel()
        of_text = np.split(values, np.cumsum([len(some) for some in spans])[:-1])
        return [_marked(*one) for one in zip(texts, spans, of_text, strict=True)]


def latents_of(encoder):
    """Return the `Latents` of a fitted encoder: such a transformer, with selectors behind it or none.

    None for any other encoder.
    """
    reader, selected = _first_step(encoder)
    return Latents(reader, selected) if hasattr(reader, "highlight") and hasattr(reader, "feature_labels_") else None


def marker_of(encoder):
    """Return what marks the parts of a text in which an output of a fitted encoder is active, None if nothing can."""
    first, selected = _first_step(encoder)
    unit = getattr(first, "unit_", getattr(first, "unit", None))  # what "auto" came to, or the parameter
    if unit == "sentence" and hasattr(first, "transformer_"):
        return OfSentences(first, selected)
    return latents_of(encoder)


def _first_step(encoder):
    """Return the first step of an encoder and which of its columns are the outputs (None: all).

    The step is None if anything but selectors stands behind it.
    """
    first, *selectors = steps_of(encoder, frozen=True)
    selected = None
    for selector in selectors:
        if not hasattr(selector, "get_support"):
            return None, None
        chosen = selector.get_support(indices=True)
        selected = chosen if selected is None else selected[chosen]
    return first, selected


def _marked(text, spans, values):
    """Return `text` with its strongest sentences marked."""
    parts, end = [], 0
    for (start, stop), value in zip(spans, values, strict=True):
        sentence = text[start:stop]
        parts += [text[end:start], f"<<{sentence}>>" if value > 0 and value >= _STRONG * values.max() else sentence]
        end = stop
    return "".join([*parts, text[end:]])
