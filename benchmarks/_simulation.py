"""A discrete-event simulation of the schedule by which a cluster takes many texts to tested hypotheses.

Chunks of texts are read from a shared disk, embedded on GPUs and written back. When enough of them are embedded, one
GPU trains the autoencoder on these; then chunks are encoded. Hypotheses are selected and named from the labelled texts,
and a language model annotates those held out, as fast as its provider's limits and one process allow. A GPU that is
lost costs the chunk that it has in work. `simpy` keeps the clock.
"""

import random
from typing import NamedTuple

import simpy


class Rates(NamedTuple):
    """What was measured (docs/benchmarks.md), a second and a GPU unless it says otherwise."""

    embedded: float = 2_200  # texts of 100 words, all-MiniLM-L6-v2, an H100
    trained: float = 300_000  # rows of `fit`, M = 4,096, K = 32
    encoded: float = 1_100_000  # rows of `transform`
    selected: float = 200_000  # labelled rows of the lasso, a core
    worded: float = 5_900  # texts annotated by keywords, a core
    requests: float = 500  # what a provider allows; one or two processes send as many (docs/scale.md)


class Prices(NamedTuple):
    """Dollars, as assumed; put in your own."""

    gpu_hour: float = 3.0
    core_hour: float = 0.05
    disk_gb_month: float = 0.10
    tokens_in: float = 0.25e-6
    tokens_out: float = 2.0e-6


class Plan(NamedTuple):
    """What is done, and on what."""

    n_texts: int
    n_gpus: int
    n_cores: int = 16
    n_trained: int = 10_000_000  # rows to train on at most
    n_labelled: int = 1_000_000  # at most
    n_held_out: int = 20_000  # texts that a language model annotates, 20 concepts a request
    epochs: int = 5
    chunk: int = 200_000
    disk_bytes: float = 1e9  # a second, of the disk that all share
    hours_between_losses: float = 200  # of a GPU
    restart: float = 300  # seconds until another takes its place


TEXT_BYTES = 533  # of a review
EMBEDDING_BYTES = 384 * 2  # float16
CODE_BYTES = 32 * 8  # K = 32, an index and a value each
TOKENS = 520, 110  # of a request about 20 concepts, in and out


class Outcome(NamedTuple):
    """What one run of the simulation took."""

    hours: float
    gpu_hours: float  # in work
    busy: dict  # the share of the time that each part was in use
    n_lost: int  # chunks that were begun anew


def simulate(plan, rates, seed=0):
    """Run the schedule once, and return its `Outcome`."""
    env, rng = simpy.Environment(), random.Random(seed)
    gpus = simpy.PriorityResource(env, plan.n_gpus)
    disk = simpy.Resource(env, 1)
    chunks = [min(plan.chunk, plan.n_texts - start) for start in range(0, plan.n_texts, plan.chunk)]
    n_trained, n_labelled = min(plan.n_texts, plan.n_trained), min(plan.n_texts, plan.n_labelled)
    busy = dict.fromkeys(("GPUs", "disk", "cores", "language model"), 0.0)
    done = {"embedded": 0, "encoded": 0, "lost": 0}
    may_train, trained, labelled = env.event(), env.event(), env.event()

    def transfer(n_bytes):
        with disk.request() as turn:
            yield turn
            busy["disk"] += n_bytes / plan.disk_bytes
            yield env.timeout(n_bytes / plan.disk_bytes)

    def work(seconds):
        """Hold a GPU that may be lost, in which case the work begins anew on another."""
        while (lost_after := rng.expovariate(1 / (3600 * plan.hours_between_losses))) < seconds:
            busy["GPUs"] += lost_after
            done["lost"] += 1
            yield env.timeout(lost_after + plan.restart)
        busy["GPUs"] += seconds
        yield env.timeout(seconds)

    def embed(n_rows):
        with gpus.request(priority=1) as turn:
            yield turn
            yield from transfer(n_rows * TEXT_BYTES)
            yield from work(n_rows / rates.embedded)
            yield from transfer(n_rows * EMBEDDING_BYTES)
        done["embedded"] += n_rows
        if done["embedded"] >= n_trained and not may_train.triggered:
            may_train.succeed()
        yield trained
        with gpus.request(priority=0) as turn:
            yield turn
            yield from transfer(n_rows * EMBEDDING_BYTES)
            yield from work(n_rows / rates.encoded)
            yield from transfer(n_rows * CODE_BYTES)
        done["encoded"] += n_rows
        if done["encoded"] >= n_labelled and not labelled.triggered:
            labelled.succeed()

    def train():
        yield may_train
        with gpus.request(priority=0) as turn:
            yield turn
            yield from transfer(n_trained * EMBEDDING_BYTES)
            for _ in range(plan.epochs):  # a checkpoint after each
                yield from work(n_trained / rates.trained)
        trained.succeed()

    def test():
        yield labelled
        seconds = n_labelled / rates.selected
        busy["cores"] += seconds / plan.n_cores
        yield env.timeout(seconds)
        seconds = min(plan.n_held_out, n_labelled) / rates.requests
        busy["language model"] += seconds
        yield env.timeout(seconds)

    everything = [env.process(process) for process in (train(), test(), *map(embed, chunks))]
    env.run(simpy.AllOf(env, everything))
    busy["GPUs"] /= plan.n_gpus
    shares = {name: seconds / env.now for name, seconds in busy.items()}
    return Outcome(env.now / 3600, shares["GPUs"] * plan.n_gpus * env.now / 3600, shares, done["lost"])


def cost(plan, outcome, prices):
    """Return dollars for GPUs held to the end, a month of the disk, and the language model."""
    n_bytes = plan.n_texts * (TEXT_BYTES + EMBEDDING_BYTES + CODE_BYTES)
    n_requests = min(plan.n_held_out, plan.n_texts)
    return {
        "GPUs": prices.gpu_hour * plan.n_gpus * outcome.hours,
        "disk": prices.disk_gb_month * n_bytes / 1e9,
        "language model": n_requests * (TOKENS[0] * prices.tokens_in + TOKENS[1] * prices.tokens_out),
    }


def tables(n_seeds=10):
    """Yield a title, rows and a note for each table of docs/scale.md."""
    yield (
        "From texts to tested hypotheses",
        (_schedule_row(n_texts, n_gpus, n_seeds) for n_texts in SIZES for n_gpus in (1, 8, 64)),
        f"Medians of {n_seeds} runs, in which a GPU is lost every {Plan(1, 1).hours_between_losses} hours of its work. "
        "Dollars are of GPUs held to the end, of a month of the disk, and of the language model, at the prices in "
        "`Prices`.",
    )
    yield (
        "Bytes",
        ({"texts": f"{n:,}"} | {what: _bytes(n * size) for what, size in OF_A_TEXT.items()} for n in SIZES),
        f"A text has {TEXT_BYTES} bytes, an embedding 384 numbers of float16, and the activations of a text are K = 32 "
        "pairs of an index and a value.",
    )
    yield (
        "Other ways, for all texts",
        map(_other_ways, SIZES),
        "Texts of 110 tokens are read by a model of 1.1 billion parameters, of which an H100 reads 34,545 a second. "
        "Annotations are of 20 concepts: by keywords on one core, or by a language model, 20 concepts a request and no "
        "reasoning.",
    )


SIZES = 10**6, 10**8, 10**9
OF_A_TEXT = {"texts on disk": TEXT_BYTES, "embeddings": EMBEDDING_BYTES, "activations": CODE_BYTES}


def _schedule_row(n_texts, n_gpus, n_seeds):
    plan = Plan(n_texts, n_gpus)
    outcomes = sorted(simulate(plan, Rates(), seed) for seed in range(n_seeds))
    middle = outcomes[n_seeds // 2]
    dollars = cost(plan, middle, Prices())
    most = max(middle.busy, key=middle.busy.get)
    return {
        "texts": f"{n_texts:,}",
        "GPUs": n_gpus,
        "hours": f"{middle.hours:.2f}",
        "least to most": f"{outcomes[0].hours:.2f} to {outcomes[-1].hours:.2f}",
        "GPU hours": f"{middle.gpu_hours:,.1f}",
        "busiest": f"{most}, {middle.busy[most]:.0%}",
        **{f"$ {what}": f"{dollar:,.{2 if dollar < 10 else 0}f}" for what, dollar in dollars.items()},
    }


def _other_ways(n_texts):
    prices, rates = Prices(), Rates()
    read, worded = (seconds / 3600 for seconds in (n_texts * 110 / 34_545, n_texts / rates.worded))
    asked = n_texts * (TOKENS[0] * prices.tokens_in + TOKENS[1] * prices.tokens_out)
    return {
        "texts": f"{n_texts:,}",
        "read by a language model": f"{read:,.1f} GPU hours, ${read * prices.gpu_hour:,.0f}",
        "annotated by keywords": f"{worded:,.2f} core hours, ${worded * prices.core_hour:,.2f}",
        "annotated by a language model": f"{n_texts / rates.requests / 86_400:,.1f} days, ${asked:,.0f}",
    }


def _bytes(number):
    return f"{number / 1e9:,.1f} GB" if number < 1e12 else f"{number / 1e12:,.2f} TB"
