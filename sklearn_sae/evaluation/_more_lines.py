"""What is printed of tests, and of controls, subgroups and periods where these were asked for."""

from sklearn_sae.utils._controls import named_controls
from sklearn_sae.utils._tables import effects, estimates, marked
from sklearn_sae.utils._validation import counted


def more_lines(evaluation):
    """Return the lines of a summary on weights, controls and subgroups; none where none was asked for."""
    metrics, lines = evaluation.metrics, []
    if "n_effective" in metrics:
        lines.append(f"Weighted: the rows are worth {metrics['n_effective']:,.0f} of equal weight")
    if evaluation.controls:
        lines.append(f"{metrics['n_significant_controlled']} significant beyond {named_controls(evaluation.controls)}")
    if evaluation.by is not None:
        name = evaluation.by.columns[1 + (evaluation.task == "multiclass")]
        n = evaluation.by[name].nunique()
        parts = [
            f"the effect of {metrics['n_significant_interaction']} differs, "
            f"{counted(metrics['n_sign_turns'], 'sign turns', 'signs turn')}"
        ]
        if "n_significant_effect_trend" in metrics:
            parts.append(
                f"a trend in the effect of {metrics['n_significant_effect_trend']}, "
                f"in the prevalence of {metrics['n_significant_prevalence_trend']}"
            )
        lines.append(f"By {name} ({n}): {'; '.join(parts)}. See .by")
    return lines


def unit_of(task):
    """Return what effects are multiplied by where they are printed: shares are shown in points of percentage."""
    return 1 if task == "regression" else 100


def columns_of_tests(table, task, *, own, joint, wide):
    """Return the columns of effects, beside all others too if the table is `wide`, as (heading, cells).

    Parameters
    ----------
    table : DataFrame
        Some rows of the table of an evaluation.
    task : str
    own, joint : str
        The headings of the effects on their own and beside all others.
    wide : bool
    """
    unit = unit_of(task)
    effect = (own, effects(table, unit=unit, margins=wide))
    controlled = _controlled_column(table, unit=unit, margins=wide)
    if not wide:
        return [effect, *controlled]
    return [
        effect,
        ("p", marked(table["pvalue"], table["significant"], "*")),
        *controlled,
        (joint, estimates(table["regression_coef"], table["regression_se"])),
        ("p", marked(table["joint_pvalue"], table["significant_jointly"], "+")),
    ]


def _controlled_column(table, *, unit, margins):
    """Return the heading and the cells of effects beyond the controls, as a list; none where there are none."""
    if "controlled_score" not in table:
        return []
    names = {f"controlled_{what}": f"separation_{what}" for what in ("score", "ci_low", "ci_high")}
    table = table.drop(columns=[*names.values(), "significant"])
    table = table.rename(columns={**names, "significant_controlled": "significant"})
    return [("controlled", effects(table, unit=unit, margins=margins))]


def naive_column(table, task):
    """Return the heading and the cells of effects that annotations alone give, as a list; none unless corrected."""
    if "naive_separation_score" not in table:
        return []
    naive = {"separation_score": table["naive_separation_score"], "significant": table["naive_significant"]}
    return [
        ("naive", effects(table.assign(**naive), unit=unit_of(task)))
    ]  # with as many decimals as the corrected ones


def legend_of_controls(controls):
    """Return what the column of effects beyond the controls is; "" without controls."""
    return f" controlled: the same beyond {named_controls(controls)}." if controls else ""


def what_of_pairs(evaluation, name="target"):
    """Return what the effect of a hypothesis is where pairs were annotated; None where single texts were."""
    if not evaluation.of_pairs:
        return None
    if evaluation.task == "regression":
        return f"lead in {name} of the text for which the hypothesis holds, where it holds for one of the two"
    if evaluation.task == "multiclass":
        return (
            "share of the class where the hypothesis holds for the first text alone minus where for the second, "
            "halved, in points of percentage"
        )
    return (
        "win rate above 50%, in points of percentage, of the text for which the hypothesis holds, where it holds for "
        "one of the two"
    )
