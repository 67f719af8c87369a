"""The effects of hypotheses with their confidence intervals, as a picture."""

import numpy as np

from sklearn_sae.evaluation import evaluate_hypotheses
from sklearn_sae.report._inside import annotated
from sklearn_sae.utils._literal import draw_literally
from sklearn_sae.utils._plotting import (
    COLORS,
    GREY,
    legend_below_names,
    name_rows,
    new_panels,
    row_height,
    with_room,
    wrapped,
)
from sklearn_sae.utils._targets import check_target

_ESTIMATES = {  # columns of the table of an evaluation
    "own": ["separation_score", "separation_ci_low", "separation_ci_high"],
    "joint": ["regression_coef", "regression_ci_low", "regression_ci_high"],
}
_SIGNIFICANT = {"own": "significant", "joint": "significant_jointly"}
_LABELS = {"own": "on its own", "joint": "beside all others"}
_STYLES = {"own": {"color": COLORS[0], "marker": "o"}, "joint": {"color": COLORS[1], "marker": "D"}}
_MOST_COLUMNS = 4  # of panels
_WIDTH, _MAX_LINES = 46, 3  # of a name


class HypothesisDisplay:
    """Forest plot of the effects of hypotheses, with their confidence intervals.

    A row is a hypothesis, the highest effect on top. Circles are effects on its own, diamonds those beside all other
    hypotheses; they are filled where the effect is significant, after correction. A target of classes has a panel for
    each kind of effect, because their units differ, and one of several classes a panel for each class.

    Make it by `from_evaluation`, `from_estimator` or `from_predictions`. All parameters are stored as attributes.

    Parameters
    ----------
    hypotheses : sequence of str of length n_hypotheses
    own : array-like of shape (n_hypotheses, 3) or (n_classes, n_hypotheses, 3)
        The effect of each hypothesis on its own, and the lower and the upper limit of its confidence interval. NaN is
        what is not known.
    joint : array-like of the shape of `own`, default=None
        The same of each beside all the others.
    significant, significant_jointly : array-like of bool of shape (n_hypotheses,) or (n_classes, n_hypotheses), \
            default=None
        Whether the effects are significant. None: all are drawn filled.
    classes : sequence of str of length n_classes, default=None
        The classes that the effects are of, each against the rest. One name of a binary target; None for numbers.
    target_name : str, default=None
        What the target is called.
    confidence : float, default=0.95
        The level of the intervals.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Those of the first panel.
    axes_ : ndarray of Axes of shape (n_panels,)
        All panels: the effects on their own, class by class, then the joint ones.
    figure_ : matplotlib Figure
    points_ : list of Line2D
        The significant effects, then the others, for each kind and class.
    intervals_ : list of LineCollection
        The confidence intervals, for each kind and class.

    See Also
    --------
    evaluate_hypotheses : Makes the estimates.
    NeuronMapDisplay : Shows which hypotheses come from similar neurons.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_sae import HypothesisDisplay
    >>> from sklearn_sae.datasets import make_concept_texts
    >>> reviews = make_concept_texts(500, n_concepts=4, random_state=0)
    >>> display = HypothesisDisplay.from_predictions(
    ...     reviews.concepts, pd.Series(reviews.target, name="stars"), hypotheses=reviews.concept_names
    ... )
    >>> display.hypotheses[0], display.own[0].round(2).tolist()
    ('mentions a long wait for the food', [-0.33, -0.52, -0.14])
    >>> display.ax_.get_xlabel()
    'difference of stars; bars: 95 % confidence'
    >>> display.figure_.savefig("effects.png")  # doctest: +SKIP
    """

    def __init__(
        self,
        *,
        hypotheses,
        own,
        joint=None,
        significant=None,
        significant_jointly=None,
        classes=None,
        target_name=None,
        confidence=0.95,
    ):
        self.hypotheses = hypotheses
        self.own = own
        self.joint = joint
        self.significant = significant
        self.significant_jointly = significant_jointly
        self.classes = classes
        self.target_name = target_name
        self.confidence = confidence

    @classmethod
    def from_evaluation(cls, evaluation, *, classes=None, target_name=None, effect="both", max_hypotheses=40, ax=None):
        """Draw the effects of an evaluation.

        Parameters
        ----------
        evaluation : HypothesisEvaluation or Discovery
        classes : sequence of str, default=None
            Which classes of a target of several to draw, or the name of the second of two classes. None: all; of two
            classes the name that a `Discovery` knows, else "the second class".
        target_name : str, default=None
            What the target is called; None is what a `Discovery` calls it.
        effect : {"own", "joint", "both"}, default="both"
            As of `plot`; so are the next two.
        max_hypotheses : int, default=40
        ax : matplotlib Axes, default=None

        Returns
        -------
        display : HypothesisDisplay
        """
        target_name = target_name or getattr(evaluation, "target_name", None)
        if classes is None and hasattr(evaluation, "pipeline") and evaluation.evaluation.task == "binary":
            classes = [evaluation.pipeline.classes_[1]]
        evaluation = getattr(evaluation, "evaluation", evaluation)
        table, names = evaluation.table, None
        if evaluation.task == "multiclass":
            blocks = dict(list(table.groupby("class", sort=False)))
            by_name = {str(label): block for label, block in blocks.items()}
            names = list(by_name) if classes is None else list(map(str, classes))
            unknown = [name for name in names if name not in by_name]
            if unknown:
                raise ValueError(f"classes has {unknown[0]!r}, which is none of {', '.join(map(repr, by_name))}.")
            tables = [by_name[name] for name in names]
        else:
            tables = [table]
            if evaluation.task == "binary":
                names = ["the second class"] if classes is None else list(map(str, classes))
        stacked = {
            kind: np.stack([one[columns].to_numpy(dtype=float) for one in tables])
            for kind, columns in _ESTIMATES.items()
        }
        found = {
            kind: np.stack([one[column].to_numpy(dtype=bool) for one in tables])
            for kind, column in _SIGNIFICANT.items()
        }
        if len(tables) == 1:
            stacked, found = ({kind: values[0] for kind, values in some.items()} for some in (stacked, found))
        display = cls(
            hypotheses=tables[0]["hypothesis"].tolist(),
            own=stacked["own"],
            joint=stacked["joint"],
            significant=found["own"],
            significant_jointly=found["joint"],
            classes=names,
            target_name=target_name,
            confidence=evaluation.confidence,
        )
        return display.plot(ax, effect=effect, max_hypotheses=max_hypotheses)

    @classmethod
    def from_estimator(cls, estimator, texts, y, *, effect="both", max_hypotheses=40, ax=None, **options):
        """Annotate texts, test the annotations and draw the effects.

        Parameters
        ----------
        estimator : estimator or Discovery
            A fitted annotator, or what holds one: a pipeline, a search, a `PairTransformer` or a `ChunkTransformer`.
        texts : sequence of str, or of pairs of str
            Texts on which the hypotheses were not found.
        y : array-like of shape (n_samples,)
            The target. The name of a Series is the name of the target.
        effect : {"own", "joint", "both"}, default="both"
            As of `plot`; so are the next two.
        max_hypotheses : int, default=40
        ax : matplotlib Axes, default=None
        **options : dict
            Of `evaluate_hypotheses`, such as `task`, `groups`, `alpha` and `correction`.

        Returns
        -------
        display : HypothesisDisplay
        """
        annotations, names = annotated(estimator, texts)
        return cls.from_predictions(
            annotations, y, hypotheses=names, effect=effect, max_hypotheses=max_hypotheses, ax=ax, **options
        )

    @classmethod
    def from_predictions(cls, annotations, y, *, hypotheses=None, effect="both", max_hypotheses=40, ax=None, **options):
        """Test annotations and draw the effects.

        Parameters
        ----------
        annotations : array-like, DataFrame or sparse matrix of shape (n_samples, n_hypotheses)
            As of `evaluate_hypotheses`.
        y : array-like of shape (n_samples,)
            The target. The name of a Series is the name of the target.
        hypotheses : sequence of str of length n_hypotheses, default=None
            The sentences. None: the names of the columns of a frame.
        effect : {"own", "joint", "both"}, default="both"
            As of `plot`; so are the next two.
        max_hypotheses : int, default=40
        ax : matplotlib Axes, default=None
        **options : dict
            Of `evaluate_hypotheses`, such as `task`, `groups`, `alpha` and `correction`.

        Returns
        -------
        display : HypothesisDisplay
        """
        evaluation = evaluate_hypotheses(annotations, y, hypotheses=hypotheses, **options)
        classes = None
        if evaluation.task == "binary":
            classes = [str(check_target(y, task="binary").classes[1])]
        name = getattr(y, "name", None)
        return cls.from_evaluation(
            evaluation,
            classes=classes,
            target_name=name if isinstance(name, str) else None,
            effect=effect,
            max_hypotheses=max_hypotheses,
            ax=ax,
        )

    def plot(self, ax=None, *, effect="both", max_hypotheses=40):
        """Draw the effects.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure. One Axes is divided if there are several panels, and is best part of
            a figure of ``layout="constrained"``, which makes room for the names.
        effect : {"own", "joint", "both"}, default="both"
            Which effects to draw.
        max_hypotheses : int, default=40
            Of more hypotheses, those with the largest effects are drawn.

        Returns
        -------
        display : HypothesisDisplay
        """
        if effect not in ("own", "joint", "both"):
            raise ValueError(f'effect={effect!r} must be "own", "joint" or "both".')
        kinds = ["own", "joint"] if effect == "both" else [effect]
        if self.joint is None:
            kinds = ["own"]
        estimates = {kind: _by_class(getattr(self, kind), 3) for kind in kinds}
        rows = _sorted(next(iter(estimates.values())), max_hypotheses)
        names = [self.hypotheses[row] for row in rows]

        # Effects on numbers have one unit, so both kinds are in one panel.
        n_classes = len(next(iter(estimates.values())))
        panels = [(code, [kind]) for kind in kinds for code in range(n_classes)]
        if self.classes is None:
            panels = [(code, kinds) for code in range(n_classes)]
        n_columns = min(len(panels), _MOST_COLUMNS)
        n_lines = -(-len(panels) // n_columns)
        if 1 < n_classes <= _MOST_COLUMNS and n_lines > 1:
            n_columns, n_lines = n_classes, len(panels) // n_classes
        axes = new_panels(
            ax,
            n_lines,
            n_columns,
            height=n_lines * (1.1 + row_height(names, width=_WIDTH, max_lines=_MAX_LINES)),
            width=5.5 + 2.5 * n_columns,
            sharey=True,
        )
        for left_over in axes.flat[len(panels) :]:
            left_over.set_axis_off()
        self.points_, self.intervals_ = [], []
        for place, (panel, (code, of)) in enumerate(zip(axes.flat, panels, strict=False)):
            limit = _limit(np.concatenate([estimates[kind][:, rows] for kind in of]))
            self._draw(panel, code, of, {kind: estimates[kind][code][rows] for kind in of}, rows, limit)
            panel.set_xlim(_ends(np.concatenate([estimates[kind][:, rows] for kind in of]), limit))
            if place % n_columns == 0:
                name_rows(panel, names, width=_WIDTH, max_lines=_MAX_LINES, fit=ax is not None)
            else:
                panel.tick_params(labelleft=False)
                panel.spines[["top", "right"]].set_visible(False)
            panel.set_title(self._title(code, of, n_classes), fontsize="medium")
            panel.set_xlabel(self._unit(code, of))
        self.axes_ = axes.ravel()[: len(panels)]
        self.ax_, self.figure_ = axes[0, 0], axes[0, 0].figure
        has_gaps = any(np.isnan(values[:, rows, 0]).any() for values in estimates.values())
        _explain(self.ax_, panels[0][1], len(rows), len(self.hypotheses), has_gaps)
        draw_literally(*self.axes_)
        return self

    def _draw(self, ax, code, kinds, estimates, rows, limit):
        ax.axvline(0, color=GREY, linewidth=0.8, zorder=1)
        ax.yaxis.grid(True, color="0.93", zorder=0)
        ax.set_axisbelow(True)
        for i, kind in enumerate(kinds):
            value, low, high = estimates[kind].T
            y = np.arange(len(rows)) + (0.36 * (i / (len(kinds) - 1) - 0.5) if len(kinds) > 1 else 0)
            found = getattr(self, _SIGNIFICANT[kind])
            found = np.ones(len(rows), dtype=bool) if found is None else _by_class(found, None)[code][rows]
            known = np.isfinite(low) & np.isfinite(high)
            style = _STYLES[kind]
            shown = (np.clip(some[known], -limit, limit) for some in (low, high))
            self.intervals_.append(ax.hlines(y[known], *shown, color=style["color"], linewidth=1.4, zorder=2))
            for some, face in ((found, style["color"]), (~found, "white")):
                points = ax.plot(
                    value[some], y[some], linestyle="", markersize=5.5, markerfacecolor=face, zorder=3, **style
                )
                self.points_ += points
            for side, arrow in ((high, ">"), (low, "<")):  # an interval that goes on beyond the picture
                for row in np.flatnonzero(np.abs(side) > limit):
                    edge = np.sign(side[row]) * limit
                    ax.plot(edge, y[row], arrow, color=style["color"], markersize=5, clip_on=False)
            for row in y[np.isnan(value)]:
                ax.plot(0, row, "x", color=GREY, markersize=5, zorder=3)
        if len(kinds) == 1:
            ax.locator_params(axis="x", nbins=5)

    def _title(self, code, kinds, n_classes):
        """Return what a panel is of."""
        if self.classes is None:
            return ""
        label = _LABELS[kinds[0]]
        return wrapped(f"{self.classes[code]}, {label}" if n_classes > 1 else label, 26, 3)

    def _unit(self, code, kinds):
        bars = f"bars: {100 * self.confidence:g} % confidence"
        if self.classes is None:
            return wrapped(f"difference of {self.target_name or 'the target'}; {bars}", 60)
        of = self.classes[code] if self.target_name is None else f"{self.target_name}: {self.classes[code]}"
        what = {"own": "difference in share of", "joint": "log-odds of"}[kinds[0]]
        return f"{wrapped(f'{what} {of}', 28)}\n{bars}"


def _by_class(values, n_columns):
    """Return an array with the classes as its first dimension."""
    values = np.asarray(values)
    return values if values.ndim == (2 if n_columns is None else 3) else values[None]


def _sorted(estimates, most):
    """Return the rows to draw, the highest effect first, those without one last; of several classes, class by class.

    A hypothesis belongs to the class that it says most of.
    """
    values = np.asarray(estimates, dtype=float)[..., 0]  # (n_classes, n_hypotheses)
    known = np.nan_to_num(values, nan=-np.inf)
    best, code = known.max(axis=0), known.argmax(axis=0)
    if len(values) == 1:
        code = np.zeros_like(code)
    size = np.nan_to_num(np.abs(values), nan=-1).max(axis=0)
    kept = np.sort(np.argsort(-size, kind="stable")[:most])
    order = np.lexsort((-best[kept], code[kept], np.isinf(best[kept])))
    return kept[order]


def _limit(estimates):
    """Return how far from zero intervals are drawn, so that a very wide one leaves the others to be seen."""
    values = np.abs(estimates[..., 0])
    values = values[np.isfinite(values)]
    return 4 * values.max() if len(values) and values.max() > 0 else np.inf


def _ends(estimates, limit):
    """Return the ends of an axis that has zero, all effects, and their intervals up to a limit."""
    known = np.clip(estimates[np.isfinite(estimates)], -limit, limit)
    return with_room(known.min(initial=0), known.max(initial=0))


def _explain(ax, kinds, n_shown, n_hypotheses, has_gaps):
    """Write what markers mean, and how many hypotheses are not drawn."""
    from matplotlib.lines import Line2D

    points, neutral = {"linestyle": "", "markersize": 5.5}, {"color": GREY, "marker": "o"}
    handles = [Line2D([], [], label=_LABELS[kind], **points, **_STYLES[kind]) for kind in kinds if len(kinds) > 1]
    handles.append(Line2D([], [], label="filled: significant", **points, **neutral))
    handles.append(Line2D([], [], label="hollow: not significant", markerfacecolor="white", **points, **neutral))
    if has_gaps:
        handles.append(Line2D([], [], linestyle="", marker="x", markersize=5, color=GREY, label="not known"))
    if n_shown < n_hypotheses:
        handles.append(Line2D([], [], linestyle="", label=f"{n_shown} of {n_hypotheses:,}, the largest effects"))
    legend_below_names(ax, handles=handles, fontsize="small")
