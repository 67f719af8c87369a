"""Several autoencoders side by side, in a FeatureUnion where one would stand."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline

from sklearn_sae import (
    ChunkTransformer,
    KeywordHypothesisAnnotator,
    NeuronSelector,
    PairTransformer,
    TopKSAETransformer,
    make_hypothesis_pipeline,
)
from sklearn_sae.datasets import make_concept_texts


@pytest.fixture(scope="module")
def reviews():
    reviews = make_concept_texts(400, n_concepts=5, noise=0.2, random_state=0)
    reviews.data = np.array(reviews.data, dtype=object)
    return reviews


@pytest.fixture(scope="module")
def embeddings(reviews):
    return embedder().fit_transform(reviews.data)


def embedder():
    return make_pipeline(TfidfVectorizer(min_df=2), TruncatedSVD(24, random_state=0))


def sae(n_components, k, **parameters):
    return TopKSAETransformer(n_components, k, random_state=0, **{"max_epochs": 6, **parameters})


def union(n_jobs=None, **parameters):
    return FeatureUnion([("coarse", sae(8, 2, **parameters)), ("fine", sae(32, 4, **parameters))], n_jobs=n_jobs)


def first_of_each(X, y):
    """Score neurons so that the first that are alive of both autoencoders are kept, whatever these learned."""
    return 100 - np.r_[0:8, 0:32]


def encoder(method="lasso", **parameters):
    select = NeuronSelector(6, method=method)
    return Pipeline([("embed", embedder()), ("sae", union(**parameters)), ("select", select)])


def assert_both(names):
    assert {name.split("__")[0] for name in names} == {"coarse", "fine"}


def test_the_union_is_both_autoencoders_sparse_and_named(embeddings):
    both = union().fit(embeddings)
    codes = both.transform(embeddings)
    assert sparse.issparse(codes)
    assert (codes.format, codes.shape, codes.dtype) == ("csr", (400, 40), embeddings.dtype)
    assert codes.indices.dtype == np.int32
    assert codes.getnnz(axis=1).max() <= 2 + 4
    for part, alone in ((slice(0, 8), sae(8, 2)), (slice(8, 40), sae(32, 4))):
        np.testing.assert_array_equal(codes[:, part].toarray(), alone.fit_transform(embeddings).toarray())
    names = both.get_feature_names_out()
    assert names[[0, 7, 8, 39]].tolist() == [
        "coarse__topksaetransformer0",
        "coarse__topksaetransformer7",
        "fine__topksaetransformer0",
        "fine__topksaetransformer31",
    ]
    np.testing.assert_array_equal(union().fit_transform(embeddings).toarray(), codes.toarray())


def test_pandas_output_keeps_sparse_columns_and_names(embeddings):
    rows = [f"row {i}" for i in range(len(embeddings))]
    both = union().set_output(transform="pandas")
    frame = both.fit_transform(pd.DataFrame(embeddings, index=rows).add_prefix("dimension "))
    assert list(frame.columns) == list(both.get_feature_names_out())
    assert list(frame.index) == rows
    assert all(isinstance(dtype, pd.SparseDtype) for dtype in frame.dtypes)
    np.testing.assert_allclose(frame.to_numpy(), union().fit_transform(embeddings).toarray(), rtol=1e-5, atol=1e-6)


def test_two_jobs_pickles_and_clones_give_the_same(embeddings):
    fitted = union().fit(embeddings)
    expected = fitted.transform(embeddings).toarray()
    copies = [union(n_jobs=2).fit(embeddings), pickle.loads(pickle.dumps(fitted)), clone(fitted).fit(embeddings)]
    for copy in copies:
        np.testing.assert_array_equal(copy.transform(embeddings).toarray(), expected)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_the_target_reaches_both(n_jobs, embeddings, reviews):
    y = np.where(reviews.target > 3, "high", "low")
    both = union(n_jobs=n_jobs, target_weight=1.0).fit(embeddings, y)
    for (_, fitted), (_, without) in zip(both.transformer_list, union().fit(embeddings).transformer_list, strict=True):
        assert fitted.task_ == "binary"
        assert fitted.classes_.tolist() == ["high", "low"]
        assert np.abs(fitted.components_ - without.components_).max() > 1e-3
    with pytest.raises(ValueError, match="target_weight"):
        union(target_weight=1.0).fit(embeddings)


def test_an_annotator_names_neurons_of_both(reviews):
    annotator = KeywordHypothesisAnnotator(encoder(first_of_each), random_state=0).fit(reviews.data, reviews.target)
    table = annotator.hypotheses_
    names = annotator.encoder_.get_feature_names_out()
    assert table["feature"].tolist() == names[table["neuron"]].tolist()  # the columns of what was selected
    assert_both(table["feature"])
    assert_both(names)
    assert table["selection_score"].notna().all()
    annotations = annotator.transform(reviews.data)
    assert set(np.unique(annotations)) == {0.0, 1.0}
    with config_context(transform_output="pandas"):
        again = KeywordHypothesisAnnotator(encoder(first_of_each), random_state=0)
        frame = again.fit(reviews.data, reviews.target).transform(reviews.data)
    assert again.hypotheses_["feature"].tolist() == table["feature"].tolist()
    np.testing.assert_array_equal(frame.to_numpy(), annotations)


def test_the_standard_pipeline_takes_a_union_for_its_autoencoder(reviews):
    pipeline = make_hypothesis_pipeline(embedder(), n_hypotheses=6, random_state=0)
    pipeline.set_params(hypotheses__encoder__sae=union(target_weight=1.0))
    pipeline.set_params(hypotheses__encoder__select__method=first_of_each)
    pipeline.set_params(hypotheses__encoder__sae__fine__k=3)
    pipeline.fit(reviews.data[:300], reviews.target[:300])
    assert pipeline.predict(reviews.data[300:]).shape == (100,)
    assert_both(pipeline["hypotheses"].hypotheses_["feature"])
    fine = pipeline["hypotheses"].encoder_["sae"].named_transformers["fine"]
    assert (fine.k, fine.components_.shape) == (3, (32, 24))


def test_a_search_over_the_sizes_of_one_of_them(reviews):
    model = Pipeline([*encoder().steps, ("model", LinearRegression())])
    grid = {"sae__fine__k": [2, 8], "sae__fine__n_components": [16]}
    searches = [
        GridSearchCV(model, grid, scoring="r2", cv=2, n_jobs=n_jobs, error_score="raise").fit(
            reviews.data, reviews.target
        )
        for n_jobs in (1, 2)
    ]
    scores = [search.cv_results_["mean_test_score"] for search in searches]
    np.testing.assert_array_equal(*scores)
    assert scores[0][0] != scores[0][1]
    best = searches[0].best_estimator_["sae"].named_transformers
    assert best["fine"].components_.shape[0] == 16
    assert best["coarse"].components_.shape[0] == 8


def test_a_part_can_be_left_out_in_a_search(reviews):
    model = Pipeline([*encoder().steps, ("model", LinearRegression())])
    grid = {"sae__coarse": ["drop", sae(8, 2)]}
    search = GridSearchCV(model, grid, scoring="r2", cv=2, error_score="raise").fit(reviews.data, reviews.target)
    assert search.best_estimator_["sae"].get_feature_names_out().shape[0] in (32, 40)
    assert search.cv_results_["mean_test_score"].std() > 0


@pytest.mark.parametrize("inside", [True, False])
def test_pairs_around_the_union(inside, reviews):
    pairs, stars = reviews.data.reshape(-1, 2), reviews.target.reshape(-1, 2)
    first_wins = stars[:, 0] > stars[:, 1]
    steps = encoder(target_weight=1.0)
    if inside:
        model = make_pipeline(PairTransformer(steps), LogisticRegression(fit_intercept=False))
    else:
        model = make_pipeline(PairTransformer(steps[:-1]), steps[-1], LogisticRegression(fit_intercept=False))
    differences = model[:-1].fit(pairs, first_wins).transform(pairs)
    assert sparse.issparse(differences)
    assert differences.shape == (200, 6)
    swapped = model[:-1].transform(pairs[:, ::-1])
    np.testing.assert_array_equal(swapped.toarray(), -differences.toarray())
    assert all("__topksaetransformer" in name for name in model[:-1].get_feature_names_out())
    assert cross_val_score(model, pairs, first_wins, cv=2, scoring="roc_auc", error_score="raise").min() > 0.4


def test_an_annotator_of_pairs_and_one_of_long_documents(reviews):
    pairs, stars = reviews.data.reshape(-1, 2), reviews.target.reshape(-1, 2)
    annotator = KeywordHypothesisAnnotator(encoder(), random_state=0)
    pair = PairTransformer(annotator).fit(pairs, stars[:, 0] > stars[:, 1])
    assert set(np.unique(pair.transform(pairs))) == {-1.0, 0.0, 1.0}
    assert all("__topksaetransformer" in name for name in pair.transformer_.hypotheses_["feature"])
    documents = ["\n".join(some) for some in pairs]
    chunks = ChunkTransformer(encoder()[:-1], max_words=30).fit(documents, stars.sum(axis=1))
    pooled = chunks.transform(documents)
    assert sparse.issparse(pooled)
    assert pooled.shape == (200, 40)
    assert_both(chunks.get_feature_names_out())


def test_fitted_ones_can_be_joined(embeddings, reviews):
    """As one does with autoencoders that were trained before, on more texts."""
    coarse, fine = sae(8, 2).fit(embeddings), sae(32, 4).fit(embeddings)
    both = FeatureUnion([("coarse", FrozenEstimator(coarse)), ("fine", FrozenEstimator(fine))])
    selected = make_pipeline(both, NeuronSelector(6)).fit(embeddings, reviews.target)
    assert all("__topksaetransformer" in name for name in selected.get_feature_names_out())
    expected = sparse.hstack([coarse.transform(embeddings), fine.transform(embeddings)]).toarray()
    np.testing.assert_array_equal(selected[0].transform(embeddings).toarray(), expected)


def test_one_straight_pipeline_with_texts_beside(reviews, embeddings):
    with config_context(enable_metadata_routing=True):
        straight = make_pipeline(union(), NeuronSelector(6), KeywordHypothesisAnnotator(), LinearRegression())
        straight.fit(embeddings, reviews.target, texts=reviews.data)
        predicted = straight.predict(embeddings, texts=reviews.data)
    assert straight[2].get_feature_names_out()[0].startswith("mentions ")
    assert predicted.std() > 0


def test_one_matryoshka_takes_the_place_of_two(embeddings, reviews):
    nested = sae(32, 4, matryoshka_prefixes=[8, 32])
    model = make_pipeline(clone(nested), NeuronSelector(30)).fit(embeddings, reviews.target)
    assert model.transform(embeddings).shape[1] > 24  # so that some are of the first 8
    alone = nested.set_params(matryoshka_prefixes=None).fit(embeddings)
    errors = []
    for fitted in (model[0], alone):
        codes = fitted.transform(embeddings).toarray()
        codes[:, 8:] = 0
        errors.append(((embeddings - fitted.inverse_transform(codes)) ** 2).sum())
    assert errors[0] < errors[1]  # the first 8 reconstruct by themselves, as a coarse one would
