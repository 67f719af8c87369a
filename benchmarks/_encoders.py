"""Fitted autoencoders in one form, and the same figures of each: error, dead neurons, R2 of 20 neurons."""

import time
from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.decomposition import MiniBatchDictionaryLearning
from sklearn.linear_model import LinearRegression

from benchmarks._peers import hypothesaes, quiet, train_hypothesaes
from benchmarks._rows import embeddings, splits
from sklearn_sae import NeuronSelector, TopKSAETransformer

N_NEURONS = 20


class Encoder(NamedTuple):
    """A row is reconstructed as ``encode(X) @ components + bias``."""

    encode: Callable
    components: np.ndarray
    bias: np.ndarray


class Figures(NamedTuple):
    """Of one fit: seconds to train, error on unseen rows, neurons active in no training row, R2 on unseen rows."""

    seconds: float
    mse: float
    dead: int
    r2: float


def ours(X, m, k, seed, **params):
    return of_transformer(TopKSAETransformer(m, k, random_state=seed, **params).fit(X))


def of_transformer(sae):
    return Encoder(sae.transform, sae.components_, sae.bias_)


def theirs(X, m, k, seed):
    sae = train_hypothesaes(X, m, k, seed)
    return Encoder(
        partial(sae.get_activations, show_progress=False),
        sae.decoder.weight.detach().cpu().numpy().T,
        sae.input_bias.detach().cpu().numpy(),
    )


def dictionary(X, m, k, seed, *, alpha):
    """scikit-learn's dictionary learning, three passes, with codes by orthogonal matching pursuit."""
    passes = {"max_iter": 3, "batch_size": 64, "max_no_improvement": None, "tol": 0.0}
    codes = {"transform_algorithm": "omp", "transform_n_nonzero_coefs": k}
    learner = MiniBatchDictionaryLearning(m, alpha=alpha, random_state=seed, **passes, **codes)
    mean = X.mean(axis=0)
    learner.fit(X - mean)
    return Encoder(lambda X: learner.transform(X - mean), learner.components_, mean)


def chosen_by_ours(codes, y):
    return NeuronSelector(N_NEURONS).fit(codes, y).get_support(indices=True)


def chosen_by_theirs(codes, y):
    select_neurons = hypothesaes("select_neurons").select_neurons
    with quiet():
        return select_neurons(codes, y, N_NEURONS, method="lasso")[0]


BOTH = {"ours": (ours, chosen_by_ours), "hypothesaes": (theirs, chosen_by_theirs)}


def normalized_mse(encoder, X):
    """Return the squared error of the reconstruction over the squared distance from the mean of the rows."""
    reconstruction = encoder.encode(X) @ encoder.components + encoder.bias
    return float(np.square(X - reconstruction).sum() / np.square(X - X.mean(axis=0)).sum())


@cache
def figures(who, data, fold, m, k, seed):
    """Train at the defaults on one split, and measure; everybody by the same lines, each with its own lasso."""
    X, y = embeddings(data)
    train, test = splits(data)[fold]
    fit, choose = BOTH[who]
    X_train = X[train]
    start = time.perf_counter()
    encoder = fit(X_train, m, k, seed)
    elapsed = time.perf_counter() - start
    codes = encoder.encode(X_train)
    dead = m - np.count_nonzero(csr_matrix(codes).getnnz(axis=0))
    chosen = choose(codes, y[train])
    seen, unseen = (csr_matrix(some)[:, chosen].toarray() for some in (codes, encoder.encode(X[test])))
    r2 = LinearRegression().fit(seen, y[train]).score(unseen, y[test])
    return Figures(elapsed, normalized_mse(encoder, X[test]), dead, r2)
