"""The last step of the standard pipeline: a linear model that suits the target."""

from sklearn.base import BaseEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sklearn_sae._validation import infer_task


def _is_classification(estimator):
    check_is_fitted(estimator)
    return hasattr(estimator.model_, "predict_proba")


class AutoLinearModel(BaseEstimator):
    """Least squares for a regression, logistic regression for classes, decided in `fit`.

    Attributes
    ----------
    model_ : LinearRegression or LogisticRegression
    """

    def fit(self, X, y):
        """Fit the model that the target asks for."""
        self.model_ = LinearRegression() if infer_task(y) == "regression" else LogisticRegression()
        self.model_.fit(X, y)
        return self

    def predict(self, X):
        """Predict targets."""
        check_is_fitted(self)
        return self.model_.predict(X)

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
        check_is_fitted(self)
        return self.model_.score(X, y)

    @property
    def classes_(self):
        return self.model_.classes_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        model = getattr(self, "model_", None)
        return tags if model is None else model.__sklearn_tags__()
