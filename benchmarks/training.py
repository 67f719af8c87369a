"""What batch size, learning rate and epochs do to the error on unseen rows: the experiment behind the defaults.

``python -m benchmarks.training [500 2000 8000 30000]`` prints a markdown table for each number of rows, drawn from all
embeddings of the data folder (see `_rows.py`); the error is that of 3,000 other rows. The first row of a table is the
estimator at its defaults. The rows that chose the defaults are also among those that `benchmarks.sae` tests on.
"""

import sys
import time

import numpy as np

from benchmarks._encoders import normalized_mse, of_transformer
from benchmarks._report import machine, mean, print_table
from benchmarks._rows import pooled
from sklearn_sae import TopKSAETransformer

SIZES = [500, 2_000, 8_000, 30_000]
SEEDS = range(3)
M, K = 256, 8
GRID = [(batch, rate, epochs) for batch in (64, 128, 256, 512) for epochs in (5, 10, 25, 50) for rate in (5e-3,)]
GRID += [(128, rate, 25) for rate in (2e-3, 1e-2)]


def measure(X, X_test, **params):
    """Return the table's cells for some parameters: errors and seconds over seeds."""
    errors, seconds, epochs = [], [], []
    for seed in SEEDS:
        sae = TopKSAETransformer(M, K, random_state=seed, **params)
        start = time.perf_counter()
        sae.fit(X)
        seconds.append(time.perf_counter() - start)
        errors.append(normalized_mse(of_transformer(sae), X_test))
        epochs.append(sae.n_iter_)
    return {"test error": mean(errors), "epochs run": f"{np.mean(epochs):.0f}", "seconds": f"{np.mean(seconds):.1f}"}


def main(sizes):
    X = pooled()
    X_test, X = X[:3000], X[3000:]
    for n_rows in sizes:
        rows = [{"batch": "default", "rate": "", "epochs": "", **measure(X[:n_rows], X_test)}]
        for batch, rate, epochs in GRID:
            params = {"batch_size": batch, "learning_rate": rate, "max_epochs": epochs}
            rows.append({"batch": batch, "rate": rate, "epochs": epochs, **measure(X[:n_rows], X_test, **params)})
        title = f"{n_rows:,} rows, M={M}, K={K}, mean ± deviation (seeds: {len(SEEDS)})"
        print_table(title, rows, "Error: the squared error of the reconstruction of unseen rows over their variance.")
    print(f"\nMeasured on {machine()}")


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or SIZES)
