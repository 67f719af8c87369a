"""How often hypotheses come back when they are found again."""

from dataclasses import dataclass
from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state
from sklearn.utils.parallel import Parallel, delayed

from sklearn_sae._beyond_controls import target_to_find_for
from sklearn_sae._check_discovery import refuse_useless_groups
from sklearn_sae._refits import FROM, come_back, costs_nothing, refit, table_of
from sklearn_sae._split import joined, split
from sklearn_sae.annotation._selection_params import check_selection_params
from sklearn_sae.utils._controls import check_controls, check_weights
from sklearn_sae.utils._copies import copies
from sklearn_sae.utils._notes import warn
from sklearn_sae.utils._sklearn_compat import HasMethods, Interval, StrOptions, safe_indexing, validate_params
from sklearn_sae.utils._tables import headed, table_lines, terminal_width
from sklearn_sae.utils._targets import check_target
from sklearn_sae.utils._validation import check_alignment, check_groups, check_texts, counted

_UNSEEN = 0.2  # of the texts, on which hypotheses are compared
_RESAMPLE = 0.8  # of the others, without replacement
_CHANGES = {"seeds": "other seeds", "resamples": "other texts", "order": "the texts in another order"}


@dataclass(frozen=True, eq=False, repr=False)
class Stability:
    """How often hypotheses come back, as `stability` returns it.

    It prints as a table, as wide as the terminal, at most 120 columns (100 where there is none). Its parameters are its
    attributes.

    Parameters
    ----------
    table : DataFrame
        One row a hypothesis of the reference, those that come back most first. Columns:

        - `hypothesis`: its name, or the number of its neuron.
        - `comes_back`: the share of the other fits in which it comes back.
        - `mean_correlation`: the mean over these fits of the correlation with the one that it is paired with, 0 where
          there is none.

    share : float
        The mean of `comes_back`.

    correlations : DataFrame of shape (n_resamples, n_hypotheses)
        The correlation in each fit, with the hypotheses in the order of the reference.

    how : str
        What changed between the fits: "seeds", "resamples" or "order".

    of : str
        What was compared: "names" or "neurons".

    n_texts : int
        The number of texts that it was compared on.

    See Also
    --------
    stability : Returns one.

    Examples
    --------
    >>> from sklearn_sae import make_hypothesis_pipeline, stability
    >>> from sklearn_sae.datasets import make_concept_texts
    >>> reviews = make_concept_texts(400, n_concepts=3, random_state=0)
    >>> pipeline = make_hypothesis_pipeline(n_hypotheses=3, random_state=0)
    >>> found = stability(pipeline, reviews.data, reviews.target, n_resamples=2, random_state=0)
    >>> found.how, found.of, found.n_texts, found.correlations.shape
    ('seeds', 'names', 80, (2, 3))
    """

    table: pd.DataFrame
    share: float
    correlations: pd.DataFrame
    how: str
    of: str
    n_texts: int

    def summary(self):
        """Return the overall share in one sentence.

        Returns
        -------
        summary : str
        """
        n, fits = len(self.table), counted(len(self.correlations), "fit")
        kind = "hypotheses come" if self.of == "names" else "neurons, not named, come"
        return (
            f"{self.share:.0%} of {n:,} {kind} back (correlation above {FROM:g} on {counted(self.n_texts, 'text')} "
            f"held out), on average over {fits} with {_CHANGES[self.how]}."
        )

    def to_text(self, *, width=None):
        """Return what is printed.

        Parameters
        ----------
        width : int or None, default=None
            The width of a line. None: that of the terminal, at most 120; 100 where there is none.

        Returns
        -------
        text : str
        """
        from textwrap import wrap

        width = terminal_width() if width is None else width
        n_fits = len(self.correlations)
        columns = [
            ("comes back", [f"{round(share * n_fits)} of {n_fits}" for share in self.table["comes_back"]]),
            ("correlation", [f"{value:.2f}" for value in self.table["mean_correlation"]]),
        ]
        head, names = headed(self.table["hypothesis"])
        lines = table_lines(columns, names, head=head if self.of == "names" else "neuron", width=width)
        return "\n".join([*wrap(self.summary(), width), *lines, *wrap(NOT_SIGNIFICANCE, width)])

    def __repr__(self):
        return self.to_text()


NOT_SIGNIFICANCE = "What comes back can still be chance: the tests on texts held out say what predicts."


@validate_params(
    {
        "pipeline": [HasMethods(["fit", "get_params"])],
        "texts": "no_validation",
        "y": "no_validation",
        "n_resamples": [Interval(Integral, 1, None, closed="left")],
        "how": [StrOptions(set(_CHANGES))],
        "of": [StrOptions({"auto", "names", "neurons"})],
        "groups": "no_validation",
        "controls": "no_validation",
        "sample_weight": "no_validation",
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
    },
    prefer_skip_nested_validation=True,
)
def stability(
    pipeline,
    texts,
    y,
    *,
    n_resamples=5,
    how="seeds",
    of="auto",
    groups=None,
    controls=None,
    sample_weight=None,
    random_state=None,
    n_jobs=None,
):
    """Say how often each hypothesis comes back when hypotheses are found again.

    A fifth of the texts is held out. A clone of the pipeline is fitted on the others as it is, and more clones with one
    thing changed. All of them annotate the texts held out, on which none was fitted. A hypothesis of the first comes
    back in another fit if its annotations correlate by more than 0.7 with those that it is paired with there.

    Parameters
    ----------
    pipeline : Pipeline or annotator
        As `make_hypothesis_pipeline` builds it: a pipeline with the step ``hypotheses``, or an annotator alone, with an
        ``encoder``. It is not changed.

    texts : sequence of str, 1-D array, Series, or one-column frame
        The texts.

    y : array-like of shape (n_texts,)
        The target.

    n_resamples : int, default=5
        How many more fits there are.

    how : {"seeds", "resamples", "order"}, default="seeds"
        What is changed: all seeds inside; the texts, of which each fit has 80 %, drawn without replacement; or the
        order of the texts. Seeds stay in the latter two, so that they should be set: ``random_state=0``.

    of : {"auto", "names", "neurons"}, default="auto"
        What is compared: annotations by the names, or activations of the neurons that are selected to be named.
        "auto" is "neurons" where a language model would name and annotate, which is then asked nothing. With "names" it
        is asked, and paid, in each of the ``n_resamples + 1`` fits; see `LLMHypothesisAnnotator.estimate_cost`.

    groups : array-like of shape (n_texts,), default=None
        Labels of what texts have in common, such as the author. The texts of a group, like copies of a text, are held
        out together and drawn together.

    controls : DataFrame, Series or array-like of shape (n_texts,) or (n_texts, n_controls), default=None
        What else may explain the target. Hypotheses are found in what the controls leave of it, as in `discover`.

    sample_weight : array-like of shape (n_texts,), default=None
        How much each text counts in the selection of neurons and in what controls leave, as in `discover`. Texts of
        weight 0 are left out.

    random_state : int, RandomState instance or None, default=None
        Seeds the split, and draws the seeds, texts or orders of the other fits.

    n_jobs : int or None, default=None
        How many fits run at a time, each in a process of its own; as in scikit-learn.

    Returns
    -------
    stability : Stability
        With `table`, `share` and `correlations`; it prints as a table.

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of its range; if there is no annotator with an encoder in `pipeline`; if texts, `y`,
        `groups`, `controls` or `sample_weight` cannot be used, or there are too few texts to split.

    See Also
    --------
    discover : With ``n_seeds=`` it has a column of this.
    match_hypotheses : Pairs hypotheses in the same way.
    NeuronSelector : Its `n_resamples` says how stable the choice of neurons is, with the same neurons.

    Notes
    -----
    Stability is not significance. A hypothesis that comes back in all fits with other seeds may be a whim of these very
    texts, and even on a target that is chance some of what is found comes back; one that does not come back may
    predict as well as another that says it in other words. `discover` tests on texts held out, whatever comes back. See
    docs/stability.md for how much comes back today, on targets that are chance too.

    Examples
    --------
    >>> from sklearn_sae import make_hypothesis_pipeline, stability
    >>> from sklearn_sae.datasets import make_concept_texts
    >>> reviews = make_concept_texts(500, n_concepts=3, random_state=0)
    >>> pipeline = make_hypothesis_pipeline(n_hypotheses=3, random_state=0)
    >>> found = stability(pipeline, reviews.data, reviews.target, n_resamples=2, how="order", random_state=0)
    >>> found.table[["comes_back", "mean_correlation"]].shape
    (3, 2)
    """
    annotator = _annotator_of(pipeline)
    if of == "auto":
        of = "names" if costs_nothing(annotator) else "neurons"
    check_alignment(texts, y, name="texts")
    controls = check_controls(controls, len(texts), X=texts, X_name="texts")
    texts = np.array(check_texts(texts, name="texts"), dtype=object)
    target = check_target(y, n_samples=len(texts))
    refuse_useless_groups(groups, texts, y)
    groups, weights = check_groups(groups, len(texts)), check_weights(sample_weight, len(texts))
    units = joined(copies(texts.tolist()), groups)
    what = ("different text", "different texts") if groups is None else ("group of texts", "groups of texts")
    rng = check_random_state(random_state)
    train, test = split(units, target, groups is None, _UNSEEN, rng, name="y", what=what, why=[])
    if weights is not None:
        check_selection_params(annotator.encoder, {"sample_weight": weights})
        train = train[weights[train] > 0]
    unseen = texts[test].tolist()

    def fit(rows, seed, note=False):
        found_for, notes = target_to_find_for(target, controls, weights, rows)
        for one in notes if note else ():
            warn(one)
        aim = safe_indexing(y, rows) if found_for is None else found_for
        params = {} if weights is None else {"sample_weight": weights[rows]}
        return delayed(refit)(annotator, texts[rows].tolist(), aim, unseen, seed=seed, of=of, params=params)

    changed = _changed(how, train, units, rng, n_resamples)
    fits = [fit(train, None, note=True), *(fit(rows, seed) for rows, seed in changed)]
    first, *others = Parallel(n_jobs=n_jobs)(fits)
    found = come_back(first.values, [one.values for one in others])
    table = table_of(first.names, found)
    return Stability(
        table=table.sort_values(["comes_back", "mean_correlation"], ascending=False, kind="stable", ignore_index=True),
        share=float(table["comes_back"].mean()),
        correlations=pd.DataFrame(found, columns=first.names),
        how=how,
        of=of,
        n_texts=len(test),
    )


def _annotator_of(pipeline):
    """Return the annotator with an encoder that a pipeline has, or that is passed alone."""
    annotator = getattr(pipeline, "named_steps", {}).get("hypotheses", pipeline)
    if getattr(annotator, "encoder", None) is None:
        raise ValueError(
            "stability needs a pipeline with a step 'hypotheses', or an annotator, that has an encoder=: what is found "
            f"again is found from texts; {type(annotator).__name__} has none."
        )
    return annotator


def _changed(how, train, units, rng, n_resamples):
    """Yield the rows and the seed of each further fit."""
    for _ in range(n_resamples):
        if how == "seeds":
            yield train, int(rng.randint(2**31 - 1))
        elif how == "order":
            yield rng.permutation(train), None
        else:
            some = np.unique(units[train])
            some = rng.choice(some, size=max(2, round(_RESAMPLE * len(some))), replace=False)
            yield train[np.isin(units[train], some)], None
