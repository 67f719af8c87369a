"""The similarity of labels and queries, by which a question in words chooses features."""

from collections.abc import Mapping
from numbers import Integral

import numpy as np
import pandas as pd
from sklearn import config_context
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.pipeline import make_union
from sklearn.utils import assert_all_finite

from sklearn_sae.analysis._activations import feature_labels
from sklearn_sae.utils._literal import draw_literally
from sklearn_sae.utils._plotting import COLORS, NAME, name_rows, new_axes, row_height
from sklearn_sae.utils._sklearn_compat import check_feature_names_in


def label_similarity(labels, query, *, embedder=None):
    """Rank feature labels by their similarity to a query.

    Parameters
    ----------
    labels : sequence of str or mapping from int to str
        The labels, one a feature in order, or by feature number. A label that is None or has no letter or digit counts
        as no label.
    query : str
        What to look for, in words.
    embedder : callable, transformer or None, default=None
        What turns texts into vectors: a function from a list of str to an array of shape (n_texts, n_dimensions), or
        a transformer, such as an `EmbeddingTransformer`, of which a clone is fitted on the labels; a `FrozenEstimator`
        is used as it is. None is TF-IDF over the words and the character n-grams of the labels, which needs no
        download and knows no synonyms.

    Returns
    -------
    ranking : DataFrame
        One row a labelled feature, most similar first: `feature` (its number), `label` and `similarity` (the cosine,
        from -1 to 1).

    Raises
    ------
    TypeError
        If `query` or a label is no str.
    ValueError
        If `query` is empty, there is no label, or the embedder does not return one finite vector a text.

    See Also
    --------
    plot_label_similarity : Draws the result.
    PropertyRetriever : Ranks documents by what labels match.
    TargetedClustering : Clusters documents by what labels match.
    sklearn.metrics.pairwise.cosine_similarity : The similarity.

    Examples
    --------
    >>> from sklearn_sae.analysis import label_similarity
    >>> label_similarity(["praises the food", "slow service", "food was cold", "mentions a dog"], "cold food").round(2)
       feature             label  similarity
    0        2     food was cold        0.81
    1        0  praises the food        0.29
    2        1      slow service        0.00
    3        3    mentions a dog        0.00
    """
    query = check_query(query)
    features, labels = labelled(labels)
    similarity = LabelVectors(labels, embedder).similarity([query])[:, 0]
    order = np.argsort(-similarity, kind="stable")
    return pd.DataFrame(
        {"feature": features[order], "label": [labels[i] for i in order], "similarity": similarity[order]}
    )


def plot_label_similarity(ranking, *, n_labels=15, ax=None):
    """Draw the labels most similar to a query, as bars.

    Parameters
    ----------
    ranking : DataFrame
        As `label_similarity` returns it; so is the `features_` of a `TargetedClustering`.
    n_labels : int, default=15
        How many labels to draw.
    ax : matplotlib Axes or None, default=None
        Where to draw; None makes a new figure.

    Returns
    -------
    ax : matplotlib Axes

    See Also
    --------
    label_similarity : Makes the table.
    """
    shown = ranking.head(n_labels)
    is_new = ax is None
    ax = new_axes(ax, height=1 + row_height(shown["label"], width=NAME, max_lines=2))
    ax.barh(np.arange(len(shown)), shown["similarity"], color=COLORS[0])
    name_rows(ax, shown["label"], width=NAME, max_lines=2, fit=not is_new)
    ax.set_xlabel("similarity to the query")
    draw_literally(ax)
    return ax


class LabelVectors:
    """Labels as vectors, which are compared with queries.

    Parameters
    ----------
    labels : list of str
    embedder : callable, transformer or None
        As in `label_similarity`.
    """

    def __init__(self, labels, embedder):
        if embedder is None:
            words = TfidfVectorizer(token_pattern=r"(?u)\b\w+\b")
            embedder = make_union(words, TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5)))
        if hasattr(embedder, "transform"):
            embedder = clone(embedder).fit(labels, None)  # None, because `FrozenEstimator` asks for a y
        elif not callable(embedder):
            raise TypeError(f"embedder must be a function or a transformer; got {type(embedder).__name__}.")
        self.embedder = embedder
        self.vectors = self._embed(labels)

    def similarity(self, queries):
        """Return the cosine of each label with each query, (n_labels, n_queries) float64."""
        vectors = self._embed(queries)
        if vectors.shape[1] != self.vectors.shape[1]:
            raise ValueError(
                f"embedder returns {self.vectors.shape[1]} dimensions for labels and {vectors.shape[1]} for a query."
            )
        return np.asarray(cosine_similarity(self.vectors, vectors), dtype=np.float64)

    def _embed(self, texts):
        with config_context(transform_output="default"):  # because a union of sparse parts makes no frame
            vectors = self.embedder.transform(texts) if hasattr(self.embedder, "transform") else self.embedder(texts)
        if not hasattr(vectors, "tocsr"):
            vectors = np.asarray(vectors)
        if vectors.ndim != 2 or vectors.shape[0] != len(texts):
            raise ValueError(
                f"embedder must return one vector a text, an array of shape ({len(texts)}, n_dimensions); "
                f"got the shape {vectors.shape}."
            )
        assert_all_finite(vectors, input_name="what embedder returns")
        return vectors


def labelled(labels, *, n_features=None, name="labels"):
    """Return the numbers of the features that have a label, ascending, and these labels.

    Parameters
    ----------
    labels : sequence of str or mapping from int to str
    n_features : int or None, default=None
        The number of features there are.
    name : str, default="labels"
        What to call the argument in an error.
    """
    if n_features is None:
        numbers = (
            [key for key in labels if isinstance(key, Integral)] if isinstance(labels, Mapping) else range(len(labels))
        )
        n_features = 1 + max(numbers, default=-1)
    labels, is_labelled = feature_labels(np.empty((0, n_features)), labels, name=name)
    features = np.flatnonzero(is_labelled)
    if not len(features):
        raise ValueError(f"{name} has no label; pass at least one.")
    return features, labels[features].tolist()


def column_labels(estimator):
    """Return the numbers of the columns that a fitted estimator has labels for, and these labels.

    They are its parameter `feature_labels`, or the names of the columns that it was fitted on.
    """
    if estimator.feature_labels is None:
        names = check_feature_names_in(estimator)
        return np.arange(len(names)), names.tolist()
    return labelled(estimator.feature_labels, n_features=estimator.n_features_in_, name="feature_labels")


def check_query(query):
    """Return a query, or raise if it is no str or empty."""
    if not isinstance(query, str):
        raise TypeError(f"query must be a str; got {type(query).__name__}.")
    if not query.strip():
        raise ValueError("query is empty; say in words what to look for.")
    return query
