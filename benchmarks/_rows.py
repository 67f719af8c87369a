"""Embeddings to train and test on."""

from functools import cache

import numpy as np
from sklearn.model_selection import KFold

from benchmarks._data import load, load_array

NOISE = 0.01  # standard deviation in each coordinate, a fifth of the embeddings' own


@cache
def embeddings(name):
    """Return the embeddings and the targets."""
    _, y, X = load(name)
    return X, y


@cache
def splits(name):
    """Return the training and test rows: four fifths of `movies` once, `yelp` in five folds."""
    X, _ = embeddings(name)
    if name == "yelp":
        return list(KFold(5, shuffle=True, random_state=0).split(X))
    return [np.split(np.random.default_rng(0).permutation(len(X)), [int(0.8 * len(X))])]


def pooled():
    """Return all embeddings of the data folder, shuffled: movie snippets, reviews and tweets."""
    parts = [embeddings(name)[0] for name in ("movies", "yelp")]
    parts += [load_array(f"retweet_{part}.{side}.minilm") for part in ("train", "val") for side in "ab"]
    return np.random.default_rng(0).permutation(np.concatenate(parts))


def movies_train():
    """Return the training rows of `movies`."""
    return embeddings("movies")[0][splits("movies")[0][0]]


def resampled(n_rows, seed=0):
    """Return embeddings of `movies`, drawn with replacement, plus a little noise, and their targets."""
    X, y = embeddings("movies")
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(X), size=n_rows)
    noise = rng.standard_normal((n_rows, X.shape[1]), dtype=np.float32)
    return X[drawn] + np.float32(NOISE) * noise, y[drawn]


def write_resampled(path, n_rows, chunk=50_000):
    """Write such rows as float16 to a .npy file, a chunk at a time."""
    n_features = embeddings("movies")[0].shape[1]
    file = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=(n_rows, n_features))
    for start in range(0, n_rows, chunk):
        n = min(chunk, n_rows - start)
        file[start : start + n] = resampled(n, seed=start)[0]
    file.flush()
