"""What the words of a text say of classes that are too rare for the directions of largest variance."""

import numpy as np
from scipy.sparse import csc_array
from scipy.stats import hypergeom
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from sklearn_sae.utils._targets import check_target

_RARE = 0.1  # share of the texts
_LEVEL = 0.05  # of the test whether a term goes with a class, corrected for the number of terms
_LENGTH = 2.0  # of a column where a text has a term; all other columns together have at most 1


class RareClassTerms(TransformerMixin, BaseEstimator):
    """One column for each rare class: the weight that terms which go with it have in a text.

    A class of one text in fifty, told by a few words, is not among the few hundred directions in which texts differ
    most, so truncated SVD leaves its words out. Terms count if the texts of the class have them far more often than
    chance allows, by the exact test of Fisher. Without a rare class, or a target, there is no column.

    Attributes
    ----------
    terms_ : list of ndarray of int
        The terms of each class that has some.
    scales_ : list of float
        Their mean weight in the texts that have some.
    """

    def fit(self, X, y=None):
        """Find the terms; `X` is a sparse matrix of their weights, (n_samples, n_terms)."""
        self.terms_, self.scales_ = [], []
        target = None if y is None else check_target(y)
        if target is not None and target.classes is not None:
            for code in np.flatnonzero(np.bincount(target.values) < _RARE * len(target.values)):
                terms = _terms_of(X, target.values == code)
                if len(terms):
                    weights = _sums(X, terms)
                    self.terms_.append(terms)
                    self.scales_.append(float(weights[weights > 0].mean()))
        return self

    def transform(self, X):
        """Return the columns, (n_samples, n_columns); they are near 2 where a text has a term."""
        check_is_fitted(self)
        columns = [_LENGTH * _sums(X, terms) / scale for terms, scale in zip(self.terms_, self.scales_, strict=True)]
        return np.column_stack([np.empty((X.shape[0], 0)), *columns])

    def get_feature_names_out(self, input_features=None):
        """Return "rareclassterms0" and so on."""
        return np.array([f"rareclassterms{i}" for i in range(len(self.terms_))], dtype=object)


def _terms_of(X, in_class):
    X = csc_array(X)
    counts = np.diff(X.indptr)
    of_class = np.bincount(
        np.repeat(np.arange(X.shape[1]), counts), weights=in_class[X.indices], minlength=X.shape[1]
    ).astype(int)
    chance = hypergeom.sf(of_class - 1, len(in_class), counts, in_class.sum())
    return np.flatnonzero(chance < _LEVEL / X.shape[1])


def _sums(X, terms):
    return np.asarray(X[:, terms].sum(axis=1)).ravel()
