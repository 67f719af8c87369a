"""The sparse autoencoder and the reader on a GPU: do they agree with the CPU, and how fast are they?

``python -m benchmarks.gpu [agreement encoding reading training whole words tests]`` prints markdown for each of the
sections named, or for all, in less than eight minutes. It needs no data and no network, and installs nothing: a package
that is not there costs a line that says so. Where there is no GPU it says that, and exits with 0.

``--device cpu`` runs every line of it at tiny sizes on a machine without a GPU; its figures mean nothing.
"""

import argparse
import importlib.util
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from functools import partial
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import numpy as np
import torch

from benchmarks._floor import BATCH, adam_seconds, encoder_seconds
from benchmarks._measure import seconds
from benchmarks._peers import epochs_of_hypothesaes, epochs_of_sae_lens, hypothesaes_with, quiet
from benchmarks._random_reader import make_reader, make_tokenizer, save_sae
from benchmarks._report import machine, print_table
from sklearn_sae import PretrainedSAETransformer, ReaderSAETransformer, TopKSAETransformer
from sklearn_sae.datasets import make_concept_texts
from sklearn_sae.sae import _rows

N_FEATURES = 384
LIMIT = 420  # seconds for everything; the tests, which come last, get what is left


class Effort(NamedTuple):
    """How much to measure, and where."""

    device: str
    sizes: tuple  # (M, K)
    n_rows: int
    budget: float  # seconds for one figure
    width: int  # of the reader
    n_layers: int
    n_latents: int
    n_texts: int
    n_whole: int  # rows of a whole fit
    tests: tuple  # what pytest is given


FULL = Effort(
    device="cuda",
    sizes=((256, 8), (1024, 8), (4096, 32), (16_384, 64), (65_536, 64)),
    n_rows=100 * BATCH,
    budget=1.0,
    width=2048,
    n_layers=16,
    n_latents=16_384,
    n_texts=1024,
    n_whole=500_000,
    tests=("tests/sae",),
)
TINY = Effort(
    device="cpu",
    sizes=((64, 4), (128, 8)),
    n_rows=2 * BATCH,
    budget=0.2,
    width=64,
    n_layers=4,
    n_latents=256,
    n_texts=16,
    n_whole=4 * BATCH,
    tests=("tests/sae/test_topk.py",),
)

# --- does a GPU compute what the CPU computes? --------------------------------------------------------

VARIANTS = {
    "Top-K": {},
    "Top-K, float64 rows": {"dtype": np.float64},
    "Top-K, float16 rows": {"dtype": np.float16},
    "batch Top-K": {"sparsity": "batch_topk"},
    "Matryoshka": {"matryoshka_prefixes": [16, 64]},
    "Multi-Top-K": {"multi_k": 16, "multi_weight": 0.125},
    "auxiliary loss": {"dead_after": 1},
    "target of numbers": {"target_weight": 1.0, "y": "numbers"},
    "target of classes": {"target_weight": 1.0, "y": "classes"},
    "matching pursuit": {"encoder": "matching_pursuit"},
}
LOSS_TOLERANCE = 1e-3  # relative: sums are added up in another order, and training goes its own way from there
SCORE_TOLERANCE = 0.02
SAME_CODES = 0.999  # two neurons of nearly the same activation may change places


def agreement(effort):
    """Fit each variant on both devices, and encode with the weights of one on both."""
    X = make_rows(2000)
    y = {"numbers": X[:, 0], "classes": np.digitize(X[:, 0], np.quantile(X[:, 0], [0.3, 0.6])), None: None}
    rows = []
    for name, params in VARIANTS.items():
        params = params.copy()
        X_train, target = X.astype(params.pop("dtype", np.float32)), y[params.pop("y", None)]
        fits = [
            TopKSAETransformer(64, 8, max_epochs=5, random_state=0, device=device, **params).fit(X_train, target)
            for device in ("cpu", effort.device, effort.device)
        ]
        again = "yes" if fits[1].components_.tobytes() == fits[2].components_.tobytes() else "no"
        rows.append({"variant": name, **_compare(*fits[:2], X_train), "same bits again": again})
        batches = [
            TopKSAETransformer(64, 8, random_state=0, device=device, **params)
            .partial_fit(X_train[:1000], None if target is None else target[:1000])
            .partial_fit(X_train[1000:], None if target is None else target[1000:])
            for device in ("cpu", effort.device)
        ]
        rows.append({"variant": f"{name}, partial_fit", **_compare(*batches, X_train), "same bits again": ""})
    print_table(
        f"The CPU and {effort.device}",
        rows,
        f"Of 2,000 x {N_FEATURES} rows, M=64, K=8: the loss of the first epoch and the score (1 - normalized squared "
        "error) after five epochs, each on the CPU and on the other device; the share of the active entries that are "
        "active on both when the weights of the CPU encode, and the largest difference there; whether a second fit "
        "on the other device has the same bits. A row agrees if losses "
        f"differ by less than {LOSS_TOLERANCE:g} of themselves, scores by less than {SCORE_TOLERANCE:g}, and "
        f"{SAME_CODES:.1%} of the entries are the same.",
    )
    return all(row["agrees"] == "yes" for row in rows)


def _compare(on_cpu, on_device, X):
    losses = [fit.history_[0]["train_loss"] for fit in (on_cpu, on_device)]
    scores = [fit.score(X) for fit in (on_cpu, on_device)]
    codes = on_cpu.transform(X)
    elsewhere = on_cpu.set_params(device=on_device.device).transform(X)
    n_active = (codes + elsewhere).nnz
    same = (codes.astype(bool).multiply(elsewhere.astype(bool))).nnz / n_active
    agrees = (
        abs(losses[1] / losses[0] - 1) < LOSS_TOLERANCE
        and abs(scores[1] - scores[0]) < SCORE_TOLERANCE
        and same >= SAME_CODES
    )
    return {
        "first loss": " / ".join(f"{loss:.5f}" for loss in losses),
        "score": " / ".join(f"{score:.3f}" for score in scores),
        "same entries": f"{same:.4%}",
        "largest difference": f"{abs(codes - elsewhere).max():.1e}",
        "agrees": "yes" if agrees else "NO",
    }


def tests(effort):
    """Run the tests of the autoencoder, whose device is "auto": the GPU where there is one."""
    left = max(10, LIMIT - time.perf_counter() + START)
    command = [sys.executable, "-m", "pytest", "-q", "--tb=line", "-p", "no:cacheprovider", *effort.tests]
    command += ["-n", "4"] if is_installed("xdist") else []
    root = Path(__file__).resolve().parents[1]
    print("\n## Tests\n")
    if not is_installed("pytest"):
        print("Skipped: pytest is not installed.")
        return True
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=left)
    except subprocess.TimeoutExpired:
        print(f"`pytest {' '.join(effort.tests)}` was not done after the {left:.0f} seconds that were left.")
        return True
    told = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    print(f'`pytest {" ".join(effort.tests)}`, device "auto":\n\n```')
    print("\n".join([*told, *done.stdout.splitlines()[-1:], *done.stderr.splitlines()[-5:]]))
    print("```", flush=True)
    return done.returncode == 0


# --- how fast is it? ----------------------------------------------------------------------------------


def training(effort):
    """Print rows a second in training, beside the other packages and the floor."""
    X = make_rows(effort.n_rows)
    trainers = {
        "ours": lambda m, k: partial(_train_ours, X, m, k),
        "ours, rows on the CPU": lambda m, k: partial(_train_ours, X, m, k, on_device=False),
        "hypothesaes": partial(epochs_of_hypothesaes, X),
        "SAELens": partial(epochs_of_sae_lens, X),
        "SAELens, sparse": partial(epochs_of_sae_lens, X, sparse=True),
    }
    packages = {"hypothesaes": "hypothesaes", "SAELens": "sae_lens", "SAELens, sparse": "sae_lens"}
    failed = []

    def measured():
        for m, k in effort.sizes:
            row, ours = {"size": f"M={m}, K={k}"}, None
            for who, of_size in trainers.items():
                row[who] = "not installed"
                if who not in packages or is_installed(packages[who]):
                    rate, row[who] = _cell(partial(_training_rate, of_size(m, k), len(X), effort.budget))
                    ours = rate if who == "ours" else ours
            floor = 1 / (encoder_seconds(m) + adam_seconds(m) / BATCH)
            failed.extend([m] if ours is None else [])
            yield row | {"floor": f"{floor:,.0f}", "floor / ours": f"{floor / ours:.1f}" if ours else ""}

    print_table(
        f"Training on {effort.device}, rows a second, d={N_FEATURES}, batches of {BATCH}",
        measured(),
        f"{len(X):,} rows. The time of a fit of 1 + n epochs less that of one, with n such that it takes about "
        f"{effort.budget:g} seconds; no early stopping, no held-out rows. Ours and SAELens have the rows on the "
        "device; rows that do not fit there come from the CPU's memory, batch by batch. The floor: the encoder's "
        "product in float32, and 24 bytes a parameter and step at the speed of a copy of as much memory.",
    )
    return not failed


def _train_ours(X, m, k, n_epochs, on_device=True):
    once = {"batch_size": BATCH, "validation_fraction": None, "patience": None, "random_state": 0}
    with mock.patch.object(_rows, "_SHARE_FOR_ROWS", _rows._SHARE_FOR_ROWS if on_device else 0):
        TopKSAETransformer(m, k, max_epochs=n_epochs, **once).fit(X)


def _training_rate(train, n_rows, budget):
    train(1)  # warm
    one, three = (seconds(partial(train, n)) for n in (1, 3))
    n_epochs = int(np.clip(2 * budget / max(three - one, 1e-3), 2, 200))
    return n_epochs * n_rows / max(seconds(partial(train, 1 + n_epochs)) - one, 1e-9)


def whole(effort):
    """Print the seconds of a whole fit with the defaults, and of encoding, of rows in memory and in a file."""
    X = np.tile(make_rows(effort.n_whole // 20).astype(np.float16), (20, 1))
    m, k = effort.sizes[1]

    def measured():
        with tempfile.TemporaryDirectory() as folder:
            np.save(Path(folder) / "rows.npy", X)
            mapped = np.load(Path(folder) / "rows.npy", mmap_mode="r")
            for name, of in {"in memory": X, "in a file": mapped}.items():
                sae = TopKSAETransformer(m, k, max_epochs=3, random_state=0)
                fitted, encoded = seconds(partial(sae.fit, of)), seconds(partial(sae.transform, of))
                yield {"rows": name, "fit, 3 epochs, s": f"{fitted:.1f}", "transform, s": f"{encoded:.1f}"}

    print_table(
        f"A whole fit on {effort.device}",
        measured(),
        f"{len(X):,} rows, float16, d={N_FEATURES}, M={m}, K={k}; with the mean, the scale, the first weights and the "
        "validation on a tenth of the rows.",
    )
    return True


def encoding(effort):
    """Print rows a second of `transform`, NumPy rows in and a CSR matrix out."""
    X = make_rows(effort.n_rows)
    rows = []
    for m, k in effort.sizes:
        own = TopKSAETransformer(m, k, max_epochs=1, random_state=0, device=effort.device).fit(X[: 4 * BATCH])
        ours, cell = _cell(partial(_encoding_rate, own.transform, X, effort.budget))
        peer = "not installed"
        if m > 4096:
            peer = "not measured"  # its result is dense
        elif is_installed("hypothesaes"):
            _, peer = _cell(lambda own=own: _encoding_rate(_peers_transform(own), X, effort.budget))
        floor = 1 / encoder_seconds(m)
        size, apart = f"M={m}, K={k}", f"{floor / ours:.1f}" if ours else ""
        rows.append({"size": size, "ours": cell, "hypothesaes": peer, "floor": f"{floor:,.0f}", "floor / ours": apart})
    print_table(
        f"Encoding on {effort.device}, rows a second, d={N_FEATURES}",
        rows,
        f"{len(X):,} rows. Ours from NumPy to CSR, the peer's to a dense array, with the same weights. The floor: the "
        f"encoder's product in float32, in batches of {BATCH}, with the rows on the device.",
    )
    return all(row["ours"] != "failed" for row in rows)


def _peers_transform(own):
    return partial(hypothesaes_with(own).get_activations, show_progress=False)


def _encoding_rate(transform, X, budget):
    once = seconds(partial(transform, X))
    repeats = int(np.clip(budget / once, 1, 20))
    return len(X) / min(seconds(partial(transform, X)) for _ in range(repeats))


def _cell(measure):
    """Return a rate and how the table shows it; where it fails, say why and go on with the rest."""
    try:
        rate = measure()
    except Exception as error:
        print(f"\n{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}", flush=True)
        return None, "failed"
    return rate, f"{rate:,.0f}"


# --- the reader ---------------------------------------------------------------------------------------


def reading(effort):
    """Print documents a second of a random reader in bfloat16, and how far its latents are from float32 on the CPU."""
    if not is_installed("transformers"):
        print("\n## Reading\n\nSkipped: transformers is not installed.")
        return True
    reviews = make_concept_texts(effort.n_texts, random_state=0).data
    shapes = {"reviews": reviews, "long": [" ".join(reviews[i : i + 8]) for i in range(0, len(reviews), 4)]}
    tokenizer = make_tokenizer(reviews)
    with tempfile.TemporaryDirectory() as folder:
        sae = Path(folder) / f"random-l{effort.n_layers // 2}.pth"
        model = make_reader(effort.width, effort.n_layers, effort.device, torch.bfloat16)
        save_sae(sae, model, tokenizer, effort.n_latents, reviews)
        rows = []
        for name, texts in shapes.items():
            n_tokens = sum(len(ids) for ids in tokenizer(texts).input_ids)
            for batch_size in (8, 64):
                reader = PretrainedSAETransformer(sae, model=model, tokenizer=tokenizer, batch_size=batch_size)
                reader.set_params(feature_labels=None, cache_dir=None)
                reader.transform(texts[: 2 * batch_size])
                taken = seconds(partial(reader.transform, texts))
                rows.append(
                    {
                        "texts": f"{len(texts):,} {name}, {n_tokens / len(texts):.0f} tokens each",
                        "batch": batch_size,
                        "documents/s": f"{len(texts) / taken:,.1f}",
                        "tokens/s": f"{n_tokens / taken:,.0f}",
                    }
                )
        n_parameters = sum(parameter.numel() for parameter in model.parameters())
        print_table(
            f"Reading on {effort.device} in bfloat16",
            rows,
            f"A Llama of random weights, {n_parameters / 1e6:,.0f} million of them: width {effort.width}, "
            f"{effort.n_layers} layers, of which the first half and one are run; an SAE of {effort.n_latents:,} "
            "latents in float32. No store.",
        )
        del model, reader
        return _precision(effort, folder, tokenizer, reviews[:64])


def _precision(effort, folder, tokenizer, texts):
    sae, saved = Path(folder) / "random-l3.pth", Path(folder) / "reader"
    model = make_reader(64, 6, "cpu", torch.float32)
    save_sae(sae, model, tokenizer, 512, texts)
    with quiet():
        model.save_pretrained(saved)
        tokenizer.save_pretrained(saved)
    reference, rows, correlations = None, [], []
    for device in dict.fromkeys(["cpu", effort.device]):
        for dtype in ("float32", "bfloat16"):
            reader = PretrainedSAETransformer(sae, model=saved, device=device, dtype=dtype, cache_dir=None)
            read = reader.set_params(feature_labels=None).transform(texts).toarray()
            reference = read if reference is None else reference
            correlations.append(np.corrcoef(reference.ravel(), read.ravel())[0, 1])
            rows.append(
                {
                    "device": device,
                    "dtype": dtype,
                    "correlation": f"{correlations[-1]:.6f}",
                    "same latents": f"{((reference > 0) == (read > 0)).mean():.3%}",
                    "largest difference": f"{abs(reference - read).max() / reference.max():.1e}",
                }
            )
    print_table(
        "The reader beside float32 on the CPU",
        rows,
        f"{len(texts)} reviews; the SAE's activations, their maxima over the tokens: correlation over all texts and "
        "latents, share of equal activity, and the largest difference in units of the largest activation.",
    )
    return min(correlations) > 0.99


def words(effort):
    """Print words a second that are read, trained on and encoded, beside the bare forward pass over the same texts."""
    if not is_installed("transformers"):
        print("\n## Words\n\nSkipped: transformers is not installed.")
        return True
    texts = make_concept_texts(4 * effort.n_texts, random_state=0).data
    tokenizer = make_tokenizer(texts)
    width = max(64, effort.width // 4)
    model = make_reader(width, 4, effort.device, torch.float32 if effort.device == "cpu" else torch.bfloat16)
    params = {"layer": 4, "tokenizer": tokenizer, "batch_size": 64, "device": effort.device, "random_state": 0}
    m, k = effort.sizes[1]
    params |= {"n_components": m, "k": k, "sae_params": {"max_epochs": 5}}
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for kept in ("in memory", "in a file"):
            transformer = ReaderSAETransformer(model, cache_dir=None if kept == "in memory" else folder, **params)
            transformer.fit(texts[:64])
            fitted, encoded = seconds(partial(transformer.fit, texts)), seconds(partial(transformer.transform, texts))
            rows.append(
                {
                    "states": kept,
                    "fit, words/s": f"{transformer.n_words_ / fitted:,.0f}",
                    "transform, words/s": f"{transformer.n_words_ / encoded:,.0f}",
                    "bare pass, words/s": f"{transformer.n_words_ / _bare_pass(model, tokenizer, texts):,.0f}",
                }
            )
    print_table(
        f"Words in context on {effort.device}",
        rows,
        f"{len(texts):,} reviews, {transformer.n_words_:,} words that count; a Llama of random weights, width {width}, "
        f"4 layers; M={m}, K={k}, five epochs. `fit` reads and trains, `transform` reads and encodes. The states "
        "are copied to the device at once. The bare pass: the reader's forward pass over the same tokens, "
        "sorted by length, in batches of 64, with nothing kept.",
    )
    return True


def _bare_pass(model, tokenizer, texts):
    ids = sorted((tokenizer(text).input_ids for text in texts), key=len, reverse=True)

    @torch.no_grad()
    def run():
        for start in range(0, len(ids), 64):
            some = ids[start : start + 64]
            batch = torch.zeros(len(some), len(some[0]), dtype=torch.int64)
            for row, one in zip(batch, some, strict=True):
                row[: len(one)] = torch.tensor(one)
            model.model(batch.to(model.device), attention_mask=(batch > 0).long().to(model.device), use_cache=False)
        if model.device.type == "cuda":
            torch.cuda.synchronize()

    run()
    return seconds(run)


# --- the whole ----------------------------------------------------------------------------------------


def make_rows(n_rows):
    """Return float32 rows of unit length, each close to the sum of a few of 2,000 directions."""
    rng = np.random.default_rng(0)
    directions = rng.standard_normal((2000, N_FEATURES), dtype=np.float32)
    rows = 0.5 * rng.standard_normal((n_rows, N_FEATURES), dtype=np.float32)
    for _ in range(6):
        rows += directions[rng.zipf(1.3, n_rows) % len(directions)]
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def is_installed(module):
    """Return whether a module can be imported."""
    return importlib.util.find_spec(module) is not None


SECTIONS = {
    "agreement": agreement,
    "encoding": encoding,
    "reading": reading,
    "training": training,
    "whole": whole,
    "words": words,
    "tests": tests,
}
START = time.perf_counter()


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], metavar="section")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda", help="cpu: tiny sizes, to try the script")
    arguments = parser.parse_args()
    if arguments.device == "cuda" and not torch.cuda.is_available():
        print("There is no GPU that torch can use here; nothing was measured.")
        return 0
    if arguments.device == "cpu" and torch.cuda.is_available():
        parser.error("hide the GPU from torch to try the script without it: set CUDA_VISIBLE_DEVICES to nothing")
    print(f"Measured on {machine()}")
    failed = []
    for name in arguments.sections or SECTIONS:
        start = time.perf_counter()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                good = SECTIONS[name](FULL if arguments.device == "cuda" else TINY)
        except Exception:  # what the other sections say shall not be lost
            traceback.print_exc()
            good = False
        print(f"\n({name}: {time.perf_counter() - start:.0f} seconds)", flush=True)
        failed += [] if good else [name]
    if failed:
        print(f"\nNot as it should be: {', '.join(failed)}.")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
