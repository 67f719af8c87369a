"""How well annotations agree with labels of people."""

from numbers import Integral, Real

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state

from sklearn_sae.evaluation._agreement_statistics import (
    cohens_kappa,
    coincidences,
    confusion,
    krippendorffs_alpha,
    majority,
    precision_recall_f1,
    signs,
)
from sklearn_sae.evaluation._check_annotations import check_annotations
from sklearn_sae.evaluation._correct_annotations import check_labels
from sklearn_sae.evaluation._hypothesis_evaluation import MAX_ROWS
from sklearn_sae.evaluation._sampling_design import check_sampled, make_design
from sklearn_sae.utils._sklearn_compat import Interval, validate_params
from sklearn_sae.utils._tables import table_lines
from sklearn_sae.utils._validation import check_alignment, refuse_masked


class _Agreement(pd.DataFrame):
    """A DataFrame that prints with intervals and whole sentences; what is taken of it is an ordinary one."""

    def __repr__(self):
        shown = self.head(MAX_ROWS)
        columns = [("n", [f"{n:,}" for n in shown["n_labels"]])]
        for name in ("kappa", "alpha"):
            limits = zip(_decimals(shown[f"{name}_low"]), _decimals(shown[f"{name}_high"]), strict=True)
            intervals = ["-" if low == "-" else f"{low}–{high}" for low, high in limits]
            columns += [(name, _decimals(shown[name])), (f"{100 * self.attrs['confidence']:g}% CI", intervals)]
        heads = {"human_alpha": "human", "precision": "prec.", "recall": "rec.", "f1": "F1"}
        columns += [(head, _decimals(shown[name])) for name, head in heads.items() if name in shown]
        lines = table_lines(columns, shown["hypothesis"])
        if len(self) > MAX_ROWS:
            lines.append(f"... and {len(self) - MAX_ROWS} more rows")
        return "\n".join(lines)


def _decimals(values):
    return ["-" if np.isnan(value) else f"{value:.2f}" for value in values]


@validate_params(
    {
        "annotations": "no_validation",
        "human": "no_validation",
        "sampled": "no_validation",
        "hypotheses": "no_validation",
        "confidence": [Interval(Real, 0, 1, closed="neither")],
        "n_resamples": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def agreement(annotations, human, sampled=None, *, hypotheses=None, confidence=0.95, n_resamples=1000, random_state=0):
    """Measure how well annotations agree with labels of people.

    Parameters
    ----------
    annotations : array-like, DataFrame or sparse matrix of shape (n_samples, n_hypotheses)
        As of `evaluate_hypotheses`. A hypothesis holds from 0.5 on.

    human : array-like or DataFrame of shape (n_samples, n_hypotheses), or a list of such
        Labels, written as the annotations are, with NaN where there is none. A list has an element a person.

    sampled : array-like of shape (n_samples,), default=None
        As of `correct_annotations`: how the labelled texts were drawn. Each then counts for as many texts as it stands
        for, so that the numbers are of all texts. By default they are of the labelled ones.

    hypotheses : sequence of str of length n_hypotheses, default=None
        The sentences. By default the column names of a DataFrame, else "hypothesis 0", "hypothesis 1" and so on.

    confidence : float, default=0.95
        Level of each interval.

    n_resamples : int, default=1000
        How often labelled texts are drawn again for the intervals.

    random_state : int, RandomState instance or None, default=0
        Of that.

    Returns
    -------
    table : DataFrame
        One row a hypothesis; it prints with the sentences whole. Columns:

        - `hypothesis`: its sentence or name.
        - `n_labels`, printed as n: texts with an annotation and a label; of several people, one that most of them gave.
        - `kappa`, `kappa_low`, `kappa_high`: Cohen's kappa of the annotation and the label, and its interval.
        - `alpha`, `alpha_low`, `alpha_high`: Krippendorff's alpha (nominal) of the annotation and all people.
        - `human_alpha`, printed as human: that of the people alone; only if there are several.
        - `precision`, `recall`, `f1`: of the annotation for the label; for pairs of texts, of answers that are not 0.
        - `prevalence`, `human_prevalence`: share of these texts where it holds by the annotation and by the label.

    Raises
    ------
    ValueError
        If `annotations` or `hypotheses` are wrong as for `evaluate_hypotheses`; if labels are not of the shape of
        `annotations`, name other hypotheses, or are all NaN; if `sampled` is wrong as for `correct_annotations`.

    See Also
    --------
    correct_annotations : Effects that the labels correct.
    sample_for_labelling : Draws the texts to label.
    sklearn.metrics.cohen_kappa_score : Kappa of two lists of labels.

    Notes
    -----
    Both measures are 1 for full agreement and 0 for what chance gives. Kappa [1]_ takes the chance of either's own
    share of answers, alpha [2]_ that of the shares of all, and it takes any number of people and gaps. Alpha below
    0.667 is by custom too little to draw conclusions from [2]_. Where a hypothesis hardly ever holds, either may be low
    though nearly all answers agree, so look at precision and recall.

    Texts that were drawn with unequal probabilities, as by `sample_for_labelling`, have the rare answers more often
    than the texts at large, and agreement on them is not that on all: pass `sampled`.

    Intervals are the percentile bootstrap over labelled texts, drawn again within strata of one probability. Where all
    answers agree the interval has no width, which does not mean that it is certain. Measures are NaN where they are not
    defined, as kappa and alpha are where there is but one answer.

    References
    ----------
    .. [1] Cohen, "A coefficient of agreement for nominal scales", Educational and Psychological Measurement 20 (1960).
    .. [2] Krippendorff, "Content analysis: an introduction to its methodology", 4th edition (2019).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sae import agreement
    >>> rng = np.random.default_rng(0)
    >>> truth = rng.integers(0, 2, size=(200, 2))
    >>> annotations = np.where(rng.random((200, 2)) < [0.05, 0.3], 1 - truth, truth)
    >>> agreement(annotations, truth, hypotheses=["praises the food", "mentions parking"])
      n  kappa     95% CI  alpha     95% CI  prec.  rec.    F1  hypothesis
    200   0.96  0.92–0.99   0.96  0.92–0.99   0.98  0.98  0.98  praises the food
    200   0.44  0.31–0.57   0.44  0.32–0.57   0.75  0.76  0.76  mentions parking
    """
    A, hypotheses = check_annotations(annotations, hypotheses)
    refuse_masked(annotations, "annotations")
    people = _people(human)
    for labels in people:
        check_alignment(annotations, labels, name="annotations", other_name="human")
        refuse_masked(labels, "human")
    L = np.stack([signs(check_labels(labels, hypotheses, len(A))) for labels in people])
    A = signs(A)
    labelled = ~np.isnan(L).all(axis=(0, 2))
    probabilities = check_sampled(labelled if sampled is None else sampled, labelled)
    design = make_design(probabilities, labelled)
    weights = design.weights[labelled] * labelled.sum() / design.weights.sum()
    A, L = A[labelled], L[:, labelled]
    columns = [_parts(A[:, j], L[:, :, j]) for j in range(len(hypotheses))]
    rng = check_random_state(random_state)
    resampled = [_measures(columns, weights * _drawn_again(design.strata, rng)) for _ in range(n_resamples)]
    found, n_labels = _measures(columns, weights), [int(parts[0].sum()) for parts in columns]
    return _table(hypotheses, n_labels, found, np.stack(resampled), confidence, several=len(people) > 1)


def _people(human):
    """Return the labels of each person."""
    is_list = isinstance(human, (list, tuple)) and len(human) > 0 and all(np.ndim(labels) == 2 for labels in human)
    return list(human) if is_list or (isinstance(human, np.ndarray) and human.ndim == 3) else [human]


def _parts(annotation, labels):
    """Return, a row a text, what the measures of a hypothesis are sums of."""
    return (
        confusion(annotation, majority(labels)),
        coincidences(np.vstack([annotation, labels])),
        coincidences(labels),
    )


def _measures(columns, weights):
    """Return the measures of each hypothesis, with these weights of texts: (n_hypotheses, 8)."""
    confusions, of_all, of_people = (
        np.stack([weights @ part for part in parts]) for parts in zip(*columns, strict=True)
    )
    table = confusions.reshape(-1, 3, 3)
    total = np.maximum(table.sum(axis=(1, 2)), 1e-300)
    prevalences = 1 - np.stack([table[:, 1].sum(axis=1), table[:, :, 1].sum(axis=1)]) / total
    return np.column_stack(
        [
            cohens_kappa(confusions),
            krippendorffs_alpha(of_all),
            krippendorffs_alpha(of_people),
            precision_recall_f1(confusions),
            prevalences.T,
        ]
    )


def _drawn_again(strata, rng):
    """Return how often each text is drawn if as many as there are in its stratum are drawn from it again."""
    counts = np.empty(len(strata))
    for stratum in np.unique(strata):
        rows = np.flatnonzero(strata == stratum)
        counts[rows] = np.bincount(rng.randint(len(rows), size=len(rows)), minlength=len(rows))
    return counts


def _table(hypotheses, n_labels, found, resampled, confidence, *, several):
    kappa, alpha, of_people, *scores = found.T
    limits = [(1 - confidence) / 2, (1 + confidence) / 2]
    (kappa_low, kappa_high), (alpha_low, alpha_high) = (_quantiles(resampled[:, :, i], limits) for i in (0, 1))
    table = _Agreement(
        {
            "hypothesis": hypotheses,
            "n_labels": n_labels,
            "kappa": kappa,
            "kappa_low": kappa_low,
            "kappa_high": kappa_high,
            "alpha": alpha,
            "alpha_low": alpha_low,
            "alpha_high": alpha_high,
            **({"human_alpha": of_people} if several else {}),
            **dict(zip(("precision", "recall", "f1", "prevalence", "human_prevalence"), scores, strict=True)),
        }
    )
    for name in ("prevalence", "human_prevalence"):
        table.loc[table["n_labels"] == 0, name] = np.nan
    table.attrs["confidence"] = confidence
    return table


def _quantiles(values, limits):
    """Return quantiles over the resamples in which a measure is defined, NaN where it never is."""
    return np.array(
        [np.full(2, np.nan) if np.isnan(column).all() else np.nanquantile(column, limits) for column in values.T]
    ).T
