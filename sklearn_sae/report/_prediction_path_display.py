"""How well few and more hypotheses predict, beside as many words, as a picture."""

from numbers import Integral

import numpy as np
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold, check_cv

from sklearn_sae._baselines import WordPresence, predictions, score
from sklearn_sae.report._inside import annotated, annotator_in
from sklearn_sae.selection import NeuronSelector
from sklearn_sae.utils._literal import draw_literally
from sklearn_sae.utils._plotting import GREY, legend_below, new_axes, style, wrapped
from sklearn_sae.utils._targets import as_given, check_target, check_target_varies
from sklearn_sae.utils._validation import check_alignment, check_groups, check_texts

_SIZES = (1, 2, 3, 5, 8, 12, 16, 20, 30, 50, 80, 120, 200, 300, 500)
_LOWEST_R2 = -0.5  # What predicts worse is not drawn to scale, because it would flatten all else.


class PredictionPathDisplay:
    """Held-out score against the number of hypotheses, beside as many single words.

    For each number, that many hypotheses are chosen by lasso on the rows to learn from, and so are as many of the words
    that stand in these texts. A linear model on whether they hold predicts the rows held out. Bands are one standard
    deviation over the folds to either side. Where the path lies flat, further hypotheses say nothing new of the target;
    where it lies under that of the words, single words would have done.

    Make it by `from_estimator` or `from_predictions`. All parameters are stored as attributes.

    Parameters
    ----------
    n_hypotheses : array-like of shape (n_points,)
        The numbers of hypotheses.
    scores : array-like of shape (n_points, n_folds)
        The held-out score of so many; NaN is what is not known.
    word_scores : array-like of shape (n_points, n_folds), default=None
        That of as many words.
    score_name : str, default="score"
        "R²" and "AUC" have a line where nothing is predicted.
    reference : float, default=None
        The score of something else, such as of the whole embedding.
    reference_name : str, default=None

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    lines_ : list of Line2D
        The mean score of hypotheses, then that of words if it is known.
    bands_ : list of PolyCollection
        The spreads, in the order of `lines_`; empty with a single fold.

    See Also
    --------
    discover : Has these scores for all hypotheses in its `scores`.
    SizeSearchDisplay : Shows how the sizes of the autoencoder change the score.

    Examples
    --------
    >>> from sklearn_sae import PredictionPathDisplay
    >>> from sklearn_sae.datasets import make_concept_texts
    >>> reviews = make_concept_texts(400, n_concepts=5, random_state=0)
    >>> display = PredictionPathDisplay.from_predictions(reviews.concepts, reviews.target, reviews.data, cv=3)
    >>> display.n_hypotheses.tolist()
    [1, 2, 3, 5]
    >>> display.scores.mean(axis=1).round(2).tolist(), display.word_scores.mean(axis=1).round(2).tolist()
    ([0.43, 0.61, 0.75, 0.75], [0.02, 0.11, 0.19, 0.25])
    """

    def __init__(
        self,
        *,
        n_hypotheses,
        scores,
        word_scores=None,
        score_name="score",
        reference=None,
        reference_name=None,
    ):
        self.n_hypotheses = n_hypotheses
        self.scores = scores
        self.word_scores = word_scores
        self.score_name = score_name
        self.reference = reference
        self.reference_name = reference_name

    @classmethod
    def from_estimator(cls, estimator, texts, y, *, task="auto", groups=None, cv=5, sizes=None, ax=None):
        """Annotate texts, and draw how well few and more of the hypotheses predict.

        Parameters
        ----------
        estimator : estimator or Discovery
            A fitted annotator, or what holds one. With a `Discovery`, pass the texts and the target that `discover`
            had: the model learns from the texts that hypotheses were found on and predicts those held out, and the
            score of the embedding stands beside.
        texts : sequence of str
            But for a `Discovery`, texts on which the hypotheses were not found.
        y : array-like of shape (n_samples,)
            The target.
        task : {"auto", "regression", "binary", "multiclass", "ordinal"}, default="auto"
            As of `evaluate_hypotheses`.
        groups : array-like of shape (n_samples,), default=None
            Labels of what rows have in common; those of one group are in one fold.
        cv : int, splitter or iterable of (train, test), default=5
            The folds; a number means shuffled ones, of classes stratified.
        sizes : array-like of int, default=None
            The numbers of hypotheses; None is 1, 2, 3, 5, 8 and so on to all.
        ax : matplotlib Axes, default=None
            As of `plot`.

        Returns
        -------
        display : PredictionPathDisplay
        """
        reference = None
        if hasattr(estimator, "evaluation"):
            check_alignment(texts, y, name="texts")
            if len(texts) != len(estimator.train) + len(estimator.test):
                raise ValueError(
                    f"There are {len(texts):,} texts; with a Discovery pass all {len(estimator.train):,} + "
                    f"{len(estimator.test):,} that `discover` had, in their order."
                )
            cv, task = [(estimator.train, estimator.test)], "ordinal" if estimator.scale else task
            reference = _reference(estimator.scores)
        annotations, _ = annotated(estimator, texts)
        options = {"task": task, "groups": groups, "cv": cv, "sizes": sizes, "ax": ax}
        tokenizer = getattr(annotator_in(estimator), "tokenizer", None)
        return cls._from(annotations, y, texts, tokenizer=tokenizer, reference=reference, **options)

    @classmethod
    def from_predictions(cls, annotations, y, texts=None, *, task="auto", groups=None, cv=5, sizes=None, ax=None):
        """Draw how well few and more columns of annotations predict.

        Parameters
        ----------
        annotations : array-like of shape (n_samples, n_hypotheses)
            Of texts on which the hypotheses were not found. NaN counts as the mean of the column.
        y : array-like of shape (n_samples,)
            The target.
        texts : sequence of str, default=None
            The texts, for words to compare with; None draws no words.
        task : {"auto", "regression", "binary", "multiclass", "ordinal"}, default="auto"
            As of `evaluate_hypotheses`.
        groups : array-like of shape (n_samples,), default=None
            Labels of what rows have in common; those of one group are in one fold.
        cv : int, splitter or iterable of (train, test), default=5
            The folds; a number means shuffled ones, of classes stratified.
        sizes : array-like of int, default=None
            The numbers of hypotheses; None is 1, 2, 3, 5, 8 and so on to all.
        ax : matplotlib Axes, default=None
            As of `plot`.

        Returns
        -------
        display : PredictionPathDisplay
        """
        options = {"task": task, "groups": groups, "cv": cv, "sizes": sizes, "ax": ax}
        return cls._from(np.asarray(annotations, dtype=float), y, texts, **options)

    @classmethod
    def _from(cls, annotations, y, texts, *, task, groups, cv, sizes, ax, tokenizer=None, reference=None):
        target = check_target(y, task=task, n_samples=len(annotations))
        check_target_varies(target)
        groups = check_groups(groups, len(annotations))
        sizes = _sizes(sizes, annotations.shape[1])
        are_words = texts is not None and all(isinstance(text, str) for text in texts)
        texts = np.array(check_texts(texts, name="texts"), dtype=object) if are_words else None
        folds = list(_folds(cv, target, groups))
        scores, word_scores = np.full((2, len(sizes), len(folds)), np.nan)
        for j, (train, test) in enumerate(folds):
            of_train, of_test = (target._replace(values=target.values[rows]) for rows in (train, test))
            words = None if texts is None else WordPresence(texts[train], tokenizer)
            for i, n in enumerate(sizes):
                scores[i, j] = _score(annotations[train], annotations[test], of_train, of_test, n)
                if words is not None:
                    word_scores[i, j] = words.score(n, of_train, texts[test], of_test, model=_linear(target))
        display = cls(
            n_hypotheses=sizes,
            scores=scores,
            word_scores=None if texts is None else word_scores,
            score_name="R²" if target.task == "regression" else "AUC",
            reference=None if reference is None else reference[0],
            reference_name=None if reference is None else reference[1],
        )
        return display.plot(ax)

    def plot(self, ax=None):
        """Draw the scores.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : PredictionPathDisplay
        """
        ax = new_axes(ax, height=4, width=6)
        n, series = np.asarray(self.n_hypotheses), {"hypotheses": self.scores}
        if self.word_scores is not None:
            series["as many single words"] = self.word_scores
        floor = _LOWEST_R2 if self.score_name == "R²" else -np.inf
        self.lines_, self.bands_, low, high = [], [], [], []
        for i, (label, values) in enumerate(series.items()):
            mean, spread = _over_folds(values)
            self.lines_ += ax.plot(n, mean, linestyle=["-", "--"][i], label=label, markersize=6, zorder=3, **style(i))
            if np.asarray(values).shape[1] > 1:
                color = style(i)["color"]
                self.bands_.append(
                    ax.fill_between(n, mean - spread, mean + spread, color=color, alpha=0.18, linewidth=0)
                )
            low.append(mean - spread)
            high.append(mean + spread)
            for x in n[mean < floor]:
                ax.plot(x, 0.02, "v", color=style(i)["color"], transform=ax.get_xaxis_transform(), zorder=4)
        if self.reference is not None:
            label = wrapped(self.reference_name or "reference", 40)
            ax.axhline(self.reference, color=GREY, linestyle="-.", label=label, zorder=1)
        nothing = {"R²": 0.0, "AUC": 0.5}.get(self.score_name)
        if nothing is not None:
            ax.axhline(nothing, color=GREY, linewidth=0.8, linestyle=":", label="nothing", zorder=1)
        if (np.concatenate(low) < floor).any():
            top = np.nanmax([0.0, *np.concatenate(high), 0.0 if self.reference is None else self.reference])
            ax.set_ylim(floor, top + 0.05 * (top - floor))
        n_folds = np.asarray(self.scores).shape[1]
        ax.set_ylabel(
            f"{self.score_name}, held out" + (f"\nmean ± deviation over {n_folds} folds" if n_folds > 1 else "")
        )
        ax.set_xlabel("number of hypotheses")
        ax.set_xlim(0, 1.04 * n.max())
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.spines[["top", "right"]].set_visible(False)
        if np.isnan(np.asarray(self.scores, dtype=float)).all():
            said = "no score of hypotheses is known,\nas where none of them varies"
            ax.text(0.5, 0.5, said, transform=ax.transAxes, ha="center", va="center", color=GREY)
        legend_below(ax)
        self.ax_, self.figure_ = ax, ax.figure
        draw_literally(ax)
        return self


def _over_folds(values):
    """Return mean and deviation over the folds that have a score."""
    values = np.ma.masked_invalid(np.asarray(values, dtype=float))
    return tuple(np.ma.filled(some, np.nan) for some in (values.mean(axis=1), values.std(axis=1)))


def _reference(scores):
    """Return the score of all that was there to choose from, and what it is called, or None."""
    for key, value in scores.items():
        for end, name in (("_embedding", "the whole embedding"), ("_neurons", "all neurons")):
            if key.endswith(end):
                return value, name
    return None


def _sizes(sizes, n_columns):
    if sizes is None:
        return np.array([n for n in _SIZES if n < n_columns] + [n_columns])
    sizes = np.unique(np.asarray(sizes))
    if not len(sizes) or sizes.dtype.kind not in "iu" or sizes[0] < 1 or sizes[-1] > n_columns:
        raise ValueError(f"sizes must be integers from 1 to {n_columns}, the number of hypotheses.")
    return sizes


def _folds(cv, target, groups):
    rows = np.zeros((len(target.values), 1))
    if not isinstance(cv, Integral):
        return check_cv(cv).split(rows, target.values, groups)
    if groups is not None:
        return GroupKFold(cv).split(rows, groups=groups)
    kind = KFold if target.classes is None else StratifiedKFold
    return kind(cv, shuffle=True, random_state=0).split(rows, target.values)


def _linear(target):
    return LinearRegression() if target.classes is None else LogisticRegression()


def _score(seen, unseen, of_seen, of_unseen, n):
    """Return the score of a linear model on `n` columns, or on all that vary if these are fewer."""
    known = np.isfinite(seen)
    mean = np.where(known, seen, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    seen, unseen = (np.where(np.isfinite(some), some, mean) for some in (seen, unseen))
    varies = np.ptp(seen, axis=0) > 0
    seen, unseen = seen[:, varies], unseen[:, varies]
    if not varies.any():
        return np.nan
    select = NeuronSelector(min(n, seen.shape[1]), method="lasso", task=of_seen.task)
    chosen = select.fit_transform(seen, as_given(of_seen))
    model = _linear(of_seen).fit(chosen, of_seen.values if of_seen.classes is None else of_seen.classes[of_seen.values])
    return score(of_unseen, predictions(model, select.transform(unseen), of_unseen))
