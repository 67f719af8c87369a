"""`diff_features` and `feature_correlations` beside the examples of InterpEmbed, and the rate of their false findings.

``python -m benchmarks.analysis [speed planted] [--quick]`` prints markdown tables. *speed*: 100,000 documents by 65,536
features of which 100 are active a document, made up; the seed's two functions, as in its ``examples/functions.py``
(commit 1f7e682), need dense arrays or all pairs, so they run beside ours on what these can hold. *planted*:
differences and pairs that are known, with the share of false ones among the findings. Nothing is needed but the
package.
"""

import argparse

import numpy as np
import pandas as pd
from scipy.sparse import csr_array, csr_matrix, vstack

from benchmarks._measure import alone, in_turns
from benchmarks._report import machine, mean, median, print_table, ratio
from sklearn_sae.analysis import diff_features, feature_correlations, npmi

N_DOCUMENTS, N_FEATURES, N_ACTIVE = 100_000, 65_536, 100


def activations(n_documents, n_features, n_active, frequencies="uniform", seed=0):
    """Return made-up activations, the features equally frequent or a few frequent and most rare."""
    rng = np.random.default_rng(seed)
    if frequencies == "uniform":
        columns = rng.integers(n_features, size=(n_documents, n_active), dtype=np.int32)
    else:
        steps = np.cumsum(np.arange(1, n_features + 1) ** -0.7)
        drawn = rng.random((n_documents, n_active)) * steps[-1]
        columns = np.searchsorted(steps, drawn).astype(np.int32)
    values = rng.gamma(2.0, size=n_documents * n_active).astype(np.float32)
    indptr = np.arange(0, n_documents * n_active + 1, n_active, dtype=np.int32)
    X = csr_array((values, columns.ravel(), indptr), shape=(n_documents, n_features))
    X.sum_duplicates()
    return X


def _halves(X):
    half = X.shape[0] // 2
    return X[:half], X[half:]


def _prepare(n_documents, frequencies):
    return activations(n_documents, N_FEATURES, N_ACTIVE, frequencies)


def _diff(X):
    return len(diff_features(*_halves(X)))


def _correlations(X):
    return len(feature_correlations(X))


def seed_rows(X):
    """Return a matrix as the seed keeps it: one of its own for each document."""
    return [csr_matrix(X[[row]]) for row in range(X.shape[0])]


def seed_diff(*data_sets):
    """Return the seed's table: each document's matrix made binary, stacked, then dense, and the same arithmetic."""
    frequencies = []
    for rows in data_sets:
        binary = [row.copy() for row in rows]
        for row in binary:
            row.data = (row.data > 0).astype(row.data.dtype)
        dense = vstack(binary).toarray()
        frequencies.append(np.sum(dense, axis=0) / dense.shape[0])
    first, second = frequencies
    n_features = len(first)
    table = {"feature": [""] * n_features, "feature_id": np.arange(n_features), "A": first, "B": second}
    table = pd.DataFrame(table | {"frequency_difference": first - second})
    return table.sort_values(by=["frequency_difference", "A"], ascending=False, ignore_index=True)


def seed_npmi(X):
    """Return the seed's matrix of NPMI, of integers with a feature a row."""
    together = (X @ X.T).tocsr()
    rows, columns = together.nonzero()
    n, eps = X.shape[1], 1e-10
    share = (np.asarray(X.sum(axis=1)).ravel() + eps) / n
    both = (together.data + eps) / n
    value = np.log(both / (share[rows] * share[columns])) / -np.log(both)
    out = csr_array((np.nan_to_num(value), (rows, columns)), shape=together.shape)
    out.setdiag(1.0)
    return out


def speed(quick):
    n_documents, repeats = (N_DOCUMENTS // 20, 1) if quick else (N_DOCUMENTS, 3)
    rows = []
    for frequencies in ("uniform", "skewed"):
        for what, work in (("diff_features", _diff), ("feature_correlations", _correlations)):
            runs = [alone(_prepare, work, n_documents, frequencies) for _ in range(repeats)]
            rows.append(
                {
                    "what": f"{what}, {frequencies}",
                    "seconds": median([run.seconds for run in runs], ".1f"),
                    "peak memory, GB": median([run.peak_bytes / 1e9 for run in runs], ".2f"),
                    "goal, GB": 4,
                    "rows of the table": f"{runs[0].result:,}",
                }
            )
    print_table(
        f"{n_documents:,} x {N_FEATURES:,}, {N_ACTIVE} active a document, repeats: {repeats}",
        rows,
        "Each in a process of its own; memory above the activations themselves. The features are equally frequent, or "
        "a few frequent and most rare (as rank to the power of -0.7). Features are independent, so few pairs reach the "
        "default NPMI of 0.2; the table has 1,000 pairs at most.",
    )

    n_dense, n_pairs, m_pairs = (1000, 2000, 1024) if quick else (10_000, 20_000, 4096)
    A, B = _halves(activations(2 * n_dense, N_FEATURES, N_ACTIVE, "skewed"))
    X = activations(n_pairs, m_pairs, N_ACTIVE, "skewed")
    counted = csr_array((X.T > 0).astype(np.int64))
    kept = seed_rows(A), seed_rows(B)
    difference = diff_features(A, B).set_index("feature")["difference"]
    theirs = seed_diff(*kept).set_index("feature_id")["frequency_difference"]
    assert np.allclose(difference, theirs[difference.index], atol=1e-6)
    assert abs(npmi(X) - seed_npmi(counted)).max() < 1e-6
    taken = {
        f"difference, 2 x {n_dense:,} x {N_FEATURES:,}": in_turns(
            {"ours": lambda: diff_features(A, B), "seed": lambda: seed_diff(*kept)}, repeats
        ),
        f"NPMI of all pairs, {n_pairs:,} x {m_pairs:,}": in_turns(
            {"ours": lambda: npmi(X), "seed": lambda: seed_npmi(counted)}, repeats
        ),
        f"pairs of NPMI 0.2, {n_pairs:,} x {m_pairs:,}": in_turns(
            {"ours": lambda: feature_correlations(X), "seed": lambda: seed_npmi(counted)}, repeats
        ),
    }
    rows = [
        {
            "what": what,
            **{who: median(times, ".2f") for who, times in each.items()},
            "times faster": ratio(each["seed"], each["ours"]),
        }
        for what, each in taken.items()
    ]
    print_table(
        f"Beside the seed, seconds, median (range), repeats: {repeats}",
        rows,
        "Ours includes p-values, intervals and labels where there are any; the seed has the differences or NPMI alone. "
        "Both have the same numbers, which is checked first. The seed's dense float32 arrays take "
        f"{2 * n_dense * N_FEATURES * 4 / 1e9:.1f} GB in this table and would take "
        f"{N_DOCUMENTS * N_FEATURES * 4 / 1e9:.0f} GB in the one above.",
    )


def planted(quick):
    n_repeats = 3 if quick else 20
    rows = []
    for paired in (False, True):
        rows.append(
            _row(f"differences, {'paired' if paired else 'independent'}", _planted_differences, n_repeats, paired)
        )
    for skewed in (False, True):
        what = "pairs, skewed frequencies" if skewed else "pairs, equal frequencies"
        rows.append(_row(what, _planted_pairs, n_repeats, skewed))
    print_table(
        f"Planted differences and pairs, alpha 0.05, mean ± standard deviation of {n_repeats} draws",
        rows,
        "Differences: 2 x 2,000 documents, 20,000 features of Beta(0.3, 10) frequency, 100 of them raised by 3 "
        "percentage points in one data set. Pairs: 10,000 documents, 2,000 features, 50 pairs of which the one is "
        "active in 30 % of the documents of the other beyond chance; all pairs are tested (min_npmi=0, min_count=1). "
        "*First 20 true*: the share of true ones among the 20 rows on top. The false-discovery rate to hold is 0.05.",
    )


def _row(what, experiment, n_repeats, option):
    figures = np.array([experiment(seed, option) for seed in range(n_repeats)])
    names = ("found", "false among the findings", "first 20 true")
    return {"what": what, **{name: mean(values) for name, values in zip(names, figures.T, strict=True)}}


def _planted_differences(seed, paired):
    rng = np.random.default_rng(seed)
    n, n_features, n_true = 2000, 20_000, 100
    shares = rng.beta(0.3, 10, size=n_features)
    raised = shares + 0.03 * (np.arange(n_features) < n_true)
    A, B = (_draw(rng, n, each) for each in (raised, shares))
    if paired:  # half of what a document has, its partner has too
        common = _draw(rng, n, shares)
        A, B = A + common, B + common
    table = diff_features(A, B, paired=paired)
    return _figures(table["feature"] < n_true, table["significant"], n_true)


def _planted_pairs(seed, skewed):
    rng = np.random.default_rng(seed)
    n, n_features, n_true = 10_000, 2000, 50
    shares = rng.beta(0.3, 10, size=n_features) + 0.002 if skewed else np.full(n_features, 0.03)
    X = _draw(rng, n, shares).toarray() > 0
    for pair in range(n_true):
        X[:, 2 * pair + 1] |= X[:, 2 * pair] & (rng.random(n) < 0.3)
    pairs = feature_correlations(csr_array(X), min_npmi=0.0, min_count=1, n_pairs=None)
    true = (pairs["feature"] // 2 == pairs["other"] // 2) & (pairs["other"] < 2 * n_true)
    return _figures(true, pairs["significant"], n_true)


def _draw(rng, n, shares):
    """Return activations of features that are active independently, a column at a time."""
    rows = [rng.choice(n, size=count, replace=False) for count in rng.binomial(n, shares)]
    lengths = [len(each) for each in rows]
    columns = np.repeat(np.arange(len(shares)), lengths)
    return csr_array((np.ones(len(columns), dtype=np.float32), (np.concatenate(rows), columns)), shape=(n, len(shares)))


def _figures(true, significant, n_true):
    """Return the share found of what is true, the false share of what is found, and the true share of the first 20."""
    return (
        (true & significant).sum() / n_true,
        (~true & significant).sum() / max(significant.sum(), 1),
        true.head(20).mean(),
    )


SECTIONS = {section.__name__: section for section in (speed, planted)}


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.analysis", description=__doc__.partition("\n")[0])
    parser.add_argument("sections", nargs="*", metavar="section", help=f"{', '.join(SECTIONS)}; all if none is named")
    parser.add_argument("--quick", action="store_true", help="one repeat of smaller data, three draws")
    args = parser.parse_args()
    if unknown := set(args.sections) - set(SECTIONS):
        parser.error(f"no section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    for section in args.sections or SECTIONS:
        SECTIONS[section](args.quick)
    print(f"\nMeasured on {machine()}")


if __name__ == "__main__":
    main()
