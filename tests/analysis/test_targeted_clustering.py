"""Clusters by what a query names."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.cluster import DBSCAN, AgglomerativeClustering, KMeans
from sklearn.metrics import adjusted_mutual_info_score
from sklearn.preprocessing import normalize

from sklearn_sae.analysis import TargetedClustering, diff_features, plot_clusters


@pytest.fixture(scope="module")
def reviews():
    """Activations whose strongest structure is the topic, a weaker one the tone; labels, topic and tone."""
    rng = np.random.default_rng(0)
    topics = ["is about food", "is about the staff", "is about the menu"]
    tones = [f"praises {what}" for what in ("a taste", "a smile", "a place")]
    tones += [f"complains of {what}" for what in ("a delay", "the noise", "a bill")]
    n = 600
    topic, tone = rng.integers(3, size=n), rng.integers(2, size=n)
    X = np.zeros((n, 10))
    X[np.arange(n), topic] = 5 + rng.random(n)
    for _ in range(2):
        X[np.arange(n), 3 + 3 * tone + rng.integers(3, size=n)] = 1 + rng.random(n)
    X[:, 9] = rng.random(n) < 0.5
    return sparse.csr_array(X), [*topics, *tones, None], topic, tone


def test_poles_recover_the_tone_and_one_query_the_topic(reviews):
    X, labels, topic, tone = reviews
    by_topic = KMeans(2, n_init=10, random_state=0).fit_predict(X)
    assert adjusted_mutual_info_score(tone, by_topic) < 0.02
    poles = TargetedClustering(["praise", "complaint"], feature_labels=labels, random_state=0).fit(X)
    assert adjusted_mutual_info_score(tone, poles.labels_) == 1
    one = TargetedClustering("about", feature_labels=labels, clusterer=KMeans(3), n_features=3, random_state=0).fit(X)
    assert adjusted_mutual_info_score(topic, one.labels_) == 1


def test_features_weights_and_names_tell_what_was_done(reviews):
    X, labels, _, tone = reviews
    clustering = TargetedClustering(["praise", "complaint"], feature_labels=labels, random_state=0).fit(X)
    chosen = clustering.features_
    assert set(chosen.loc[chosen["query"] == "praise", "feature"]) == {3, 4, 5}
    assert set(chosen.loc[chosen["query"] == "complaint", "feature"]) == {6, 7, 8}
    assert (chosen["label"] == [labels[feature] for feature in chosen["feature"]]).all()
    assert chosen.groupby("query", sort=False)["weight"].apply(lambda w: w.is_monotonic_decreasing).all()
    np.testing.assert_allclose(clustering.weights_.sum(axis=1), 0, atol=1e-12)

    praise = clustering.labels_[tone == 0][0]
    assert clustering.cluster_names_[praise].startswith("praise: praises ")
    assert clustering.cluster_names_[1 - praise].startswith("complaint: complains of ")
    apart = clustering.cluster_features_
    assert set(apart.loc[apart["cluster"] == praise, "feature"]) == {3, 4, 5}
    inside = (X.toarray() != 0)[clustering.labels_ == praise]
    for _, row in apart[apart["cluster"] == praise].iterrows():
        assert row["frequency"] == pytest.approx(inside[:, row["feature"]].mean())
        assert row["frequency_elsewhere"] == 0
        assert row["difference"] == pytest.approx(row["frequency"])
    # and what sets the clusters apart beyond the chosen features can be asked of `diff_features`
    table = diff_features(X[clustering.labels_ == praise], X[clustering.labels_ != praise])
    assert set(table["feature"].head(6)) == {3, 4, 5, 6, 7, 8}


def test_one_query_is_clustered_at_weighted_directions(reviews):
    X, labels, _, _ = reviews

    class Recorder(KMeans):
        def fit_predict(self, X, y=None):
            self.points_ = X
            return super().fit_predict(X)

    clustering = TargetedClustering("complains of noise", feature_labels=labels, clusterer=Recorder(2), n_features=2)
    clustering.fit(X)
    columns = X.toarray()[:, clustering.features_["feature"]]
    scale = [column[column > 0].mean() for column in columns.T]
    np.testing.assert_allclose(clustering.scale_, scale)
    expected = normalize(columns / scale * clustering.features_["similarity"].to_numpy())
    np.testing.assert_allclose(clustering.clusterer_.points_, expected)


def test_three_poles(reviews):
    X, labels, topic, _ = reviews
    poles = ["food", "staff", "menu"]
    clustering = TargetedClustering(poles, feature_labels=labels, n_features=1, random_state=0).fit(X)
    assert clustering.clusterer_.n_clusters == 3
    assert adjusted_mutual_info_score(topic, clustering.labels_) == 1
    assert [clustering.cluster_names_[clustering.labels_[topic == i][0]] for i in range(3)] == [
        f"{pole}: {label}" for pole, label in zip(poles, labels, strict=False)
    ]


def test_sparse_dense_frame_and_float32_agree(reviews):
    X, labels, _, _ = reviews
    estimator = TargetedClustering(["praise", "complaint"], feature_labels=labels, random_state=0)
    expected = estimator.fit(X).labels_
    dense = X.toarray()
    for form in (dense, dense.astype(np.float32), sparse.csr_matrix(X), sparse.csc_array(X)):
        np.testing.assert_array_equal(clone(estimator).fit_predict(form), expected)
    frame = pd.DataFrame(dense[:, :9], columns=labels[:9])
    np.testing.assert_array_equal(estimator.set_params(feature_labels=None).fit_predict(frame), expected)


def test_predict_clone_and_pickle(reviews):
    X, labels, _, _ = reviews
    clustering = TargetedClustering(["praise", "complaint"], feature_labels=labels, random_state=0).fit(X[:400])
    np.testing.assert_array_equal(clustering.predict(X[:400]), clustering.labels_)
    again = pickle.loads(pickle.dumps(clustering))
    np.testing.assert_array_equal(again.predict(X[400:]), clustering.predict(X[400:]))
    np.testing.assert_array_equal(clone(clustering).fit(X[:400]).labels_, clustering.labels_)
    assert not hasattr(clustering.set_params(clusterer=AgglomerativeClustering(2)), "predict")


def test_the_clusterer_is_cloned_and_seeded(reviews):
    X, labels, _, _ = reviews
    clusterer = KMeans(4)
    clustering = TargetedClustering("praises", feature_labels=labels, clusterer=clusterer, random_state=3).fit(X)
    assert not hasattr(clusterer, "labels_")
    assert clusterer.random_state is None
    assert clustering.clusterer_.random_state is not None
    assert set(clustering.cluster_names_.index) == {0, 1, 2, 3}


def test_noise_has_no_name_and_rows_without_a_feature_are_named_so(reviews):
    X, labels, _, _ = reviews
    noisy = TargetedClustering("noise", feature_labels=labels, clusterer=DBSCAN(min_samples=10_000), n_features=1)
    noisy.fit(X)
    assert set(noisy.labels_) == {-1}
    assert len(noisy.cluster_names_) == len(noisy.cluster_features_) == 0
    two = TargetedClustering("noise", feature_labels=labels, clusterer=KMeans(2), n_features=1, random_state=0).fit(X)
    without = two.labels_[X[:, [7]].toarray().ravel() == 0]
    assert len(set(without)) == 1
    assert two.cluster_names_[without[0]] == "none of the features"


def test_names_claim_no_pole_and_no_difference_that_is_not_there():
    labels = ["praises a taste", "praises a smile", "complains of noise", "complains of a delay"]
    X = np.vstack([np.eye(4)] * 5 + [np.zeros((10, 4))])
    poles = TargetedClustering(["praise", "complaint"], feature_labels=labels, clusterer=KMeans(3), random_state=0).fit(
        X
    )
    assert poles.cluster_names_[poles.labels_[-1]] == "none of the features"  # on the side of neither
    one = TargetedClustering("praise", feature_labels=labels, clusterer=KMeans(1), random_state=0).fit(X)
    assert one.cluster_features_.empty  # there is nothing else to be set apart from
    assert one.cluster_names_.to_list() == ["no feature more often"]


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_scales_are_exact_for_many_rows_and_large_values(form):
    labels = ["praises a taste", "complains of noise"]
    clustering = TargetedClustering(["praise", "complaint"], feature_labels=labels, random_state=0)
    X = np.tile(np.float32([[3e38, 0], [0, 3e38]]), (20, 1))
    assert len(set(clustering.fit(form(X)).labels_)) == 2
    np.testing.assert_allclose(clustering.scale_, 3e38, rtol=1e-6)


@pytest.mark.parametrize(
    ("params", "kind", "message"),
    [
        ({"query": " "}, ValueError, "query is empty"),
        ({"query": ["praise"]}, ValueError, "two or more"),
        ({"query": ["praise", "praise"]}, ValueError, "two or more different"),
        ({"query": ["praise", ""]}, ValueError, "empty text in row 1"),
        ({"query": ["praise", 3]}, TypeError, "int in row 1"),
        ({"query": "zzz"}, ValueError, "query resembles no label"),
        ({"query": ["praise", "zzz"]}, ValueError, r"query\[1\] resembles no label"),
        ({"feature_labels": ["a", "b"]}, ValueError, "2 labels for 10 features"),
        ({"feature_labels": {10: "praise"}}, ValueError, "feature 10"),
        ({"feature_labels": [None] * 10}, ValueError, "no label"),
        ({"n_features": 0}, ValueError, "n_features"),
        ({"clusterer": "kmeans"}, ValueError, "clusterer"),
        ({"embedder": 3}, ValueError, "embedder"),
    ],
)
def test_bad_parameters_are_refused_in_a_sentence(reviews, params, kind, message):
    X, labels, _, _ = reviews
    with pytest.raises(kind, match=message):
        TargetedClustering(**{"query": "praise", "feature_labels": labels, **params}).fit(X)


def test_texts_are_not_quoted():
    with pytest.raises(ValueError, match="holds texts") as error:
        TargetedClustering("praise").fit([["a secret"], ["another"]])
    assert "secret" not in str(error.value)


def test_plot_shows_each_cluster(reviews):
    pytest.importorskip("matplotlib").use("Agg")
    X, labels, _, _ = reviews
    clustering = TargetedClustering(["praise", "complaint"], feature_labels=labels, random_state=0).fit(X)
    ax = plot_clusters(clustering.cluster_features_, names=clustering.cluster_names_, n_labels=2)
    ax.figure.canvas.draw()
    assert [tick.get_text() for tick in ax.get_yticklabels()] == (
        clustering.cluster_features_.groupby("cluster").head(2)["label"].to_list()
    )
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert legend == ["other clusters", *clustering.cluster_names_]
