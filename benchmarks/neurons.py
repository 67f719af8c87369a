"""Held-out R2 of 20 neurons chosen by lasso, and the time to train, beside HypotheSAEs on the same folds and sizes.

``python -m benchmarks.neurons [yelp movies]`` prints a markdown table: means over five folds, ± their standard
deviation, without the target in training. Needs the extra ``benchmarks``.
"""

import contextlib
import io
import os
import sys
import time

import numpy as np
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import KFold

from benchmarks._data import load
from sklearn_sae import NeuronSelector, TopKSAETransformer
from sklearn_sae._optional import require

SIZES = [(32, 8), (64, 4), (64, 8), (256, 8)]
N_NEURONS = 20


def ours(X, X_unseen, y, m, k):
    """Return the chosen activations of seen and unseen rows, and the seconds that training and encoding took."""
    start = time.perf_counter()
    sae = TopKSAETransformer(m, k, random_state=0).fit(X)
    seen, unseen = sae.transform(X), sae.transform(X_unseen)
    seconds = time.perf_counter() - start
    selector = NeuronSelector(N_NEURONS).fit(seen, y)
    return selector.transform(seen).toarray(), selector.transform(unseen).toarray(), seconds


def hypothesaes(X, X_unseen, y, m, k):
    """The same by HypotheSAEs, at its defaults, with a tenth of the rows to stop early by, as ours."""
    os.environ.setdefault("OPENAI_KEY_SAE", "none")  # looked for at import; nothing is sent
    train_sae = require("hypothesaes.quickstart", extra="benchmarks", purpose="The comparison").train_sae
    select_neurons = require("hypothesaes.select_neurons", extra="benchmarks", purpose="The comparison").select_neurons
    import torch

    torch.manual_seed(0)
    rows = np.random.default_rng(0).permutation(len(X))
    held_out, rest = np.split(rows, [len(X) // 10])
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        start = time.perf_counter()
        sae = train_sae(embeddings=X[rest], M=m, K=k, val_embeddings=X[held_out])
        seen, unseen = (sae.get_activations(some, show_progress=False) for some in (X, X_unseen))
        seconds = time.perf_counter() - start
        chosen, _ = select_neurons(seen, y, N_NEURONS, method="lasso")
    return seen[:, chosen], unseen[:, chosen], seconds


def main(names):
    print("| data | M | K | who | R2 | seconds a fold |\n| --- | --- | --- | --- | --- | --- |")
    for name in names:
        _, y, X = load(name)
        folds = list(KFold(5, shuffle=True, random_state=0).split(X))
        for m, k in SIZES:
            for method in (ours, hypothesaes):
                scores, seconds = [], []
                for train, test in folds:
                    seen, unseen, elapsed = method(X[train], X[test], y[train], m, k)
                    scores.append(LinearRegression().fit(seen, y[train]).score(unseen, y[test]))
                    seconds.append(elapsed)
                print(
                    f"| {name} | {m} | {k} | {method.__name__} | {np.mean(scores):.3f} ± {np.std(scores):.3f} "
                    f"| {np.mean(seconds):.1f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main(sys.argv[1:] or ["yelp"])
