"""The last step of the standard pipeline, a linear model that suits the target."""

from sklearn.base import BaseEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sklearn_sae.utils._targets import check_target, same_class


def _may_classify(estimator):
    """Return whether the target that was seen has classes; before `fit` it may still turn out so."""
    return not hasattr(estimator, "model_") or hasattr(estimator, "classes_")


class AutoLinearModel(BaseEstimator):
    """Least squares for a regression and logistic regression for classes; `fit` decides which.

    Parameters
    ----------
    fit_intercept : bool, default=True
    task : str, default="auto"
        As of `check_target`.

    Attributes
    ----------
    model_ : LinearRegression or LogisticRegression
        The fitted model. A `LogisticRegression` is fitted to indices into `classes_`.
    classes_ : ndarray of shape (n_classes,)
        The classes; absent for a regression.
    """

    __metadata_request__score = {"sample_weight": True}

    def __init__(self, fit_intercept=True, task="auto"):
        self.fit_intercept = fit_intercept
        self.task = task

    def fit(self, X, y, sample_weight=None):
        """Fit the model that the target asks for."""
        target = check_target(y, task=self.task)
        options = {"fit_intercept": self.fit_intercept}
        vars(self).pop("classes_", None)
        if target.task == "regression":
            self.model_ = LinearRegression(**options).fit(X, target.values, sample_weight=sample_weight)
        else:
            self.model_ = LogisticRegression(**options).fit(X, target.values, sample_weight=sample_weight)
            self.classes_ = target.classes
        return self

    def predict(self, X):
        """Predict targets."""
        check_is_fitted(self)
        predicted = self.model_.predict(X)
        return self.classes_[predicted] if hasattr(self, "classes_") else predicted

    @available_if(_may_classify)
    def predict_proba(self, X):
        """Predict the probability of each class."""
        check_is_fitted(self)
        return self.model_.predict_proba(X)

    @available_if(_may_classify)
    def decision_function(self, X):
        """Return the log-odds of each class."""
        check_is_fitted(self)
        return self.model_.decision_function(X)

    def score(self, X, y, sample_weight=None):
        """R² for a regression, accuracy for classes."""
        check_is_fitted(self)
        if hasattr(self, "classes_"):
            given, predicted, _ = same_class(y, self.predict(X), self.classes_)
            return float(accuracy_score(given, predicted, sample_weight=sample_weight))
        return self.model_.score(X, check_target(y, task="regression").values, sample_weight=sample_weight)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        model = getattr(self, "model_", None)
        return tags if model is None else model.__sklearn_tags__()
