"""Neurons as points that lie near each other if they look for similar things, as a picture."""

from inspect import signature

import numpy as np
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.manifold import MDS, TSNE
from sklearn.preprocessing import normalize

from sklearn_sae.annotation._short_names import short_names
from sklearn_sae.report._inside import annotator_in, autoencoder_in
from sklearn_sae.utils._literal import draw_literally
from sklearn_sae.utils._margin import label_in_margin, margin_height
from sklearn_sae.utils._plotting import GREY, PALE, SIZE, fitted, new_axes, with_room, wrap

_WIDTH, _MAX_LINES = 26, 2  # of a label


class NeuronMapDisplay:
    """Map of the neurons of an autoencoder in two dimensions, by the cosines between the rows of its decoder.

    Neurons that lie close to each other look for similar things. Triangles that point up have a positive effect on the
    target, those that point down a negative one, and their colour says how large it is; dots have none that is known.
    Labels stand beside the map, joined to their neurons by lines, so that none overlap.

    Distances in two dimensions are approximate: "pca" keeps the large ones best, "tsne" the neighbours.

    Make it by `from_estimator`. All parameters are stored as attributes.

    Parameters
    ----------
    positions : array-like of shape (n_neurons, 2)
    names : sequence of str of length n_neurons, default=None
        Short names; "" is a neuron without one. None: none has.
    effects : array-like of shape (n_neurons,), default=None
        NaN is a neuron without an effect. None: none has.
    effect_name : str, default="effect"
    method : str, default=None
        How the positions were found, which is written under the map.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    points_ : list of PathCollection
        The neurons without an effect, those with a positive and those with a negative one.
    labels_ : list of Annotation
    colorbar_ : Colorbar or None
        None without effects.

    See Also
    --------
    NeuronDisplay : Shows one of the neurons.
    HypothesisDisplay : Shows effects with their confidence intervals.

    Examples
    --------
    >>> from sklearn_sae import NeuronMapDisplay, make_hypothesis_pipeline
    >>> from sklearn_sae.datasets import make_concept_texts
    >>> reviews = make_concept_texts(300, n_concepts=4, random_state=0)
    >>> pipeline = make_hypothesis_pipeline(n_hypotheses=5, random_state=0).fit(reviews.data, reviews.target)
    >>> display = NeuronMapDisplay.from_estimator(pipeline, method="pca")
    >>> display.positions.shape[1], sum(name != "" for name in display.names)
    (2, 5)
    """

    def __init__(self, *, positions, names=None, effects=None, effect_name="effect", method=None):
        self.positions = positions
        self.names = names
        self.effects = effects
        self.effect_name = effect_name
        self.method = method

    @classmethod
    def from_estimator(
        cls,
        estimator,
        *,
        effects=None,
        names=None,
        class_=None,
        method="tsne",
        random_state=0,
        max_labels=40,
        ax=None,
    ):
        """Draw the neurons of a fitted autoencoder.

        Parameters
        ----------
        estimator : TopKSAETransformer, estimator or Discovery
            Fitted; or what holds one: a pipeline, an annotator, a search, a `ReaderSAETransformer`.
        effects : array-like of shape (n_neurons,), default=None
            The effect of each neuron, NaN where there is none. None: of a `Discovery` the effect of each hypothesis on
            its own, and of an annotator the score by which its neuron was selected.
        names : sequence of str of length n_neurons, or dict of int to str, default=None
            What to call the neurons. None: the short names of an annotator's hypotheses.
        class_ : str, default=None
            Of a `Discovery` with several classes, the one that the effects are of. None: for each hypothesis the one
            on which its effect is largest.
        method : {"tsne", "pca", "mds"} or transformer, default="tsne"
            How to lay out the rows of the decoder, each of length 1. A transformer has `fit_transform` and returns two
            columns.
        random_state : int, RandomState instance or None, default=0
            For "tsne" and "mds".
        max_labels : int, default=40
            As of `plot`; so is the next.
        ax : matplotlib Axes, default=None

        Returns
        -------
        display : NeuronMapDisplay
        """
        sae = autoencoder_in(estimator)
        n_neurons = len(sae.components_)
        known = _known(estimator, sae, class_)
        if names is None:
            names = known["names"]
        elif hasattr(names, "items"):
            names = [names.get(i, "") for i in range(n_neurons)]
        effect_name = "effect" if effects is not None else known["effect_name"]
        effects = known["effects"] if effects is None else np.asarray(effects, dtype=float)
        for what, values in (("names", names), ("effects", effects)):
            if values is not None and len(values) != n_neurons:
                raise ValueError(f"{what} must have one entry a neuron: {len(values)} for {n_neurons}.")
        positions, method = _laid_out(sae.components_, method, random_state)
        display = cls(positions=positions, names=names, effects=effects, effect_name=effect_name, method=method)
        return display.plot(ax, max_labels=max_labels)

    def plot(self, ax=None, *, max_labels=40):
        """Draw the map.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw, best part of a figure of ``layout="constrained"``, which makes room for the labels. None
            makes a new figure.
        max_labels : int, default=40
            Of more neurons with names, those with the largest effects have labels.

        Returns
        -------
        display : NeuronMapDisplay
        """
        positions = np.asarray(self.positions, dtype=float).reshape(-1, 2)
        names = [""] * len(positions) if self.names is None else list(self.names)
        effects = np.full(len(positions), np.nan) if self.effects is None else np.asarray(self.effects, dtype=float)
        labelled = _labelled(names, effects, max_labels)
        sides = _sides(positions, labelled)
        n_lines = max((len(wrap(names[i], _WIDTH, _MAX_LINES)) for i in labelled), default=1)
        given, n_most = ax, max(map(len, sides.values()))
        height = max(4.5, 1 + margin_height(n_most, n_lines))
        ax = new_axes(ax, height=height, width=5 + 2 * sum(len(rows) > 0 for rows in sides.values()))
        size, width = SIZE, _WIDTH
        if given is not None and n_most:
            # Names on both sides leave each a quarter of the width.
            lines, size = fitted(ax, [names[i] for i in labelled][:n_most], _WIDTH, _MAX_LINES, share=0.3)
            width, n_lines = max(max(map(len, some)) for some in lines), max(map(len, lines))
        self.points_, self.colorbar_ = _draw_points(ax, positions, effects, self.effect_name)
        _frame(ax, positions, self.method)
        self.labels_ = []
        for side, rows in sides.items():
            options = {"side": side, "width": width, "max_lines": n_lines, "size": size}
            x, y = positions[rows].T
            self.labels_ += label_in_margin(ax, x, y, [names[i] for i in rows], **options)
        self.ax_, self.figure_ = ax, ax.figure
        draw_literally(ax, *([] if self.colorbar_ is None else [self.colorbar_.ax]))
        return self


def _known(estimator, sae, class_):
    """Return what is known of the neurons from the hypotheses that stand for them."""
    names, effects, effect_name = None, None, "effect"
    annotator = annotator_in(estimator)
    table = getattr(annotator, "hypotheses_", None)
    if table is not None:
        columns = {feature: i for i, feature in enumerate(sae.get_feature_names_out())}
        hypotheses = annotator.get_feature_names_out()
        names, effects = [""] * len(columns), np.full(len(columns), np.nan)
        short = table["short"] if "short" in table else short_names(hypotheses)
        own = _own_effects(estimator, class_)
        for feature, name, hypothesis, score in zip(
            table["feature"], short, hypotheses, table["selection_score"], strict=True
        ):
            if feature in columns:
                names[columns[feature]] = name
                effects[columns[feature]] = score if own is None else own.get(hypothesis, np.nan)
        of_class = "" if class_ is None else f" on {class_}"
        effect_name = "selection score" if own is None else f"effect{of_class}"
    return {"names": names, "effects": effects, "effect_name": effect_name}


def _own_effects(estimator, class_):
    """Return the effect of each hypothesis on its own, by its name, or None if it was not tested."""
    evaluation = getattr(estimator, "evaluation", None)
    if evaluation is None:
        return None
    table = evaluation.table
    if class_ is not None:
        if "class" not in table or str(class_) not in set(table["class"].astype(str)):
            raise ValueError(f"class_={class_!r} is no class of the target.")
        table = table[table["class"].astype(str) == str(class_)]
    table = table.assign(size=table["separation_score"].abs()).sort_values("size")
    return dict(zip(table["hypothesis"], table["separation_score"], strict=True))


def _laid_out(components, method, random_state):
    """Return positions, and the name of the method."""
    rows = normalize(np.asarray(components, dtype=float))  # Distances then say the same as cosines.
    if not isinstance(method, str):
        positions = np.asarray(clone(method).fit_transform(rows), dtype=float)
        if positions.shape != (len(rows), 2):
            raise ValueError(f"method must return an array of shape ({len(rows)}, 2); got {positions.shape}.")
        return positions, type(method).__name__
    if method not in ("tsne", "pca", "mds"):
        raise ValueError(f'method={method!r} must be "tsne", "pca", "mds" or a transformer.')
    if min(rows.shape) < 2:
        return np.column_stack([rows[:, :1], np.zeros(len(rows))]), method.upper()
    pca = PCA(2, svd_solver="full").fit_transform(rows)
    if method == "pca":
        return pca, "PCA"
    if method == "mds":
        # One more column of zeros changes no distance, and keeps a square matrix from being taken for distances.
        start = {"init": "classical_mds"} if "init" in signature(MDS).parameters else {}
        mds = MDS(2, n_init=1, random_state=random_state, **start)
        return mds.fit_transform(np.column_stack([rows, np.zeros(len(rows))])), "MDS"
    start = 1e-4 * pca / (pca[:, 0].std() or 1)
    perplexity = min(15, (len(rows) - 1) / 2)
    return TSNE(2, perplexity=perplexity, init=start, random_state=random_state).fit_transform(rows), "t-SNE"


def _labelled(names, effects, most):
    """Return the neurons to label, those with the largest effects first."""
    size = np.nan_to_num(np.abs(effects), nan=-1)
    named = [i for i in np.argsort(-size, kind="stable").tolist() if names[i]]
    return named[:most]


def _sides(positions, labelled):
    """Return which labels stand on the left and on the right: about half each, by where their neurons lie."""
    rows = np.array(labelled, dtype=int)
    rows = rows[np.argsort(positions[rows, 0], kind="stable")]
    return {"left": rows[: len(rows) // 2], "right": rows[len(rows) // 2 :]}


def _draw_points(ax, positions, effects, effect_name):
    """Draw the neurons, and return the artists and the colour bar, if any has an effect."""
    known = np.isfinite(effects)
    x, y = positions.T
    points = [ax.scatter(x[~known], y[~known], s=14, color=PALE, edgecolors="0.6", linewidths=0.4, zorder=2)]
    limit = np.abs(effects[known]).max(initial=0) or 1.0
    looks = {"cmap": "PuOr_r", "vmin": -limit, "vmax": limit, "edgecolors": "black", "linewidths": 0.6, "zorder": 3}
    for marker, some in (("^", known & (effects >= 0)), ("v", known & (effects < 0))):
        points.append(ax.scatter(x[some], y[some], s=60, c=effects[some], marker=marker, **looks))
    if not known.any():
        return points, None
    bar = ax.figure.colorbar(points[1], ax=ax, location="bottom", shrink=0.6, aspect=30, pad=0.03)
    bar.set_label(f"▼ negative     {effect_name}     positive ▲")
    return points, bar


def _frame(ax, positions, method):
    """Set the limits and take the numbers away, because they mean nothing."""
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_color(PALE)
    for low, high, set_limits in zip(
        positions.min(axis=0), positions.max(axis=0), (ax.set_xlim, ax.set_ylim), strict=True
    ):
        set_limits(*with_room(low, high))
    if method is not None:
        ax.set_title(f"{method} of decoder rows", fontsize="small", color=GREY, loc="right")
