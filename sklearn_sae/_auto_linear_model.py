"""The last step of the standard pipeline, a linear model that suits the target."""

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sklearn_sae.utils._targets import check_target


def _is_classification(estimator):
    check_is_fitted(estimator)
    return estimator.model_.__sklearn_tags__().estimator_type == "classifier"


class AutoLinearModel(BaseEstimator):
    """Least squares for a regression and logistic regression for classes; `fit` decides which.

    Attributes
    ----------
    model_ : LinearRegression or LogisticRegression
        The fitted model. A `LogisticRegression` is fitted to indices into `classes_`.
    classes_ : ndarray of shape (n_classes,)
        The classes; absent for a regression.
    """

    def fit(self, X, y):
        """Fit the model that the target asks for."""
        target = check_target(y)
        vars(self).pop("classes_", None)
        if target.task == "regression":
            self.model_ = LinearRegression().fit(X, target.values)
        else:
            self.model_ = LogisticRegression().fit(X, target.values)
            self.classes_ = target.classes
        return self

    def predict(self, X):
        """Predict targets."""
        check_is_fitted(self)
        predicted = self.model_.predict(X)
        return self.classes_[predicted] if _is_classification(self) else predicted

    @available_if(_is_classification)
    def predict_proba(self, X):
        """Predict the probability of each class."""
        return self.model_.predict_proba(X)

    @available_if(_is_classification)
    def decision_function(self, X):
        """Return the log-odds of each class."""
        return self.model_.decision_function(X)

    def score(self, X, y):
        """R² for a regression, accuracy for classes."""
        if _is_classification(self):
            return float(np.mean(self.predict(X) == np.asarray(y)))
        return self.model_.score(X, y)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        model = getattr(self, "model_", None)
        return tags if model is None else model.__sklearn_tags__()
