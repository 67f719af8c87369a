"""How many hypotheses come back with other seeds, on other texts and in another order.

``python -m benchmarks.stability [--resamples 4] [case ...]`` prints one markdown table for the cases that are named,
else for all: `yelp` (20 keyword hypotheses of the standard pipeline at its defaults), `few` (4 of its first 240
reviews), `neurons` (those of `yelp` before they are named), `chance` (`yelp` with its stars in random order), `planted`
and `quotes` (20 of `yelp`, with all-MiniLM-L6-v2). Needs the data folder (see `_data.py`), and for quotes the extra
`minilm`.
"""

import argparse
import time
import warnings

import numpy as np

from benchmarks._data import load
from benchmarks._report import machine, print_table
from sklearn_sae import make_hypothesis_pipeline, stability

CASES = ("yelp", "few", "neurons", "chance", "planted", "quotes")
CHANGES = ("seeds", "order", "resamples")


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stability", description=__doc__.partition("\n")[0])
    parser.add_argument("cases", nargs="*", default=[], choices=[*CASES, []], metavar="case")
    parser.add_argument("--resamples", type=int, default=4, help="how many more fits, 4 if not given")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    print_table(
        f"Share of hypotheses that come back, mean over {arguments.resamples} fits",
        (_row(case, how, arguments.resamples) for case in arguments.cases or CASES for how in CHANGES),
        "`stability` of `make_hypothesis_pipeline` at its defaults: annotations of a fifth of the texts, held out, "
        "correlate by more than 0.7, one to one. Correlation: the mean of the pairs, 0 without one. Seconds: a fit.",
    )
    print(f"\nMeasured on {machine()}")


def _row(case, how, n_resamples):
    texts, y, _ = load("planted" if case == "planted" else "yelp")
    y = np.asarray(y, dtype=float)
    if case == "few":
        texts, y = texts[:240], y[:240]
    if case == "chance":
        y = np.random.default_rng(0).permutation(y)
    pipeline = make_hypothesis_pipeline(
        n_hypotheses=4 if case == "few" else 20, naming="quotes" if case == "quotes" else "keywords", random_state=0
    )
    start = time.perf_counter()
    found = stability(
        pipeline,
        texts,
        y,
        n_resamples=n_resamples,
        how=how,
        of="neurons" if case == "neurons" else "names",
        random_state=0,
    )
    seconds = (time.perf_counter() - start) / (n_resamples + 1)
    return {
        "case": case,
        "changed": how,
        "comes back": f"{found.share:.0%}",
        "correlation": f"{found.correlations.to_numpy().mean():.2f}",
        "seconds": f"{seconds:.1f}",
    }


if __name__ == "__main__":
    main()
