"""What M, K and the target weight do to held-out R2 and to the fidelity of names: the experiment behind "auto".

``python -m benchmarks.sizes [yelp planted movies]`` prints a markdown table: means over folds, with the spread of R2.
"""

import sys
import warnings

import numpy as np
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LinearRegression, RidgeCV
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from benchmarks._data import load
from sklearn_sae import NeuronSelector, make_hypothesis_pipeline

SIZES = [(32, 4), (32, 8), (48, 12), (64, 4), (64, 8), (64, 16)]
TARGET_WEIGHTS = [0.0, 0.3, 1.0]


def measure(pipeline, texts, y, train, test):
    """Return R2 of the keywords and of the neurons on unseen rows, mean fidelity F1, mean |correlation| of neurons."""
    pipeline.fit(texts[train], y[train])
    annotator = pipeline["hypotheses"]
    seen, unseen = (annotator.encoder_.transform(texts[rows]).toarray() for rows in (train, test))
    correlations = np.abs(np.corrcoef(seen.T))[np.triu_indices(seen.shape[1], 1)]
    return (
        pipeline.score(texts[test], y[test]),
        LinearRegression().fit(seen, y[train]).score(unseen, y[test]),
        annotator.hypotheses_["fidelity_f1"].mean(),
        np.nanmean(correlations),
    )


def baselines(texts, y, folds):
    """Yield the name of a model without hypotheses, and its R2 on the unseen rows of each fold."""
    words = CountVectorizer(binary=True, min_df=2)
    vectors = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=2)
    models = {
        "20 words chosen by lasso": make_pipeline(words, NeuronSelector(20), LinearRegression()),
        "ridge on the embeddings": make_pipeline(
            vectors, TruncatedSVD(256, random_state=0), Normalizer(), RidgeCV(np.logspace(-3, 3, 13))
        ),
    }
    for name, model in models.items():
        yield name, [model.fit(texts[train], y[train]).score(texts[test], y[test]) for train, test in folds]


def main(names):
    warnings.filterwarnings("ignore", message="Only .* neurons vary")
    for name in names:
        texts, y, _ = load(name)
        folds = list(KFold(5, shuffle=True, random_state=0).split(texts))
        print(f"\n{name}: {len(texts):,} texts, 5 folds, TF-IDF + SVD(256), 20 neurons, no language model\n")
        print("| M | K | target weight | R2 of keywords | R2 of neurons | fidelity F1 | correlation of neurons |")
        print("| --- | --- | --- | --- | --- | --- | --- |")
        for model, scores in baselines(texts, y, folds):
            print(f"| {model} | | | {np.mean(scores):.3f} ± {np.std(scores):.3f} | | | |")
        for m, k in SIZES:
            for weight in TARGET_WEIGHTS:
                pipeline = make_hypothesis_pipeline(n_components=m, k=k, target_weight=weight, random_state=0)
                results = np.array([measure(pipeline, texts, y, train, test) for train, test in folds])
                mean, spread = results.mean(axis=0), results.std(axis=0)
                print(
                    f"| {m} | {k} | {weight} | {mean[0]:.3f} ± {spread[0]:.3f} | {mean[1]:.3f} ± {spread[1]:.3f} "
                    f"| {mean[2]:.2f} | {mean[3]:.2f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main(sys.argv[1:] or ["yelp", "planted"])
