"""What very many rows and texts cost: time and memory of `fit` by the number of rows, and of `discover` over parquet.

``python -m benchmarks.scale rows [--rows 10000 100000 1000000 10000000]`` trains for one epoch on a memory-mapped file
of 384 columns, in a fresh process for each number of rows. ``python -m benchmarks.scale texts [--texts 1000000]``
writes planted texts to a folder of parquet files, discovers hypotheses from them, and from the first 50,000 in memory.
``python -m benchmarks.scale --simulate`` simulates the schedule of up to a billion texts on a cluster, on any machine,
in seconds. Each prints markdown tables. The first two need Linux and 10 GB of disk in the folder for temporary files,
and the first the data folder (see `_data.py`).
"""

import argparse
import os
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

from benchmarks import _simulation
from benchmarks._measure import alone
from benchmarks._report import machine, print_table
from benchmarks._rows import resampled
from sklearn_sae import TopKSAETransformer, discover, match_hypotheses
from sklearn_sae.datasets import ParquetTexts
from sklearn_sae.datasets import _make_concept_texts as planted

N_CONCEPTS, NOISE, PART = 10, 0.5, 50_000


def fit_rows(sizes, repeats=3):
    """Print the time and the memory of one epoch over each number of rows."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.npy"
        _write_rows(path, max(sizes))
        fits = [_least(alone(_open_rows, _fit, str(path), n_rows) for _ in range(repeats)) for n_rows in sizes]
    seconds = np.array([fit.result for fit in fits])
    further = np.diff(seconds, prepend=0) / np.diff(sizes, prepend=0)  # seconds for each row more
    print_table(
        "One epoch on a memory-mapped file of n x 384 float16, M=256, K=8, batches of 512",
        [
            {
                "rows": f"{n_rows:,}",
                "CPU seconds": f"{fit.result:.2f}",
                "rows a CPU second": f"{n_rows / fit.result:,.0f}",
                "µs for a further row": f"{1e6 * each:.1f}",
                "peak MB of anonymous memory": f"{fit.peak_bytes / 1e6:.0f}",
            }
            for n_rows, fit, each in zip(sizes, fits, further, strict=True)
        ],
        f"The least of {repeats} fits, each in a fresh process. A further row is one beyond those of the line above. "
        f"The slope of log seconds by log rows is {_slope(sizes, seconds)}; 1 is linear. Memory: RssAnon above what "
        "the process had before.",
    )


def _least(fits):
    return min(fits, key=lambda fit: fit.result)


def _slope(sizes, seconds):
    return f"{np.polyfit(np.log(sizes), np.log(seconds), 1)[0]:.2f}" if len(sizes) > 1 else "-"


def discover_parquet(n_texts, folder=None):
    """Print what discovering from so many planted texts in parquet files takes, and finds, beside 50,000 in memory."""
    with tempfile.TemporaryDirectory() as made:
        folder = made if folder is None else folder
        if not list(Path(folder).glob("*.parquet")):
            write_planted(folder, n_texts)
        disk, memory = (alone(_find_parquet, _discover, str(folder), *how) for how in ((n_texts, False), (PART, True)))
        print_table(
            "`discover` at its defaults",
            [
                {
                    "texts": name,
                    "CPU seconds": f"{run.result[0]:.0f}",
                    "peak MB of anonymous memory": f"{run.whole_bytes / 1e6:,.0f}",
                    "above the start": f"{run.peak_bytes / 1e6:,.0f}",
                    "peak MB of addresses": f"{run.address_bytes / 1e6:,.0f}",
                    "held-out R2": f"{run.result[1].scores['r2']:.3f}",
                }
                for name, run in ((f"{n_texts:,} in parquet files", disk), (f"{PART:,} in memory", memory))
            ],
            "Memory: RssAnon of the whole process, and above what it had after imports and opening the texts.\n\n"
            + _matched(disk.result[1], memory.result[1]),
        )


def _matched(disk, memory):
    """Say how far the hypotheses of two discoveries agree on other texts, and which concepts each recovers."""
    others = planted.make_concept_texts(20_000, N_CONCEPTS, random_state=5)
    of_disk, of_memory = (found.pipeline["hypotheses"].transform(others.data) for found in (disk, memory))
    return (
        f"In memory, of those of the parquet files: {match_hypotheses(of_memory, of_disk).summary()}."
        f"\n\nOf the planted concepts, from parquet files: {match_hypotheses(of_disk, others.concepts).summary()}; in "
        f"memory: {match_hypotheses(of_memory, others.concepts).summary()}."
    )


def write_planted(folder, n_texts):
    """Write planted texts to parquet files of 50,000 rows, which share concepts and effects and differ in seeds."""
    import pandas as pd

    bank = planted.CONCEPTS[:N_CONCEPTS]
    coef = planted._draw_coef(bank, "regression", np.random.RandomState(0))
    for part, start in enumerate(range(0, n_texts, PART)):
        rng = np.random.RandomState(1000 + part)
        concepts = planted._draw_concepts(min(PART, n_texts - start), bank, rng)
        texts = planted._write(concepts, bank, rng)
        stars = 3 + concepts @ coef + NOISE * rng.standard_normal(len(concepts))
        pd.DataFrame({"text": texts, "stars": stars}).to_parquet(Path(folder) / f"part-{part:03d}.parquet")


def _write_rows(path, n_rows, n_distinct=100_000):
    X = resampled(n_distinct)[0].astype(np.float16)
    file = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=(n_rows, X.shape[1]))
    for start in range(0, n_rows, n_distinct):
        file[start : start + n_distinct] = X[: n_rows - start]
    file.flush()


def _open_rows(path, n_rows):
    import torch  # noqa: F401, because its import is no part of the time

    warm = np.random.default_rng(0).standard_normal((2_000, 16), dtype=np.float32)
    TopKSAETransformer(16, 4, max_epochs=1, random_state=0).fit(warm)
    return np.load(path, mmap_mode="r")[:n_rows]


def _fit(X):
    start = time.process_time()
    TopKSAETransformer(256, 8, batch_size=512, max_epochs=1, random_state=0).fit(X)
    return time.process_time() - start


def _find_parquet(folder, n_texts, in_memory):
    texts = ParquetTexts(folder, "text")[:n_texts]
    stars = texts.read(["stars"])["stars"]
    return (texts.tolist() if in_memory else texts), stars


def _discover(data):
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = discover(*data, random_state=0)
    return time.process_time() - start, found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", metavar="section", help="rows or texts; both if none is named")
    parser.add_argument("--rows", nargs="+", type=int, default=[10_000, 100_000, 1_000_000, 10_000_000])
    parser.add_argument("--texts", type=int, default=1_000_000)
    parser.add_argument("--folder", help="of planted texts that are written already")
    parser.add_argument("--simulate", action="store_true", help="the schedule of a cluster, and nothing else")
    args = parser.parse_args()
    sections = args.sections or ["rows", "texts"]
    if unknown := set(sections) - {"rows", "texts"}:
        parser.error(f"no section {', '.join(sorted(unknown))}; there are rows and texts")
    if args.simulate:
        for table in _simulation.tables():
            print_table(*table)
        parser.exit()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    print(machine())
    if "rows" in sections:
        fit_rows(sorted(args.rows))
    if "texts" in sections:
        discover_parquet(args.texts, args.folder)
