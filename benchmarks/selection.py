"""`NeuronSelector` on sparse activations beside `hypothesaes.select_neurons` on the same ones, dense.

``python -m benchmarks.selection [movies planted] [--quick]`` prints a markdown table: seconds to choose 20 of 1,024
neurons on 20,000 rows with 8 active neurons each. *movies* are activations of resampled embeddings (see `_rows.py`),
with the texts' own target; *planted* are made up, and need no data: a few neurons are often active and most rarely, and
40 of them make up half of the target's variance. Needs the extra ``benchmarks``.
"""

import argparse

import numpy as np
import torch
from scipy.sparse import csr_matrix

from benchmarks._floor import fastest
from benchmarks._measure import in_turns
from benchmarks._peers import hypothesaes, quiet
from benchmarks._report import machine, median, print_table, ratio
from benchmarks._rows import movies_train, resampled
from sklearn_sae import NeuronSelector, TopKSAETransformer

N_NEURONS, M, K, N_ROWS = 20, 1024, 8, 20_000
GOALS = {"lasso": 10, "correlation": 20}


def movies(n_rows):
    sae = TopKSAETransformer(M, K, max_epochs=2, random_state=0).fit(movies_train())
    X, y = resampled(n_rows)
    return sae.transform(X), y.astype(float)


def planted(n_rows):
    rng = np.random.default_rng(0)
    keys = np.log(1.0 / np.arange(1, M + 1) ** 0.7) + rng.gumbel(size=(n_rows, M))  # K without replacement a row
    neurons = np.sort(np.argpartition(-keys, K, axis=1)[:, :K], axis=1)
    values = rng.gamma(2.0, size=n_rows * K).astype(np.float32)
    X = csr_matrix((values, neurons.ravel(), np.arange(0, n_rows * K + 1, K)), shape=(n_rows, M))
    signal = X[:, rng.permutation(M)[:40]] @ rng.normal(size=40)
    return X, signal + signal.std() * rng.normal(size=n_rows)


DATA = {"movies": movies, "planted": planted}


def compare(name, X, y, repeats):
    """Yield the table's row of each method."""
    select_neurons = hypothesaes("select_neurons").select_neurons
    dense = X.toarray()
    read = _seconds_to_read(X)
    product = fastest(lambda: X.T @ y)
    for method, goal in GOALS.items():
        chosen = {}

        def ours(method=method, chosen=chosen):
            selector = NeuronSelector(N_NEURONS, method=method).fit(X, y)
            chosen["ours"] = selector.get_support(indices=True)

        def theirs(method=method, chosen=chosen):
            with quiet():
                chosen["hypothesaes"], scores = select_neurons(dense, y, N_NEURONS, method=method)
            chosen["count"] = np.count_nonzero(scores)

        taken = in_turns({"ours": ours, "hypothesaes": theirs}, repeats)
        same = len(set(chosen["ours"]) & set(chosen["hypothesaes"]))
        yield {
            "what": f"{name}: {method}",
            **{who: median(1e3 * np.array(times), ",.1f") for who, times in taken.items()},
            "times faster": ratio(taken["hypothesaes"], taken["ours"]),
            "goal": goal,
            "same neurons": f"{same} of {chosen['count']}",
            "floor: X.T @ y": f"{1e3 * product:.3f}",
            "ours / X.T @ y": ratio(taken["ours"], product),
            "floor: bytes of X once": f"{1e3 * read:.3f}",
        }


def _seconds_to_read(X):
    """Return the time to read the arrays of a CSR matrix once, as a sum of as many bytes does."""
    n_bytes = X.data.nbytes + X.indices.nbytes + X.indptr.nbytes
    stream = torch.ones(n_bytes // 4)
    return fastest(stream.sum)


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.selection", description=__doc__.partition("\n")[0])
    parser.add_argument("data", nargs="*", metavar="data", help=f"{', '.join(DATA)}; both if none is named")
    parser.add_argument("--quick", action="store_true", help="one repeat, a tenth of the rows")
    args = parser.parse_args()
    if unknown := set(args.data) - set(DATA):
        parser.error(f"no data {', '.join(sorted(unknown))}; there are {', '.join(DATA)}")
    n_rows, repeats = (N_ROWS // 10, 1) if args.quick else (N_ROWS, 3)
    rows = [row for name in args.data or DATA for row in compare(name, *DATA[name](n_rows), repeats)]
    print_table(
        f"Choosing {N_NEURONS} neurons, {n_rows:,} x {M:,}, K={K}, milliseconds, median (range), repeats: {repeats}",
        rows,
        "Ours from CSR, the peer's from the dense float32 array that its `get_activations` returns (making it is "
        'not counted). Its lasso looks for the penalty by fitting anew, 20 times at most; "same neurons" is out '
        "of those that it ended with.",
    )
    print(f"\nMeasured on {machine()}")


if __name__ == "__main__":
    main()
