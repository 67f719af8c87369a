"""How well the texts held out can be predicted without hypotheses, as baselines like for like."""

from functools import partial

import numpy as np
from scipy.sparse import issparse
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.preprocessing import StandardScaler
from sklearn.utils import gen_batches

from sklearn_sae.selection import NeuronSelector
from sklearn_sae.utils._targets import as_given
from sklearn_sae.utils._words import TermAnalyzer, words

_PENALTIES = np.logspace(0, 5, 11)  # of columns of unit variance
_WIDEST = 2048  # columns of a sparse matrix that is made dense
_ROWS_AT_ONCE = 2**12  # that are made dense and scaled


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
        self._vectorizer.fit(texts[:, -2:].ravel() if len(texts.shape) == 2 else texts)
        self._presence = self._transform(texts)

    def _transform(self, texts):
        if len(texts.shape) < 2:
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
    return score(held_out, _ridge_predictions(X, Y, X_held_out, scaler))


def _ridge_predictions(X, Y, X_held_out, scaler):
    """Return what `RidgeCV` predicts, sooner, because one product of all rows and columns serves all penalties.

    A wide sparse matrix is left to `RidgeCV`, because it may be too large for memory once it is dense.
    """
    n_rows, n_columns = X.shape
    if issparse(X) and n_columns > _WIDEST:
        return RidgeCV(_PENALTIES).fit(scaler.transform(X), Y).predict(scaler.transform(X_held_out))
    Y = Y.reshape(n_rows, -1)
    X_mean, Y_mean = sum(part.sum(axis=0) for _, part in _parts(X, scaler)) / n_rows, Y.mean(axis=0)
    centered = partial(_parts, X, scaler, X_mean)
    if n_rows < n_columns:
        _, singular, axes = np.linalg.svd(np.vstack([part for _, part in centered()]), full_matrices=False)
        squares, axes = singular**2, axes.T
    else:
        squares, axes = np.linalg.eigh(sum(part.T @ part for _, part in centered()))
    products = axes.T @ sum(part.T @ Y[rows] for rows, part in centered())
    weights = 1 / (squares + _PENALTIES[:, None])  # (n_penalties, n_axes)
    coefs = weights[:, :, None] * products
    rotated = ((part @ axes, Y[rows] - Y_mean) for rows, part in centered())
    errors = sum(_squared_errors(*some, weights, coefs, n_rows) for some in rotated)
    coef = axes @ coefs[np.argmin(errors)]
    predicted = np.vstack([part @ coef + Y_mean for _, part in _parts(X_held_out, scaler, X_mean)])
    return predicted[:, 0] if predicted.shape[1] == 1 else predicted


def _parts(X, scaler, mean=0.0):
    """Yield slices of rows, and these dense, scaled and centered; all together they may take a gigabyte."""
    for rows in gen_batches(X.shape[0], _ROWS_AT_ONCE):
        part = scaler.transform(X[rows])
        yield rows, np.asarray(part.toarray() if issparse(part) else part, dtype=np.float64) - mean


def _squared_errors(rotated, Y, weights, coefs, n_rows):
    """Return the sum of the squared errors of some texts for each penalty, each text predicted from all others."""
    leverages = 1 / n_rows + rotated**2 @ weights.T
    return np.array(
        [
            np.sum(((Y - rotated @ coef) / (1 - leverage[:, None])) ** 2)
            for coef, leverage in zip(coefs, leverages.T, strict=True)
        ]
    )
