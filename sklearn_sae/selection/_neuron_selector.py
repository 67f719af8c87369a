"""Selection of the few neurons that predict a target."""

import warnings
from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator, _fit_context
from sklearn.feature_selection import SelectorMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_sae._validation import check_target, check_target_varies, refuse_texts
from sklearn_sae.selection._lasso import lasso_scores
from sklearn_sae.selection._scores import correlation_scores, separation_scores, standardize


class NeuronSelector(SelectorMixin, BaseEstimator):
    """Keep the neurons whose activations best predict a target.

    Parameters
    ----------
    n_neurons : int, default=20
        Number of neurons to keep.

    method : {"lasso", "correlation", "separation"} or callable, default="lasso"
        How neurons are scored. Those with the scores of largest magnitude are kept.

        - "lasso": the coefficients of a lasso on standardized activations, at the penalty where exactly
          `n_neurons` of them are not zero. Takes account of what the other neurons already say.
        - "correlation": Pearson's correlation with the target.
        - "separation": mean target of the `n_top` rows of highest activation, minus mean target of the rows
          of zero activation. Only positive activations count among the first.
        - callable: ``method(X, y)`` returns a score for each neuron, shape (n_features,), and NaN for one never to
          keep. It gets `X` as validated, sparse if it came so, and `y` as numbers: float, or the index of the class.

    task : {"auto", "regression", "binary", "multiclass"}, default="auto"
        What `y` is. "auto": two distinct values are binary; more, of strings or categories, multiclass; other
        numbers a regression. A binary target is its second class against its first, a multiclass target is each
        class against the rest.

    n_top : int, default=100
        Rows of highest activation that ``method="separation"`` looks at.

    random_state : int, RandomState instance or None, default=None
        Not used: every method is deterministic, ties going to the smaller index. Present so that all stages of a
        pipeline can be given one.

    Attributes
    ----------
    scores_ : ndarray of shape (n_features_in_,)
        Signed scores. For "lasso" the change of the target (of a class's probability) per standard deviation of the
        activation, 0 for a neuron without a coefficient. Of a multiclass target the class score of largest
        magnitude. 0 for a neuron that does not vary, or for which the score is not defined.

    class_scores_ : ndarray of shape (n_classes, n_features_in_)
        Scores of each class against the rest. Only for a multiclass target and a named method.

    ranking_ : ndarray of shape (n_features_in_,)
        1 for the best neuron, 2 for the next. By magnitude of score, then (for "lasso") magnitude of correlation,
        then index. Neurons that cannot be kept come last.

    task_ : str
        The task in use.

    classes_ : ndarray of shape (n_classes,)
        The classes, sorted. Not for a regression.

    n_features_in_ : int
        Number of neurons seen in `fit`.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the neurons, where `X` has names that are all strings.

    Raises
    ------
    ValueError
        In `fit`, if `X` has NaN or infinity, `n_neurons` is above the number of neurons in `X`, `y` is missing,
        constant or of another length, has three classes where ``task="binary"``, or no neuron can be kept.

    Warns
    -----
    UserWarning
        If fewer than `n_neurons` neurons vary (and have a defined score). All that do are kept, so that a search over
        sizes can go on.

    Notes
    -----
    The lasso path is followed exactly from its first neuron until `n_neurons` are active, with no penalty to choose.
    A neuron may leave the path again and another take its place. Where the path ends early, because the kept neurons
    explain the target fully or the others are combinations of them, the rest are filled in by correlation. For a
    multiclass target the paths of all classes share one penalty, which falls until `n_neurons` neurons have a
    coefficient for at least one class; class indicators are standardized, so that a rare class weighs as much as a
    common one.

    Least squares also serves a target of zeros and ones: it is fast and exact, and it selects the right neurons. In a
    model where the target depends on a linear combination of the neurons through a link function, as in logistic
    regression, the least-squares lasso recovers the support of that combination under conditions on the design [2]_.

    The (n_features, n_features) matrix of correlations is never formed, nor are the zeros of a sparse `X` filled in.

    References
    ----------
    .. [1] Osborne, Presnell & Turlach, "A new approach to variable selection in least squares problems", IMA Journal
       of Numerical Analysis 20 (2000): the lasso path.
    .. [2] Neykov, Liu & Cai, "L1-regularized least squares for support recovery of high dimensional single index
       models with Gaussian designs", Journal of Machine Learning Research 17 (2016).
    .. [3] Movva, Peng, Garg, Kleinberg & Pierson, "Sparse autoencoders for hypothesis generation", ICML (2025): the
       three methods.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.sparse import csr_array
    >>> from sklearn_sae import NeuronSelector
    >>> rng = np.random.default_rng(0)
    >>> activations = np.where(rng.random((500, 50)) < 0.1, rng.random((500, 50)), 0)
    >>> X, y = csr_array(activations), activations[:, 7] - 2 * activations[:, 31]
    >>> selector = NeuronSelector(n_neurons=2).fit(X, y)
    >>> selector.get_feature_names_out()
    array(['x7', 'x31'], dtype=object)
    >>> selector.transform(X).shape
    (500, 2)
    """

    _parameter_constraints: dict = {
        "n_neurons": [Interval(Integral, 1, None, closed="left")],
        "method": [StrOptions({"lasso", "correlation", "separation"}), callable],
        "task": [StrOptions({"auto", "regression", "binary", "multiclass"})],
        "n_top": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(self, n_neurons=20, *, method="lasso", task="auto", n_top=100, random_state=None):
        self.n_neurons = n_neurons
        self.method = method
        self.task = task
        self.n_top = n_top
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y):
        """Score the neurons and choose the best.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Activations, one column a neuron.
        y : array-like of shape (n_samples,)
            Target: numbers, or labels of any kind.

        Returns
        -------
        self : NeuronSelector
        """
        checks = {"accept_sparse": ["csr", "csc"], "dtype": [np.float64, np.float32], "ensure_min_samples": 2}
        with refuse_texts():
            X = validate_data(self, X, **checks)
        if y is None:
            raise ValueError("NeuronSelector requires y to be passed, but the target y is None.")
        target = check_target(y, task=self.task, n_samples=X.shape[0])
        if self.n_neurons > X.shape[1]:
            raise ValueError(
                f"n_neurons={self.n_neurons} is more than the {X.shape[1]} neurons of X; lower n_neurons, or "
                "train with more components."
            )
        check_target_varies(target)

        if target.task == "multiclass":
            Y = (target.values[:, None] == np.arange(len(target.classes))).astype(np.float64)
        else:
            Y = target.values[:, None].astype(np.float64)
        design = standardize(X)
        correlations = correlation_scores(design, Y)
        tie_break = np.abs(correlations).max(axis=0)
        if self.method == "lasso":
            scores = lasso_scores(design, correlations, self.n_neurons) * Y.std(axis=0)[:, None]
        elif self.method == "correlation":
            scores = correlations
        elif self.method == "separation":
            scores, tie_break = separation_scores(X, Y, self.n_top), np.zeros(X.shape[1])
        else:
            scores, tie_break = self._called_scores(X, target.values), np.zeros(X.shape[1])

        defined = ~np.isnan(scores).any(axis=0)
        if not callable(self.method):
            scores = np.where(defined & design.live, scores, 0.0)
        strongest = np.abs(np.where(defined, scores, 0.0)).argmax(axis=0)
        self.scores_ = np.take_along_axis(scores, strongest[None], axis=0)[0]
        for attribute in ("class_scores_", "classes_"):  # of an earlier fit to another kind of target
            vars(self).pop(attribute, None)
        if len(scores) > 1:
            self.class_scores_ = scores
        self.task_ = target.task
        if target.classes is not None:
            self.classes_ = target.classes
        self._choose(design.live & defined, tie_break)
        return self

    def transform(self, X):
        """Keep the chosen neurons.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Activations.

        Returns
        -------
        X_r : ndarray or sparse matrix of shape (n_samples, n_kept)

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If `X` has another number of neurons than in `fit`, NaN or infinity, or holds texts.
        """
        with refuse_texts():
            return super().transform(X)

    def _called_scores(self, X, y):
        scores = np.asarray(self.method(X, y))
        if scores.shape != (X.shape[1],) or scores.dtype.kind not in "biuf":
            raise ValueError(
                f"method must return one number for each neuron, shape ({X.shape[1]},); "
                f"it returned an array of {scores.dtype} of shape {scores.shape}."
            )
        return scores[None].astype(np.float64)

    def _choose(self, selectable, tie_break):
        n_selectable = int(selectable.sum())
        if n_selectable == 0:
            raise ValueError(
                "No neuron of X can be kept: none varies and has a defined score; "
                "train with other settings, or choose another method."
            )
        if n_selectable < self.n_neurons:
            warnings.warn(
                f"Only {n_selectable} of {len(selectable)} neurons vary and have a defined score; keeping those "
                f"instead of n_neurons={self.n_neurons}.",
                UserWarning,
                stacklevel=4,
            )
        magnitude = np.where(selectable, np.abs(self.scores_), 0.0)
        best_first = np.lexsort((-tie_break, -magnitude, ~selectable))
        self.ranking_ = np.empty(len(selectable), dtype=np.int64)
        self.ranking_[best_first] = np.arange(1, len(selectable) + 1)
        self._n_selected = min(self.n_neurons, n_selectable)

    def _get_support_mask(self):
        check_is_fitted(self)
        return self.ranking_ <= self._n_selected

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.sparse = True
        return tags
