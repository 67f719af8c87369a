"""Features that are active in more documents of one data set than of another."""

from collections.abc import Mapping
from numbers import Real

import numpy as np
import pandas as pd

from sklearn_sae.analysis._activations import active, counts, feature_labels
from sklearn_sae.analysis._exact_tests import adjusted_pvalues, fisher_pvalues, mcnemar_pvalues
from sklearn_sae.utils._intervals import newcombe, paired_correlation
from sklearn_sae.utils._literal import draw_literally
from sklearn_sae.utils._plotting import NAME, legend_above, name_rows, new_axes, row_height, style, wrapped
from sklearn_sae.utils._sklearn_compat import Interval, StrOptions, validate_params

_SHARE = Interval(Real, 0, 1, closed="both")


@validate_params(
    {
        "A": "no_validation",
        "B": "no_validation",
        "groups": "no_validation",
        "reference": "no_validation",
        "paired": ["boolean"],
        "labels": "no_validation",
        "metric": [StrOptions({"absolute", "relative"})],
        "threshold": [Interval(Real, 0, None, closed="left")],
        "min_coverage": [_SHARE],
        "max_coverage": [_SHARE],
        "confidence": [Interval(Real, 0, 1, closed="neither")],
        "alpha": [Interval(Real, 0, 1, closed="neither")],
    },
    prefer_skip_nested_validation=True,
)
def diff_features(
    A,
    B=None,
    *,
    groups=None,
    reference=None,
    paired=False,
    labels=None,
    metric="absolute",
    threshold=0.0,
    min_coverage=0.0,
    max_coverage=1.0,
    confidence=0.95,
    alpha=0.05,
):
    """Find the features that are active in more documents of one data set than of another.

    Parameters
    ----------
    A, B : array-like, DataFrame or sparse matrix of shape (n_documents, n_features)
        Activations of two data sets, whose columns are the same features. Without `B`, `A` is a list of such matrices
        (called "A", "B" and so on), or a dict of them by name; or one matrix, which `groups` divides.

    groups : array-like of shape (n_documents,), default=None
        Labels that divide the rows of `A` into data sets, which come sorted. Rows without a label are left out.

    reference : str or label, default=None
        The data set that each of the others is compared with. By default each is compared with the rest, all others
        together; of two, the first with the second.

    paired : bool, default=False
        Whether row i of each data set belongs to the same thing, such as the answers of two models to one prompt. All
        data sets must have the same number of rows, and of more than two, `reference` must be one.

    labels : sequence of str or mapping from int to str, default=None
        Labels of the features, one a column or by column number. By default the column names of a DataFrame, else
        "feature 0", "feature 1" and so on.

    metric : {"absolute", "relative"}, default="absolute"
        The difference by which rows are ordered; the table has both.

    threshold : float, default=0.0
        A feature is active in a document where its activation is above that.

    min_coverage, max_coverage : float, default=0.0 and 1.0
        Shares, from 0 to 1. Features that are active in a smaller or larger share of all documents together are left
        out, and do not count as tests. So are in any case those that are active in no document, or in all.

    confidence : float, default=0.95
        Level of each confidence interval. The intervals are not corrected for the number of features.

    alpha : float, default=0.05
        The expected share of false findings among the significant ones is at most that.

    Returns
    -------
    differences : DataFrame
        One row a comparison and feature, the significant first and of these the largest difference in either direction:

        - `data_set`, `against`: the data sets that are compared. "rest" is all other data sets.
        - `feature` (column number), `label`.
        - `frequency`, `frequency_against`: share of the documents in which the feature is active, from 0 to 1.
        - `difference` (the first less the second), `ci_low`, `ci_high`.
        - `relative_difference`: the difference as a share of the larger frequency, from -1 to 1.
        - `pvalue`, `pvalue_adjusted` (of Benjamini and Hochberg), `significant`.

    Raises
    ------
    ValueError
        If there are not two data sets or more, if they have different numbers or names of columns, if `reference` is
        none of them, if data sets are paired and have different numbers of rows, if they come from `groups` or if they
        are more than two without a `reference`, or if no feature is left to compare.

    See Also
    --------
    plot_diff_features : Draws the result.
    feature_correlations : Which features are active together.
    top_documents : The documents in which a feature is most active.
    sklearn.feature_selection.chi2 : A test of counts against classes, without intervals.

    Notes
    -----
    *Tests* are exact, so that they hold for features that are active in few documents too: Fisher's, or McNemar's for
    paired documents, both two-sided as twice the smaller tail. All rows of the table are one family for the correction,
    so with more data sets there are more tests. The rate that it keeps is proven for tests that are independent or
    positively related, not for all others. The tests take documents for independent: copies of a document, or several
    by one author, make p-values too small.

    *Intervals* are Newcombe's, which are built from Wilson's intervals of the two shares: method 10 of [1]_, or of [2]_
    for paired documents. An interval and its test may disagree about zero where the case is close.

    *Coverage* is measured over all documents together because that total says nothing about the difference. To choose
    features by it leaves the rate of false findings as it is, and fewer tests find more.

    *Selection.* If the same documents chose the features, as a sparse autoencoder trained on them did without seeing to
    which data set they belong, the tests still hold. Labels are guesses: read some of the `top_documents`.

    References
    ----------
    .. [1] Newcombe, "Interval estimation for the difference between independent proportions", Statistics in Medicine 17
       (1998), 873-890.
    .. [2] Newcombe, "Improved confidence intervals for the difference between binomial proportions based on paired
       data", Statistics in Medicine 17 (1998), 2635-2650.
    .. [3] Jiang et al., "Interpretable embeddings with sparse autoencoders: a data analysis toolkit", arXiv:2512.10092
       (2025): the question.
    .. [4] Benjamini & Hochberg, "Controlling the false discovery rate", Journal of the Royal Statistical Society B 57
       (1995).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sae.analysis import diff_features
    >>> rng = np.random.default_rng(0)
    >>> new, old = rng.random((200, 3)) < [0.4, 0.2, 0.1], rng.random((300, 3)) < [0.1, 0.2, 0.1]
    >>> table = diff_features({"new": new, "old": old}, labels=["apologizes", "asks back", "uses lists"])
    >>> table[["label", "frequency", "difference", "ci_low", "ci_high", "significant"]].round(2)
            label  frequency  difference  ci_low  ci_high  significant
    0  apologizes       0.35        0.23    0.15     0.31         True
    1   asks back       0.13       -0.08   -0.14    -0.01        False
    2  uses lists       0.11        0.01   -0.05     0.07        False
    """
    names, sets = _data_sets(A, B, groups, threshold)
    comparisons = _comparisons(names, sets, groups, reference, paired)
    labels, _ = feature_labels(_first([A, B] if B is not None else A if groups is None else [A]), labels)
    sizes = np.array([each.shape[0] for each in sets])
    actives = np.stack([counts(each) for each in sets])
    total, n_total = actives.sum(axis=0), sizes.sum()
    coverage = total / n_total
    kept = (total > 0) & (total < n_total) & (coverage >= min_coverage) & (coverage <= max_coverage)
    if not kept.any():
        raise ValueError(
            "No feature is left to compare: each is active in no document, in all, or in a share outside "
            f"{min_coverage:g} to {max_coverage:g}."
        )
    blocks = []
    for one, other in comparisons:
        k, n = actives[one][kept], sizes[one]
        if other is None:
            k_against, n_against, against = total[kept] - k, n_total - n, "rest"
        else:
            k_against, n_against, against = actives[other][kept], sizes[other], names[other]
        if paired:
            both = np.asarray(sets[one].multiply(sets[other]).sum(axis=0)).ravel()[kept]
            pvalues = mcnemar_pvalues(k - both, k_against - both)
            correlation = paired_correlation(both, k, k_against, n)
        else:
            pvalues, correlation = fisher_pvalues(k, k_against, n, n_against), 0.0
        low, high = newcombe(k, k_against, n, n_against, confidence, correlation)
        frequency, frequency_against = k / n, k_against / n_against
        larger = np.maximum(frequency, frequency_against)
        larger[larger == 0] = 1
        columns = {
            "data_set": names[one],
            "against": against,
            "feature": np.flatnonzero(kept),
            "label": labels[kept],
            "frequency": frequency,
            "frequency_against": frequency_against,
            "difference": frequency - frequency_against,
            "ci_low": low,
            "ci_high": high,
            "relative_difference": frequency / larger - frequency_against / larger,
            "pvalue": pvalues,
        }
        blocks.append(pd.DataFrame(columns))
    table = pd.concat(blocks, ignore_index=True)
    table["pvalue_adjusted"] = adjusted_pvalues(table["pvalue"].to_numpy(), len(table))
    table["significant"] = table["pvalue_adjusted"] <= alpha
    size, relative = table["difference"].abs(), table["relative_difference"].abs()
    by = (size, relative) if metric == "absolute" else (relative, size)
    order = np.lexsort((table["pvalue"], -by[1], -by[0], ~table["significant"]))
    return table.iloc[order].reset_index(drop=True)


def plot_diff_features(differences, *, n_features=20, ax=None):
    """Draw the features that differ most, with their confidence intervals.

    Parameters
    ----------
    differences : DataFrame
        As `diff_features` returns it, or some of its rows. With several comparisons, each is a color.
    n_features : int, default=20
        How many features to draw. They are the first of the table, with the highest difference on top. Filled dots are
        significant. With one comparison, both frequencies stand beside each dot.
    ax : matplotlib Axes or None, default=None
        Where to draw; None makes a new figure.

    Returns
    -------
    ax : matplotlib Axes

    See Also
    --------
    diff_features : Makes the table.
    """
    first = differences.drop_duplicates("feature").head(n_features).sort_values("difference", ascending=False)
    rows = pd.Series(np.arange(len(first)), index=first["feature"])
    comparisons = list(differences.groupby(["data_set", "against"], sort=False))
    is_new = ax is None
    rows_height = row_height(first["label"], width=NAME, max_lines=2)
    height = 1.2 + max(rows_height, (0.22 + 0.12 * len(comparisons)) * len(first)) + 0.2 * len(comparisons)
    ax = new_axes(ax, height=height)
    for number, ((name, against), block) in enumerate(comparisons):
        block = block[block["feature"].isin(first["feature"])]
        y = rows[block["feature"]].to_numpy() + (number - (len(comparisons) - 1) / 2) * 0.6 / len(comparisons)
        x, low, high = (100 * block[column].to_numpy() for column in ("difference", "ci_low", "ci_high"))
        color, marker = style(number).values()
        ax.hlines(y, low, high, color=color, linewidth=1.5)
        fill = [color if significant else "white" for significant in block["significant"]]
        ax.scatter(x, y, s=25, c=fill, edgecolors=color, marker=marker, zorder=3)
        ax.plot([], [], f"{marker}-", color=color, label=f"{name} against {against}")
    ax.axvline(0, color="gray", linewidth=0.8, zorder=1)
    name_rows(ax, first["label"], width=NAME, max_lines=2, fit=not is_new)
    ax.set_xlabel("difference, percentage points of documents")
    if len(comparisons) > 1:
        legend_above(ax, fontsize="small")
    if len(comparisons) != 1:
        draw_literally(ax)
        return ax
    name, against = comparisons[0][0]
    ax.set_title(wrapped(f"← more in {against}", 25), loc="left", fontsize="medium")
    ax.set_title(wrapped(f"more in {name} →", 25), loc="right", fontsize="medium", ha="right")
    for row, share, other in zip(range(len(first)), first["frequency"], first["frequency_against"], strict=True):
        text = f"{100 * share:.3g} % / {100 * other:.3g} %"
        ax.text(1.02, row, text, transform=ax.get_yaxis_transform(), va="center", fontsize="small", color="dimgray")
    draw_literally(ax)
    return ax


def _data_sets(A, B, groups, threshold):
    """Return the names of the data sets and, for each, an array with 1 where a feature is active."""
    if isinstance(A, Mapping) and not (B is None and groups is None):
        raise ValueError("A is several data sets: leave out B and groups.")
    if groups is not None:
        if B is not None:
            raise ValueError("groups divides one matrix: leave out B.")
        X = active(A, threshold, name="A")
        groups = np.asarray(groups, dtype=object)
        if groups.shape != (X.shape[0],):
            raise ValueError(f"groups must be one label a row: its shape is {groups.shape} for {X.shape[0]} rows.")
        codes, names = pd.factorize(groups, sort=True)
        sets = [X[codes == code] for code in range(len(names))]
        names = list(names)
    else:
        if B is not None:
            A = {"A": A, "B": B}
        elif not isinstance(A, Mapping):
            if not isinstance(A, (list, tuple)):
                raise ValueError("There is one data set: pass B, a list of matrices, or groups that divide the rows.")
            A = {_letters(number): each for number, each in enumerate(A)}
        names, sets = list(A), [active(each, threshold, name=str(name)) for name, each in A.items()]
        _check_columns(A)
    if len(sets) < 2:
        raise ValueError(f"There are {len(sets)} data sets where two or more are needed.")
    widths = [each.shape[1] for each in sets]
    if len(set(widths)) > 1:
        raise ValueError(f"The data sets have {', '.join(map(str, widths))} columns; they must be the same features.")
    return names, sets


def _comparisons(names, sets, groups, reference, paired):
    """Return pairs of positions of data sets to compare, in which None is the rest."""
    if reference is not None and reference not in names:
        raise ValueError(f"reference {reference!r} is none of the data sets {', '.join(map(repr, names))}.")
    if paired:
        if groups is not None:
            raise ValueError("Paired documents need one matrix a data set: rows of groups have no order to pair by.")
        lengths = [each.shape[0] for each in sets]
        if len(set(lengths)) > 1:
            raise ValueError(f"Paired data sets must have as many rows; they have {', '.join(map(str, lengths))}.")
        if len(sets) > 2 and reference is None:
            raise ValueError("Of more than two paired data sets, name one as the reference.")
    if reference is not None:
        return [(one, names.index(reference)) for one, name in enumerate(names) if name != reference]
    return [(0, 1)] if len(sets) == 2 else [(one, None) for one in range(len(sets))]


def _check_columns(frames):
    """Refuse frames whose columns differ in names or order, because columns are compared by position."""
    columns = {name: list(each.columns) for name, each in frames.items() if hasattr(each, "columns")}
    named = [name for name, each in columns.items() if all(isinstance(column, str) for column in each)]
    for name in named[1:]:
        if columns[name] != columns[named[0]]:
            raise ValueError(
                f"{named[0]} and {name} have columns of different names, or in another order; they must be the same."
            )


def _letters(number):
    return chr(ord("A") + number) if number < 26 else f"set {number}"


def _first(A):
    """Return the first data set whose columns have names, else the first."""
    A = list(A.values() if isinstance(A, Mapping) else A)
    return next((each for each in A if hasattr(each, "columns")), A[0])
