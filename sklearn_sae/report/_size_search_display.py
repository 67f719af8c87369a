"""The held-out score against M and K of a search, as a picture."""

from numbers import Integral

import numpy as np

from sklearn_sae.utils._literal import draw_literally
from sklearn_sae.utils._plotting import GREY, LINES, PALE, legend_below, new_axes, style

_NAMES = {"M": "M, number of neurons", "K": "K, active neurons"}
_MOST_LINES = 7  # of K; of more each is a point that says its K by its shade


class SizeSearchDisplay:
    """Held-out score of a search against the numbers of neurons M and of active ones K, with its spread over folds.

    Each K is a line with a colour and a marker of its own, over M; with more than seven values of K each candidate is a
    point, the darker the larger K. With a single M the line is over K. Bars are one standard deviation over the folds
    to either side. The chosen sizes have a ring. A candidate of which a fold failed is a cross at the bottom. Where a
    search has halved its candidates, each stands where it was scored last, and is hollow if that was on fewer samples
    than the last ones had.

    Make it by `from_estimator`. All parameters are stored as attributes.

    Parameters
    ----------
    n_components : array-like of shape (n_candidates,) or None
        M of each candidate; None if the search was not over it.
    k : array-like of shape (n_candidates,) or None
        K of each; None if the search was not over it.
    scores : array-like of shape (n_candidates, n_folds)
        NaN where a fit or a score failed.
    score_name : str, default="score"
    best : int or None, default=None
        Which candidate was chosen.
    n_resources : array-like of shape (n_candidates,), default=None
        On how many samples each was scored, if these differ.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    lines_ : list of Line2D
        The mean scores, a line for each K; empty if these are points.
    points_ : PathCollection or None
        The mean scores, if they are points.
    bars_ : list of LineCollection
        The spreads, in the order of `lines_`; empty with a single fold.

    See Also
    --------
    TrainingHistoryDisplay : Shows whether one training has converged.
    TopKSAETransformer : Has the sizes, `n_components` and `k`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn_sae import SizeSearchDisplay, TopKSAETransformer
    >>> X = np.random.default_rng(0).normal(size=(80, 8)).astype(np.float32)
    >>> pipeline = make_pipeline(TopKSAETransformer(max_epochs=3, random_state=0), Ridge())
    >>> sizes = {"topksaetransformer__n_components": [8, 16], "topksaetransformer__k": [2, 4]}
    >>> search = GridSearchCV(pipeline, sizes, cv=3).fit(X, X[:, 0])
    >>> display = SizeSearchDisplay.from_estimator(search)
    >>> display.n_components.tolist(), display.k.tolist(), display.scores.shape
    ([8, 16, 8, 16], [2, 2, 4, 4], (4, 3))
    >>> [line.get_label() for line in display.lines_]
    ['K = 2', 'K = 4']
    """

    def __init__(self, *, n_components, k, scores, score_name="score", best=None, n_resources=None):
        self.n_components = n_components
        self.k = k
        self.scores = scores
        self.score_name = score_name
        self.best = best
        self.n_resources = n_resources

    @classmethod
    def from_estimator(cls, search, *, metric=None, score_name=None, ax=None):
        """Draw the scores of a fitted search over M and K.

        Parameters
        ----------
        search : GridSearchCV, RandomizedSearchCV, HalvingGridSearchCV or HalvingRandomSearchCV
            Fitted, with `n_components` of a step among its parameters, `k` or both. Where it searched others too, each
            pair of M and K stands with the best of them. Candidates with "auto" in place of a number are left out.
        metric : str, default=None
            Which of several metrics to draw; None is the one by which the search refitted.
        score_name : str, default=None
            What to call the score; None is the name of the metric.
        ax : matplotlib Axes, default=None
            As of `plot`.

        Returns
        -------
        display : SizeSearchDisplay
        """
        results = getattr(search, "cv_results_", None)
        if results is None:
            raise ValueError(f"{type(search).__name__} has no cv_results_; pass a search that is fitted.")
        metric = _metric(results, search, metric)
        m_name, k_name = _size_names(results)
        folds = [f"split{i}_test_{metric}" for i in range(search.n_splits_)]
        scores = np.column_stack([np.asarray(results[fold], dtype=float) for fold in folds])
        M, K = (None if name is None else _numbers(results[name]) for name in (m_name, k_name))
        resources = np.asarray(results["n_resources"]) if "n_resources" in results else np.zeros(len(scores), dtype=int)
        kept = _last_and_best(M, K, scores, resources)
        if not kept:
            raise ValueError("No candidate of the search has a number of neurons or of active ones.")
        best = getattr(search, "best_index_", None) if metric == _metric(results, search, None) else None
        if best is not None:
            same = [_key(M, K, i) == _key(M, K, best) for i in kept]
            if any(same):
                kept[same.index(True)] = best
            else:  # it has no number of neurons
                best = None
        display = cls(
            n_components=None if M is None else M[kept],
            k=None if K is None else K[kept],
            scores=scores[kept],
            score_name=score_name or _name(search, metric),
            best=None if best is None else kept.index(best),
            n_resources=resources[kept] if "n_resources" in results else None,
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
        display : SizeSearchDisplay
        """
        ax = new_axes(ax, height=4, width=6)
        scores = np.asarray(self.scores, dtype=float)
        means, spread = scores.mean(axis=1), scores.std(axis=1)
        failed = np.isnan(means)
        name, sizes, series_name, series = self._axes_of()
        is_last = np.ones(len(sizes), dtype=bool)
        if self.n_resources is not None:
            is_last = np.asarray(self.n_resources) == np.max(self.n_resources)
        values = np.unique(series)
        ax.set_xscale("log")
        self.lines_, self.bars_, self.points_ = [], [], None
        x = sizes.astype(float)
        if len(values) <= _MOST_LINES:
            # Lines lie a little beside each other, so that each bar can be seen.
            x = sizes * 1.025 ** (np.searchsorted(values, series) - (len(values) - 1) / 2)
            for i, value in enumerate(values):
                rows = np.flatnonzero((series == value) & ~failed)
                label = self.score_name if series_name is None else f"{series_name} = {value}"
                order = rows[np.argsort(sizes[rows], kind="stable")]
                self._draw_line(ax, i, order, x, means, spread, is_last, label if len(rows) else "_")
        else:
            self._draw_points(ax, np.flatnonzero(~failed), x, means, spread, series)
        bottom = ax.get_xaxis_transform()
        for i, value in enumerate(values):
            color = style(i)["color"] if len(values) <= _MOST_LINES else GREY
            for row in np.flatnonzero(failed & (series == value)):
                ax.plot(x[row], 0.03, "x", color=color, transform=bottom)
        if self.best is not None and not failed[self.best]:
            ring = {"markersize": 15, "markerfacecolor": "none", "markeredgecolor": "black", "linestyle": ""}
            chosen = [("M", self.n_components), ("K", self.k)]
            chosen = ", ".join(f"{of} = {some[self.best]}" for of, some in chosen if some is not None)
            ax.plot(x[self.best], means[self.best], "o", label=f"chosen: {chosen}", zorder=5, **ring)
        self._describe(ax, name, sizes, failed, is_last)
        self.ax_, self.figure_ = ax, ax.figure
        draw_literally(ax)
        return self

    def _axes_of(self):
        """Return what runs along the axis and what has lines of its own, each with its name: M and K, as a rule."""
        M, K = (None if some is None else np.asarray(some) for some in (self.n_components, self.k))
        if M is None or (K is not None and len(np.unique(M)) == 1 < len(np.unique(K))):
            return _NAMES["K"], K, None if M is None else "M", np.zeros(len(K), dtype=int) if M is None else M
        return _NAMES["M"], M, None if K is None else "K", np.zeros(len(M), dtype=int) if K is None else K

    def _draw_line(self, ax, i, rows, x, means, spread, is_last, label):
        looks = style(i)
        line = ax.plot(
            x[rows], means[rows], linestyle=LINES[i % len(LINES)], label=label, markersize=6, zorder=3, **looks
        )
        self.lines_ += line
        early = rows[~is_last[rows]]
        ax.plot(x[early], means[early], looks["marker"], color=looks["color"], markerfacecolor="white", zorder=4)
        if np.asarray(self.scores).shape[1] > 1:
            low, high = means[rows] - spread[rows], means[rows] + spread[rows]
            self.bars_.append(ax.vlines(x[rows], low, high, color=looks["color"], linewidth=1, alpha=0.7, zorder=2))

    def _draw_points(self, ax, rows, x, means, spread, K):
        from matplotlib.colors import LogNorm

        if np.asarray(self.scores).shape[1] > 1:
            low, high = means[rows] - spread[rows], means[rows] + spread[rows]
            self.bars_.append(ax.vlines(x[rows], low, high, color=PALE, linewidth=1, zorder=1))
        looks = {"cmap": "viridis_r", "norm": LogNorm(K.min(), K.max()), "edgecolors": "black", "linewidths": 0.5}
        self.points_ = ax.scatter(x[rows], means[rows], c=K[rows], s=40, zorder=3, **looks)
        bar = ax.figure.colorbar(self.points_, ax=ax, label=_NAMES["K"])
        bar.minorticks_off()
        ticks = np.unique(np.geomspace(K.min(), K.max(), 5).round().astype(int))
        bar.set_ticks(ticks, labels=list(map(str, ticks)))

    def _describe(self, ax, name, sizes, failed, is_last):
        sizes = np.unique(sizes)
        if len(sizes) > 8:
            sizes = np.unique(np.geomspace(sizes[0], sizes[-1], 6).round().astype(int))
        ax.set_xticks(sizes, list(map(str, sizes)))
        ax.minorticks_off()
        if len(sizes) == 1:
            ax.set_xlim(sizes[0] / 1.3, sizes[0] * 1.3)
        ax.set_xlabel(name)
        n_folds = np.asarray(self.scores).shape[1]
        ax.set_ylabel(
            f"{self.score_name}\n" + ("one fold" if n_folds == 1 else f"mean ± deviation over {n_folds} folds")
        )
        if failed.all():
            ax.set_yticks([])
            ax.text(0.5, 0.5, "every fit failed", transform=ax.transAxes, ha="center", va="center", color=GREY)
        elif failed.any():
            ax.plot([], [], "x", color=GREY, label="failed")
            low, high = ax.get_ylim()
            ax.set_ylim(bottom=low - 0.08 * (high - low))
        if not is_last.all():
            ax.plot([], [], "o", color=GREY, markerfacecolor="white", label="on fewer samples")
        ax.spines[["top", "right"]].set_visible(False)
        legend_below(ax)


def _metric(results, search, metric):
    """Return the name of a metric as the results write it."""
    names = [name.removeprefix("mean_test_") for name in results if name.startswith("mean_test_")]
    if metric is None:
        metric = search.refit if isinstance(search.refit, str) else "score" if "score" in names else names[0]
    if metric not in names:
        raise ValueError(f"metric={metric!r} is none of the search's: {', '.join(names)}.")
    return metric


def _name(search, metric):
    if metric != "score":
        return metric.replace("_", " ")
    return search.scoring.replace("_", " ") if isinstance(search.scoring, str) else "score"


def _size_names(results):
    """Return the columns of M and of K, either None; of several steps with both the first."""
    names = [name for name in results if name.startswith("param_")]
    of = {"n_components": [], "k": []}
    for name in names:
        last = name.removeprefix("param_").split("__")[-1]
        if last in of:
            of[last].append(name)
    for m_name in of["n_components"]:
        k_name = m_name.removesuffix("n_components") + "k"
        if k_name in of["k"]:
            return m_name, k_name
    if not names or not (of["k"] or of["n_components"]):
        searched = ", ".join(name.removeprefix("param_") for name in names)
        raise ValueError(f"The search is over neither n_components nor k, but {searched}.")
    return (None, of["k"][0]) if of["k"] else (of["n_components"][0], None)


def _numbers(values):
    """Return sizes as integers, 0 for a candidate without such a size or with another value, as "auto"."""
    return np.array([value if isinstance(value, Integral) else 0 for value in np.ma.filled(values, 0)], dtype=int)


def _key(M, K, i):
    return tuple(None if sizes is None else sizes[i] for sizes in (M, K))


def _last_and_best(M, K, scores, resources):
    """Return for each pair of sizes the candidate scored on most samples, of several the one of the best mean."""
    means = np.nan_to_num(scores.mean(axis=1), nan=-np.inf)
    best = {}
    for i in range(len(scores)):
        if any(sizes is not None and sizes[i] < 1 for sizes in (M, K)):
            continue
        key = _key(M, K, i)
        if key not in best or (resources[i], means[i]) > (resources[best[key]], means[best[key]]):
            best[key] = i
    return list(best.values())
