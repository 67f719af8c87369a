"""What a report says of controls, weights and subgroups, where there are any."""

from sklearn_sae.evaluation._by_lines import subgroups_in
from sklearn_sae.report._effects import estimate, signed
from sklearn_sae.report._wording import is_share
from sklearn_sae.utils._controls import named_controls
from sklearn_sae.utils._tables import pvalue


def facts_beyond(facts, rows, evaluation, words, form):
    """Return facts on a hypothesis with its effects beyond the controls, and without means that are not weighted.

    Parameters
    ----------
    facts : tuple of str
    rows : sequence of int
        Those of the table of the evaluation: one, or one of each class.
    evaluation : HypothesisEvaluation
    words : Wording
    form : str
        The format of effects.
    """
    if "n_effective" in evaluation.metrics:
        facts = tuple(fact for fact in facts if not fact.startswith("The mean "))
    if not evaluation.controls:
        return facts
    factor = words.sign * (100 if is_share(words) else 1)
    columns = ("controlled_score", "controlled_ci", "controlled_pvalue", "significant_controlled")
    return (*facts, *(_fact(evaluation.table.iloc[row], columns, factor, form, evaluation) for row in rows))


def _fact(row, columns, factor, form, evaluation):
    found = estimate(row, *columns, factor)
    of = f" on “{row['class']}”" if "class" in row else ""
    return (
        f"Beyond {named_controls(evaluation.controls)} its effect{of} is {signed(found.value, form)}, "
        f"{100 * evaluation.confidence:g}% interval {signed(found.low, form)} to {signed(found.high, form)}, p = "
        f"{pvalue(found.pvalue)}, {'significant' if found.significant else 'not significant'}."
    )


def holds_beyond(evaluation):
    """Return a sentence, as a tuple, on how many hypotheses hold beyond controls and an offset; none without these."""
    if not evaluation.controls:
        return ()
    n = evaluation.metrics["n_significant_controlled"]
    return (
        f"Beyond {named_controls(evaluation.controls)} {'none holds' if n == 0 else f'{n:,} hold' + 's' * (n == 1)}.",
    )


def of_controls_weights_and_subgroups(evaluation):
    """Yield sentences on how controls, weights and subgroups were heeded."""
    if "n_effective" in evaluation.metrics:
        yield (
            f"Rows were weighted; they are worth {evaluation.metrics['n_effective']:,.0f} of equal weight. The effect "
            "of a hypothesis is then a weighted difference."
        )
    n_controls = len(evaluation.controls) - bool(evaluation.offset)
    if evaluation.controls:
        errors = "cluster-robust" if evaluation.standard_errors == "clustered" else "HC3"
        of = [part for part, has in (("the offset", evaluation.offset), ("controls", n_controls)) if has]
        beyond = " and ".join(of)
        yield (
            f"Beside it stands the effect beyond {named_controls(evaluation.controls)}: the coefficient in least "
            f"squares on the hypothesis and these, with {errors} standard errors, tested by the larger p-value of that "
            f"and of the permutation test of Freedman and Lane; {evaluation.metrics['n_significant_controlled']} of "
            f"{len(evaluation.table)} are significant after correction. All other figures are without {beyond}."
        )
    if evaluation.offset:
        yield (
            f"Here {evaluation.offset} are an offset, which was subtracted from the target"
            f"{'' if evaluation.task == 'regression' else ', as the probability of its second class'}."
        )
    if evaluation.by is not None:
        name = subgroups_in(evaluation)[0]
        errors = "cluster-robust" if evaluation.standard_errors == "clustered" else "HC3"
        yield (
            f"By {name} effects are those of least squares with {errors} standard errors, of which the interval hardly "
            "differs from Welch's, and that they are the same in all is tested by Welch's test of several means."
        )
