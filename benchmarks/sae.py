"""`TopKSAETransformer` beside HypotheSAEs, SAELens and scikit-learn's dictionary learning, in one run.

``python -m benchmarks.sae [time quality training transform compiled pursuit memmap] [--quick]`` prints a markdown
table for each of the sections named, or for all. ``--quick`` takes one seed, one repeat and a tenth of the rows. Needs
Linux, the extra ``benchmarks`` and the data folder (see `_data.py`).

All run in one process with the same number of threads (OMP_NUM_THREADS), on the same float32 rows, in turns. Who
holds how many rows out, shuffles how, and stops when, is each package's own default. On CPUs that multiply bfloat16,
ours finds candidates by such products where M is 256 or more, and computes those in float32; the floors are those of
such products, too.
"""

import argparse
import os
import pickle
import tempfile
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import numpy as np

from benchmarks import _encoders as encoders
from benchmarks._floor import BATCH, adam_seconds, encoder_seconds
from benchmarks._measure import alone, in_turns
from benchmarks._peers import epochs_of_hypothesaes, epochs_of_sae_lens, hypothesaes_with
from benchmarks._report import machine, mean, median, print_table, ratio
from benchmarks._rows import embeddings, movies_train, resampled, splits, write_resampled
from sklearn_sae import TopKSAETransformer
from sklearn_sae.sae.native import _calls

M, K = 256, 8


class Effort(NamedTuple):
    """How much to measure."""

    seeds: int
    repeats: int
    share: float  # of the rows
    memmap_rows: int


def quality(effort):
    """Error, dead neurons and R2 at the defaults and equal M and K."""
    goals = {("movies", M): "0.600 or lower", ("yelp", M): "0.60 or lower"}
    rows = []
    for data in ("movies", "yelp"):
        for m, k in [(M, K), (64, 8)]:
            over_folds = {
                who: [_over_folds(who, data, m, k, seed) for seed in range(effort.seeds)] for who in encoders.BOTH
            }
            for figure, name, form, goal in [
                ("mse", "test error", ".3f", goals.get((data, m), "")),
                ("dead", "dead neurons", ".1f", "no more"),
                ("r2", f"R2 of {encoders.N_NEURONS} neurons", ".3f", "at least the peer's"),
            ]:
                own, peer = ([getattr(one, figure) for one in over_folds[who]] for who in encoders.BOTH)
                difference = f"{np.mean(own) - np.mean(peer):+{form}}"
                rows.append(
                    {
                        "what": f"{data}, M={m}, K={k}: {name}",
                        "ours": mean(own, form),
                        "hypothesaes": mean(peer, form),
                        "difference": difference,
                        "goal": goal,
                    }
                )
    print_table(
        f"Quality at the defaults, mean ± deviation (seeds: {effort.seeds})",
        rows,
        "Test error: the squared error of the reconstruction of unseen rows over their squared distance from their "
        "mean; `movies` in one split, `yelp` in five folds. R2: least squares, on the same unseen rows, on the "
        "neurons that each package's own lasso chose on the training rows. Dead: active in no training row.",
    )


def _over_folds(who, data, m, k, seed):
    folds = [encoders.figures(who, data, fold, m, k, seed) for fold in range(len(splits(data)))]
    return encoders.Figures(*np.mean(folds, axis=0))


def time(effort):
    """Seconds until the error at which the peer converges."""
    peers, sooner, defaults, epochs = [], [], [], []
    for seed in range(effort.seeds):
        peers.append(encoders.figures("hypothesaes", "movies", 0, M, K, seed))
        epochs.append(_fewest_epochs(seed, peers[-1].mse))
        sooner.append(alone(_prepare_fit, _fit, {"random_state": seed, "max_epochs": epochs[-1]}))
        defaults.append(alone(_prepare_fit, _fit, {"random_state": seed}))
    theirs = [peer.seconds for peer in peers]
    their_mse = mean([peer.mse for peer in peers])
    X_test = embeddings("movies")[0][splits("movies")[0][1]]
    a_pass = encoder_seconds(M) * len(movies_train())
    rows = []
    for what, fits, goal in [("to the peer's error", sooner, "25"), ("whole fit, defaults", defaults, "")]:
        own = [fit.seconds for fit in fits]
        own_mse = mean([encoders.normalized_mse(encoders.of_transformer(fit.result), X_test) for fit in fits])
        floor = a_pass * np.mean([fit.result.n_iter_ for fit in fits])
        rows.append(
            {
                "what": what,
                "ours": mean(own, ".2f"),
                "test error": own_mse,
                "hypothesaes": mean(theirs, ".1f"),
                "its test error": their_mse,
                "times sooner": f"{np.mean(theirs) / np.mean(own):.1f}",
                "goal": goal,
                "floor": f"{floor:.2f}",
                "ours / floor": f"{np.mean(own) / floor:.1f}",
            }
        )
    print_table(
        f"Seconds to train, `movies`, M={M}, K={K}, mean ± deviation (seeds: {effort.seeds})",
        rows,
        f"Ours to the peer's error: a complete fit with the fewest `max_epochs` ({', '.join(map(str, epochs))} by "
        "seed) whose test error is at or below the peer's of that seed: the number was found by looking at the test "
        "error, and the peer's time is that of its whole fit, with the epochs that it waits for a better one. Without "
        "looking, one gets the second row. Each of our times is the first call in a fresh process, after imports; the "
        "peer's process is warm. The floor is the encoder's product for the training rows and our epochs.",
    )


def _fewest_epochs(seed, error, most=100):
    train, test = splits("movies")[0]
    X, _ = embeddings("movies")
    for epochs in range(1, most + 1):
        if encoders.normalized_mse(encoders.ours(X[train], M, K, seed, max_epochs=epochs), X[test]) <= error:
            return epochs
    raise RuntimeError(f"no fit of {most} epochs or fewer reached the peer's error of {error:.3f}")


def _prepare_fit(params):
    return TopKSAETransformer(M, K, **params), movies_train()


def _fit(prepared):
    sae, X = prepared
    return sae.fit(X)


TRAINING_SIZES = [(256, 8, 20_000, 6), (1024, 8, 20_000, 6), (4096, 32, 4_096, 8), (16_384, 64, 1_536, 10)]
EPOCHS = {"ours": 10, "hypothesaes": 2, "SAELens": 3, "SAELens, sparse": 3}  # enough to take a while


def training(effort):
    """Rows a second in training, at equal batch size."""
    rows, repeats = [], 2 * effort.repeats + 1  # for on a shared host rates change from one second to the next
    for m, k, n_rows, goal in TRAINING_SIZES:
        X, _ = resampled(max(2 * BATCH, int(effort.share * n_rows)))
        trainers = {
            "ours": _epochs_of_ours(X, m, k),
            "hypothesaes": epochs_of_hypothesaes(X, m, k),
            "SAELens": epochs_of_sae_lens(X, m, k),
            "SAELens, sparse": epochs_of_sae_lens(X, m, k, sparse=True),
        }
        rates = _training_rates(trainers, EPOCHS, len(X), repeats)
        lens = max(rates["SAELens"], rates["SAELens, sparse"], key=np.median)
        product, step = encoder_seconds(m), adam_seconds(m) / BATCH
        rows.append(
            {
                "size": f"M={m}, K={k}",
                **{who: median(rate) for who, rate in rates.items()},
                "ours / hypothesaes": ratio(rates["ours"], rates["hypothesaes"]),
                "goal": goal,
                "ours / faster SAELens": ratio(rates["ours"], lens),
                "floor: product": f"{1 / product:,.0f}",
                "floor: product and Adam": f"{1 / (product + step):,.0f}",
                "floor / ours": ratio(1 / (product + step), rates["ours"]),
            }
        )
    print_table(
        f"Training, rows a second, d=384, batches of {BATCH}, median (range), repeats: {repeats}",
        rows,
        "The time of a public fit of 1 + n epochs less that of one epoch, so without what is done once: n is "
        f"{', '.join(f'{n} for {who}' for who, n in EPOCHS.items())}. From the first size to the last, "
        f"{', '.join(f'{rows:,}' for *_, rows, _ in TRAINING_SIZES)} rows"
        + (f", times {effort.share:g}" if effort.share < 1 else "")
        + ". No early stopping, no held-out rows. SAELens: its training pass in a plain Adam loop, at its defaults "
        "and with sparse activations (which need its rescaling by decoder norms off). So few steps leave few neurons "
        "or none that count as dead, and ours then skips the auxiliary loss. The floors: the encoder's product, in "
        "bfloat16 if that is faster; and 24 bytes a parameter and step at the speed of a copy of as much memory.",
    )


def _epochs_of_ours(X, m, k):
    once = {"batch_size": BATCH, "validation_fraction": None, "patience": None, "random_state": 0}
    return lambda n_epochs: TopKSAETransformer(m, k, max_epochs=n_epochs, **once).fit(X)


def _training_rates(trainers, epochs, n_rows, repeats):
    calls = {}
    for who, train in trainers.items():
        train(1)  # warm
        calls[who, "one"] = partial(train, 1)
        calls[who, "more"] = partial(train, 1 + epochs[who])
    taken = in_turns(calls, repeats)
    return {who: epochs[who] * n_rows / np.subtract(taken[who, "more"], taken[who, "one"]) for who in trainers}


TRANSFORM_SIZES = [(256, 8, 3), (1024, 8, 4), (4096, 32, 5)]


def transform(effort):
    """Rows a second and memory of encoding, with the same weights in both."""
    X, _ = resampled(int(effort.share * 100_000))
    rows, notes = [], []
    for m, k, goal in TRANSFORM_SIZES:
        own = TopKSAETransformer(m, k, max_epochs=1, random_state=0).fit(movies_train())
        peer = hypothesaes_with(own)
        apart = np.abs(own.transform(X[:2000]) - peer.get_activations(X[:2000], show_progress=False)).max()
        calls = {
            "ours": partial(own.transform, X),
            "hypothesaes": partial(peer.get_activations, X, show_progress=False),
        }
        rates = {who: len(X) / np.array(times) for who, times in in_turns(calls, effort.repeats).items()}
        floor = 1 / encoder_seconds(m)
        rows.append(
            {
                "what": f"rows a second, M={m}, K={k}",
                "ours": median(rates["ours"]),
                "hypothesaes": median(rates["hypothesaes"]),
                "ratio": ratio(rates["ours"], rates["hypothesaes"]),
                "goal": goal,
                "floor": f"{floor:,.0f}",
                "distance": ratio(floor, rates["ours"]),
            }
        )
        notes.append(f"{apart:.0e}")
    bytes_ours, bytes_theirs = (peak / 1e6 for peak in _transform_peaks(own, X))
    codes = own.transform(X)
    floor = sum(part.nbytes for part in (codes.data, codes.indices, codes.indptr)) / 1e6
    rows.append(
        {
            "what": f"peak MB above the input, M={m}, K={k}",
            "ours": f"{bytes_ours:,.0f}",
            "hypothesaes": f"{bytes_theirs:,.0f}",
            "ratio": f"1/{bytes_theirs / bytes_ours:.0f}",
            "goal": "1/20",
            "floor": f"{floor:,.0f}",
            "distance": f"{bytes_ours / floor:.1f}",
        }
    )
    print_table(
        f"Encoding {len(X):,} x 384, median (range), repeats: {effort.repeats}",
        rows,
        "Ours to CSR, the peer's to a dense array, from the same weights; the largest difference of an activation "
        f"is {', '.join(notes)} by size. Memory: RssAnon above what a fresh process has after imports and loading "
        "the weights and the input. The floors: the encoder's product, in bfloat16 if that is faster; the CSR arrays "
        "that are returned.",
    )


def compiled(effort):
    """What the C files bring: ours with them and without."""
    if _calls.compiled is None:
        raise RuntimeError("the package was installed without a C compiler")
    rows = []
    for m, k, n_rows, _ in TRAINING_SIZES[:3]:
        X, _ = resampled(max(2 * BATCH, int(effort.share * n_rows)))
        trainers = {form: _with_form(form, _epochs_of_ours(X, m, k)) for form in FORMS}
        rates = _training_rates(trainers, dict.fromkeys(FORMS, EPOCHS["ours"]), len(X), effort.repeats)
        rows.append(_row_of_forms(f"training, M={m}, K={k}", rates))
    X, _ = resampled(int(effort.share * 100_000))
    for m, k, _ in TRANSFORM_SIZES:
        own = TopKSAETransformer(m, k, max_epochs=1, random_state=0).fit(movies_train())
        calls = {form: partial(_with_form(form, own.transform), X) for form in FORMS}
        rates = {form: len(X) / np.array(times) for form, times in in_turns(calls, effort.repeats).items()}
        rows.append(_row_of_forms(f"encoding, M={m}, K={k}", rates))
    print_table(
        f"With and without the C files, rows a second, median (range), repeats: {effort.repeats}",
        rows,
        f"Training as in its own table, encoding {len(X):,} rows. The C code runs in one thread where it cannot use "
        "those of torch, as on macOS and Windows. Without it there are no bfloat16 products either.",
    )


FORMS = ("compiled", "compiled, one thread", "without a compiler")
COMPILED = _calls.compiled


def _with_form(form, call):
    def called(*args):
        _use(form)
        try:
            return call(*args)
        finally:
            _use("compiled")

    return called


def _use(form):
    _calls.compiled = None if form == "without a compiler" else COMPILED
    if form == "compiled":
        _calls.share_threads()
    elif form == "compiled, one thread":
        COMPILED.use_threads(0)


def _row_of_forms(what, rates):
    cells = {form: median(rates[form]) for form in FORMS}
    plain = rates["without a compiler"]
    ratios = {f"{form} / without": ratio(rates[form], plain) for form in FORMS[:2]}
    return {"what": what, **cells, **ratios}


def _transform_peaks(sae, X):
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder, "X.npy"), X)
        Path(folder, "sae.pickle").write_bytes(pickle.dumps(sae))
        return [alone(_prepare_transform, _transform, folder, who).peak_bytes for who in ("ours", "hypothesaes")]


def _prepare_transform(folder, who):
    sae = pickle.loads(Path(folder, "sae.pickle").read_bytes())
    X = np.load(Path(folder, "X.npy"))
    if who == "ours":
        return sae.transform, X
    peer = hypothesaes_with(sae)
    return partial(peer.get_activations, show_progress=False), X


def _transform(prepared):
    encode, X = prepared
    encode(X)


PURSUIT = {  # a line an encoder: what trains it on rows, with M, K and a seed; the first is the base of the ratios
    "scikit-learn, alpha=0.2": partial(encoders.dictionary, alpha=0.2),
    "scikit-learn, alpha=0.1": partial(encoders.dictionary, alpha=0.1),
    "`TopKSAETransformer`, defaults": encoders.ours,
    '`TopKSAETransformer(encoder="matching_pursuit")`': partial(encoders.ours, encoder="matching_pursuit"),
}


def pursuit(effort):
    """Error and speed of better encoders than a linear one, beside scikit-learn's."""
    (train, test), (X, _) = splits("movies")[0], embeddings("movies")
    fitted, fits = {}, {}
    for name, fit in PURSUIT.items():
        start = perf_counter()
        fitted[name] = fit(X[train], M, K, 0)
        fits[name] = perf_counter() - start
        fitted[name].encode(X[test])  # warm
    calls = {name: partial(encoder.encode, X[test]) for name, encoder in fitted.items()}
    rates = {name: len(test) / np.array(times) for name, times in in_turns(calls, effort.repeats).items()}
    base = next(iter(PURSUIT))
    floor = 1 / encoder_seconds(M)
    print_table(
        f"Better codes, `movies`, M={M}, K={K}, {len(test):,} unseen rows, median (range), repeats: {effort.repeats}",
        [
            {
                "encoder": name,
                "test error": f"{encoders.normalized_mse(encoder, X[test]):.3f}",
                "rows a second": median(rates[name]),
                "ratio": ratio(rates[name], rates[base]),
                "floor / rows a second": ratio(floor, rates[name]),
                "seconds to train": f"{fits[name]:.1f}",
            }
            for name, encoder in fitted.items()
        ],
        "Goal: an error of 0.558 or less at ten times the rows a second of scikit-learn. One fit each, seed 0. "
        f"scikit-learn: `MiniBatchDictionaryLearning({M})`, three passes in batches of 64, codes of {K} atoms by "
        "orthogonal matching pursuit, `n_jobs=None`; at its default `alpha=1` its error is above 0.7. "
        f"The floor is the encoder's product, {floor:,.0f} rows a second.",
    )


def memmap(effort):
    """Memory and speed of a fit on a memory-mapped file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "X.npy")
        write_resampled(path, effort.memmap_rows)
        mapped, loaded = (alone(_prepare_file, _fit, os.fspath(path), mode) for mode in ("r", None))
        size = path.stat().st_size
    rates = [effort.memmap_rows / fit.seconds for fit in (mapped, loaded)]
    peaks = [fit.peak_bytes / 1e6 for fit in (mapped, loaded)]
    print_table(
        f"One epoch on {effort.memmap_rows:,} x 384 float16, {size / 1e9:.2f} GB, M={M}, K={K}, one fit each",
        [
            {
                "what": "rows a second, whole fit",
                "mapped file": f"{rates[0]:,.0f}",
                "in memory": f"{rates[1]:,.0f}",
                "ratio": f"{rates[0] / rates[1]:.2f}",
                "goal": "0.80 or more",
                "floor": f"{1 / encoder_seconds(M):,.0f}",
            },
            {
                "what": "peak MB of anonymous memory",
                "mapped file": f"{peaks[0]:,.0f}",
                "in memory": f"{peaks[1]:,.0f}",
                "ratio": "",
                "goal": "under 1,000",
                "floor": "",
            },
        ],
        "Each fit in a fresh process, at the defaults but for `max_epochs=1`. Memory: RssAnon above what the "
        "process has after imports and after opening or loading the rows (as float16). The file has just been "
        "written, so that it is in the page cache if that is large enough. By its source, hypothesaes copies the "
        f"array and then converts it to a float32 tensor: {3 * size / 1e6:,.0f} MB, not run here. The floor is "
        "the encoder's product once a row; a fit also reads the rows for their mean, validates, and counts `density_`.",
    )


def _prepare_file(path, mmap_mode):
    return TopKSAETransformer(M, K, max_epochs=1, random_state=0), np.load(path, mmap_mode=mmap_mode)


SECTIONS = {section.__name__: section for section in (time, quality, training, transform, compiled, pursuit, memmap)}


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sae", description=__doc__.partition("\n")[0])
    parser.add_argument("sections", nargs="*", metavar="section", help=f"{', '.join(SECTIONS)}; all if none is named")
    parser.add_argument("--quick", action="store_true", help="one seed, one repeat, a tenth of the rows")
    parser.add_argument("--memmap-rows", type=int, help="rows of the memory-mapped file, 2,000,000 if not given")
    args = parser.parse_args()
    if unknown := set(args.sections) - set(SECTIONS):
        parser.error(f"no section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    share = 0.1 if args.quick else 1.0
    effort = Effort(
        seeds=1 if args.quick else 3,
        repeats=1 if args.quick else 3,
        share=share,
        memmap_rows=args.memmap_rows or int(share * 2_000_000),
    )
    for name, section in SECTIONS.items():
        if name in (args.sections or SECTIONS):
            section(effort)
    print(f"\nMeasured on {machine()}")


if __name__ == "__main__":
    main()
