"""The hypotheses of a reference that were found."""

from dataclasses import dataclass
from numbers import Real

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from sklearn_sae.evaluation._check_annotations import check_annotations
from sklearn_sae.evaluation._correlation import correlations
from sklearn_sae.evaluation._hypothesis_evaluation import MAX_ROWS
from sklearn_sae.utils._sklearn_compat import Interval, validate_params
from sklearn_sae.utils._tables import table_lines


@dataclass(frozen=True, eq=False, repr=False)
class HypothesisMatching:
    """Found hypotheses beside the reference ones, as `match_hypotheses` returns them.

    It prints as a table of 100 columns. Its parameters are its attributes.

    Parameters
    ----------
    table : DataFrame
        One row a pair, highest correlation first; a hypothesis that is in no pair has no row. Columns:

        - `found`, `reference`: the two hypotheses.
        - `correlation`: the correlation of their annotations.
        - `f1`: F1 of the found annotation for the reference one.
        - `recovered`: bool; whether the correlation is at least `threshold`.

    metrics : dict
        - `precision`: share of the found hypotheses that recover one of the reference.
        - `recall`: share of the reference hypotheses that are recovered.
        - `f1`: harmonic mean of the two.
        - `mean_correlation`, `mean_f1`: mean of `correlation` and `f1` over the reference hypotheses, 0 for one that
          is in no pair. They need no threshold.
        - `n_recovered`, `n_found`, `n_reference`: numbers of hypotheses.

    correlations : DataFrame of shape (n_found, n_reference)
        Correlations of every found with every reference annotation; NaN where one of the two is constant.

    threshold : float
        The correlation from which a hypothesis counts as recovered.

    See Also
    --------
    match_hypotheses : Returns one.

    Examples
    --------
    >>> from sklearn_sae import match_hypotheses
    >>> matching = match_hypotheses([[1, 0], [0, 0], [1, 1], [0, 1]], [[1], [0], [1], [0]])
    >>> matching.table
              found     reference  correlation   f1  recovered
    0  hypothesis 0  hypothesis 0          1.0  1.0       True
    >>> matching.metrics["precision"], matching.metrics["recall"]
    (0.5, 1.0)
    """

    table: pd.DataFrame
    metrics: dict
    correlations: pd.DataFrame
    threshold: float

    def summary(self):
        """Return the counts and scores in one sentence.

        Returns
        -------
        summary : str
        """
        m = self.metrics
        return (
            f"{m['n_recovered']} of {m['n_reference']} recovered by {m['n_found']} found (correlation >= "
            f"{self.threshold:g}); precision {m['precision']:.2f}, recall {m['recall']:.2f}, F1 {m['f1']:.2f}"
        )

    def __repr__(self):
        shown = self.table.head(MAX_ROWS)
        columns = {
            "correlation": [f"{value:+.2f}" for value in shown["correlation"]],
            "F1": [f"{value:.2f}" for value in shown["f1"]],
            "recovered": ["yes" if value else "" for value in shown["recovered"]],
        }
        pairs = [f"{reference} <- {found}" for found, reference in zip(shown["found"], shown["reference"], strict=True)]
        lines = [self.summary(), *table_lines(list(columns.items()), pairs, head="reference <- found")]
        if len(self.table) > MAX_ROWS:
            lines.append(f"... and {len(self.table) - MAX_ROWS} more rows in .table")
        unmatched = self.metrics["n_reference"] - len(self.table)
        if unmatched:
            lines.append(f"{unmatched} of the reference are in no pair")
        return "\n".join(lines)


@validate_params(
    {
        "found": "no_validation",
        "reference": "no_validation",
        "threshold": [Interval(Real, 0, 1, closed="right")],
        "found_names": "no_validation",
        "reference_names": "no_validation",
    },
    prefer_skip_nested_validation=True,
)
def match_hypotheses(found, reference, *, threshold=0.5, found_names=None, reference_names=None):
    """Match found hypotheses to reference ones by how they annotate the same texts.

    Use texts on which the hypotheses were not found.

    Parameters
    ----------
    found : array-like, DataFrame or sparse matrix of shape (n_samples, n_found)
        Annotations by the hypotheses found: 0 and 1, probabilities, or -1, 0 and 1 for pairs of texts. NaN where no
        answer came.

    reference : array-like, DataFrame or sparse matrix of shape (n_samples, n_reference)
        Annotations by the hypotheses to be found, such as planted concepts, of the same texts in the same order.

    threshold : float, default=0.5
        The correlation of a pair's annotations from which its reference hypothesis counts as recovered.

    found_names, reference_names : sequence of str, default=None
        The hypotheses. By default the column names of a DataFrame, else "hypothesis 0", "hypothesis 1" and so on.

    Returns
    -------
    matching : HypothesisMatching
        With `table`, `metrics` and `correlations`; it prints as a table.

    Raises
    ------
    ValueError
        If annotations are empty, not 2-D, or not numbers from -1 to 1 or NaN; if `found` and `reference` have not the
        same number of rows; if names are not one a column.

    See Also
    --------
    evaluate_hypotheses : Tests hypotheses against a target.
    make_concept_texts : Texts whose true hypotheses are known.
    scipy.optimize.linear_sum_assignment : The assignment of one to the other.

    Notes
    -----
    Pairs are one to one and have the largest possible sum of correlations (the Hungarian method [1]_), as in the
    experiments of [2]_ on data with known hypotheses. Correlations below 0 count as 0 there: a hypothesis that says the
    opposite has not been found, and is no worse than one that says nothing. Such pairs, and those of a constant
    annotation, are left out of the table.

    A pair counts by its correlation and not by the F1 of its annotations, since F1 of two unrelated annotations is as
    high as they are common: two that hold for 80 % of the texts have 0.8 by chance, and a correlation of 0. For rare
    annotations of like prevalence the two are about equal. F1 is that of answers from 0.5 on, and for pairs of texts of
    answers of the same sign.

    Each correlation and F1 is on the rows with both answers.

    References
    ----------
    .. [1] Kuhn, "The Hungarian method for the assignment problem", Naval Research Logistics Quarterly 2 (1955).
    .. [2] Movva, Peng, Garg, Kleinberg & Pierson, "Sparse autoencoders for hypothesis generation", ICML (2025).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sae import match_hypotheses
    >>> rng = np.random.default_rng(0)
    >>> planted = (rng.random((500, 3)) < 0.3).astype(int)
    >>> found = np.column_stack([planted[:, 2], rng.integers(0, 2, 500), planted[:, 0] | planted[:, 1]])
    >>> match_hypotheses(
    ...     found,
    ...     planted,
    ...     found_names=["praises the food", "mentions a name", "complains"],
    ...     reference_names=["complains of the wait", "complains of the noise", "likes the food"],
    ... )
    2 of 3 recovered by 3 found (correlation >= 0.5); precision 0.67, recall 0.67, F1 0.67
    correlation    F1  recovered  reference <- found
          +1.00  1.00        yes  likes the food <- praises the food
          +0.63  0.72        yes  complains of the wait <- complains
          +0.05  0.38             complains of the noise <- mentions a name
    """
    found, found_names = check_annotations(found, found_names, name="found", names="found_names")
    reference, reference_names = check_annotations(
        reference, reference_names, name="reference", names="reference_names"
    )
    if len(found) != len(reference):
        raise ValueError(f"found has {len(found)} rows and reference {len(reference)}; both must be of the same texts.")
    between = correlations(found, reference)
    rows, columns = pairs_of(between)
    order = np.argsort(-between[rows, columns], kind="stable")
    rows, columns = rows[order], columns[order]
    table = pd.DataFrame(
        {
            "found": [found_names[i] for i in rows],
            "reference": [reference_names[j] for j in columns],
            "correlation": between[rows, columns],
            "f1": [_annotation_f1(found[:, i], reference[:, j]) for i, j in zip(rows, columns, strict=True)],
            "recovered": between[rows, columns] >= threshold - 1e-12,  # tolerates a rounding error of a perfect 1
        }
    )
    n_found, n_reference, n_recovered = found.shape[1], reference.shape[1], int(table["recovered"].sum())
    metrics = {
        "precision": n_recovered / n_found,
        "recall": n_recovered / n_reference,
        "f1": 2 * n_recovered / (n_found + n_reference),
        "mean_correlation": float(table["correlation"].sum() / n_reference),
        "mean_f1": float(table["f1"].sum() / n_reference),
        "n_recovered": n_recovered,
        "n_found": n_found,
        "n_reference": n_reference,
    }
    frame = pd.DataFrame(between, index=found_names, columns=reference_names)
    return HypothesisMatching(table, metrics, frame, float(threshold))


def pairs_of(between):
    """Return the rows and columns of the one-to-one pairs with the largest sum of correlations, all above 0."""
    gains = np.nan_to_num(between).clip(0)
    rows, columns = linear_sum_assignment(gains, maximize=True)
    matched = gains[rows, columns] > 0
    return rows[matched], columns[matched]


def _annotation_f1(found, reference):
    """Return F1 on the rows with both answers; an answer of the other sign counts as a miss and a false positive."""
    both = ~np.isnan(found) & ~np.isnan(reference)
    found, reference = (np.sign(a[both]) * (np.abs(a[both]) >= 0.5) for a in (found, reference))
    n_alike = ((found == reference) & (found != 0)).sum()
    n_claims = (found != 0).sum() + (reference != 0).sum()
    return 2 * n_alike / n_claims if n_claims else np.nan
