"""How well the texts held out can be predicted without hypotheses, as baselines like for like."""

import numpy as np
from scipy.sparse import issparse
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.preprocessing import StandardScaler

from sklearn_sae.selection import NeuronSelector
from sklearn_sae.utils._targets import as_given
from sklearn_sae.utils._words import TermAnalyzer, words

_PENALTIES = np.logspace(0, 5, 11)  # of columns of unit variance
_WIDEST = 2048  # columns of a sparse matrix that is made dense


def score(target, predicted):
    """Return R², or the AUC averaged over the classes (of the positive one, if there are two).

    Parameters
    ----------
    target : Target
    predicted : ndarray of shape (n_samples,) or (n_samples, n_classes)
        Numbers, or of each class how likely it is.
    """
    if target.task == "regression":
        return float(r2_score(target.values, predicted))
    if len(target.classes) == 2:
        return float(roc_auc_score(target.values, predicted[:, 1]))
    truths = [(target.values == code, predicted[:, code]) for code in range(len(target.classes))]
    return float(np.mean([roc_auc_score(truth, column) for truth, column in truths if 0 < truth.mean() < 1]))


def predictions(model, X, target):
    """Return the numbers that a fitted model predicts, or the probabilities of all classes of `target`, in order."""
    if target.classes is None:
        return model.predict(X)
    code = {label: i for i, label in enumerate(target.classes.tolist())}
    out = np.zeros((X.shape[0], len(code)))  # a class that the model has not seen is never predicted
    out[:, [code[label] for label in model.classes_.tolist()]] = model.predict_proba(X)
    return out


def n_words_in(names):
    """Return how many different words some names have."""
    return len({word for name in names for word in words(name)})


class WordPresence:
    """Which words stand in which texts, learned from some of them.

    Parameters
    ----------
    texts : sequence of str, or array of pairs
        Of a pair, a prompt before its texts is left out, and a word in one text of the two is 1 or -1.
    tokenizer : callable or None
    """

    def __init__(self, texts, tokenizer=None):
        self._vectorizer = CountVectorizer(binary=True, dtype=np.float64, analyzer=TermAnalyzer(tokenizer=tokenizer))
        self._vectorizer.fit(texts[:, -2:].ravel() if np.ndim(texts) == 2 else texts)
        self._presence = self._transform(texts)

    def _transform(self, texts):
        if np.ndim(texts) < 2:
            return self._vectorizer.transform(texts)
        first, second = (self._vectorizer.transform(side) for side in texts[:, -2:].T)
        return first - second

    def score(self, n_words, target, texts, held_out, *, model):
        """Return the score of so many single words, or of all if there are fewer.

        Parameters
        ----------
        n_words : int
        target, held_out : Target
            Of the texts learned from, and of those to predict.
        texts : sequence of str
            Those to predict.
        model : estimator or None
            What predicts the target from words chosen by lasso; None: ridge regression on words chosen by correlation,
            because least squares on hundreds of words predicts nothing.
        """
        n_words = min(n_words, self._presence.shape[1])
        select = NeuronSelector(n_words, method="lasso" if model is not None else "correlation", task=target.task)
        chosen = select.fit_transform(self._presence, as_given(target))
        others = select.transform(self._transform(texts))
        if model is None:
            return ridge_score(chosen, others, target, held_out)
        model.fit(chosen, target.values)
        if target.classes is None:
            return score(held_out, model.predict(others))
        probabilities = np.zeros((others.shape[0], len(target.classes)))
        probabilities[:, model.classes_] = model.predict_proba(others)
        return score(held_out, probabilities)


def ridge_score(X, X_held_out, target, held_out):
    """Return the score of ridge regression, its penalty chosen by leave-one-out; classes are regressed as indicators.

    Parameters
    ----------
    X, X_held_out : arrays or sparse matrices of shape (n_samples, n_columns)
    target, held_out : Target
    """
    Y = target.values if target.task == "regression" else np.eye(len(target.classes))[target.values]
    # Words are scaled one by one. The columns of an embedding share one scale, because those that hardly vary among the
    # texts learned from, as where these are few or copies, may vary much more among others.
    scaler = StandardScaler(with_mean=False).fit(X)
    if not issparse(X):
        scaler.scale_ = np.full(X.shape[1], max(np.sqrt(scaler.var_.mean()), 1e-12))
    return score(held_out, _ridge_predictions(scaler.transform(X), Y, scaler.transform(X_held_out)))


def _ridge_predictions(X, Y, X_held_out):
    """Return what `RidgeCV` predicts, sooner, because one product of all rows and columns serves all penalties.

    A wide sparse matrix is left to `RidgeCV`, because it may be too large for memory once it is dense.
    """
    if issparse(X) and X.shape[1] > _WIDEST:
        return RidgeCV(_PENALTIES).fit(X, Y).predict(X_held_out)
    X = np.array(X.toarray() if issparse(X) else X, dtype=np.float64)
    Y = Y.reshape(len(Y), -1)
    X_mean, Y_mean = X.mean(axis=0), Y.mean(axis=0)
    X -= X_mean
    if X.shape[0] < X.shape[1]:
        _, singular, axes = np.linalg.svd(X, full_matrices=False)
        squares, axes = singular**2, axes.T
    else:
        squares, axes = np.linalg.eigh(X.T @ X)
    rotated = X @ axes
    products = rotated.T @ Y
    weights = 1 / (squares + _PENALTIES[:, None])  # (n_penalties, n_axes)
    leverages = 1 / len(X) + rotated**2 @ weights.T
    errors = [  # of each text, predicted from all others
        np.mean(((Y - Y_mean - rotated @ (weight[:, None] * products)) / (1 - leverage[:, None])) ** 2)
        for weight, leverage in zip(weights, leverages.T, strict=True)
    ]
    coef = axes @ (weights[np.argmin(errors)][:, None] * products)
    predicted = X_held_out @ coef + (Y_mean - X_mean @ coef)
    return predicted[:, 0] if predicted.shape[1] == 1 else predicted
