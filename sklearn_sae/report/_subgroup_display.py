"""The effects of hypotheses by subgroup or period with their confidence intervals, as a picture."""

import numpy as np
import pandas as pd

from sklearn_sae.evaluation import evaluate_hypotheses
from sklearn_sae.evaluation._by_lines import subgroups_in
from sklearn_sae.evaluation._more_lines import unit_of
from sklearn_sae.report._inside import annotated
from sklearn_sae.utils._literal import draw_literally
from sklearn_sae.utils._plotting import (
    COLORS,
    GREY,
    legend_below_names,
    line_height,
    name_rows,
    new_axes,
    new_panels,
    row_height,
    shorten,
    style,
    with_room,
    wrap,
    wrapped,
)

_EFFECT = ["effect", "effect_ci_low", "effect_ci_high"]
_PREVALENCE = ["prevalence", "prevalence_ci_low", "prevalence_ci_high"]
_MOST_IN_ROW = 7  # subgroups of one row, as many as there are colours; more have a place each along an axis
_MOST_ROWS, _MOST_PANELS = 20, 8  # hypotheses
_WIDTH, _MAX_LINES = 46, 3  # of a name beside a row
_TITLE = 58  # columns of a name above a panel
_MOST_LABELS = 6  # periods that are named below the axis
_STEP = 0.13  # between the subgroups of a row


class SubgroupDisplay:
    """Effects of hypotheses in each subgroup, or by period, with their confidence intervals.

    Up to seven subgroups are dots in the row of a hypothesis, filled where the effect is significant. Of more
    subgroups, and of periods, each hypothesis has a panel for its effect and one for its prevalence, along them.

    Make it by `from_evaluation`, `from_estimator` or `from_predictions`. All parameters are stored as attributes.

    Parameters
    ----------
    hypotheses : sequence of str of length n_hypotheses
    subgroups : sequence of str of length n_subgroups
        The labels of the subgroups or periods, in order.
    effect : array-like of shape (n_hypotheses, n_subgroups, 3)
        The effect of each hypothesis in each subgroup, and the limits of its interval. NaN is what is not known.
    prevalence : array-like of shape (n_hypotheses, n_subgroups, 3), default=None
        The share of rows where it holds, and the limits of its interval.
    significant : array-like of bool of shape (n_hypotheses, n_subgroups), default=None
        Whether the effects are significant. None: all are drawn filled.
    are_periods : bool, default=False
        Whether the subgroups are periods, which lines join.
    by_name : str, default="subgroup"
        What the column of subgroups is called.
    unit : str, default="difference of the target"
        What effects are.
    confidence : float, default=0.95
        The level of the intervals.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Those of the first panel.
    axes_ : ndarray of Axes of shape (n_panels,) or (n_hypotheses, 2)
    figure_ : matplotlib Figure

    See Also
    --------
    evaluate_hypotheses : Makes the estimates, with ``by=``.
    HypothesisDisplay : Shows effects on the whole.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sklearn_sae import SubgroupDisplay
    >>> from sklearn_sae.datasets import make_concept_texts
    >>> reviews = make_concept_texts(500, n_concepts=4, random_state=0)
    >>> town = pd.Series(np.random.default_rng(0).choice(["Trier", "Ulm"], size=500), name="town")
    >>> display = SubgroupDisplay.from_predictions(
    ...     reviews.concepts, reviews.target, by=town, hypotheses=reviews.concept_names
    ... )
    >>> display.subgroups, display.effect.shape
    (['Trier', 'Ulm'], (4, 2, 3))
    >>> display.figure_.savefig("by_town.png")  # doctest: +SKIP
    """

    def __init__(
        self,
        *,
        hypotheses,
        subgroups,
        effect,
        prevalence=None,
        significant=None,
        are_periods=False,
        by_name="subgroup",
        unit="difference of the target",
        confidence=0.95,
    ):
        self.hypotheses = hypotheses
        self.subgroups = subgroups
        self.effect = effect
        self.prevalence = prevalence
        self.significant = significant
        self.are_periods = are_periods
        self.by_name = by_name
        self.unit = unit
        self.confidence = confidence

    @classmethod
    def from_evaluation(cls, evaluation, *, target_name=None, max_hypotheses=None, ax=None):
        """Draw the effects of an evaluation, those that differ most clearly first.

        Parameters
        ----------
        evaluation : HypothesisEvaluation or Discovery
            Made with ``by=``. Of a target of several classes each has rows of its own.
        target_name : str, default=None
            What the target is called; None is its name, if it has one.
        max_hypotheses : int, default=None
            As of `plot`; so is the next.
        ax : matplotlib Axes, default=None

        Returns
        -------
        display : SubgroupDisplay
        """
        target_name = target_name or getattr(evaluation, "target_name", None)
        evaluation = getattr(evaluation, "evaluation", evaluation)
        if evaluation.by is None:
            raise ValueError("the evaluation has no subgroups; evaluate with by=.")
        name, labels = subgroups_in(evaluation)
        table, shape = evaluation.table, (len(evaluation.table), len(labels), 3)
        order = np.argsort(table["interaction_pvalue"].fillna(np.inf).to_numpy(), kind="stable")
        names = table["hypothesis"]
        if "class" in table:
            names = table["class"].astype(str) + ": " + names
        unit = unit_of(evaluation.task)
        what = target_name or evaluation.target_name or "the target"
        display = cls(
            hypotheses=names.iloc[order].tolist(),
            subgroups=[str(label) for label in labels],
            effect=unit * evaluation.by[_EFFECT].to_numpy(dtype=float).reshape(shape)[order],
            prevalence=evaluation.by[_PREVALENCE].to_numpy(dtype=float).reshape(shape)[order],
            significant=evaluation.by["significant"].to_numpy(dtype=bool).reshape(shape[:2])[order],
            are_periods=isinstance(labels[0], pd.Period),
            by_name=name,
            unit=f"difference of {what}" if evaluation.task == "regression" else f"points of {what}",
            confidence=evaluation.confidence,
        )
        return display.plot(ax, max_hypotheses=max_hypotheses)

    @classmethod
    def from_estimator(cls, estimator, texts, y, *, by, max_hypotheses=None, ax=None, **options):
        """Annotate texts, test the annotations by subgroup and draw the effects.

        Parameters
        ----------
        estimator : estimator or Discovery
            A fitted annotator, or what holds one: a pipeline, a search, a `PairTransformer` or a `ChunkTransformer`.
        texts : sequence of str, or of pairs of str
            Texts on which the hypotheses were not found.
        y : array-like of shape (n_samples,)
            The target. The name of a Series is the name of the target.
        by : array-like of shape (n_samples,)
            Subgroups or periods, as of `evaluate_hypotheses`.
        max_hypotheses : int, default=None
            As of `plot`; so is the next.
        ax : matplotlib Axes, default=None
        **options : dict
            Of `evaluate_hypotheses`, such as `controls`, `groups` and `correction`.

        Returns
        -------
        display : SubgroupDisplay
        """
        annotations, names = annotated(estimator, texts)
        shown = {"max_hypotheses": max_hypotheses, "ax": ax}
        return cls.from_predictions(annotations, y, by=by, hypotheses=names, **shown, **options)

    @classmethod
    def from_predictions(cls, annotations, y, *, by, hypotheses=None, max_hypotheses=None, ax=None, **options):
        """Test annotations by subgroup and draw the effects.

        Parameters
        ----------
        annotations : array-like, DataFrame or sparse matrix of shape (n_samples, n_hypotheses)
            As of `evaluate_hypotheses`.
        y : array-like of shape (n_samples,)
            The target. The name of a Series is the name of the target.
        by : array-like of shape (n_samples,)
            Subgroups or periods, as of `evaluate_hypotheses`.
        hypotheses : sequence of str of length n_hypotheses, default=None
            The sentences. None: the names of the columns of a frame.
        max_hypotheses : int, default=None
            As of `plot`; so is the next.
        ax : matplotlib Axes, default=None
        **options : dict
            Of `evaluate_hypotheses`, such as `controls`, `groups` and `correction`.

        Returns
        -------
        display : SubgroupDisplay
        """
        evaluation = evaluate_hypotheses(annotations, y, hypotheses=hypotheses, by=by, **options)
        return cls.from_evaluation(evaluation, max_hypotheses=max_hypotheses, ax=ax)

    def plot(self, ax=None, *, max_hypotheses=None):
        """Draw the effects.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure. One Axes is divided if there are several panels, and is best part of
            a figure of ``layout="constrained"``, which makes room for the names.
        max_hypotheses : int, default=None
            Of more hypotheses, the first are drawn. None: 20, or 8 that have panels of their own.

        Returns
        -------
        display : SubgroupDisplay
        """
        along = self.are_periods or len(self.subgroups) > _MOST_IN_ROW
        most = (_MOST_PANELS if along else _MOST_ROWS) if max_hypotheses is None else max_hypotheses
        n = min(most, len(self.hypotheses))
        effect = np.asarray(self.effect, dtype=float)[:n]
        found = np.ones(effect.shape[:2], dtype=bool) if self.significant is None else np.asarray(self.significant)[:n]
        if along:
            self._plot_along(ax, effect, found)
        else:
            self._plot_rows(ax, effect, found)
        self.ax_, self.figure_ = self.axes_.flat[0], self.axes_.flat[0].figure
        draw_literally(*self.axes_.flat)
        return self

    def _plot_rows(self, ax, effect, found):
        """Draw a row a hypothesis, with a dot a subgroup."""
        names, n_subgroups = self.hypotheses[: len(effect)], len(self.subgroups)
        height = max(row_height(names, width=_WIDTH, max_lines=_MAX_LINES), len(names) * (0.12 + 0.1 * n_subgroups))
        panel = new_axes(ax, height=1.1 + height, width=8.5)
        panel.axvline(0, color=GREY, linewidth=0.8, zorder=1)
        panel.yaxis.grid(True, color="0.93", zorder=0)
        panel.set_axisbelow(True)
        step = min(_STEP, 0.8 / n_subgroups)
        for code, label in enumerate(self.subgroups):
            value, low, high = effect[:, code].T
            y = np.arange(len(effect)) + step * (code - (n_subgroups - 1) / 2)
            known = np.isfinite(low) & np.isfinite(high)
            looks = style(code)
            panel.hlines(y[known], low[known], high[known], color=looks["color"], linewidth=1.4, zorder=2)
            for some, face in ((found[:, code], looks["color"]), (~found[:, code], "white")):
                panel.plot(value[some], y[some], linestyle="", markersize=5, markerfacecolor=face, zorder=3, **looks)
            gaps = y[np.isnan(value)]
            panel.plot(np.zeros(len(gaps)), gaps, linestyle="", marker="x", markersize=4, color=looks["color"])
            panel.plot([], [], linestyle="", markersize=5, label=shorten(label, 60), **looks)
        panel.set_xlim(*with_room(*_ends(effect)))
        name_rows(panel, names, width=_WIDTH, max_lines=_MAX_LINES, fit=ax is not None)
        panel.set_xlabel(self._effect_label(60))
        panel.plot([], [], "o", markersize=5, color=GREY, markerfacecolor="white", label="hollow: not significant")
        if np.isnan(effect[..., 0]).any():
            panel.plot([], [], linestyle="", marker="x", markersize=4, color=GREY, label="not known")
        if len(names) < len(self.hypotheses):
            panel.plot([], [], linestyle="", label=self._left(len(names)))
        legend_below_names(panel, fontsize="small")
        self.axes_ = np.array([panel])

    def _plot_along(self, ax, effect, found):
        """Draw two panels a hypothesis, with its effect and its prevalence along the subgroups."""
        n, n_columns = len(effect), 1 if self.prevalence is None else 2
        lines = [wrap(name, _TITLE if n_columns == 2 else 2 * _TITLE, 2) for name in self.hypotheses[:n]]
        height = 0.9 + sum(1.15 + len(some) * line_height() for some in lines)
        axes = new_panels(ax, n, n_columns, height=height, width=5 + 3.5 * n_columns, sharex=True, sharey="col")
        x, shown = np.arange(len(self.subgroups)), slice(None)
        if self.are_periods:
            shown = np.unique(np.linspace(0, len(x) - 1, min(_MOST_LABELS, len(x))).round().astype(int))
        columns = [(effect, found, COLORS[0], "o")]
        if n_columns == 2:
            prevalence = 100 * np.asarray(self.prevalence, dtype=float)[:n]
            columns.append((prevalence, np.ones_like(found), COLORS[1], "D"))
        for column, (estimates, filled, color, marker) in enumerate(columns):
            for row, panel in enumerate(axes[:, column]):
                value, low, high = estimates[row].T
                panel.axhline(0, color=GREY, linewidth=0.8, zorder=1)
                panel.vlines(x, low, high, color=color, alpha=0.5, linewidth=1.4, zorder=2)
                if self.are_periods:
                    panel.plot(x, value, color=color, linewidth=1.2, zorder=2)
                for some, face in ((filled[row], color), (~filled[row], "white")):
                    options = {"linestyle": "", "markersize": 4.5, "markerfacecolor": face, "color": color}
                    panel.plot(x[some], value[some], marker=marker, zorder=3, **options)
                panel.spines[["top", "right"]].set_visible(False)
            axes[0, column].set_ylim(*with_room(*_ends(estimates)))
            last = axes[-1, column]
            labels = np.array([shorten(label, 18) for label in self.subgroups], dtype=object)
            turned = {} if self.are_periods else {"rotation": 40, "ha": "right", "rotation_mode": "anchor"}
            last.set_xticks(x[shown], labels[shown], fontsize="small", **turned)
            last.set_xlabel(self._effect_label(44) if column == 0 else "share of rows where it holds, %")
        for panel, some in zip(axes[:, 0], lines, strict=True):
            panel.set_title("\n".join(some), loc="left", fontsize=9, parse_math=False)
        if n < len(self.hypotheses):
            axes[0, -1].set_title(self._left(n), loc="right", fontsize="small", color=GREY)
        self.axes_ = axes

    def _effect_label(self, width):
        bars = f"bars: {100 * self.confidence:g} % confidence"
        hollow = "" if not (self.are_periods or len(self.subgroups) > _MOST_IN_ROW) else "; hollow: not significant"
        return wrapped(f"{self.unit}; {bars}{hollow}", width, 3)

    def _left(self, n):
        return f"{n} of {len(self.hypotheses):,}, those that differ most"


def _ends(estimates):
    """Return the ends of an axis that has zero, all effects, and their intervals up to four times the largest."""
    values = np.abs(estimates[..., 0])
    limit = 4 * values[np.isfinite(values)].max(initial=0) or 1.0
    known = np.clip(estimates[np.isfinite(estimates)], -limit, limit)
    return known.min(initial=0), known.max(initial=0)
