"""Pairs of features that are active in the same documents more often than by chance."""

from numbers import Integral, Real

import numpy as np
import pandas as pd
from scipy.sparse import coo_array, csr_array, issparse
from sklearn.preprocessing import normalize

from sklearn_sae.analysis._activations import active, counts, feature_labels, only_count
from sklearn_sae.analysis._cooccurrence import cooccurrences, npmi_of
from sklearn_sae.analysis._exact_tests import adjusted_pvalues, enrichment_pvalues
from sklearn_sae.analysis._label_similarity import LabelVectors
from sklearn_sae.analysis._metadata import metadata_features
from sklearn_sae.utils._literal import draw_literally
from sklearn_sae.utils._plotting import COLORS, name_rows, new_axes, row_height, shorten
from sklearn_sae.utils._sklearn_compat import Interval, validate_params

_MAX_KEPT = 20_000_000  # The statistics of a pair take about 100 bytes.
_CHUNK = 100_000  # So many pairs of labels are compared at a time.

_SHARED_PARAMETERS = {
    "X": "no_validation",
    "Y": "no_validation",
    "min_count": [Interval(Integral, 1, None, closed="left")],
    "threshold": [Interval(Real, 0, None, closed="left")],
}


@validate_params(
    {
        **_SHARED_PARAMETERS,
        "metadata": "no_validation",
        "n_pairs": [Interval(Integral, 1, None, closed="left"), None],
        "min_npmi": [Interval(Real, 0, 1, closed="both")],
        "labels": "no_validation",
        "labels_Y": "no_validation",
        "max_label_similarity": [Interval(Real, 0, 1, closed="both")],
        "embedder": "no_validation",
        "alpha": [Interval(Real, 0, 1, closed="neither")],
    },
    prefer_skip_nested_validation=True,
)
def feature_correlations(
    X,
    Y=None,
    *,
    metadata=None,
    n_pairs=1000,
    min_npmi=0.2,
    min_count=10,
    labels=None,
    labels_Y=None,
    max_label_similarity=0.4,
    embedder=None,
    threshold=0.0,
    alpha=0.05,
):
    """Find the pairs of features that are active in the same documents, though their labels say different things.

    Parameters
    ----------
    X : array-like, DataFrame or sparse matrix of shape (n_documents, n_features)
        Activations.

    Y : array-like, DataFrame or sparse matrix of shape (n_documents, n_other_features), default=None
        Other features of the same documents, such as those of the answers where `X` has those of the prompts. Each
        feature of `X` is then paired with each of `Y`.

    metadata : DataFrame of n_documents rows, default=None
        Other data about the documents, in place of `Y`. Each value of a column of strings, categories or bool
        counts as a feature, "source = forum", and so does each number if a column has up to 10; more numbers, and
        dates, are cut into quarters of equally many documents. A missing value counts as no feature.

    n_pairs : int or None, default=1000
        How many pairs to return at most; None is all.

    min_npmi : float, default=0.2
        The lowest normalized pointwise mutual information of interest, from 0 to 1.

    min_count : int, default=10
        The documents in which both features must be active. NPMI is high by chance where these are few.

    labels, labels_Y : sequence of str or mapping from int to str, default=None
        Labels of the features, one a column or by column number. By default the column names of a DataFrame, else
        "feature 0", "feature 1" and so on.

    max_label_similarity : float, default=0.4
        Pairs whose labels are more alike are left out because both say the same; 1 keeps all. Features without a
        label, or with one that only counts ("feature 7"), are never left out.

    embedder : callable, transformer or None, default=None
        What turns labels into vectors, whose cosine is their similarity: a function from a list of str to an array of
        shape (n_labels, n_dimensions), or a transformer such as an `EmbeddingTransformer`. None is TF-IDF over words
        and character n-grams, which needs no download and knows no synonyms. Only features of some pair of enough
        NPMI have their labels embedded.

    threshold : float, default=0.0
        A feature is active in a document where its activation is above that.

    alpha : float, default=0.05
        The expected share of false findings among the significant ones is at most that.

    Returns
    -------
    pairs : DataFrame
        One row a pair, the significant first and of these the highest NPMI: `feature` and `other` (column numbers of
        `X`, and of `X`, `Y` or the values of `metadata`), `label`, `other_label`, `npmi`, `count` (documents in which
        both are active), `expected` (as many as independent features would share), `frequency`, `other_frequency`,
        `label_similarity` (NaN without labels), `pvalue`, `pvalue_adjusted` (of Benjamini and Hochberg), `significant`.

    Raises
    ------
    ValueError
        If `X`, `Y` or `metadata` have different numbers of rows, both `Y` and `metadata` are given, or more than 20
        million pairs reach `min_npmi` and `min_count`.

    See Also
    --------
    npmi : The matrix itself, without labels and tests.
    plot_feature_correlations : Draws the result.
    diff_features : What differs between data sets.
    sklearn.metrics.normalized_mutual_info_score : Mutual information of two partitions as a whole.

    Notes
    -----
    *NPMI* of two features that are active in the shares p and q of the documents, and together in r, is
    log(r / (p q)) / -log(r): 1 where they are always active together, 0 where they are independent [1]_. Features that
    avoid each other have a negative one; nearly all pairs of rare features do, so they are not looked for.

    *The test* is Fisher's exact one, one-sided: how probable is so large a `count` if the features are independent,
    given how often each is active. Every pair of features that are both active in `min_count` documents counts as a
    test in the correction, also the many that are not returned. Documents count as independent. In long documents all
    features are more active, so with documents of very different lengths nearly all pairs are significant; NPMI is
    then what to go by.

    *Cost.* Pairs are counted in blocks, exactly, and those below `min_npmi` or `min_count` are dropped at once, so the
    full table of features by features is never formed.

    References
    ----------
    .. [1] Bouma, "Normalized (pointwise) mutual information in collocation extraction", GSCL (2009).
    .. [2] Jiang et al., "Interpretable embeddings with sparse autoencoders: a data analysis toolkit", arXiv:2512.10092
       (2025): the question.
    .. [3] Benjamini & Hochberg, "Controlling the false discovery rate", Journal of the Royal Statistical Society B 57
       (1995).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sae.analysis import feature_correlations
    >>> rng = np.random.default_rng(0)
    >>> X = rng.random((500, 4)) < 0.1
    >>> X[:, 3] |= X[:, 0] & (rng.random(500) < 0.8)
    >>> X[:, 2] |= X[:, 1]
    >>> labels = ["asks for medicine", "is in French", "is in the French language", "mentions a doctor"]
    >>> pairs = feature_correlations(X, labels=labels)
    >>> pairs[["label", "other_label", "npmi", "count", "expected", "significant"]].round(2)
                   label        other_label  npmi  count  expected  significant
    0  asks for medicine  mentions a doctor  0.59     43     10.19         True
    """
    if Y is not None and metadata is not None:
        raise ValueError("Y and metadata are both given; pass one, or the columns of both in Y.")
    A = active(X, threshold)
    n_documents = A.shape[0]
    labels, is_labelled = feature_labels(X, labels)
    B, other_labels, other_is_labelled = None, labels, is_labelled
    if metadata is not None:
        B, other_labels = metadata_features(metadata, n_documents)
        other_labels, other_is_labelled = feature_labels(B, other_labels)
    elif Y is not None:
        B = active(Y, threshold, name="Y")
        _check_rows(A, B)
        other_labels, other_is_labelled = feature_labels(Y, labels_Y, name="labels_Y")
    n_first, n_second = counts(A), counts(A if B is None else B)
    i, j, both = _gather(A, B, min_count, min_npmi)

    similarity = np.full(len(i), np.nan)
    if max_label_similarity < 1:
        says, other_says = is_labelled & ~only_count(labels), other_is_labelled & ~only_count(other_labels)
        comparable = np.flatnonzero(says[i] & other_says[j])
        similarity[comparable] = _similarities(labels[i[comparable]], other_labels[j[comparable]], embedder)
        different = ~(similarity > max_label_similarity)
        i, j, both, similarity = i[different], j[different], both[different], similarity[different]

    npmi = npmi_of(both, n_first[i], n_second[j], n_documents)
    pvalues = enrichment_pvalues(both, n_first[i], n_second[j], n_documents)
    # A pair that was left out for its NPMI or its labels counts as a test that found nothing. If it counted as a
    # finding, the share of false ones among the returned findings could exceed the rate.
    adjusted = adjusted_pvalues(pvalues, _n_tests(n_first, None if B is None else n_second, min_count))
    significant = adjusted <= alpha
    order = np.lexsort((j, i, -both, -npmi, ~significant))[:n_pairs]
    i, j, both = i[order], j[order], both[order]
    return pd.DataFrame(
        {
            "feature": i,
            "other": j,
            "label": labels[i],
            "other_label": other_labels[j],
            "npmi": npmi[order],
            "count": both,
            "expected": n_first[i] * n_second[j] / n_documents,
            "frequency": n_first[i] / n_documents,
            "other_frequency": n_second[j] / n_documents,
            "label_similarity": similarity[order],
            "pvalue": pvalues[order],
            "pvalue_adjusted": adjusted[order],
            "significant": significant[order],
        }
    )


@validate_params(
    {**_SHARED_PARAMETERS, "min_npmi": [Interval(Real, -1, 1, closed="both"), None]},
    prefer_skip_nested_validation=True,
)
def npmi(X, Y=None, *, min_npmi=None, min_count=1, threshold=0.0):
    """Return the normalized pointwise mutual information of all pairs of features that co-occur, as a sparse matrix.

    Parameters
    ----------
    X, Y : array-like, DataFrame or sparse matrix of shape (n_documents, n_features)
        Activations. Without `Y`, features of `X` are paired with each other.
    min_npmi : float, default=None
        Pairs below it are left out.
    min_count : int, default=1
        Documents in which both features must be active. Thousands of features need a higher one, or `min_npmi`, for
        the matrix to stay sparse.
    threshold : float, default=0.0
        A feature is active in a document where its activation is above that.

    Returns
    -------
    npmi : csr_array of float64 of shape (n_features_X, n_features_Y)
        From above -1 to 1. A pair that is not stored never co-occurs (its NPMI is -1), or was left out. Without `Y` the
        matrix is symmetric, with 1 on the diagonal for the features that are active in `min_count` documents.

    See Also
    --------
    feature_correlations : The highest ones, with labels and tests.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sae.analysis import npmi
    >>> npmi(np.array([[1, 1, 0], [1, 1, 0], [1, 0, 1], [0, 0, 1]])).toarray().round(2)
    array([[ 1.  ,  0.42, -0.29],
           [ 0.42,  1.  ,  0.  ],
           [-0.29,  0.  ,  1.  ]])
    """
    A = active(X, threshold)
    B = None
    if Y is not None:
        B = active(Y, threshold, name="Y")
        _check_rows(A, B)
    n_first, n_second = counts(A), counts(A if B is None else B)
    blocks = list(cooccurrences(A, B, min_count=min_count, min_npmi=min_npmi))
    i, j, both = (np.concatenate(parts) for parts in zip(*blocks, strict=True)) if blocks else np.zeros((3, 0), int)
    values = npmi_of(both, n_first[i], n_second[j], A.shape[0])
    if B is None:
        diagonal = np.flatnonzero(n_first >= min_count)
        i, j = np.concatenate([i, j, diagonal]), np.concatenate([j, i, diagonal])
        values = np.concatenate([values, values, np.ones(len(diagonal))])
    return csr_array(coo_array((values, (i, j)), shape=(len(n_first), len(n_second))))


def plot_feature_correlations(pairs, *, n_pairs=15, ax=None):
    """Draw the pairs of highest NPMI, as bars.

    Parameters
    ----------
    pairs : DataFrame
        As `feature_correlations` returns it.
    n_pairs : int, default=15
        How many pairs to draw. They are the first of the table. Pairs that are not significant are pale.
    ax : matplotlib Axes or None, default=None
        Where to draw; None makes a new figure.

    Returns
    -------
    ax : matplotlib Axes

    See Also
    --------
    feature_correlations : Makes the table.
    """
    shown = pairs.head(n_pairs)
    names = [
        (shorten(label, 48), f"+ {shorten(other, 48)}")
        for label, other in zip(shown["label"], shown["other_label"], strict=True)
    ]
    is_new = ax is None
    ax = new_axes(ax, height=1 + row_height(names, width=52, max_lines=2))
    for row, (npmi, count, significant) in enumerate(
        zip(shown["npmi"], shown["count"], shown["significant"], strict=True)
    ):
        ax.barh(row, npmi, height=0.6, color=COLORS[0], alpha=1 if significant else 0.35)
        ax.text(npmi, row, f" {count:,}", va="center", fontsize="small", color="dimgray")
    name_rows(ax, names, width=52, max_lines=2, fit=not is_new)
    ax.margins(x=0.12)
    ax.set_xlabel("NPMI, and the documents with both")
    draw_literally(ax)
    return ax


def _gather(A, B, min_count, min_npmi):
    """Return all pairs of enough NPMI and count."""
    blocks, n_kept = [], 0
    for block in cooccurrences(A, B, min_count=min_count, min_npmi=min_npmi):
        blocks.append(block)
        n_kept += len(block[0])
        if n_kept > _MAX_KEPT:
            raise ValueError(
                f"More than {_MAX_KEPT:,} pairs reach min_npmi={min_npmi:g} and min_count={min_count}; raise either."
            )
    if not blocks:
        return np.zeros((3, 0), dtype=np.int64)
    return tuple(np.concatenate(parts) for parts in zip(*blocks, strict=True))


def _n_tests(n_first, n_second, min_count):
    """Return the number of pairs of features that are active often enough."""
    n = int((n_first >= min_count).sum())
    return n * (n - 1) // 2 if n_second is None else n * int((n_second >= min_count).sum())


def _similarities(labels, others, embedder):
    """Return the cosine of each label with the one beside it."""
    if not len(labels):
        return np.zeros(0)
    codes, distinct = pd.factorize(np.concatenate([labels, others]))
    vectors = normalize(LabelVectors(distinct.tolist(), embedder).vectors)
    first, second = np.split(codes, 2)
    out = np.empty(len(first))
    for start in range(0, len(first), _CHUNK):
        part = slice(start, start + _CHUNK)
        one, other = vectors[first[part]], vectors[second[part]]
        product = one.multiply(other) if issparse(vectors) else one * other
        out[part] = np.asarray(product.sum(axis=1)).ravel()
    return out


def _check_rows(A, B):
    if A.shape[0] != B.shape[0]:
        raise ValueError(f"X has {A.shape[0]} rows and Y has {B.shape[0]}; both must be of the same documents.")
