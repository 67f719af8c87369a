"""What predicts a target from a text, each as one scikit-learn estimator: ours, the peer's, and plain baselines."""

from functools import partial

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import NMF, PCA
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LinearRegression, Ridge, RidgeCV
from sklearn.model_selection import GridSearchCV, KFold, ShuffleSplit
from sklearn.pipeline import Pipeline, make_pipeline

from benchmarks._peers import hypothesaes, quiet, train_hypothesaes
from sklearn_sae import NeuronSelector, TopKSAETransformer, make_hypothesis_pipeline

THREE_FOLDS = KFold(3, shuffle=True, random_state=0)
A_QUARTER = ShuffleSplit(1, test_size=0.25, random_state=0)  # for what trains ten times as long
LARGE = (512, 64)  # with prefixes, of which only the first neurons matter here
RIDGE = {"alphas": np.logspace(-3, 3, 13)}


class HypothesaesSAE(TransformerMixin, BaseEstimator):
    """The peer's autoencoder at its defaults, as a transformer."""

    def __init__(self, n_components=256, k=8, *, random_state=0):
        self.n_components = n_components
        self.k = k
        self.random_state = random_state

    def fit(self, X, y=None):
        self.sae_ = train_hypothesaes(X, self.n_components, self.k, self.random_state)
        return self

    def transform(self, X):
        return self.sae_.get_activations(X, show_progress=False)


def scores_of_hypothesaes(X, y, *, n, method):
    """Return the peer's scores, 0 for a neuron that it does not choose: a `method` for `NeuronSelector`."""
    with quiet():
        chosen, of_chosen = hypothesaes("select_neurons").select_neurons(X, y, n, method=method)
    scores = np.zeros(X.shape[1])
    scores[chosen] = of_chosen
    return scores


def neurons(encoder, sizes, n, *, cv, method="lasso", memory=None, **grid):
    """Return a search over the sizes of an autoencoder (or others of its parameters) before n neurons predict."""
    pipeline = hypothesis_pipeline(encoder, n, method, memory)
    others = {f"encode__{name}": values for name, values in grid.items()}
    return search(pipeline, [{"encode__n_components": [m], "encode__k": [k], **others} for m, k in sizes], cv)


def hypothesis_pipeline(encoder, n, method="lasso", memory=None):
    steps = [("encode", encoder), ("select", NeuronSelector(n, method=method)), ("model", LinearRegression())]
    return Pipeline(steps, memory=memory)


def search(pipeline, grid, cv, scoring="r2"):
    return GridSearchCV(pipeline, grid, scoring=scoring, cv=cv, n_jobs=2, error_score="raise")


def ours(sizes, weights, n, seed):
    return neurons(TopKSAETransformer(random_state=seed), sizes, n, cv=THREE_FOLDS, target_weight=weights)


def matryoshka(sizes, n, seed):
    """Return the same without a target, the first neurons also trained to reconstruct alone, so they are denser."""
    grid = {"encode": [doubling(m, k, random_state=seed) for m, k in (*sizes, LARGE)]}
    return search(hypothesis_pipeline(None, n), grid, THREE_FOLDS)


def doubling(m, k, **params):
    """Return an autoencoder with Matryoshka prefixes of 8, 16, 32, ... and m neurons."""
    prefixes = [p for p in (8, 16, 32, 64, 128, 256) if p < m]
    return TopKSAETransformer(m, k, matryoshka_prefixes=[*prefixes, m], **params)


def theirs(sizes, n, seed, *, method, memory):
    scores = partial(scores_of_hypothesaes, n=n, method=method)
    return neurons(HypothesaesSAE(random_state=seed), sizes, n, cv=A_QUARTER, method=scores, memory=memory)


def components_of_embeddings(sizes, n):
    pipeline = make_pipeline(PCA(random_state=0), NeuronSelector(n), LinearRegression())
    return search(pipeline, {"pca__n_components": sizes}, THREE_FOLDS)


def topics(sizes, n):
    pipeline = make_pipeline(topic_model(), NeuronSelector(n), LinearRegression())
    return search(pipeline, {"pipeline__nmf__n_components": sizes}, A_QUARTER)


def topic_model(n_topics=None):
    """Return TF-IDF and a non-negative factorization of it; 30 rounds, for 100 took four times as long."""
    words = TfidfVectorizer(sublinear_tf=True, min_df=2, stop_words="english")
    return make_pipeline(words, NMF(n_topics, init="nndsvd", max_iter=30, random_state=0))


def words(n):
    return make_pipeline(CountVectorizer(binary=True, min_df=2), NeuronSelector(n), LinearRegression())


def ridge_on_embeddings():
    return RidgeCV(**RIDGE)


def ridge_on_words():
    vectors = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=2)
    return search(make_pipeline(vectors, Ridge()), {"ridge__alpha": [0.03, 0.1, 0.3, 1.0]}, THREE_FOLDS)


def keywords(n, seed, memory):
    """Return a search over the standard pipeline's sizes and target weight; texts are embedded once a split."""
    pipeline = make_hypothesis_pipeline(n_hypotheses=n, random_state=seed)
    pipeline.set_params(hypotheses__encoder__memory=memory)
    sae = "hypotheses__encoder__sae__"
    weights = {f"{sae}target_weight": [1.0, 3.0]}
    return search(
        pipeline, [{f"{sae}n_components": [m], f"{sae}k": [k], **weights} for m, k in [(32, 8), (64, 16)]], A_QUARTER
    )
