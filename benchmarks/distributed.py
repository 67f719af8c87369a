"""One `TopKSAETransformer` trained by two processes beside one, in one run.

``python -m benchmarks.distributed [--rows N] [--repeats R]`` prints a markdown table. The processes are joined by gloo,
on one core and with one thread each, and take turns with the single process. Needs Linux and two cores.
"""

import argparse
import json
import os
import subprocess
import sys
from time import perf_counter

import numpy as np

from benchmarks._report import machine, print_table

SIZES = (1_024, 32), (4_096, 32), (16_384, 64)
D, EPOCHS, BATCH = 384, 2, 512


def train(n_rows, m, k):
    """Fit, as one of the processes; the first prints the seconds of a pass over the rows, and the losses."""
    import torch
    import torch.distributed as dist

    from sklearn_sae import TopKSAETransformer
    from sklearn_sae.sae import _training

    rank = int(os.environ.get("RANK", 0))
    os.sched_setaffinity(0, {rank})
    torch.set_num_threads(1)
    if "RANK" in os.environ:
        dist.init_process_group("gloo")
    seconds, one_epoch = [], _training.one_epoch

    def timed(*args, **options):
        start = perf_counter()
        row = one_epoch(*args, **options)
        seconds.append(perf_counter() - start)
        return row

    _training.one_epoch = timed
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, 64)).astype(np.float32) @ rng.standard_normal((64, D)).astype(np.float32)
    X += rng.standard_normal(X.shape).astype(np.float32)
    options = {"max_epochs": EPOCHS, "batch_size": BATCH, "validation_fraction": 0, "random_state": 0}
    start = perf_counter()
    sae = TopKSAETransformer(m, k, **options).fit(X)
    whole = perf_counter() - start
    exchanged = []
    for _ in range(5 if "RANK" in os.environ else 0):
        gradients = torch.zeros(2 * m, D)
        start = perf_counter()
        dist.all_reduce(gradients)
        exchanged.append(perf_counter() - start)
    if rank == 0:
        losses = [row["train_loss"] for row in sae.history_]
        print(json.dumps({"epoch": min(seconds), "fit": whole, "losses": losses, "gradients": exchanged}))
    if "RANK" in os.environ:
        dist.destroy_process_group()


def run(n_processes, *sizes):
    """Start the processes, and return what the first printed."""
    launch = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={n_processes}"]
    command = [*(launch if n_processes > 1 else []), "-m", "benchmarks.distributed", "--as-process", *map(str, sizes)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=True, env=environment)
    return json.loads(done.stdout.strip().splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_240)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--as-process", type=int, nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.as_process:
        train(*arguments.as_process)
        return
    print(machine())
    print_table(
        f"Two processes beside one ({arguments.rows:,} rows x {D}, batches of {BATCH})",
        (compared(arguments, m, k) for m, k in SIZES),
        "Rows a second of training, in the median of "
        f"{arguments.repeats} turns; each process has one core. A whole fit has the starting weights too, "
        "which each process computes. The last column is what training with a copy of all weights in each process "
        "would spend in a step on the exchange alone.",
    )


def compared(arguments, m, k):
    """Return the row of the table for one size."""
    runs = {1: [], 2: []}
    for _ in range(arguments.repeats):
        for n_processes, done in runs.items():
            done.append(run(n_processes, arguments.rows, m, k))
    seconds = {what: [np.median([done[what] for done in runs[n]]) for n in (1, 2)] for what in ("epoch", "fit")}
    difference = np.abs(np.subtract(runs[1][0]["losses"], runs[2][0]["losses"])).max()
    one, two = (f"{arguments.rows / each:,.0f}" for each in seconds["epoch"])
    ratios = {what: f"{one / two:.2f}" for what, (one, two) in seconds.items()}
    return {
        "M, K": f"{m:,}, {k}",
        "one process": one,
        "two": two,
        "ratio": ratios["epoch"],
        "ratio of whole fits": ratios["fit"],
        "difference of losses": f"{difference:.0e}",
        "a step, ms": f"{1e3 * seconds['epoch'][1] * BATCH / arguments.rows:.1f}",
        "sum of all gradients, ms": f"{1e3 * np.median([done['gradients'] for done in runs[2]]):.1f}",
    }


if __name__ == "__main__":
    main()
