"""Clusters of documents by the features that a query names."""

from numbers import Integral

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.base import BaseEstimator, ClusterMixin, clone
from sklearn.cluster import KMeans
from sklearn.preprocessing import normalize
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_sae.analysis._label_similarity import LabelVectors, check_query, column_labels
from sklearn_sae.utils._literal import draw_literally
from sklearn_sae.utils._plotting import NAME, legend_above, name_rows, new_axes, row_height, shorten, style
from sklearn_sae.utils._sklearn_compat import HasMethods, Interval, _fit_context, set_random_states
from sklearn_sae.utils._validation import check_texts, refuse_texts

_NAMED_BY, _NAME_WIDTH = 2, 48  # The name of a cluster has so many labels, each of so many characters.
_NOTHING = 1e-9  # A similarity up to this value is a rounding error.


def _can_predict(estimator):
    return estimator.clusterer is None or hasattr(estimator.clusterer, "predict")


class TargetedClustering(ClusterMixin, BaseEstimator):
    r"""Cluster rows of activations by the features that a query names.

    Plain clustering finds what documents differ in most, which is mostly their topic. Here the features whose labels
    are most similar to a query are chosen and weighted, and only they are clustered [1]_. One query, such as "tone of
    voice", asks for groups within what it names. Several, such as ``["praise", "criticism"]``, are poles: documents are
    placed between them, and differ in nothing else.

    Parameters
    ----------
    query : str or list of str
        What to cluster by, in words; or two or more poles.
    feature_labels : sequence of str, mapping from int to str or None, default=None
        A label for each column of X, in order or by column number. Columns without one (None, or no letter or digit)
        are never chosen. None takes the column names of X.
    embedder : callable, transformer or None, default=None
        What turns labels and queries into vectors: a function from a list of str to an array of shape (n_texts,
        n_dimensions), or a transformer, such as an `EmbeddingTransformer`, of which a clone is fitted on the labels; a
        `FrozenEstimator` is used as it is. None is TF-IDF over words and character n-grams, which needs no download
        and knows no synonyms.
    n_features : int, default=20
        How many features to choose for each query; fewer where fewer labels resemble it.
    clusterer : estimator or None, default=None
        Any scikit-learn clusterer; a clone is fitted. None is `KMeans`, with a cluster for each pole, or 8 for one
        query.
    random_state : int, RandomState instance or None, default=None
        Seeds the clusterer, if it takes a seed; None leaves it as it is.

    Attributes
    ----------
    labels_ : ndarray of shape (n_samples,)
        The cluster of each row, as the clusterer numbers them.
    features_ : DataFrame
        The features chosen, most similar first within each query: ``feature`` (column of X), ``label``, ``query``,
        ``similarity`` (the cosine of label and query) and ``weight``.
    cluster_names_ : Series of str
        A name by cluster: the labels that set it apart, with several queries behind the pole that it is nearest.
        A cluster without any of the chosen features is named so, and rows that the clusterer calls noise (-1) have no
        name.
    cluster_features_ : DataFrame
        What sets each cluster apart: the chosen features that are active in a larger share of its rows than of the
        others, largest difference first: ``cluster``, ``feature``, ``label``, ``frequency`` (share of the cluster's
        rows), ``frequency_elsewhere`` and ``difference``.
    weights_ : ndarray of shape (n_chosen, n_queries), float64
        The weight of each chosen feature for each query.
    scale_ : ndarray of shape (n_chosen,), float64
        Mean magnitude of each chosen feature where it is active.
    clusterer_ : estimator
        The fitted clusterer.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if X has string column names.

    See Also
    --------
    PropertyRetriever : Ranks documents for one property.
    diff_features : What else the clusters differ in.
    plot_clusters : Draws what sets the clusters apart.
    sklearn.cluster.KMeans : Clusters by all features.

    Notes
    -----
    Let :math:`s_{jq}` be the similarity of label j and query q, and :math:`a_{ij}` the activation of feature j in row
    i, over its `scale_`. With one query, row i is clustered at :math:`(s_{j} a_{ij})_j`, scaled to unit length: what
    counts is which of the features are active, not how many. With several, the weight is the contrast
    :math:`w_{jq} = s_{jq} - \operatorname{mean}_q s_{jq}`, each feature is a candidate for the query it is largest
    for, and row i is clustered at :math:`(\sum_j w_{jq} a_{ij})_q`. Contrasts take out what all poles share, such as
    the topic of a corpus in which every label says "film", and adding up lets a row that is active in one feature of
    a pole meet a row that is active in another. How much of the sentiment of film reviews that recovers, and what one
    query for both poles does instead, is in docs/clustering.md.

    A row in which none of the chosen features is active is at zero, and clustered with the rest.

    The names tell only about the chosen features. What else the clusters differ in, `diff_features` finds on
    ``X[labels_ == 0]`` and ``X[labels_ == 1]``.

    References
    ----------
    .. [1] N. Jiang, X. Sun, L. Dunlap, L. Smith and N. Nanda (2025). Interpretable Embeddings with Sparse
       Autoencoders: A Data Analysis Toolkit. arXiv:2512.10092.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sae.analysis import TargetedClustering
    >>> labels = ["praises the food", "praises the staff", "complains about the food", "complains about the bill",
    ...           "written in French"]
    >>> X = np.array([[2, 0, 0, 0, 1], [0, 3, 0, 0, 0], [0, 0, 1, 0, 1], [0, 0, 0, 2, 0], [1, 1, 0, 0, 0]])
    >>> clustering = TargetedClustering(["praise", "complaint"], feature_labels=labels, random_state=0).fit(X)
    >>> for name in clustering.cluster_names_:
    ...     print(name)
    complaint: complains about the food; complains about the bill
    praise: praises the food; praises the staff
    >>> clustering.labels_
    array([1, 1, 0, 0, 1], dtype=int32)
    >>> clustering.predict([[1, 0, 0, 0, 5]])
    array([1], dtype=int32)
    """

    _parameter_constraints: dict = {
        "query": [str, "array-like"],
        "feature_labels": ["array-like", dict, None],
        "embedder": [callable, HasMethods(["fit", "transform"]), None],
        "n_features": [Interval(Integral, 1, None, closed="left")],
        "clusterer": [HasMethods(["fit_predict"]), None],
        "random_state": ["random_state"],
    }

    def __init__(self, query, *, feature_labels=None, embedder=None, n_features=20, clusterer=None, random_state=None):
        self.query = query
        self.feature_labels = feature_labels
        self.embedder = embedder
        self.n_features = n_features
        self.clusterer = clusterer
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None):
        """Choose features, cluster the rows and name the clusters.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Activations; a feature is active where it is not zero.
        y : ignored
            Present because scikit-learn passes it on.

        Returns
        -------
        self : object

        Raises
        ------
        TypeError, ValueError
            If X is no matrix of finite numbers, labels do not fit its columns, a query is empty or resembles no
            label, or the embedder does not return one finite vector a text.
        """
        queries = _check_queries(self.query)
        X = self._validate(X, reset=True)
        features, labels = column_labels(self)
        similarity = LabelVectors(labels, self.embedder).similarity(queries)
        chosen, query, weights = choose_features(similarity, self.n_features)

        columns = X[:, features[chosen]]
        self.features_ = pd.DataFrame(
            {
                "feature": features[chosen],
                "label": [labels[i] for i in chosen],
                "query": [queries[q] for q in query],
                "similarity": similarity[chosen, query],
                "weight": weights[np.arange(len(chosen)), query],
            }
        )
        self.weights_ = weights
        self.scale_ = active_scale(columns)
        points = place(columns, self.scale_, weights)

        self.clusterer_ = self._new_clusterer(len(queries))
        self.labels_ = np.asarray(self.clusterer_.fit_predict(points))
        self.cluster_features_ = set_apart(columns, self.labels_, self.features_)
        poles = queries if len(queries) > 1 else None
        self.cluster_names_ = name_clusters(self.cluster_features_, self.labels_, points, poles)
        return self

    @available_if(_can_predict)
    def predict(self, X):
        """Return the cluster of each row; there if the clusterer can predict.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Activations.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
        """
        check_is_fitted(self)
        columns = self._validate(X, reset=False)[:, self.features_["feature"].to_numpy()]
        return self.clusterer_.predict(place(columns, self.scale_, self.weights_))

    def _validate(self, X, *, reset):
        with refuse_texts():
            return validate_data(self, X, accept_sparse="csr", dtype=[np.float64, np.float32], reset=reset)

    def _new_clusterer(self, n_queries):
        if self.clusterer is None:
            clusterer = KMeans(n_queries if n_queries > 1 else 8, n_init=10)
        else:
            clusterer = clone(self.clusterer)
        if self.random_state is not None:
            set_random_states(clusterer, self.random_state)
        return clusterer

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def choose_features(similarity, n_features):
    """Return the features that are chosen for the queries, the query of each, and their weights.

    Parameters
    ----------
    similarity : ndarray of shape (n_labelled, n_queries)
    n_features : int
        The largest number of features to choose for each query.

    Returns
    -------
    chosen : ndarray of int of shape (n_chosen,)
        The chosen features, grouped by query, strongest first.
    query : ndarray of int of shape (n_chosen,)
    weights : ndarray of shape (n_chosen, n_queries), float64

    Raises
    ------
    ValueError
        If a query resembles no label more than the other queries do.
    """
    several = similarity.shape[1] > 1
    weights = similarity - similarity.mean(axis=1, keepdims=True) if several else similarity
    nearest = weights.argmax(axis=1)
    chosen = []
    for q in range(weights.shape[1]):
        candidates = np.flatnonzero((nearest == q) & (weights[:, q] > _NOTHING))
        if not len(candidates):
            what = f"query[{q}] resembles no label more than the others do" if several else "query resembles no label"
            raise ValueError(f"{what}; use words that labels use, or pass an embedder that knows synonyms.")
        chosen.append(candidates[np.argsort(-weights[candidates, q], kind="stable")][:n_features])
    query = np.repeat(np.arange(len(chosen)), [len(features) for features in chosen])
    chosen = np.concatenate(chosen)
    return chosen, query, weights[chosen]


def active_scale(columns):
    """Return the mean magnitude of each column where it is not zero; 1 for a column of zeros."""
    total = np.asarray(abs(columns).astype(np.float64).sum(axis=0)).ravel()
    count = _n_active(columns)
    return np.where(total > 0, total / np.maximum(count, 1), 1.0)


def place(columns, scale, weights):
    """Return the dense points to cluster, which lie between the queries or, for one query, within its features."""
    if weights.shape[1] > 1:
        return np.asarray(columns @ (weights / scale[:, None]).astype(columns.dtype))
    weighted = columns.toarray() if sparse.issparse(columns) else columns
    return normalize(weighted * (weights[:, 0] / scale).astype(columns.dtype))


def set_apart(columns, labels, features):
    """Return the features that are active more often in a cluster than elsewhere, one row a cluster and feature.

    Parameters
    ----------
    columns : {ndarray, csr} of shape (n_samples, n_chosen)
    labels : ndarray of shape (n_samples,)
    features : DataFrame
        ``feature`` and ``label`` of each column.
    """
    tables = []
    for cluster in _clusters(labels):
        inside = labels == cluster
        if inside.all():
            continue  # because there is no other row to compare with
        frequency = _n_active(columns[inside]) / inside.sum()
        elsewhere = _n_active(columns[~inside]) / (~inside).sum()
        table = features[["feature", "label"]].assign(
            cluster=cluster,
            frequency=frequency,
            frequency_elsewhere=elsewhere,
            difference=frequency - elsewhere,
        )
        tables.append(table[table["difference"] > 0].sort_values("difference", ascending=False, kind="stable"))
    order = ["cluster", "feature", "label", "frequency", "frequency_elsewhere", "difference"]
    empty = features[["feature", "label"]].iloc[:0].assign(**dict.fromkeys(order[3:], 0.0), cluster=0)
    return pd.concat(tables or [empty], ignore_index=True)[order]


def name_clusters(cluster_features, labels, points, poles):
    """Return a name by cluster, made of its first labels behind the pole that is nearest to the mean of its rows.

    Where no feature is active in its rows, the name says so and has no pole.
    """
    names = {}
    for cluster in _clusters(labels):
        first = cluster_features.loc[cluster_features["cluster"] == cluster, "label"].head(_NAMED_BY)
        center = points[labels == cluster].mean(axis=0)
        name = "; ".join(shorten(label, _NAME_WIDTH) for label in first)
        name = name or ("no feature more often" if center.any() else "none of the features")
        if poles is not None and center.any():
            name = f"{poles[center.argmax()]}: {name}"
        names[cluster] = name
    return pd.Series(names, name="name", dtype=object)


def plot_clusters(cluster_features, *, names=None, n_labels=5, ax=None):
    """Draw what sets clusters apart: for each its first features, with their frequency inside and elsewhere.

    Parameters
    ----------
    cluster_features : DataFrame
        The `cluster_features_` of a `TargetedClustering`.
    names : Series or None, default=None
        What to call each cluster; None is "cluster 0" and so on.
    n_labels : int, default=5
        How many features to draw for each cluster.
    ax : matplotlib Axes or None, default=None
        Where to draw; None makes a new figure.

    Returns
    -------
    ax : matplotlib Axes

    See Also
    --------
    TargetedClustering : Makes the table.
    """
    shown = cluster_features.groupby("cluster", sort=False).head(n_labels).reset_index(drop=True)
    is_new, labels = ax is None, shown["label"]
    legend_height = 0.3 * (1 + shown["cluster"].nunique())
    ax = new_axes(ax, height=1.2 + row_height(labels, width=NAME, max_lines=2) + legend_height)
    rows = np.arange(len(shown))
    ax.hlines(rows, shown["frequency_elsewhere"], shown["frequency"], color="0.7", zorder=1)
    ax.scatter(shown["frequency_elsewhere"], rows, color="white", edgecolor="0.4", zorder=2, label="other clusters")
    for i, (cluster, table) in enumerate(shown.groupby("cluster", sort=False)):
        name = f"cluster {cluster}" if names is None else shorten(names[cluster], 90)
        ax.scatter(table["frequency"], table.index, zorder=3, label=name, **style(i + 1))
        ax.axhline(table.index[-1] + 0.5, color="0.85", linewidth=0.8)
    name_rows(ax, labels, width=NAME, max_lines=2, fit=not is_new)
    ax.set_xlabel("share of documents in which the feature is active")
    ax.set_xlim(left=0)
    legend_above(ax, fontsize="small")
    draw_literally(ax)
    return ax


def _check_queries(query):
    if isinstance(query, str):
        return [check_query(query)]
    queries = check_texts(query, name="query")
    if len(set(queries)) < max(2, len(queries)):
        raise ValueError("query must be a str, or two or more different ones, the poles.")
    return queries


def _clusters(labels):
    """Return the clusters in order, without noise (-1)."""
    return [cluster for cluster in np.unique(labels).tolist() if cluster != -1]


def _n_active(columns):
    """Return in how many rows each column is not zero."""
    return np.asarray((columns != 0).sum(axis=0)).ravel()
