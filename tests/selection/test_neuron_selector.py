"""`NeuronSelector` as a user meets it."""

import pickle
import subprocess
import sys
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csc_array, csr_array, csr_matrix, issparse
from sklearn.base import clone
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_sae import NeuronSelector

METHODS = ["lasso", "correlation", "separation"]


# All of them; scikit-learn itself skips check_array_api_input unless SCIPY_ARRAY_API is set.
@parametrize_with_checks(
    [NeuronSelector(n_neurons=1), NeuronSelector(n_neurons=1, method="correlation")],
)
def test_common_checks(estimator, check):
    check(estimator)


@pytest.fixture
def planted(make_activations):
    X = make_activations()
    rng = np.random.default_rng(0)
    y = X[:, [4, 17, 33]] @ np.array([2.0, -3.0, 1.5]) + 0.3 * rng.normal(size=X.shape[0])
    return X, y


@pytest.mark.parametrize("method", METHODS)
def test_finds_the_planted_neurons_with_their_signs(planted, method):
    X, y = planted
    selector = NeuronSelector(3, method=method).fit(X, y)
    assert selector.get_support(indices=True).tolist() == [4, 17, 33]
    assert np.sign(selector.scores_[[4, 17, 33]]).tolist() == [1, -1, 1]
    assert selector.ranking_[17] == 1
    assert sorted(selector.ranking_) == list(range(1, 61))
    assert selector.task_ == "regression"
    assert selector.get_feature_names_out().tolist() == ["x4", "x17", "x33"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("form", [csr_matrix, csr_array, csc_array, lambda X: X.toarray()])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_any_form_gives_the_same_choice_and_keeps_its_type(planted, method, form, dtype):
    X, y = planted
    expected = NeuronSelector(8, method=method).fit(X.astype(dtype).astype(np.float64), y)
    X = form(X.astype(dtype))
    selector = NeuronSelector(8, method=method).fit(X, y)
    np.testing.assert_allclose(selector.scores_, expected.scores_, atol=1e-10)
    np.testing.assert_array_equal(selector.get_support(), expected.get_support())
    out = selector.transform(X)
    assert out.dtype == dtype
    assert out.shape == (400, 8)
    assert issparse(out) == issparse(X)
    if issparse(X):
        assert out.format == "csr"
        assert out.indices.dtype == np.int32
        assert isinstance(out, csr_matrix) == isinstance(X, csr_matrix)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n_neurons", [1, 7, 20, 60])
def test_keeps_exactly_n_neurons(planted, method, n_neurons):
    X, y = planted
    assert NeuronSelector(n_neurons, method=method).fit(X, y).get_support().sum() == n_neurons


def test_lasso_scores_are_per_standard_deviation_in_units_of_the_target(planted):
    X, y = planted
    selector = NeuronSelector(60).fit(X, y)  # the whole path but its last knot
    scaled = NeuronSelector(60).fit(X * 5, 100 * y + 7)
    np.testing.assert_allclose(scaled.scores_, 100 * selector.scores_, rtol=1e-6)
    assert selector.scores_[17] == pytest.approx(-3 * X[:, [17]].toarray().std(), rel=0.1)


def test_lasso_keeps_one_of_two_equal_neurons_and_correlation_both(planted):
    X, y = planted
    X = X.toarray()
    X[:, 40] = X[:, 17]
    assert NeuronSelector(3).fit(X, y).get_support(indices=True).tolist() == [4, 17, 33]
    assert NeuronSelector(2, method="correlation").fit(X, y).get_support(indices=True).tolist() == [17, 40]


def test_lasso_fills_up_by_correlation_where_the_path_ends():
    rng = np.random.default_rng(0)
    a, b, c = rng.normal(size=(3, 100))
    X = np.column_stack([c, b, a, a, b, c])
    selector = NeuronSelector(5).fit(X, 3 * a + 2 * b + c)
    assert selector.get_support().sum() == 5
    assert selector.ranking_.tolist() == [3, 2, 1, 4, 5, 6]
    assert (selector.scores_[[3, 4, 5]] == 0).all()


@pytest.mark.parametrize("method", METHODS)
def test_dead_and_constant_neurons_never_win_and_never_warn(planted, method, recwarn):
    X, y = planted
    X = np.column_stack([np.zeros(400), np.full(400, 0.1), X.toarray()[:, [4, 5]], np.full(400, 7.0)])
    for form in (X, csr_array(X), X.astype(np.float32)):
        selector = NeuronSelector(2, method=method).fit(form, y)
        assert selector.get_support(indices=True).tolist() == [2, 3]
        assert (selector.scores_[[0, 1, 4]] == 0).all()
        assert sorted(selector.ranking_[[0, 1, 4]]) == [3, 4, 5]
    assert not recwarn.list


def test_fewer_live_neurons_than_asked_for_are_all_kept_with_a_warning(planted):
    X, y = planted
    X = np.column_stack([np.zeros(400), X.toarray()[:, [4, 5]]])
    with pytest.warns(UserWarning, match="Only 2 of 3 neurons"):
        selector = NeuronSelector(3).fit(X, y)
    assert selector.transform(X).shape == (400, 2)
    assert selector.get_support(indices=True).tolist() == [1, 2]


@pytest.mark.parametrize("method", METHODS)
def test_binary_labels_of_any_kind_give_the_same_choice(planted, method):
    X, y = planted
    high = y > np.median(y)
    expected = NeuronSelector(5, method=method).fit(X, high)
    assert expected.task_ == "binary"
    assert not hasattr(expected, "class_scores_")
    assert expected.scores_[17] < 0 < expected.scores_[4]
    for labels in (high.astype(int), np.where(high, 7.5, -2.0), np.where(high, "yes", "no"), list(high)):
        selector = NeuronSelector(5, method=method).fit(X, labels)
        np.testing.assert_allclose(selector.scores_, expected.scores_, atol=1e-12)
        assert selector.classes_.tolist() == sorted(set(np.asarray(labels).tolist()))


@pytest.mark.parametrize("method", METHODS)
def test_multiclass_scores_each_class_against_the_rest(make_activations, method):
    X = make_activations(n_samples=900)
    hints = np.column_stack([np.full(900, 1.0), X[:, 10].toarray()[:, 0] * 3, X[:, 20].toarray()[:, 0] * 3])
    y = np.array(["apple", "berry", "cherry"])[hints.argmax(axis=1)]
    selector = NeuronSelector(2, method=method).fit(X, y)
    assert selector.task_ == "multiclass"
    assert selector.get_support(indices=True).tolist() == [10, 20]
    assert selector.class_scores_.shape == (3, 60)
    assert selector.class_scores_[1, 10] > 0.02
    assert selector.class_scores_[2, 20] > 0.02
    strongest = np.abs(selector.class_scores_).argmax(axis=0)
    np.testing.assert_array_equal(selector.scores_, selector.class_scores_[strongest, np.arange(60)])
    np.testing.assert_allclose(
        NeuronSelector(2, method="correlation").fit(X, y == "berry").scores_,
        NeuronSelector(2, method="correlation").fit(X, y).class_scores_[1],
    )


def test_star_ratings_are_a_regression_unless_told_otherwise(planted):
    X, y = planted
    stars = np.digitize(y, np.quantile(y, [0.2, 0.4, 0.6, 0.8])) + 1
    assert NeuronSelector(3).fit(X, stars).task_ == "regression"
    assert NeuronSelector(3, task="multiclass").fit(X, stars).class_scores_.shape == (5, 60)


def test_a_callable_gets_sparse_activations_and_encoded_labels(planted):
    X, y = planted
    seen = {}

    def method(X, y):
        seen.update(X=X, y=y)
        scores = np.arange(60.0)
        scores[[59, 58]] = np.nan
        scores[3] = -100
        return scores

    selector = NeuronSelector(3, method=method).fit(X, np.where(y > 0, "up", "down"))
    assert issparse(seen["X"])
    np.testing.assert_array_equal(seen["y"], y > 0)
    assert selector.get_support(indices=True).tolist() == [3, 56, 57]
    assert selector.ranking_[3] == 1
    assert sorted(selector.ranking_[[58, 59]]) == [59, 60]


@pytest.mark.parametrize("returned", [np.zeros(59), np.zeros((2, 60)), 1.0, ["a"] * 60])
def test_a_callable_that_returns_another_shape_is_refused(planted, returned):
    with pytest.raises(ValueError, match=r"method must return one number for each neuron, shape \(60,\)"):
        NeuronSelector(3, method=lambda X, y: returned).fit(*planted)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), method=st.sampled_from(METHODS), n_neurons=st.integers(1, 6))
def test_equal_neurons_are_taken_by_index(seed, method, n_neurons):
    rng = np.random.default_rng(seed)
    X = np.repeat(rng.integers(0, 3, size=(30, 3)).astype(float), 2, axis=1)  # each neuron twice, side by side
    X[:3] = [[0, 0, 1, 1, 2, 2], [1, 1, 2, 2, 0, 0], [2, 2, 0, 0, 1, 1]]
    selector = NeuronSelector(n_neurons, method=method).fit(X, rng.normal(size=30))
    first, second = selector.ranking_[::2], selector.ranking_[1::2]
    assert (first < second).all()
    assert selector.get_support().sum() == n_neurons


@pytest.mark.parametrize(
    ("kwargs", "make", "message"),
    [
        ({"n_neurons": 61}, lambda X, y: (X, y), "n_neurons=61 is more than the 60 neurons of X"),
        ({"n_neurons": 0}, lambda X, y: (X, y), "'n_neurons' parameter of NeuronSelector must be an int in the range"),
        ({"method": "ridge"}, lambda X, y: (X, y), "'method' parameter of NeuronSelector must be"),
        ({"n_top": 0}, lambda X, y: (X, y), "'n_top' parameter"),
        ({}, lambda X, y: (X, np.ones(len(y))), "y is constant"),
        ({}, lambda X, y: (X, ["same"] * len(y)), "y is constant"),
        ({}, lambda X, y: (X, y[:-1]), "inconsistent numbers of samples"),
        ({}, lambda X, y: (X, None), "requires y to be passed"),
        ({}, lambda X, y: (X, np.where(y > 0, y, np.nan)), "y contains NaN"),
        ({"task": "binary"}, lambda X, y: (X, np.digitize(y, [-1, 1])), "3 classes where a binary statistic"),
        ({"task": "regression"}, lambda X, y: (X, ["a", "b"] * 200), "y is not numeric"),
        ({}, lambda X, y: (X[:1], y[:1]), "minimum of 2 is required"),
        ({}, lambda X, y: (X * np.nan, y), "X contains NaN"),
        ({}, lambda X, y: (X.toarray() * np.inf, y), "Input X contains"),
        ({}, lambda X, y: (X * 0, y), "No neuron of X can be kept"),
        ({"method": "separation"}, lambda X, y: (X.toarray() + 1, y), "No neuron of X can be kept"),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value encountered in multiply")
def test_bad_input_gets_one_sentence(planted, kwargs, make, message):
    X, y = planted
    with pytest.raises(ValueError, match=message):
        NeuronSelector(**{"n_neurons": 3, **kwargs}).fit(*make(X, y))


def test_sizes_are_checked_before_a_constant_target(planted):
    X, y = planted
    with pytest.raises(ValueError, match="n_neurons=99"):
        NeuronSelector(99).fit(X, np.ones_like(y))


def test_searches_clones_pickles_and_frames(planted):
    X, y = planted
    search = GridSearchCV(
        make_pipeline(NeuronSelector(), LinearRegression()),
        {"neuronselector__n_neurons": [1, 3], "neuronselector__method": METHODS},
        cv=3,
    ).fit(X, y)
    assert search.best_params_["neuronselector__n_neurons"] == 3
    assert search.best_score_ > 0.9
    frame = pd.DataFrame(X.toarray(), columns=[f"neuron {i}" for i in range(60)])
    selector = pickle.loads(pickle.dumps(clone(NeuronSelector(3)).set_output(transform="pandas").fit(frame, y)))
    assert list(selector.transform(frame).columns) == ["neuron 4", "neuron 17", "neuron 33"]


def test_wide_sparse_activations_are_never_filled_in(make_activations):
    X = make_activations(n_samples=1500, n_neurons=8192, k=8, dtype=np.float32)
    y = X[:, :30] @ np.ones(30) + np.random.default_rng(0).normal(size=1500)
    for method in METHODS:
        tracemalloc.start()
        NeuronSelector(10, method=method).fit(X, y)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 1500 * 8192 * 4 / 4  # a quarter of the dense float32 array; a Gram matrix would be 11 times it


@pytest.mark.filterwarnings("ignore:.*penalty")
def test_least_squares_on_a_binary_target_agrees_with_l1_logistic_regression(yelp):
    texts, stars, _ = yelp
    X = CountVectorizer(binary=True, min_df=20).fit_transform(texts).astype(np.float64)
    y = stars >= 4
    ours = NeuronSelector(20).fit(X, y).get_support()
    Z = X.toarray()
    Z = (Z - Z.mean(axis=0)) / Z.std(axis=0)
    low, high = 1e-4, 1e-1
    for _ in range(12):
        C = np.sqrt(low * high)
        model = LogisticRegression(C=C, penalty="l1", solver="liblinear", random_state=0).fit(Z, y)
        theirs = model.coef_[0] != 0
        low, high = (C, high) if theirs.sum() < 20 else (low, C)
        if theirs.sum() == 20:
            break
    assert (ours & theirs).sum() >= 16


def test_words_of_reviews_predict_stars(yelp):
    texts, stars, _ = yelp
    X = CountVectorizer(binary=True, min_df=10).fit_transform(texts).astype(np.float32)
    scores = cross_val_score(make_pipeline(NeuronSelector(20), LinearRegression()), X, stars, cv=3)
    assert scores.mean() > 0.25


def test_import_stays_light():
    heavy = "{'torch', 'openai', 'statsmodels', 'sentence_transformers'}"
    code = f"import sys, sklearn_sae; sklearn_sae.NeuronSelector; print({heavy} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"


def test_a_refit_to_another_task_leaves_nothing_of_the_first():
    X = np.random.default_rng(0).random((60, 5))
    selector = NeuronSelector(2).fit(X, np.repeat(["a", "b", "c"], 20))
    assert selector.class_scores_.shape == (3, 5)
    selector.fit(X, np.arange(60.0))
    assert not hasattr(selector, "class_scores_")
    assert not hasattr(selector, "classes_")


@pytest.mark.parametrize("form", [list, np.array, pd.Series, lambda t: [[text, 1.0] for text in t]])
def test_texts_are_refused_and_not_quoted(form):
    with pytest.raises(ValueError, match="X holds texts where numbers are needed; embed them first") as error:
        NeuronSelector(1).fit(form(["I love secret", "secrets é"]), [0, 1])
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("form", [list, np.array, lambda texts: np.array(texts, dtype=object)])
def test_texts_are_not_quoted_by_transform_either(form):
    selector = NeuronSelector(1).fit(np.random.default_rng(0).random((6, 2)), range(6))
    with pytest.raises(ValueError, match="X holds texts where numbers are needed; embed them first") as error:
        selector.transform(form(["I love secret", "it's secrets"]))
    assert "secret" not in str(error.value)
