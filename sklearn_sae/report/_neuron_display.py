"""How active a neuron is in which texts, as a picture."""

import numpy as np
from sklearn.utils import check_consistent_length

from sklearn_sae.annotation._neurons import check_neurons, column
from sklearn_sae.report._excerpt import NO_MARKS, Marks, excerpt, marked, plain
from sklearn_sae.report._items import first_of_copies, items_of
from sklearn_sae.report._rows import groups_of
from sklearn_sae.report._show_neurons import _found
from sklearn_sae.report._source import encode, facts_of
from sklearn_sae.report._telling import marks_of
from sklearn_sae.utils._literal import draw_literally
from sklearn_sae.utils._margin import label_in_margin, margin_height
from sklearn_sae.utils._plotting import COLORS, GREY, SIZE, fitted, new_axes, with_room, wrap, wrapped

_WIDTH, _MAX_LINES = 58, 4  # of a text


class NeuronDisplay:
    r"""Histogram of the activations of a neuron, with example texts.

    Bars count the texts in which the neuron is active, by how much; those in which it is not are counted in the label
    of the axis. Lines join the example texts to their activations.

    Make it by `from_estimator` or `from_predictions`. All parameters are stored as attributes.

    Parameters
    ----------
    activations : array-like of shape (n_samples,)
        NaN where no answer came. For pairs of texts, negative where the neuron is stronger in the second.
    examples : array-like of int of shape (n_examples,)
        The rows of the texts that are shown.
    texts : sequence of str of length n_examples
        What is shown of them.
    name : str, default="neuron"

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    bars_ : BarContainer
    texts_ : list of Annotation
        The texts, in the order of `examples`.

    See Also
    --------
    show_neurons : Shows the texts of several neurons as text or HTML.
    NeuronMapDisplay : Shows all neurons at once.

    Examples
    --------
    >>> from sklearn_sae import NeuronDisplay
    >>> texts = ["Cold soup.", "Good soup.", "Rude staff.", "They were rude.", "Fine."]
    >>> display = NeuronDisplay.from_predictions([0, 0, 1.2, 1.8, 0], texts, name='mentions "rude"', n=1)
    >>> display.examples.tolist(), display.texts
    ([3, 2, 1], ['They were rude.', 'Rude staff.', 'Good soup.'])
    >>> display.ax_.get_xlabel()
    'texts\nactive in 2 of 5 (40 %)'
    """

    def __init__(self, *, activations, examples, texts, name="neuron"):
        self.activations = activations
        self.examples = examples
        self.texts = texts
        self.name = name

    @classmethod
    def from_estimator(cls, source, texts, neuron, *, X=None, n=3, max_words=30, ax=None):
        """Encode texts, and draw how active a neuron is in them.

        Parameters
        ----------
        source : estimator or Discovery
            As of `show_neurons`: a fitted annotator or what holds one, else a fitted transformer to activations.
        texts : sequence of str, or of (str, str)
            The texts, or pairs of texts; any texts, not only those that `source` was fitted on.
        neuron : int
            The column of the activations, as in the ``neuron`` of `hypotheses_`.
        X : {array-like, sparse matrix} of shape (n_samples, n_features), default=None
            What `source` takes if that is not the texts.
        n : int, default=3
            How many texts to show of each kind: the most active, those of the upper quartile and the inactive.
        max_words : int, default=30
            Of a longer text so many words are shown, around what makes the neuron active where that is known.
        ax : matplotlib Axes, default=None
            As of `plot`.

        Returns
        -------
        display : NeuronDisplay
        """
        items, prompts = items_of(texts)
        found, X, encodes_texts = _found(source, X, items, prompts)
        activations = encode(found.encoder, X)
        check_consistent_length(activations, items)
        facts, _ = facts_of(found, X, activations.shape[1])
        (neuron,) = check_neurons([neuron], activations)
        activation = column(activations, neuron)
        rows = _examples(activation, items, n)
        marks, _ = marks_of(found, encodes_texts, items, activations, {neuron: rows}, facts)
        shown = [_shown(items[row], marks[neuron, row], max_words) for row in rows]
        return cls(activations=activation, examples=np.array(rows), texts=shown, name=facts[neuron]["name"]).plot(ax)

    @classmethod
    def from_predictions(cls, activations, texts, *, name="neuron", n=3, max_words=30, ax=None):
        """Draw activations that are at hand.

        Parameters
        ----------
        activations : array-like of shape (n_samples,)
            Of one neuron, or the annotations by one hypothesis.
        texts : sequence of str, or of (str, str)
        name : str, default="neuron"
        n : int, default=3
            How many texts to show of each kind: the most active, those of the upper quartile and the inactive.
        max_words : int, default=30
            Of a longer text so many words are shown, from its beginning.
        ax : matplotlib Axes, default=None
            As of `plot`.

        Returns
        -------
        display : NeuronDisplay
        """
        (items, _), activation = items_of(texts), np.asarray(activations, dtype=float)
        if activation.shape != (len(items),):
            raise ValueError(f"activations must be one number a text: {activation.shape} for {len(items)} texts.")
        rows = _examples(activation, items, n)
        shown = [_shown(items[row], [Marks()] * len(items[row]), max_words) for row in rows]
        return cls(activations=activation, examples=np.array(rows), texts=shown, name=name).plot(ax)

    def plot(self, ax=None):
        """Draw the histogram and the texts.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw, best part of a figure of ``layout="constrained"``, which makes room for the texts. None makes
            a new figure.

        Returns
        -------
        display : NeuronDisplay
        """
        activation = np.asarray(self.activations, dtype=float)
        activation, rows = activation[~np.isnan(activation)], np.asarray(self.examples, dtype=int)
        given = ax
        n_lines = max((len(wrap(text, _WIDTH, _MAX_LINES)) for text in self.texts), default=1)
        height = max(3.2, 1.2 + margin_height(len(rows), n_lines))
        ax = new_axes(ax, height=height, width=8)
        size, width = SIZE, _WIDTH
        if given is not None:
            lines, size = fitted(ax, self.texts, _WIDTH, _MAX_LINES)
            n_lines = max(map(len, lines), default=1)
            width = max((len(line) for some in lines for line in some), default=_WIDTH)
        active = activation[activation != 0]
        counts, edges = np.histogram(active, bins=_bins(active))
        middles, thickness = (edges[:-1] + edges[1:]) / 2, 0.92 * np.diff(edges)
        self.bars_ = ax.barh(middles, counts, height=thickness, color=COLORS[0])
        drawn = np.concatenate([activation, edges if len(active) else []])
        ax.set_ylim(*with_room(drawn.min(initial=0), drawn.max(initial=0)))
        ax.set_xlim(0, 1.08 * max(counts.max(initial=0), 1))
        ax.axhline(0, color=GREY, linewidth=0.8)
        ax.set_ylabel("activation")
        share = len(active) / max(len(activation), 1)
        ax.set_xlabel(f"texts\nactive in {len(active):,} of {len(activation):,} ({100 * share:.0f} %)")
        ax.xaxis.get_major_locator().set_params(integer=True, nbins=5)
        ax.spines[["top", "right"]].set_visible(False)
        ax.set_title(wrapped(self.name, 70, 3), loc="left", fontsize="medium", parse_math=False)
        at = np.asarray(self.activations, dtype=float)[rows]
        ax.plot(
            np.ones(len(at)), at, "o", color=COLORS[1], markersize=4, transform=ax.get_yaxis_transform(), clip_on=False
        )
        self.texts_ = label_in_margin(
            ax, None, at, self.texts, side="right", width=width, max_lines=n_lines, size=size, gap=0.12
        )
        self.ax_, self.figure_ = ax, ax.figure
        draw_literally(ax)
        return self


def _examples(activation, items, n):
    groups = groups_of(activation, first_of_copies(items), n, are_pairs=len(items[0]) == 2)
    rows = list(dict.fromkeys(row for some in groups.values() for row in some))
    return sorted(rows, key=lambda row: -activation[row])


def _shown(item, marks, max_words):
    excerpts = [excerpt(text, one, max_words) for text, one in zip(item, marks, strict=True)]
    texts = [plain(marked(one, NO_MARKS)) for one in excerpts]
    return texts[0] if len(texts) == 1 else " | ".join(texts)


def _bins(active):
    """Return the edges of bins, of which none goes over zero."""
    if not len(active):
        return np.array([0.0, 1.0])
    if len(np.unique(active)) <= 2 and set(np.abs(active)) == {1.0}:  # annotations
        return np.array([-1.05, -0.95, 0.95, 1.05]) if active.min() < 0 else np.array([0.95, 1.05])
    n_bins = min(30, max(8, int(np.sqrt(len(active)))))
    low, high = min(active.min(), 0), max(active.max(), 0)
    step = (high - low) / n_bins
    return step * np.arange(np.floor(low / step), np.ceil(high / step) + 1)
