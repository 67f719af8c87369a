"""A search for documents by a property in words, through the features whose labels match."""

from numbers import Integral, Real

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_sae.analysis._label_similarity import LabelVectors, check_query, column_labels
from sklearn_sae.utils._literal import draw_literally
from sklearn_sae.utils._plotting import PALE, fill, legend_above, name_rows, new_axes, row_height, shorten
from sklearn_sae.utils._sklearn_compat import HasMethods, Interval, _fit_context
from sklearn_sae.utils._validation import refuse_texts

_NOTHING = 1e-9  # A similarity up to this value is a rounding error.


class PropertyRetriever(BaseEstimator):
    r"""Find the documents that have a property, such as "sounds sarcastic", and say by which labels they were found.

    A search engine finds texts about a topic; this finds texts that have a property [1]_. The features whose labels
    are most similar to the query are looked up, and documents are ranked by how active these are. The matched labels
    are the explanation, so a person can see where it is wrong.

    Parameters
    ----------
    feature_labels : sequence of str, mapping from int to str or None, default=None
        A label for each column of X, in order or by column number. Columns without one (None, or no letter or digit)
        are never matched. None takes the column names of X.
    embedder : callable, transformer or None, default=None
        What turns labels and queries into vectors: a function from a list of str to an array of shape (n_texts,
        n_dimensions), or a transformer, such as an `EmbeddingTransformer`, of which a clone is fitted on the labels; a
        `FrozenEstimator` is used as it is. None is TF-IDF over words and character n-grams, which needs no download
        and knows no synonyms.
    n_features : int, default=20
        The most features to match.
    temperature : float, default=0.1
        How fast the weight of a label falls with its similarity to the query: a label that is less similar than the
        best by this much weighs 1/e. Smaller values trust the best label more.

    Attributes
    ----------
    activations_ : csr_array of shape (n_samples, n_labelled), float32
        The documents' activations on features with a label, each over its mean magnitude where it is active.
    features_ : DataFrame
        The features with a label: ``feature`` (column of X) and ``label``.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if X has string column names.

    See Also
    --------
    TargetedClustering : Clusters documents by what a query names.
    label_similarity : Ranks the labels alone.
    plot_search : Draws what was found.
    sklearn.neighbors.NearestNeighbors : Finds documents that are alike in all features.

    Notes
    -----
    With :math:`s_j` the similarity of the query and label j and :math:`a_{ij}` the scaled activation, the score of
    document i is :math:`\sum_j e^{(s_j - s_{max}) / T} a_{ij}` over the `n_features` most similar labels. Features
    with a similarity of 0 or less do not count.

    References
    ----------
    .. [1] N. Jiang, X. Sun, L. Dunlap, L. Smith and N. Nanda (2025). Interpretable Embeddings with Sparse
       Autoencoders: A Data Analysis Toolkit. arXiv:2512.10092.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sae.analysis import PropertyRetriever
    >>> labels = ["complains about the food", "written in French", "complains about the bill"]
    >>> X = np.array([[2, 0, 0], [0, 1, 0], [1, 2, 1], [0, 0, 0]])
    >>> retriever = PropertyRetriever(labels).fit(X)
    >>> retriever.search("a complaint about food")[["document", "score"]].round(2)
       document  score
    0         0   1.33
    1         2   0.69
    >>> retriever.match("a complaint about food").round(2)
       feature                    label  similarity  weight  frequency
    0        0  complains about the food        0.82    1.00       0.50
    1        2  complains about the bill        0.43    0.02       0.25
    """

    _parameter_constraints: dict = {
        "feature_labels": ["array-like", dict, None],
        "embedder": [callable, HasMethods(["fit", "transform"]), None],
        "n_features": [Interval(Integral, 1, None, closed="left")],
        "temperature": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(self, feature_labels=None, *, embedder=None, n_features=20, temperature=0.1):
        self.feature_labels = feature_labels
        self.embedder = embedder
        self.n_features = n_features
        self.temperature = temperature

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None):
        """Take in the documents, and embed the labels.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Activations, a row a document.
        y : ignored
            Present because scikit-learn passes it on.

        Returns
        -------
        self : object

        Raises
        ------
        TypeError, ValueError
            If X is no matrix of finite numbers, labels do not fit its columns, or the embedder does not return one
            finite vector a text.
        """
        with refuse_texts():
            X = validate_data(self, X, accept_sparse="csr", dtype=[np.float64, np.float32])
        features, labels = column_labels(self)
        self.features_ = pd.DataFrame({"feature": features, "label": labels})
        self.activations_ = _scaled(sparse.csr_array(X)[:, features])
        self._label_vectors = LabelVectors(labels, self.embedder)
        return self

    def match(self, query):
        """Return the features whose labels match a query.

        Parameters
        ----------
        query : str
            The property, in words.

        Returns
        -------
        matched : DataFrame
            Most similar first: ``feature`` (column of X), ``label``, ``similarity`` (the cosine of label and query),
            ``weight`` (of its activations) and ``frequency`` (share of the documents in which it is active).

        Raises
        ------
        TypeError, ValueError
            If `query` is no str, or empty.
        """
        check_is_fitted(self)
        columns, similarity, weight = self._match(query)
        active = np.bincount(self.activations_.indices, minlength=self.activations_.shape[1])
        return (
            self.features_.iloc[columns]
            .assign(similarity=similarity, weight=weight, frequency=active[columns] / self.activations_.shape[0])
            .reset_index(drop=True)
        )

    def search(self, query, n=10):
        """Return the documents that have a property most.

        Parameters
        ----------
        query : str
            The property, in words.
        n : int, default=10
            How many documents to return; fewer where fewer have a matched feature.

        Returns
        -------
        found : DataFrame
            Best first: ``document`` (row of X), ``score``, ``labels`` (a tuple: the matched ones that are active in the
            document, largest contribution first) and ``contributions`` (a tuple: what each adds to the score).

        Raises
        ------
        TypeError, ValueError
            If `query` is no str, or empty, or `n` is no positive integer.
        """
        check_is_fitted(self)
        if not isinstance(n, Integral) or n < 1:
            raise ValueError(f"n must be an integer of at least 1; got {n!r}.")
        columns, _, weight = self._match(query)
        weights = np.zeros(self.activations_.shape[1], dtype=np.float32)
        weights[columns] = weight
        scores = self.activations_ @ weights
        rows = _best(scores, n)
        labels, contributions = [], []
        for row in rows:
            parts = self.activations_[[row]]
            parts = dict(zip(parts.indices.tolist(), (parts.data * weights[parts.indices]).tolist(), strict=True))
            kept = sorted((j for j in parts if parts[j]), key=lambda j: -parts[j])
            labels.append(tuple(self.features_["label"].iloc[kept]))
            contributions.append(tuple(parts[j] for j in kept))
        return pd.DataFrame({"document": rows, "score": scores[rows], "labels": labels, "contributions": contributions})

    def _match(self, query):
        """Return the matched columns of `activations_`, most similar first, their similarities and weights."""
        similarity = self._label_vectors.similarity([check_query(query)])[:, 0]
        columns = np.argsort(-similarity, kind="stable")[: self.n_features]
        columns = columns[similarity[columns] > _NOTHING]
        similarity = similarity[columns]
        return columns, similarity, np.exp((similarity - similarity.max(initial=-1)) / self.temperature)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def plot_search(found, *, n_labels=6, ax=None):
    """Draw what was found: a bar a document, made of what each matched label adds to its score.

    Parameters
    ----------
    found : DataFrame
        As `PropertyRetriever.search` returns it.
    n_labels : int, default=6
        How many labels get a color of their own; the others share gray.
    ax : matplotlib Axes or None, default=None
        Where to draw; None makes a new figure.

    Returns
    -------
    ax : matplotlib Axes

    See Also
    --------
    PropertyRetriever : Its `search` makes the table.
    """
    found = found.reset_index(drop=True)
    parts = found[["labels", "contributions"]].explode(["labels", "contributions"]).dropna()
    parts["contributions"] = parts["contributions"].astype(float)
    largest = parts.groupby("labels")["contributions"].sum().nlargest(n_labels).index
    names, is_new = [f"document {row}" for row in found["document"]], ax is None
    ax = new_axes(ax, height=1.5 + row_height(names, width=30, max_lines=1) + 0.3 * len(largest), width=8)
    place = np.arange(len(found))
    left = np.zeros(len(found))
    for i, label in enumerate(largest):
        width = np.zeros(len(found))
        of_label = parts[parts["labels"] == label]
        np.add.at(width, of_label.index, of_label["contributions"])
        ax.barh(place, width, left=left, label=shorten(label, 80), **fill(i))
        left += width
    rest = found["score"].to_numpy() - left
    if (rest > 1e-6).any():
        ax.barh(place, rest, left=left, color=PALE, label="other labels")
    name_rows(ax, names, width=30, max_lines=1, fit=not is_new)
    ax.set_xlabel("score, by matched label")
    if len(largest):
        legend_above(ax, fontsize="small")
    draw_literally(ax)
    return ax


def _scaled(activations):
    """Return a CSR array of float32 with each column over the mean magnitude of its entries."""
    activations.sum_duplicates()
    activations.eliminate_zeros()
    size = activations.shape[1]
    count = np.bincount(activations.indices, minlength=size)
    share = np.abs(activations.data) / np.maximum(count, 1)[activations.indices]  # so that the sum does not overflow
    scale = np.bincount(activations.indices, weights=share, minlength=size)
    activations.data = (activations.data / scale[activations.indices]).astype(np.float32)
    return activations


def _best(scores, n):
    """Return the rows of the n highest scores above 0, best first, earlier rows first among equals."""
    above = np.flatnonzero(scores > 0)
    return above[np.argsort(-scores[above], kind="stable")[:n]]
