"""Selection of the few neurons that predict a target."""

from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.feature_selection import SelectorMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_sae.selection._interactions import contrasts_of, interaction_targets
from sklearn_sae.selection._ranking import rank_neurons
from sklearn_sae.selection._resampling import complementary_halves
from sklearn_sae.selection._scores import passes_fdr
from sklearn_sae.utils._controls import check_controls
from sklearn_sae.utils._notes import warn
from sklearn_sae.utils._sklearn_compat import Interval, StrOptions, _fit_context, check_sample_weight, safe_indexing
from sklearn_sae.utils._subgroups import check_by
from sklearn_sae.utils._targets import TASKS, check_target, check_target_varies
from sklearn_sae.utils._validation import refuse_texts


class NeuronSelector(SelectorMixin, BaseEstimator):
    """Keep the neurons whose activations best predict a target.

    Activations may be sparse; they are never densified. See docs/selection.md for which method suits what.

    Parameters
    ----------
    n_neurons : int, default=20
        Number of neurons to keep.

    method : {"lasso", "stepwise", "correlation", "separation"} or callable, default="lasso"
        How neurons are scored. Those with the scores of largest magnitude are kept; with "stepwise" those that
        entered.

        - "lasso": the coefficients of a lasso on standardized activations, at the penalty where exactly
          `n_neurons` of them are not zero. Takes account of what the other neurons already say.
        - "stepwise": forward stepwise least squares. At each step enters the neuron that lowers the residual sum of
          squares most, given those that entered before; of a multiclass target the sum over all classes, with
          indicators standardized. Scores are the coefficients of least squares on the neurons that entered.
        - "correlation": Pearson's correlation with the target.
        - "separation": mean target of the `n_top` rows of highest activation, minus mean target of the rows
          of zero activation. Only positive activations count among the first.
        - callable: ``method(X, y)`` returns a score for each neuron, shape (n_features,), and NaN for one never to
          keep. It gets `X` as validated, sparse if it came so, and `y` as numbers: float, or the index of the class.

    task : {"auto", "regression", "binary", "multiclass", "ordinal"}, default="auto"
        What `y` is. "auto": two distinct values are binary; more, of strings or categories, multiclass; other
        numbers a regression. A binary target is its second class against its first, a multiclass target is each
        class against the rest. "ordinal" is a regression on the places 1, 2, ... of classes that have an order.

    n_spare : int, default=0
        Further neurons to keep, the next best, if there are so many. An annotator names them only in place of others
        whose names say the same or do not fit. Where annotations cost nothing, it names all and lets a clone of the
        selector choose `n_neurons` by what their names say, unless `method` is a callable.

    n_top : int, default=100
        Rows of highest activation that ``method="separation"`` looks at.

    max_fdr : float or None, default=None
        Of the neurons that `method` chooses, keep only those that pass the Benjamini-Hochberg procedure at this rate
        of false discoveries, run on the `pvalues_` of all neurons that vary. Fewer than `n_neurons` may be left.
        See the notes for what this does not promise.

    interaction : bool, default=True
        Whether, where `fit` gets `by`, neurons are also looked for whose effect differs between its subgroups, though
        they may have none on the whole. Without `by` this has no role.

    n_resamples : int, default=0
        Number of random halves of the rows on which to choose again, for `stability_`; 100 is customary [6]_. They
        come in complementary pairs. What is kept does not depend on them.

    random_state : int, RandomState instance or None, default=None
        Seed of the random halves. Nothing else is random: ties go to the smaller index.

    Attributes
    ----------
    scores_ : ndarray of shape (n_features_in_,)
        Signed scores. For "lasso" and "stepwise" the change of the target (of a class's probability) per standard
        deviation of the activation, 0 for a neuron without a coefficient. Of a multiclass target the class score of
        largest magnitude. 0 for a neuron that does not vary, or for which the score is not defined. With controls
        the scores are effects beyond them, and standard deviations those of what the controls leave.

    class_scores_ : ndarray of shape (n_classes, n_features_in_)
        Scores of each class against the rest. Only for a multiclass target and a named method.

    interaction_scores_ : ndarray of shape (n_interactions, n_features_in_)
        Scores on what each subgroup (the later of two; of periods their order) makes of the target, or of each of its
        classes. Only with `by`; `scores_` is then the score of largest magnitude of these and those on the whole.

    ranking_ : ndarray of shape (n_features_in_,)
        1 for the best neuron, 2 for the next. By order of entry (for "stepwise"), then magnitude of score, then (for
        "lasso" and "stepwise") magnitude of correlation, then index. Neurons that cannot be kept come last.

    pvalues_ : ndarray of shape (n_features_in_,)
        P-values of the linear association of each neuron with `y` beyond the controls. They depend neither on `method`
        nor on the other neurons: they are those of the t test of the (partial) correlation, or of the F test over all
        classes of a multiclass target. Not corrected for the number of neurons. NaN for a neuron that does not vary.

    stability_ : ndarray of shape (n_features_in_,)
        Share of the random halves on which `method` chose the neuron, before any `max_fdr`. A half with nothing to
        predict, as one without a row of a rare class, chooses none. Only where `n_resamples` is not 0.

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
        In `fit`, if `X` or `controls` has NaN or infinity, `n_neurons` is above the number of neurons in `X`, `y` is
        missing, constant or of another length, has three classes where ``task="binary"``, or is a linear combination
        of the controls; if a weight is negative or all are 0; if `by` has one value or, unless periods, more than 20;
        if a callable method comes with controls, weights or `by`; if no neuron can be kept, or none of the best passes
        `max_fdr`.

    Warns
    -----
    UserWarning
        If fewer than `n_neurons` neurons vary (and have a defined score). All that do are kept, so that a search over
        sizes can go on.

    See Also
    --------
    TopKSAETransformer : Makes the activations, and may be trained for the same target.
    KeywordHypothesisAnnotator, QuoteHypothesisAnnotator, LLMHypothesisAnnotator : Name the neurons that are kept.
    sklearn.feature_selection.SelectFromModel : Selection by the coefficients of any model.
    sklearn.feature_selection.SelectKBest : Selection by a score of each feature on its own.
    sklearn.feature_selection.SequentialFeatureSelector : Stepwise selection by cross-validation of any model.

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

    By the Frisch-Waugh-Lovell theorem the lasso (that does not penalize the controls), stepwise least squares and
    correlation are exact on what the controls leave of the target and of the neurons. "separation" compares what the
    controls leave of the target on the rows that the activations themselves pick; where a neuron goes with the
    controls, that understates its effect beyond them.

    With `by` there are more targets: beside `y` the products of each contrast of subgroups with what the best neurons
    on the whole, the controls and the subgroups' means leave of `y` (modified outcomes [8]_). All have the same
    variance, so that a neuron is chosen for what it is most strongly associated with.

    Stability and false discoveries answer different questions. A neuron of a group that says the same is unstable and
    no false discovery. And `max_fdr` looks at each neuron alone: it drops one that predicts only together with others,
    and keeps one whose association other neurons explain. The rate is that of all neurons which pass, on average over
    data sets, for tests that are independent or positively dependent [5]_; among the few which `method` picks out of
    them it may be higher. No p-value here knows whether the neurons were trained on the same `y` (as with
    ``TopKSAETransformer(target_weight=...)``): then all of them are too small, and only unseen rows tell. They assume
    independent rows of equal variance, and see no effect that is not linear.

    The (n_features, n_features) matrix of correlations is never formed.

    References
    ----------
    .. [1] Osborne, Presnell & Turlach, "A new approach to variable selection in least squares problems", IMA Journal
       of Numerical Analysis 20 (2000): the lasso path.
    .. [2] Neykov, Liu & Cai, "L1-regularized least squares for support recovery of high dimensional single index
       models with Gaussian designs", Journal of Machine Learning Research 17 (2016).
    .. [3] Movva, Peng, Garg, Kleinberg & Pierson, "Sparse autoencoders for hypothesis generation", ICML (2025):
       lasso, correlation and separation.
    .. [4] Efroymson, "Multiple regression analysis", in Mathematical Methods for Digital Computers (1960); Chen,
       Billings & Luo, "Orthogonal least squares methods and their application to non-linear system identification",
       International Journal of Control 50 (1989): stepwise selection.
    .. [5] Benjamini & Hochberg, "Controlling the false discovery rate", Journal of the Royal Statistical Society B 57
       (1995); Benjamini & Yekutieli, "The control of the false discovery rate in multiple testing under dependency",
       Annals of Statistics 29 (2001).
    .. [6] Meinshausen & Bühlmann, "Stability selection", Journal of the Royal Statistical Society B 72 (2010); Shah &
       Samworth, "Variable selection with error control", same journal 75 (2013): complementary pairs.
    .. [7] Lovell, "Seasonal adjustment of economic time series and multiple regression analysis", Journal of the
       American Statistical Association 58 (1963): controls.
    .. [8] Tian, Alizadeh, Gentles & Tibshirani, "A simple method for estimating interactions between a treatment and a
       large number of covariates", Journal of the American Statistical Association 109 (2014).

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

    Where a control (the length of the text, say) drives the target and a neuron, the neuron is not chosen:

    >>> length = rng.gamma(2, size=500)
    >>> activations[:, 5] = length + rng.random(500)
    >>> X, y = csr_array(activations), y + length
    >>> NeuronSelector(n_neurons=2).fit(X, y).get_feature_names_out()
    array(['x5', 'x31'], dtype=object)
    >>> selector.fit(X, y, controls=length[:, None]).get_feature_names_out()
    array(['x7', 'x31'], dtype=object)

    A neuron that raises the target in one town and lowers it in another is not chosen, unless the town is told:

    >>> town = rng.choice(["Trier", "Ulm"], size=500)
    >>> activations[:, 5] = (rng.random(500) < 0.3) * rng.random(500)
    >>> X, y = csr_array(activations), activations[:, 7] + np.where(town == "Ulm", 2, -2) * activations[:, 5]
    >>> NeuronSelector(n_neurons=2).fit(X, y).get_feature_names_out()
    array(['x7', 'x46'], dtype=object)
    >>> selector.fit(X, y, by=town).get_feature_names_out()
    array(['x5', 'x7'], dtype=object)
    """

    _parameter_constraints: dict = {
        "n_neurons": [Interval(Integral, 1, None, closed="left")],
        "method": [StrOptions({"lasso", "stepwise", "correlation", "separation"}), callable],
        "task": [StrOptions(set(TASKS))],
        "n_spare": [Interval(Integral, 0, None, closed="left")],
        "n_top": [Interval(Integral, 1, None, closed="left")],
        "max_fdr": [None, Interval(Real, 0, 1, closed="neither")],
        "interaction": ["boolean"],
        "n_resamples": [Interval(Integral, 0, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_neurons=20,
        *,
        method="lasso",
        task="auto",
        n_spare=0,
        n_top=100,
        max_fdr=None,
        interaction=True,
        n_resamples=0,
        random_state=None,
    ):
        self.n_neurons = n_neurons
        self.method = method
        self.task = task
        self.n_spare = n_spare
        self.n_top = n_top
        self.max_fdr = max_fdr
        self.interaction = interaction
        self.n_resamples = n_resamples
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, *, controls=None, sample_weight=None, by=None):
        """Score the neurons and choose the best.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Activations, one column a neuron.
        y : array-like of shape (n_samples,)
            Target: numbers, or labels of any kind.
        controls : DataFrame or array-like of shape (n_samples, n_controls) or None, default=None
            Known confounders, such as the lengths of the texts. Their linear effect, with an intercept,
            is taken out of `y` and of every neuron before the neurons are scored. Neither their scales matter, nor
            whether they are constant or combinations of each other. Text and categories count as one indicator a level,
            and a missing value of a frame is a level; a missing number is the mean beside an indicator. Not for a
            callable method.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            How many rows each row stands for: a weight of 2 is the row twice, 0 is no row. Scores depend on the
            proportions alone, but for "separation"; for `pvalues_` the sum is the number of rows. Not for a callable
            method.
        by : array-like of shape (n_samples,) or None, default=None
            A column of subgroups, or of periods such as ``dates.dt.to_period("M")``, as of `evaluate_hypotheses`. Then
            neurons that predict in one subgroup only, or whose effect turns its sign or grows over time, compete with
            those that predict on the whole. Not for a callable method.

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
        controls = self._check_controls(controls, X.shape[0])
        sample_weight = self._check_weights(sample_weight, X)
        contrasts = self._check_by(by, X, sample_weight)
        rows = np.flatnonzero(sample_weight)
        if len(rows) < X.shape[0]:
            X, controls, sample_weight, contrasts = _take(rows, X, controls, sample_weight, contrasts)
            if target.task == "regression":
                target = target._replace(values=target.values[rows])
            else:
                target = check_target(safe_indexing(y, rows), task=self.task)
        check_target_varies(target)

        if target.task == "multiclass":
            Y = np.eye(len(target.classes))[target.values]
        else:
            Y = target.values[:, None].astype(np.float64)
        data = (X, target.values, Y, controls, sample_weight, contrasts)
        ranking = self._rank(*data)
        if ranking is None:
            raise ValueError("y is a linear combination of the controls: they leave nothing of it to predict.")
        support = self._choose(ranking)

        for attribute in ("class_scores_", "interaction_scores_", "classes_", "stability_"):  # left by an earlier fit
            vars(self).pop(attribute, None)
        self._support = support
        self.scores_ = np.take_along_axis(ranking.scores, ranking.strongest[None], axis=0)[0]
        if target.task == "multiclass" and not callable(self.method):
            self.class_scores_ = ranking.scores[: Y.shape[1]]
        if contrasts is not None:
            self.interaction_scores_ = ranking.scores[Y.shape[1] :]
        self.pvalues_ = ranking.pvalues
        self.task_ = target.task
        if target.classes is not None:
            self.classes_ = target.classes
        self.ranking_ = np.empty(X.shape[1], dtype=np.int64)
        self.ranking_[ranking.best_first] = np.arange(1, X.shape[1] + 1)
        if self.n_resamples:
            self.stability_ = self._share_of_halves(data)
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

    def _check_controls(self, controls, n_samples):
        if controls is None:
            return None
        if callable(self.method):
            raise ValueError("controls are not passed on to a callable method; let it take them out itself.")
        return check_controls(controls, n_samples, absorb=False).values

    def _check_weights(self, sample_weight, X):
        if sample_weight is not None and callable(self.method):
            raise ValueError("sample_weight is not passed on to a callable method; let it weigh the rows itself.")
        sample_weight = check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        if not sample_weight.any():
            raise ValueError("sample_weight is zero for every row; give some row a weight above zero.")
        return sample_weight

    def _check_by(self, by, X, sample_weight):
        if by is None or not self.interaction:
            return None
        if callable(self.method):
            raise ValueError("by is not passed on to a callable method; pass interaction=False, and let it heed that.")
        return contrasts_of(check_by(by, X.shape[0]), sample_weight)

    def _rank(self, X, values, Y, controls, sample_weight, contrasts):
        options = {"method": self.method, "n_neurons": self.n_neurons, "n_top": self.n_top}
        ranking = rank_neurons(X, values, Y, controls, sample_weight, **options)
        if contrasts is None or ranking is None:
            return ranking
        best = np.flatnonzero(ranking.top(self.n_neurons))
        of_subgroups = interaction_targets(X, Y, controls, sample_weight, contrasts, best)
        return rank_neurons(X, values, np.hstack([Y, of_subgroups]), controls, sample_weight, **options)

    def _choose(self, ranking):
        """Return the support mask, or say why it would be empty."""
        if ranking.n_selectable == 0:
            raise ValueError(
                "No neuron of X can be kept: none varies (beyond the controls, if any) and has a defined score; "
                "train with other settings, or choose another method."
            )
        n_features = len(ranking.best_first)
        if ranking.n_selectable < self.n_neurons:
            warn(
                f"Only {ranking.n_selectable} of {n_features} neurons vary and have a defined score; keeping those "
                f"instead of n_neurons={self.n_neurons}."
            )
        support = ranking.top(self.n_neurons + self.n_spare)
        if self.max_fdr is not None:
            support &= passes_fdr(ranking.pvalues, self.max_fdr)
            if not support.any():
                raise ValueError(
                    f"None of the best {self.n_neurons} neurons passes max_fdr={self.max_fdr}; raise max_fdr, or fit "
                    "on more rows."
                )
        return support

    def _share_of_halves(self, data):
        """Return how often each neuron is among the best on random halves of the rows."""
        random_state = check_random_state(self.random_state)
        n_samples, n_features = data[0].shape
        n_chosen = np.zeros(n_features)
        for rows in complementary_halves(n_samples, self.n_resamples, random_state):
            ranking = self._rank(*_take(rows, *data))
            if ranking is not None:
                n_chosen += ranking.top(self.n_neurons)
        return n_chosen / self.n_resamples

    def _get_support_mask(self):
        check_is_fitted(self)
        return self._support

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.sparse = True
        return tags


def _take(rows, *arrays):
    return [None if array is None else array[rows] for array in arrays]
