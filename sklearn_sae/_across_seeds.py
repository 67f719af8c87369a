"""How often the hypotheses of a discovery come back with other seeds."""

from textwrap import wrap

from sklearn.utils import check_random_state

from sklearn_sae._fit_once import selection_params
from sklearn_sae._refits import FROM, activations_of, come_back, costs_nothing, refit, table_of
from sklearn_sae._text_pairs import is_of_pairs
from sklearn_sae.utils._notes import noted
from sklearn_sae.utils._sklearn_compat import safe_indexing
from sklearn_sae.utils._targets import as_given


def other_seeds(n_seeds, random_state):
    """Return the seeds but the first, which is that of the pipeline itself."""
    return () if n_seeds == 1 else tuple(check_random_state(random_state).randint(2**31 - 1, size=n_seeds - 1).tolist())


def settings_of_seeds(n_seeds, pipeline):
    """Return what a report says of the seeds: nothing if there is one."""
    if n_seeds > 1 and is_of_pairs(pipeline):
        raise ValueError("n_seeds is for single texts, and these are pairs; leave it out.")
    compared = "names" if costs_nothing(pipeline["hypotheses"]) else "neurons"
    return {} if n_seeds == 1 else {"n_seeds": n_seeds, "compared": compared}


def across_seeds(plan, annotations):
    """Return the share of the other seeds with which each hypothesis comes back, as a dict of one column.

    Hypotheses are found again on the texts that they were found on, and compared on those held out, whose target plays
    no part. Where a language model names, the neurons are compared, so that it is asked nothing more.

    Parameters
    ----------
    plan : Plan
        Whose pipeline is fitted.
    annotations : ndarray of shape (n_test, n_hypotheses)
        Of the texts held out.

    Returns
    -------
    column : dict
        Empty if there are no other seeds.
    """
    if not plan.seeds:
        return {}
    annotator, unseen = plan.pipeline["hypotheses"], plan.texts[plan.test]
    of = "names" if costs_nothing(annotator) else "neurons"
    if of == "neurons":
        annotations = activations_of(annotator.encoder_.transform(unseen), annotator.hypotheses_["neuron"].tolist())
    target = safe_indexing(as_given(plan.target), plan.train) if plan.found_for is None else plan.found_for
    weights = None if plan.weights is None else plan.weights[plan.train]
    by = None if plan.by is None else plan.by.take(plan.train).of_rows()
    with noted():  # the first fit says the same
        params = selection_params(plan.pipeline, weights, by)
    options = {"of": of, "params": params}
    texts = plan.texts[plan.train]
    found = [refit(annotator, texts, target, unseen, seed=seed, **options).values for seed in plan.seeds]
    return {
        "comes_back": table_of(annotator.hypotheses_["interpretation"], come_back(annotations, found))["comes_back"]
    }


def column_of_seeds(table, settings):
    """Return the heading and the cells of a column that is printed, as a list; none where there is one seed."""
    if "comes_back" not in table:
        return []
    n = settings["n_seeds"] - 1
    return [("back", [f"{round(share * n)}/{n}" for share in table["comes_back"]])]


def with_seeds(hypotheses, names, discovery):
    """Return the hypotheses of a report with how often each comes back, where that is known."""
    table, settings = discovery.table, discovery.settings
    if "comes_back" not in table:
        return hypotheses
    shares, n = dict(zip(table["hypothesis"], table["comes_back"], strict=True)), settings["n_seeds"] - 1
    back = [f"{round(shares[name] * n)} of {n}" for name in names]
    return [
        one._replace(back=times, facts=(*one.facts, f"Found again with other seeds, it came back in {times} fits."))
        for one, times in zip(hypotheses, back, strict=True)
    ]


def methods_on_seeds(settings):
    """Return a sentence for a section on methods, as a list; none where there is one seed."""
    if "n_seeds" not in settings:
        return []
    return [f"Hypotheses were found with several seeds. Comes back: {meaning_of_seeds(settings)}."]


def legend_of_seeds(table, settings, width):
    """Return lines that say what the column is; none where there is one seed."""
    if "comes_back" not in table:
        return []
    return wrap(f"back: {meaning_of_seeds(settings)}. {table['comes_back'].mean():.0%} on average.", width)


def meaning_of_seeds(settings):
    """Return what coming back means."""
    n = settings["n_seeds"] - 1
    what = "the like of it comes" if settings["compared"] == "names" else "the like of its neuron comes"
    return (
        f"of {n} more fit{'s' * (n > 1)} with other seeds, those in which {what} back (correlation above {FROM:g}); "
        "that is not significance, nor does it say what other texts give"
    )
