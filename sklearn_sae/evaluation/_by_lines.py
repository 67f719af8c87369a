"""What is printed of effects by subgroup or period: the hypotheses of which they are not the same in all."""

import math
from textwrap import wrap

import numpy as np

from sklearn_sae.evaluation._more_lines import unit_of
from sklearn_sae.utils._decimals import number_form, written
from sklearn_sae.utils._tables import fitted_table, headed, lines_for, marked
from sklearn_sae.utils._validation import visible

_MOST_COLUMNS = 4  # subgroups that have a column each; of more the lowest and the highest effect is shown
_MOST_NAME = 12  # characters of a subgroup in a heading


def by_lines(evaluation, width, *, full=False, where=".evaluation.by"):
    """Return the lines on effects by subgroup or period; None if none were asked for.

    Parameters
    ----------
    evaluation : HypothesisEvaluation
    width : int
    full : bool, default=False
        Whether to show all hypotheses, not only those of which the effect differs or has a trend.
    where : str, default=".evaluation.by"
        Where all effects are.
    """
    if evaluation.by is None:
        return None
    table, metrics = evaluation.table, evaluation.metrics
    name, labels = subgroups_in(evaluation)
    are_periods = "effect_trend" in table
    shown = table["significant_interaction"] | table["sign_turns"]
    if are_periods:
        shown |= table["significant_effect_trend"] | table["significant_prevalence_trend"]
    parts = f"{labels[0]} to {labels[-1]}" if are_periods else ", ".join(map(short_label, labels))
    if not are_periods and len(labels) > _MOST_COLUMNS:
        parts = f"{len(labels)} subgroups"
    n_turns = metrics["n_sign_turns"]
    found = (
        f"By {name} ({parts}): the effect of {metrics['n_significant_interaction'] or 'none'} differs, "
        f"{n_turns or 'no'} {'sign turns' if n_turns < 2 else 'signs turn'}"
    )
    if are_periods:
        found += (
            f"; a trend in the effect of {metrics['n_significant_effect_trend'] or 'none'}, in the texts of "
            f"{metrics['n_significant_prevalence_trend'] or 'none'}"
        )
    if not shown.any():
        found = f"By {name} ({parts}): no effect differs" + (", and none has a trend" if are_periods else "")
    lines = wrap(f"{found}.", width)
    rows = table.index if full else table.index[shown]
    if not len(rows):
        return lines
    order = ["interaction_pvalue", *(["effect_trend_pvalue"] if are_periods else [])]
    rows = table.loc[rows].sort_values(order, kind="stable").index.to_numpy()
    columns = (_trends if are_periods else _effects)(evaluation, rows, name, labels)
    differs = marked(table["interaction_pvalue"].iloc[rows], table["significant_interaction"].iloc[rows], "*")
    head, names = headed(table["hypothesis"].iloc[rows])
    if "class" in table:
        names = [f"{visible(str(label))}: {one}" for label, one in zip(table["class"].iloc[rows], names, strict=True)]
        head = f"class: {head}"
    n_lines = (math.inf, math.inf) if full else lines_for(len(names), width, False)
    lines += fitted_table([*columns, ("p", differs)], names, head=head, width=width, n_lines=n_lines)[1]
    what = "from one period to the next" if are_periods else "effect in each"
    if not are_periods and len(labels) > _MOST_COLUMNS:
        what = "the lowest and the highest effect"
    trends = "effect, texts: by how much each changes " if are_periods else ""
    lines += wrap(f"{trends}{what}; p: that the effects are all the same; * significant. All: {where}.", width)
    return lines


def subgroups_in(evaluation):
    """Return the name of the column of subgroups of an evaluation, and its labels in order."""
    name = evaluation.by.columns[1 + (evaluation.task == "multiclass")]
    return name, evaluation.by[name].drop_duplicates().tolist()


def short_label(label):
    """Return the label of a subgroup, cut if it is long."""
    label = visible(str(label))
    return label if len(label) <= _MOST_NAME else f"{label[: _MOST_NAME - 1].rstrip()}…"


def _effects(evaluation, rows, name, labels):
    """Return columns of the effects in each subgroup, or of the lowest and the highest."""
    unit = unit_of(evaluation.task)
    by = evaluation.by
    effect = unit * by["effect"].to_numpy().reshape(-1, len(labels))[rows]
    margin = unit * (by["effect_ci_high"] - by["effect_ci_low"]).to_numpy().reshape(-1, len(labels))[rows] / 2
    found = by["significant"].to_numpy().reshape(-1, len(labels))[rows]
    form = f"+{number_form(effect.ravel(), margin.ravel())}"
    cells = np.array(
        [
            [f"{written(value, form)}{'*' if star else ' '}" for value, star in zip(*pair, strict=True)]
            for pair in zip(effect, found, strict=True)
        ],
        dtype=object,
    )
    if len(labels) <= _MOST_COLUMNS:
        return [(short_label(label), cells[:, code].tolist()) for code, label in enumerate(labels)]
    columns = []
    for head, end, gap in (("lowest", np.argmin, np.inf), ("highest", np.argmax, -np.inf)):
        places = end(np.where(np.isnan(effect), gap, effect), axis=1)
        some = [f"{short_label(labels[code])} {cells[row, code]}" for row, code in enumerate(places)]
        columns.append((head, some))
    return columns


def _trends(evaluation, rows, name, labels):
    """Return columns of by how much effects and the share of texts change from a period to the next."""
    table = evaluation.table.iloc[rows]
    columns = []
    for what, head, unit in (("effect", "effect", unit_of(evaluation.task)), ("prevalence", "texts", 100)):
        values = unit * table[f"{what}_trend"].to_numpy()
        form = f"+{_digits(values) if what == 'effect' else '.1f'}"
        stars = ["*" if one else " " for one in table[f"significant_{what}_trend"]]
        percent = "%" if what == "prevalence" else ""
        columns.append(
            (head, [f"{written(value, form)}{percent}{star}" for value, star in zip(values, stars, strict=True)])
        )
    return columns


def _digits(values):
    """Return the format of changes, two digits of the largest, but no more than six decimals."""
    largest = np.nanmax(np.abs(values), initial=0.0)
    return ".2f" if not largest > 0 else f".{min(max(1 - math.floor(math.log10(largest)), 0), 6)}f"
