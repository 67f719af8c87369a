"""A transformer of texts, applied to pairs of texts."""

from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from sklearn_sae.compose._inner import InnerTransformerMixin, fit_inner, transform_inner
from sklearn_sae.compose._pairs import check_pairs, target_of_items
from sklearn_sae.utils._containers import in_container
from sklearn_sae.utils._sklearn_compat import HasMethods, _fit_context
from sklearn_sae.utils._targets import check_target


class PairTransformer(InnerTransformerMixin, BaseEstimator):
    """Apply a transformer of texts to pairs: its output for the first text minus that for the second.

    For data where one of two won, such as headlines of one article or posts by one author. A neuron then says in
    which of the two a concept is stronger; the annotation of a hypothesis becomes 1 where it holds for the first text
    only, -1 for the second only and 0 for both or neither.

    Parameters
    ----------
    transformer : estimator
        From texts to numbers: an embedder, a pipeline of embedder and autoencoder, an annotator with an `encoder`. A
        clone of it is fitted. For pairs of vectors, a transformer of vectors.

    Attributes
    ----------
    transformer_ : estimator
        The fitted transformer, of single texts.
    text_index_ : ndarray of shape (n_texts,), intp
        The first position of each distinct text in ``np.ravel(X)``. Row numbers that `transformer_` keeps, such as
        the `examples_` of an annotator, count the distinct texts. Not for pairs of vectors.
    n_features_in_ : int
        The number of columns of `X`: 2 for texts.

    See Also
    --------
    ChunkTransformer : Applies a transformer to long documents.
    evaluate_hypotheses : Tests annotations of pairs too.
    sklearn.compose.ColumnTransformer : Transforms columns and sets the outputs side by side.

    Notes
    -----
    `transformer` is fitted on the distinct texts of the pairs, each once. The target belongs to pairs, so each text
    is given the mean over its pairs of the target as it would be, were the text in first place: the target where it is
    first, the reverse where it is second. The reverse of a number is its negative (a lead of the first over the
    second). Two classes count as -1 and 1 in their order, so a text that stands in one pair, or wins all or none of
    its pairs, has one of two targets, which the stages take for classes; with a text between, they are a regression
    (leave `task` at "auto"). More than two classes have no reverse: the transformer is then fitted without a target, as
    if there were none. Vectors are not compared: each is fitted on as often as it stands in a pair.

    So with y in {first, second}, target-aware training, selection and naming inside `transformer` look for what sets
    winners apart from losers. A selector behind the `PairTransformer` looks at differences instead, from which
    whatever both texts share cancels.

    Swapping the texts of a pair turns the sign of its row. A model that should give the swapped pair the opposite
    answer has no intercept.

    Examples
    --------
    >>> from sklearn.feature_extraction.text import CountVectorizer
    >>> from sklearn_sae import PairTransformer
    >>> pairs = [("good food", "bad food"), ("bad soup", "good soup")]
    >>> pair = PairTransformer(CountVectorizer()).fit(pairs)
    >>> pair.get_feature_names_out()
    array(['bad', 'food', 'good', 'soup'], dtype=object)
    >>> pair.transform(pairs).toarray()
    array([[-1.,  0.,  1.,  0.],
           [ 1.,  0., -1.,  0.]])
    """

    _parameter_constraints: dict = {"transformer": [HasMethods(["fit", "transform"])]}

    def __init__(self, transformer):
        self.transformer = transformer

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None):
        """Fit the transformer on the distinct texts.

        Parameters
        ----------
        X : sequence of (str, str), array or DataFrame of str of shape (n_pairs, 2), or {array-like, sparse matrix} \
                of numbers of shape (n_pairs, 2 * n_features)
            The pairs; for pairs of vectors, the first and the second vectors side by side: ``np.hstack([A, B])``.
        y : array-like of shape (n_pairs,), default=None
            The target: which of the two won (two labels of any kind), or the lead of the first over the second.

        Returns
        -------
        self : PairTransformer

        Raises
        ------
        TypeError, ValueError
            If `X` is empty or no table of pairs, a text is missing, empty or no str, or `y` has missing values
            or another length.
        """
        self._fit(X, y, "fit")
        return self

    @_fit_context(prefer_skip_nested_validation=False)
    def fit_transform(self, X, y=None):
        """Do `fit` and `transform`, running the transformer once over each text.

        Parameters
        ----------
        X : sequence of (str, str), array or DataFrame of str of shape (n_pairs, 2), or {array-like, sparse matrix} \
                of numbers of shape (n_pairs, 2 * n_features)
            The pairs.
        y : array-like of shape (n_pairs,), default=None
            The target.

        Returns
        -------
        differences : {ndarray, CSR matrix} of shape (n_pairs, n_features_out)
            As `transform` returns them.
        """
        return self._differences(*self._fit(X, y, "fit_transform"), X)

    def transform(self, X):
        """Return the transformed first texts minus the transformed second texts.

        Parameters
        ----------
        X : sequence of (str, str), array or DataFrame of str of shape (n_pairs, 2), or {array-like, sparse matrix} \
                of numbers of shape (n_pairs, 2 * n_features)
            The pairs. The transformer runs once over each distinct text.

        Returns
        -------
        differences : {ndarray, CSR matrix} of shape (n_pairs, n_features_out), float32 or float64
            CSR if the transformer gives a sparse matrix. NaN where either side is.
        """
        check_is_fitted(self)
        pairs = check_pairs(X)
        if pairs.n_columns != self.n_features_in_:
            raise ValueError(
                f"X has {pairs.n_columns} features, but PairTransformer is expecting {self.n_features_in_} features "
                "as input."
            )
        return self._differences(pairs, transform_inner(self.transformer_, pairs.items), X)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = False  # because a pair is a row of two columns or an even number
        return tags

    def _fit(self, X, y, method):
        """Fit the transformer; return the pairs and, for "fit_transform", what became of their texts."""
        pairs = check_pairs(X)
        target = None if y is None else check_target(y, n_samples=len(pairs.first))
        has_reverse = target is not None and (target.classes is None or len(target.classes) <= 2)
        try:
            self.transformer_, output = fit_inner(
                self.transformer, method, pairs.items, target_of_items(pairs, target) if has_reverse else None
            )
        except ValueError as error:
            if target is not None and not has_reverse:
                error.add_note("The transformer got no target: y has more than two classes, which have no reverse.")
            raise
        self.n_features_in_ = pairs.n_columns
        vars(self).pop("text_index_", None)  # left by an earlier fit to texts
        if pairs.index is not None:
            self.text_index_ = pairs.index
        return pairs, output

    def _differences(self, pairs, output, X):
        return in_container(self, output[pairs.first] - output[pairs.second], X)
