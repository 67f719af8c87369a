"""How far the activations of neurons go with the length of texts and their punctuation, and their effects beside it."""

import numpy as np
from sklearn.linear_model import LinearRegression

from sklearn_sae.utils._words import word_spans


def length_and_signs(texts):
    """Return the log number of words of each text, and its number of signs a word."""
    n_words, n_all = (np.array([len(word_spans(text, others=others)[1]) for text in texts]) for others in (False, True))
    return np.log(n_words), n_all / n_words - 1


def beside_length(activations, y, length, signs):
    """Return for each neuron its correlations with length and signs, and its effect alone and beside length.

    An effect is the change of the target, in its deviations, with one deviation of the neuron.
    """
    length, signs, y, *neurons = ((one - one.mean()) / (one.std() or 1) for one in (length, signs, y, *activations.T))
    found = []
    for neuron in neurons:
        beside = LinearRegression().fit(np.column_stack([neuron, length]), y).coef_[0]
        found.append(((neuron * length).mean(), (neuron * signs).mean(), (neuron * y).mean(), beside))
    return np.array(found)


def summary(found):
    """Return the cells of a table on some neurons; `found` is what `beside_length` returns."""
    with_length, with_signs, effect, beside = found.T
    return {
        "with length": f"{np.abs(with_length).mean():.2f}",
        "largest": f"{np.abs(with_length).max():.2f}",
        "with punctuation": f"{np.abs(with_signs).mean():.2f}",
        "its largest": f"{np.abs(with_signs).max():.2f}",
        "mean effect": f"{np.abs(effect).mean():.2f}",
        "beside length": f"{np.abs(beside).mean():.2f}",
        "halved": (np.abs(beside) < np.abs(effect) / 2).sum(),
    }


def rows_of_neurons(found, vocabulary, active):
    """Return a row for each neuron, those first that go with length or punctuation.

    Parameters
    ----------
    found : ndarray
        What `beside_length` returns.
    vocabulary, active
        As `ReaderSAETransformer.word_activations` returns them.
    """
    rows = []
    for table, (with_length, with_signs, effect, beside) in zip(active, found, strict=True):
        strongest = vocabulary[np.argsort(-table.sum(axis=0), kind="stable")[:5]]
        rows.append(
            {
                "most active on": " ".join(strongest).replace("|", "\\|"),
                "with length": f"{with_length:+.2f}",
                "with punctuation": f"{with_signs:+.2f}",
                "effect": f"{effect:+.2f}",
                "beside length": f"{beside:+.2f}",
            }
        )
    return [rows[i] for i in np.argsort(-np.abs(found[:, :2]).max(axis=1))]
