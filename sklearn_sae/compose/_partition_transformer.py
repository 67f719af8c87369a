"""An estimator, applied to large collections."""

from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sklearn_sae.compose._inner import fit_inner
from sklearn_sae.compose._partitions import apply_lazily, lazy_kind
from sklearn_sae.utils._sklearn_compat import HasMethods, _fit_context, safe_set_output


def _has(name):
    def check(self):
        getattr(self._used(), name)
        return True

    return check


class PartitionTransformer(TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):
    """Apply an estimator to collections of Dask and Ray Data, partition by partition: the same kind comes out.

    Nothing is computed before the collection that comes out is. Then each process that works on it gets the estimator
    once, keeps a model that it has loaded, and works on one partition after the other; the partitions of a process that
    is lost are computed again by others. See docs/collections.md.

    Parameters
    ----------
    transformer : estimator
        A transformer or predictor: an embedder, an autoencoder, an annotator, a whole pipeline. A fitted one is used as
        it is, without `fit`; `fit` fits a clone.
    ray_kwargs : dict, default=None
        More arguments of `ray.data.Dataset.map_batches`, such as ``{"batch_size": 512, "num_gpus": 1}``.

    Attributes
    ----------
    transformer_ : estimator
        The clone that `fit` has fitted.
    n_features_in_ : int
        As the estimator has it.
    feature_names_in_ : ndarray of str of shape (n_features_in_,)
        As the estimator has it.
    classes_ : ndarray of shape (n_classes,)
        As the estimator has it.

    See Also
    --------
    ChunkTransformer : Applies a transformer to long documents.
    PairTransformer : Applies a transformer to pairs of texts.

    Notes
    -----
    What goes in and comes out:

    - a Dask array of numbers or texts: a Dask array, whose blocks are CSR if the estimator's output is;
    - a Dask bag of texts: a bag of as many rows, each a 1-D array, or CSR of one row;
    - a Dask DataFrame or Series: a DataFrame with the names of the features, and the index of what went in; of sparse
      columns if the estimator's output is sparse;
    - a Ray Data dataset: of one column of texts or of several columns, a dataset with the names of the features; of one
      column of vectors, one column of vectors under the same name. Its columns are dense;
    - anything else: what the estimator returns. `set_output` is for these.

    A row does not depend on the partition that it is in, but for rounding where numbers are multiplied as matrices: a
    partition comes out as the estimator returns it for these rows.

    `fit` takes data in memory. To use a fitted estimator in a pipeline that is fitted, freeze it.

    Dask has to know the dtype of what comes out before it computes it. A made-up row tells: one of numbers is
    transformed at once, one of texts where Dask computes. No annotator is asked, because a language model may be in it.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sae import PartitionTransformer, TopKSAETransformer
    >>> X = np.random.default_rng(0).normal(size=(100, 8)).astype(np.float32)
    >>> sae = TopKSAETransformer(n_components=16, k=2, max_epochs=1, random_state=0).fit(X)
    >>> import dask.array  # doctest: +SKIP
    >>> activations = PartitionTransformer(sae).transform(dask.array.from_array(X, chunks=(25, 8)))  # doctest: +SKIP
    >>> activations.compute().shape  # doctest: +SKIP
    (100, 16)
    >>> PartitionTransformer(sae).transform(X).shape
    (100, 16)
    """

    _parameter_constraints: dict = {"transformer": [HasMethods(["fit"])], "ray_kwargs": [dict, None]}

    def __init__(self, transformer, *, ray_kwargs=None):
        self.transformer = transformer
        self.ray_kwargs = ray_kwargs

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None):
        """Fit a clone of the estimator on data in memory.

        Parameters
        ----------
        X : array-like, or sequence of str
            As the estimator takes it; anything if the estimator is frozen.
        y : array-like of shape (n_samples,), default=None
            The target.

        Returns
        -------
        self : PartitionTransformer

        Raises
        ------
        TypeError
            If X is a collection of Dask or Ray Data, and the estimator is not frozen.
        """
        if lazy_kind(X) is not None and not isinstance(self.transformer, FrozenEstimator):
            raise TypeError(
                "fit takes data in memory. Fit the estimator on a sample of the collection, and pass it as "
                "PartitionTransformer(FrozenEstimator(estimator))."
            )
        self.transformer_, _ = fit_inner(self.transformer, "fit", X, y)
        return self

    @available_if(_has("transform"))
    def transform(self, X):
        """Transform a collection lazily, and what is in memory at once.

        Parameters
        ----------
        X : Dask array, bag, DataFrame or Series, Ray Data dataset, or as the estimator takes it
            The notes of the class say which.

        Returns
        -------
        X_out : as X
            The notes of the class say what comes out.

        Raises
        ------
        ImportError
            If a part of the library that made the collection is not installed.
        """
        return self._apply("transform", X)

    @available_if(_has("predict"))
    def predict(self, X):
        """Predict for a collection lazily, and for what is in memory at once.

        Parameters
        ----------
        X : Dask array, bag, DataFrame or Series, Ray Data dataset, or as the estimator takes it
            As for `transform`.

        Returns
        -------
        y : as X
            Of a DataFrame, a Series; of a Ray Data dataset, one with the column "prediction". Predictions of several
            targets are the columns "prediction0", "prediction1" and so on.
        """
        return self._apply("predict", X)

    @available_if(_has("predict_proba"))
    def predict_proba(self, X):
        """Predict the probability of each class, for a collection lazily, and for what is in memory at once.

        Parameters
        ----------
        X : Dask array, bag, DataFrame or Series, Ray Data dataset, or as the estimator takes it
            As for `transform`.

        Returns
        -------
        probabilities : as X
            A column for each class, by whose name columns go if they have names.

        Raises
        ------
        ValueError
            If X is a collection and the estimator has several targets, because their probabilities are several arrays.
        """
        return self._apply("predict_proba", X)

    def get_feature_names_out(self, input_features=None):
        """Return the names that the estimator gives to its outputs.

        Parameters
        ----------
        input_features : ignored
            Present because scikit-learn passes it on.

        Returns
        -------
        names : ndarray of str of shape (n_features_out,)
        """
        check_is_fitted(self)
        return self._used().get_feature_names_out()

    def set_output(self, *, transform=None):
        """Set what comes out where X is in memory; collections come out as the kind that they are.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"} or None, default=None
            As for any transformer.

        Returns
        -------
        self : PartitionTransformer
        """
        for estimator in {id(one): one for one in (self.transformer, self._used())}.values():
            safe_set_output(estimator, transform=transform)
        return self

    def _apply(self, method, X):
        check_is_fitted(self)
        self._validate_params()  # because `set_params` may have been called after `fit`
        if lazy_kind(X) is None:
            return getattr(self._used(), method)(X)
        return apply_lazily(self._used(), method, X, ray_kwargs=self.ray_kwargs)

    def _used(self):
        """Return the estimator that `fit` has fitted, or else the one that was passed."""
        return getattr(self, "transformer_", self.transformer)

    @property
    def n_features_in_(self):
        """Number of features seen during `fit`."""
        return self._used().n_features_in_

    @property
    def feature_names_in_(self):
        """Names of the features seen during `fit`."""
        return self._used().feature_names_in_

    @property
    def classes_(self):
        """The classes of a classifier."""
        return self._used().classes_

    def __sklearn_is_fitted__(self):
        try:
            check_is_fitted(self._used())
        except NotFittedError:
            return False
        return True

    def __sklearn_tags__(self):
        return get_tags(self.transformer)
