"""How well names of few and of many words predict, and how well they fit their neurons.

``python -m benchmarks.terms [--seeds 5] [dataset ...]`` prints one markdown table for `yelp`, `movies` and `planted`,
or for those named: 20 keyword hypotheses of the standard pipeline, with its default embedding (nothing downloaded) and
but for `planted` with ready embeddings of all-MiniLM-L6-v2, on unseen rows. `yelp`: fold i of five with
seed i; `movies`: the fixed split; `planted`: other texts with each seed, three quarters to learn from. Needs the data
folder (see `_data.py`).
"""

import argparse
import warnings

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression
from sklearn.metrics import f1_score, r2_score

from benchmarks._data import load
from benchmarks._report import machine, mean, print_table
from benchmarks._rows import splits
from sklearn_sae import EmbeddingTransformer, KeywordHypothesisAnnotator, make_hypothesis_pipeline
from sklearn_sae.datasets import make_concept_texts

N = 20  # hypotheses
OPTIONS = [{"n_keywords": n} for n in (4, 6, 8, 10, 12, 20, 60)] + [
    {"n_keywords": n, "target_weight": 0} for n in (8, 60)
]
MOST_ALIKE = 0.7


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.terms", description=__doc__.partition("\n")[0])
    parser.add_argument("datasets", nargs="*", default=["yelp", "movies", "planted"])
    parser.add_argument("--seeds", type=int, default=5, help="how many, 5 if not given")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    rows = []
    for data in arguments.datasets:
        for embedding in ("TF-IDF + SVD", "MiniLM")[: 1 if data == "planted" else 2]:
            figures = {}
            for seed in range(arguments.seeds):
                for options, figure in _figures(data, embedding, seed):
                    figures.setdefault(str(options), (options, []))[1].append(figure)
            rows += [_row(f"{data}, {embedding}", options, np.transpose(some)) for options, some in figures.values()]
    print_table(
        f"R2 on unseen rows of {N} keyword hypotheses against the terms of a name, mean ± deviation over seeds "
        f"({arguments.seeds})",
        rows,
        "`make_hypothesis_pipeline` at its defaults, the same neurons named with other `n_keywords` and, where it says "
        "so, without heed to the target (`target_weight=0`); least squares on the names. F1: whether the neuron is "
        f"active against whether the name holds, on the unseen rows. Terms: of a name, on average. Pairs: of names "
        f"whose annotations correlate there by more than {MOST_ALIKE}.",
    )
    print(f"\nMeasured on {machine()}")


def _rows(data, seed):
    """Return texts, targets, embeddings by text, and the rows to learn from and to score on."""
    if data == "planted":
        reviews = make_concept_texts(2000, random_state=seed)
        train, test = np.split(np.random.default_rng(seed).permutation(2000), [1500])
        return np.array(reviews.data, dtype=object), reviews.target, None, train, test
    texts, y, X = load(data)
    folds = splits(data)
    return texts, y, dict(zip(texts, X, strict=True)), *folds[seed % len(folds)]


def _figures(data, embedding, seed):
    """Yield what is fitted and how well it does: R2, F1, terms of a name, and pairs that are nearly the same."""
    texts, y, vectors, train, test = _rows(data, seed)
    embedder = None
    if embedding == "MiniLM":
        embedder = EmbeddingTransformer(lambda some: np.array([vectors[text] for text in some]), cache_dir=None)
    pipeline = make_hypothesis_pipeline(embedder, n_hypotheses=N, random_state=seed)
    encoder = FrozenEstimator(clone(pipeline["hypotheses"].encoder).fit(texts[train], y[train]))
    active = encoder.transform(texts[test]).toarray() > 0
    for options in OPTIONS:
        annotator = KeywordHypothesisAnnotator(encoder, random_state=seed, **options).fit(texts[train], y[train])
        seen, unseen = annotator.transform(texts[train]), annotator.transform(texts[test])
        table = annotator.hypotheses_
        pairs = np.abs(np.corrcoef(unseen.T))[np.triu_indices(len(table), 1)]
        yield (
            options,
            (
                r2_score(y[test], LinearRegression().fit(seen, y[train]).predict(unseen)),
                np.mean([f1_score(active[:, j], says > 0) for j, says in zip(table["neuron"], unseen.T, strict=True)]),
                table["interpretation"].str.count('"').mean() / 2,
                np.sum(pairs > MOST_ALIKE),
            ),
        )


def _row(what, options, figures):
    n = options["n_keywords"]
    return {
        "what": what + ", without heed to the target" * (options.get("target_weight") == 0),
        "terms at most": f"**{n}**" if n == 8 and len(options) == 1 else n,
        "R2": mean(figures[0]),
        "F1": mean(figures[1], ".2f"),
        "terms": f"{np.mean(figures[2]):.1f}",
        "pairs": f"{np.mean(figures[3]):.1f}",
    }


if __name__ == "__main__":
    main()
