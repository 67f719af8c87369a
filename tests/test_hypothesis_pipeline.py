"""The standard pipeline with controls and weights."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn import clone, config_context
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_sae import KeywordHypothesisAnnotator, NeuronSelector, TopKSAETransformer, make_hypothesis_pipeline
from sklearn_sae._beyond_controls import left_by_controls
from sklearn_sae.datasets import make_concept_texts
from sklearn_sae.utils._controls import check_controls
from sklearn_sae.utils._targets import check_target


@pytest.fixture(scope="module")
def reviews():
    reviews = make_concept_texts(300, n_concepts=5, random_state=0)
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"kind": rng.choice(["a", "b", None], size=300), "age": rng.normal(size=300)})
    return reviews.data, reviews.target + 2 * (frame["kind"] == "a").to_numpy(), frame, rng.gamma(2, size=300)


@pytest.fixture
def pipeline():
    return make_hypothesis_pipeline(n_components=8, k=2, n_hypotheses=3, random_state=0)


@pytest.mark.filterwarnings("ignore:The control 'kind' is missing")
@pytest.mark.parametrize("binary", [False, True])
def test_hypotheses_are_those_of_the_residual_and_the_model_is_that_of_the_target(reviews, pipeline, binary):
    texts, y, frame, w = reviews
    y = np.where(y > 3, "good", "bad") if binary else y
    residual = left_by_controls(check_target(y), check_controls(frame, 300), w)
    expected = clone(pipeline["hypotheses"]).fit(texts, residual, sample_weight=w).get_feature_names_out()
    pipeline.fit(texts, y, controls=frame, sample_weight=w)
    np.testing.assert_array_equal(pipeline["hypotheses"].get_feature_names_out(), expected)
    annotations = pipeline["hypotheses"].transform(texts)
    model = clone(pipeline["model"]).fit(pipeline["impute"].transform(annotations), y, sample_weight=w / w.mean())
    np.testing.assert_array_equal(pipeline.predict(texts), model.predict(np.nan_to_num(annotations)))
    assert set(np.unique(pipeline.predict(texts))) <= {"good", "bad"} if binary else np.ptp(pipeline.predict(texts)) > 0
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(pipeline)).predict(texts), pipeline.predict(texts))


def test_without_controls_and_weights_it_is_the_pipeline_of_scikit_learn(reviews, pipeline):
    texts, y, _, w = reviews
    plain, weighted = clone(pipeline).fit(texts, y), clone(pipeline).fit(texts, y, sample_weight=np.ones(300))
    np.testing.assert_allclose(plain.predict(texts), weighted.predict(texts))
    plain.fit(texts, y, model__sample_weight=w)
    with pytest.raises(ValueError, match="exclude other parameters of fit; got model__sample_weight"):
        pipeline.fit(texts, y, sample_weight=w, model__sample_weight=w)


def test_rows_of_weight_zero_are_left_out(reviews, pipeline):
    texts, y, frame, _ = reviews
    w = (np.arange(300) < 250).astype(float)
    one = clone(pipeline).fit(texts, y, controls=frame["age"], sample_weight=w)
    other = clone(pipeline).fit(texts[:250], y[:250], controls=frame["age"][:250])
    np.testing.assert_allclose(one.predict(texts), other.predict(texts))


@pytest.mark.filterwarnings("ignore:The control 'kind' is missing")
@pytest.mark.parametrize("routing", [False, True])
def test_searches_pass_controls_and_weights_on(reviews, pipeline, routing):
    texts, y, frame, w = reviews
    with config_context(enable_metadata_routing=routing):
        grid = {"hypotheses__encoder__select__n_neurons": [2, 3]}
        search = GridSearchCV(pipeline, grid, cv=2).fit(texts, y, controls=frame, sample_weight=w)
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()
        alone = clone(search.best_estimator_).fit(texts, y, controls=frame, sample_weight=w)
        np.testing.assert_allclose(search.predict(texts), alone.predict(texts))
        given = {"controls": frame}
        scores = cross_val_score(pipeline, texts, y, params=given, cv=2)
        folds = cross_validate(pipeline, texts, y, params=given, cv=2, return_estimator=True)
        np.testing.assert_allclose(folds["test_score"], scores)
        first = clone(pipeline).fit(texts[150:], y[150:], controls=frame[150:])
        np.testing.assert_allclose(folds["estimator"][0].predict(texts), first.predict(texts))
        plain = cross_val_score(pipeline, texts, y, cv=2)
        assert not np.allclose(plain, scores)


def test_wrong_controls_are_said(reviews, pipeline):
    texts, y, frame, w = reviews
    with pytest.raises(ValueError, match="controls has 10 rows for the 300 rows of X"):
        pipeline.fit(texts, y, controls=frame[:10])
    with pytest.raises(ValueError, match="sample_weight must be one number a row"):
        pipeline.fit(texts, y, sample_weight=w[:10])
    with pytest.raises(ValueError, match="y is a linear combination of the controls"):
        pipeline.fit(texts, y, controls=y)


def test_a_frame_with_texts_is_sliced_with_its_named_columns(reviews, pipeline):
    texts, y, frame, w = reviews
    frame = frame.assign(text=texts, kind=frame["kind"].fillna("c"), weight=w)
    named = clone(pipeline).fit(frame, y, controls=["kind", "age"], sample_weight="weight")
    given = clone(pipeline).fit(texts, y, controls=frame[["kind", "age"]], sample_weight=w)
    np.testing.assert_array_equal(named.predict(frame), given.predict(texts))
    np.testing.assert_array_equal(named.predict(frame["text"]), given.predict(texts))
    with pytest.raises(ValueError, match="controls names the column 'topic'"):
        clone(pipeline).fit(frame, y, controls=["age", "topic"])
    with pytest.raises(ValueError, match="no column is called 'text'"):
        clone(pipeline).fit(frame.drop(columns="text"), y)
    with pytest.raises(ValueError, match="different orders"):
        clone(pipeline).fit(frame, pd.Series(y)[::-1], controls=["age"])


@pytest.mark.slow
@pytest.mark.parametrize("routing", [False, True])
def test_searches_slice_a_frame_with_its_named_columns(reviews, pipeline, routing):
    texts, y, frame, _ = reviews
    frame = frame.assign(text=texts, kind=frame["kind"].fillna("c"))
    with config_context(enable_metadata_routing=routing):
        names, columns = (
            {"controls": some, "by": by} for some, by in ((["age"], "kind"), (frame[["age"]], frame["kind"]))
        )
        one = cross_val_score(pipeline, frame, y, params=names, cv=2)
        np.testing.assert_allclose(one, cross_val_score(pipeline, texts, y, params=columns, cv=2))
        search = GridSearchCV(pipeline, {"hypotheses__encoder__select__interaction": [True]}, cv=2).fit(
            frame, y, **names
        )
        np.testing.assert_allclose(search.cv_results_["mean_test_score"], one.mean())


def test_subgroups_and_weights_reach_the_selection(reviews, pipeline):
    texts, y, frame, w = reviews
    kind = frame["kind"].fillna("c")
    pipeline.fit(texts, y, by=kind)
    assert pipeline["hypotheses"].encoder_["select"].interaction_scores_.shape == (3, 8)
    of_annotator = clone(pipeline["hypotheses"]).fit(texts, y, by=kind)
    np.testing.assert_array_equal(of_annotator.get_feature_names_out(), pipeline["hypotheses"].get_feature_names_out())
    plain = clone(pipeline).fit(texts, y)["hypotheses"]
    weighted = clone(pipeline).fit(texts, y, sample_weight=w)["hypotheses"]
    equal = clone(pipeline).fit(texts, y, sample_weight=np.full(300, 0.3))["hypotheses"]
    scores = [one.encoder_["select"].scores_ for one in (plain, equal, weighted)]
    np.testing.assert_array_equal(scores[0], scores[1])
    assert not np.allclose(scores[0], scores[2])
    np.testing.assert_array_equal(plain.get_feature_names_out(), equal.get_feature_names_out())
    with pytest.raises(TypeError, match="fit got by, which is for the last step of the encoder"):
        clone(plain).set_params(encoder=TfidfVectorizer()).fit(texts, y, by=kind)


def test_in_one_straight_pipeline_the_selector_alone_gets_the_subgroups(reviews):
    texts, y, frame, _ = reviews
    kind = frame["kind"].fillna("c")
    sae = TopKSAETransformer(8, 2, random_state=0)
    with config_context(enable_metadata_routing=True):
        select = NeuronSelector(3).set_fit_request(by=True)
        steps = (
            FunctionTransformer(TfidfVectorizer().fit(texts).transform),
            TruncatedSVD(10, random_state=0),
            sae,
            select,
        )
        straight = make_pipeline(*steps, KeywordHypothesisAnnotator(random_state=0))
        straight.fit(texts, y, texts=texts, by=kind)
        assert straight["neuronselector"].interaction_scores_.shape == (3, 8)
        encoder = make_pipeline(TfidfVectorizer(), TruncatedSVD(10, random_state=0), sae, select)
        annotator = KeywordHypothesisAnnotator(encoder, random_state=0).set_fit_request(by=True)
        model = make_pipeline(annotator, Ridge()).fit(texts, y, by=kind)
        assert hasattr(model[0].encoder_[-1], "interaction_scores_")
