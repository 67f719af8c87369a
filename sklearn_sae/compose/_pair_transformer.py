"""A transformer of texts, applied to pairs of texts."""

from sklearn.base import BaseEstimator, clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sklearn_sae.compose._inner import InnerTransformerMixin, fit_inner, transform_inner
from sklearn_sae.compose._pairs import as_texts, check_pairs, in_both_orders, target_of_items, weights_of_items
from sklearn_sae.utils._containers import in_container
from sklearn_sae.utils._controls import check_weights
from sklearn_sae.utils._sklearn_compat import HasMethods, StrOptions, _fit_context
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
    order : {"after", "before"}, default="after"
        Whether the difference is taken after `transformer`, or before all of its steps but the first: of a pipeline, or
        of the pipeline that is an annotator's `encoder`, the first step embeds single texts, and the others are fitted
        on the differences of what it gives. A `TopKSAETransformer` among them should have ``signed=True``. Of pairs of
        vectors the difference is taken straight away.
    judge : {"texts", "pairs"}, default="texts"
        What an annotator annotates. "texts": each text by itself, and the annotation of a pair is the difference.
        "pairs": an `LLMHypothesisAnnotator` is shown the two texts side by side, with their prompt if there is one, and
        says in which of them there is more: in the first (1), in the second (-1) or in neither (0). Of two equal texts
        it is neither, and nothing is asked. It also names neurons from pairs. Needs ``order="before"``, or an annotator
        whose ``hypotheses`` are given.

    Attributes
    ----------
    transformer_ : estimator
        The fitted transformer, of single texts. With ``order="before"`` it takes pairs of texts, because its first
        step, or that of its encoder, is then a `PairTransformer` around that of `transformer`; for pairs of vectors it
        takes their differences.
    text_index_ : ndarray of shape (n_texts,), intp
        The position in ``np.ravel(X)``, without prompts, of each text that `transformer_` is fitted on: the first one
        of each distinct text or, with ``order="before"``, of the first texts of all pairs and then of the second ones.
        Row numbers that `transformer_` keeps, such as the `examples_` of an annotator, count these. Not for pairs of
        vectors.
    n_features_in_ : int
        The number of columns of `X`: 2 for texts, beside which a prompt does not count.

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

    With ``order="before"`` the steps behind the first are fitted on each pair in both orders, with the target and with
    its reverse. What they make of the two orders differs in sign and otherwise little; half of the difference is
    returned. Most of the pairs that an autoencoder among them validates on have their reverse among those that it
    learns from, so its validation loss is nearly a training loss and stops it late.

    An annotator is given the two texts of each pair, each with what its encoder makes of the pair with this text in
    first place. So a neuron is active in a text that has more of the concept than its counterpart, and what the texts
    of a pair share does not set those in which it is active apart. Of a text that stands in several pairs, only the
    first row is used for naming. Annotations are of single texts, whatever the order, unless ``judge="pairs"``.

    Language models prefer what they read first. With ``judge="pairs"`` the two texts of a pair are shown in an order
    that a hash of them draws, and the answer is turned back. So the preference falls on either text alike, a pair and
    its reverse are one request with opposite answers, and the number of requests is half of that for single texts.

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

    _parameter_constraints: dict = {
        "transformer": [HasMethods(["fit", "transform"])],
        "order": [StrOptions({"after", "before"})],
        "judge": [StrOptions({"texts", "pairs"})],
    }

    def __init__(self, transformer, *, order="after", judge="texts"):
        self.transformer = transformer
        self.order = order
        self.judge = judge

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, *, sample_weight=None):
        """Fit the transformer on the distinct texts.

        Parameters
        ----------
        X : sequence of (str, str), array or DataFrame of str of shape (n_pairs, 2) or (n_pairs, 3), or {array-like, \
                sparse matrix} of numbers of shape (n_pairs, 2 * n_features)
            The pairs; for pairs of vectors, the first and the second vectors side by side: ``np.hstack([A, B])``. Of
            three columns of texts the first is the prompt that both answer (in a DataFrame, the one called "prompt").
            It is not embedded, and is shown to an annotator with ``judge="pairs"``.
        y : array-like of shape (n_pairs,), default=None
            The target: which of the two won (two labels of any kind), or the lead of the first over the second.
        sample_weight : array-like of shape (n_pairs,), default=None
            How much each pair counts. A text is given the mean weight of its pairs, and the mean of the target counts
            them by it. `transformer` must take weights, as an annotator does for the selection of neurons.

        Returns
        -------
        self : PairTransformer

        Raises
        ------
        TypeError, ValueError
            If `X` is empty or no table of pairs, a text is missing, empty or no str, or `y` has missing values
            or another length; if `sample_weight` has another length, is negative, or `transformer` takes none; or, with
            ``order="before"`` and texts, `transformer` has no first step; or, with ``judge="pairs"``, `transformer`
            judges no pairs.
        """
        self._fit(X, y, sample_weight, "fit")
        return self

    @_fit_context(prefer_skip_nested_validation=False)
    def fit_transform(self, X, y=None, *, sample_weight=None):
        """Do `fit` and `transform`, running the transformer once over each text.

        Parameters
        ----------
        X : sequence of (str, str), array or DataFrame of str of shape (n_pairs, 2) or (n_pairs, 3), or {array-like, \
                sparse matrix} of numbers of shape (n_pairs, 2 * n_features)
            The pairs.
        y : array-like of shape (n_pairs,), default=None
            The target.
        sample_weight : array-like of shape (n_pairs,), default=None
            How much each pair counts, as in `fit`.

        Returns
        -------
        differences : {ndarray, CSR matrix} of shape (n_pairs, n_features_out)
            As `transform` returns them.
        """
        return in_container(self, self._differences(*self._fit(X, y, sample_weight, "fit_transform")), X)

    def transform(self, X):
        """Return the transformed first texts minus the transformed second texts.

        Parameters
        ----------
        X : sequence of (str, str), array or DataFrame of str of shape (n_pairs, 2) or (n_pairs, 3), or {array-like, \
                sparse matrix} of numbers of shape (n_pairs, 2 * n_features)
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
        pairs = self._ordered(pairs)
        output = transform_inner(self.transformer_, pairs.items, **self._texts_beside(self.transformer_, pairs))
        return in_container(self, self._differences(pairs, output), X)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = False  # because a pair is a row of two columns or an even number
        return tags

    def _fit(self, X, y, sample_weight, method):
        """Fit the transformer; return the pairs and, for "fit_transform", what became of their texts."""
        pairs = self._ordered(check_pairs(X))
        target = None if y is None else check_target(y, n_samples=len(pairs.first))
        weights = check_weights(sample_weight, len(pairs.first))
        has_reverse = target is not None and (target.classes is None or len(target.classes) <= 2)
        transformer = self.transformer
        if self.judge == "pairs":
            _check_judges_pairs(transformer, self.order, pairs)
        if self.order == "before" and pairs.index is not None:
            transformer = _with_differences_first(transformer)
        try:
            self.transformer_, output = fit_inner(
                transformer,
                method,
                pairs.items,
                target_of_items(pairs, target, weights) if has_reverse else None,
                only_fit={} if weights is None else {"sample_weight": weights_of_items(pairs, weights)},
                **self._texts_beside(transformer, pairs),
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

    def _ordered(self, pairs):
        if self.judge == "pairs" and not _has_encoder(self.transformer):
            pairs = in_both_orders(pairs)
            return pairs._replace(items=as_texts(pairs))
        return in_both_orders(pairs) if self.order == "before" else pairs

    def _texts_beside(self, transformer, pairs):
        """Return the texts that an annotator takes beside pairs of texts: the first of each, or both as one text."""
        if pairs.index is None or isinstance(pairs.items, list) or not _has_encoder(transformer):
            return {}
        return {"texts": as_texts(pairs) if self.judge == "pairs" else pairs.items[:, 0].tolist()}

    def _differences(self, pairs, output):
        """Return for each pair what became of its first item minus what became of its second."""
        differences = output[pairs.first] - output[pairs.second]
        # What becomes of a pair and of its reverse are the same but for the sign, or nearly so.
        of_pairs = self.judge == "pairs" or (self.order == "before" and not _has_encoder(self.transformer_))
        return differences / 2 if of_pairs else differences


def _check_judges_pairs(transformer, order, pairs):
    """Refuse ``judge="pairs"`` where nothing can be shown pairs of texts."""
    if pairs.index is None:
        raise ValueError('judge="pairs" needs texts, and X holds vectors.')
    if not hasattr(transformer, "interpreter"):  # a language model
        raise ValueError(f'judge="pairs" needs an LLMHypothesisAnnotator; got a {type(transformer).__name__}.')
    if _has_encoder(transformer) and order != "before":
        raise ValueError('judge="pairs" needs order="before", so that names come from pairs too.')


def _has_encoder(transformer):
    """Return whether a transformer is an annotator with an encoder, and so gives annotations of single texts."""
    return not isinstance(transformer, FrozenEstimator) and hasattr(getattr(transformer, "encoder", None), "fit")


def _with_differences_first(transformer):
    """Return a clone of `transformer` that takes pairs of texts, in which differences follow on its first step."""
    if _has_encoder(transformer):
        return clone(transformer).set_params(encoder=_with_differences_first(transformer.encoder))
    if not isinstance(transformer, Pipeline) or len(transformer) < 2:
        found = "a Pipeline of one step" if isinstance(transformer, Pipeline) else f"a {type(transformer).__name__}"
        raise ValueError(
            'order="before" needs a first step, which embeds single texts, and others to fit on the differences: '
            f"transformer, or its encoder, must be a Pipeline of at least two steps; it is {found}."
        )
    pipeline = clone(transformer)
    name, first = pipeline.steps[0]
    return pipeline.set_params(**{name: PairTransformer(first)})
