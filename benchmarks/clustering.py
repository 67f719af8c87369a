"""Targeted clustering that is to recover sentiment, which the authors of the method reported as not achieved.

``python -m benchmarks.clustering [poles similarity sizes features] [--quick]`` prints a markdown table for each section
named, or for all, in about ten minutes. Snippets of `movies` with a sentiment above 1 or below -1 are clustered in two;
the figure is the adjusted mutual information with its sign. Autoencoder, names and clusters never see the sentiment;
the autoencoder is fitted on all snippets. Needs the data folder (see `_data.py`).
"""

import argparse
import re
from functools import cache

import numpy as np
from sklearn.cluster import KMeans
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_mutual_info_score
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import normalize

from benchmarks._data import load
from benchmarks._report import machine, mean, print_table
from sklearn_sae import KeywordHypothesisAnnotator, TopKSAETransformer
from sklearn_sae.analysis import TargetedClustering

SIZES = ((256, 8), (64, 8), (64, 16), (256, 32), (512, 16))  # M and K; the first are the defaults
POLES = {
    "praise": ["praise", "criticism"],
    "good": ["good", "bad"],
    "wonderful": ["wonderful", "awful"],
    "best": ["best", "worst"],
    "six words": ["good great excellent wonderful best enjoyable", "bad awful terrible dull worst boring"],
}
PRIOR_TEXTS = 3  # by so many texts of no particular kind a rare word's mean is drawn to the mean of all


class MeanTextEmbedder:
    """A label or query as the mean embedding of the texts that have its words; a label's words are the quoted ones.

    It stands in for the sentence model itself, which is not at hand where texts come already embedded.
    """

    def __init__(self, texts, embeddings):
        self.vectorizer = CountVectorizer(ngram_range=(1, 2), binary=True, token_pattern=r"[a-z0-9']+")
        presence = self.vectorizer.fit_transform(texts)
        counts = np.asarray(presence.sum(axis=0)).ravel()
        self.vectors = presence.T @ (embeddings - embeddings.mean(axis=0)) / (counts[:, None] + PRIOR_TEXTS)

    def __call__(self, texts):
        known = self.vectorizer.vocabulary_
        vectors = np.zeros((len(texts), self.vectors.shape[1]), dtype=np.float32)
        for row, text in enumerate(texts):
            terms = [known[term] for term in self._terms(text) if term in known]
            if terms:
                vectors[row] = self.vectors[terms].mean(axis=0)
        return vectors

    def _terms(self, text):
        first, _, _ = text.partition(" than of ")  # what the neuron is active on, not what it is against
        return re.findall(r'"([^"]+)"', first) or text.lower().split()


@cache
def snippets():
    """Return all texts, their embeddings, the rows of clear sentiment, and its sign there."""
    texts, y, X = load("movies")
    y = y.astype(float)
    rows = np.flatnonzero(np.abs(y) > 1)
    return list(texts), X, rows, y[rows] > 0


@cache
def named(size, seed):
    """Return the named neurons of an autoencoder on all texts: activations, names, and whether names hold."""
    texts, X, _, _ = snippets()
    Z = TopKSAETransformer(*size, random_state=seed).fit_transform(X)
    annotator = KeywordHypothesisAnnotator(n_scoring_examples=0, random_state=seed).fit(Z, texts=texts)
    names = annotator.hypotheses_
    return Z[:, names["neuron"]], names["interpretation"].tolist(), annotator.transform(Z, texts=texts)


@cache
def embedder(name):
    texts, X, _, _ = snippets()
    if name == "mean text":
        return MeanTextEmbedder(texts, X)
    if name == "LSA":  # words are alike that stand in the same texts
        words = TfidfVectorizer(sublinear_tf=True, token_pattern=r"[a-z0-9']+")
        return FrozenEstimator(make_pipeline(words, TruncatedSVD(256, random_state=0)).fit(texts))
    return None


def targeted(query, size, seed, *, similarity="mean text", n_features=20, annotated=False):
    """Return a fitted targeted clustering, of activations, or of them (over their mean) plus where names hold."""
    _, _, rows, _ = snippets()
    Z, labels, holds = named(size, seed)
    if annotated:
        Z = Z.toarray() / np.asarray(Z.sum(axis=0) / (Z > 0).sum(axis=0)) + holds
    clustering = TargetedClustering(
        query,
        feature_labels=labels,
        embedder=embedder(similarity),
        n_features=n_features,
        clusterer=KMeans(2, n_init=10),
        random_state=seed,
    )
    return clustering.fit(Z[rows])


def without_features(query, n_features, seed):
    """Return the share of snippets in which none of the chosen features is active."""
    chosen = targeted(query, SIZES[0], seed, n_features=n_features).features_["feature"]
    return np.mean(named(SIZES[0], seed)[0][snippets()[2]][:, chosen.to_numpy()].sum(axis=1) == 0)


def agreement(clusters):
    """Return the adjusted mutual information with the sign of the sentiment, and the accuracy of the better naming."""
    sign = snippets()[3]
    accuracy = np.mean((clusters == clusters.max()) == sign)
    return adjusted_mutual_info_score(sign, clusters), max(accuracy, 1 - accuracy)


def row(what, clusters):
    ami, accuracy = zip(*map(agreement, clusters), strict=True)
    return {"what": what, "AMI": mean(ami), "accuracy": mean(accuracy)}


def of_targeted(what, query, seeds, size=SIZES[0], **params):
    try:
        return row(what, [targeted(query, size, seed, **params).labels_ for seed in seeds])
    except ValueError as error:  # one of the seeds has no label like the query
        return {"what": what, "AMI": "none", "accuracy": str(error).partition(";")[0]}


def supervised(X):
    """Return what a classifier that sees the sentiment says of rows that it was not fitted on."""
    return cross_val_predict(LogisticRegression(C=10, max_iter=1000), X, snippets()[3], cv=5)


def along(poles):
    """Return two clusters of the dense embeddings' projections on the difference of two queries."""
    _, X, rows, _ = snippets()
    first, second = normalize(embedder("mean text")(poles))
    return KMeans(2, n_init=10, random_state=0).fit_predict((X[rows] @ (first - second))[:, None])


def of_poles(seeds):
    """One query against poles, in several words, beside clustering that is told nothing and all."""
    _, X, rows, _ = snippets()
    yield row("k-means, dense embeddings", [KMeans(2, n_init=10, random_state=s).fit_predict(X[rows]) for s in seeds])
    activations = [named(SIZES[0], s)[0][rows] for s in seeds]
    k_means = [KMeans(2, n_init=10, random_state=s).fit_predict(Z) for s, Z in zip(seeds, activations, strict=True)]
    yield row("k-means, all activations", k_means)
    for query in ("praise criticism", "good bad", " ".join(POLES["six words"])):
        yield of_targeted(f"one query: {query}", query, seeds)
    for poles in POLES.values():
        yield of_targeted(f"poles: {' / '.join(poles)}", poles, seeds)
    for poles in POLES.values():
        yield row(f"dense embeddings along: {' / '.join(poles)}", [along(poles)])
    yield row("sees the sentiment: logistic regression, all activations", [supervised(Z) for Z in activations])
    chosen = [
        Z[:, targeted(POLES["six words"], SIZES[0], s).features_["feature"].to_numpy()]
        for s, Z in zip(seeds, activations, strict=True)
    ]
    yield row("sees the sentiment: the same, features chosen by the last poles", [supervised(Z) for Z in chosen])
    yield row("sees the sentiment: the same, dense embeddings", [supervised(X[rows])])


def of_similarity(seeds):
    """Labels and queries by the words they share, by words of the same texts, by the embeddings of such texts."""
    for name in ("TF-IDF of the labels", "LSA", "mean text"):
        for poles in POLES.values():
            yield of_targeted(f"{name}: {' / '.join(poles)}", poles, seeds, similarity=name)


def of_sizes(seeds):
    """Sizes of the autoencoder, and texts counting also where a name holds (their words), beside activations alone."""
    for size in SIZES:
        for poles in (POLES["good"], POLES["six words"]):
            what = f"M={size[0]}, K={size[1]}: {' / '.join(poles)}"
            alone = of_targeted(what, poles, seeds, size)
            both = of_targeted(what, poles, seeds, size, annotated=True)
            yield alone | {f"with names, {key}": both[key] for key in ("AMI", "accuracy")}


def of_features(seeds):
    """Numbers of features chosen for each pole."""
    for n in (5, 10, 20, 40, 128):
        for poles in (POLES["good"], POLES["six words"]):
            figures = of_targeted(f"{n} features a pole: {' / '.join(poles)}", poles, seeds, n_features=n)
            yield figures | {"snippets with none": mean([without_features(poles, n, seed) for seed in seeds])}


SECTIONS = {"poles": of_poles, "similarity": of_similarity, "sizes": of_sizes, "features": of_features}


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.clustering", description=__doc__.partition("\n")[0])
    parser.add_argument("section", nargs="*", metavar="section", help=f"{', '.join(SECTIONS)}; all if none is named")
    parser.add_argument("--quick", action="store_true", help="one seed")
    args = parser.parse_args()
    if unknown := set(args.section) - set(SECTIONS):
        parser.error(f"no section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    seeds = range(1 if args.quick else 5)
    sign = snippets()[3]
    for name in args.section or SECTIONS:
        print_table(
            f"Clusters and the sign of the sentiment: {name}",
            list(SECTIONS[name](seeds)),
            f"{SECTIONS[name].__doc__} Mean ± deviation over {len(seeds)} seeds of autoencoder and clusters, "
            f"{len(sign):,} snippets, {sign.mean():.1%} positive.",
        )
    print(f"\nMeasured on {machine()}")


if __name__ == "__main__":
    main()
