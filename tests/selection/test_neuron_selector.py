"""`NeuronSelector` as a user meets it."""

import pickle
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csc_array, csr_array, csr_matrix, issparse
from scipy.stats import false_discovery_control
from sklearn import config_context
from sklearn.base import clone
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import make_scorer, r2_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

from sklearn_sae import NeuronSelector
from sklearn_sae.selection._resampling import complementary_halves

METHODS = ["lasso", "stepwise", "correlation", "separation"]


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


def test_a_fit_that_fails_leaves_the_earlier_one(planted):
    X, y = planted
    selector = NeuronSelector(3).fit(X, y)
    before = selector.get_support()
    with pytest.raises(ValueError, match="max_fdr"):
        selector.set_params(max_fdr=1e-9).fit(X, np.random.default_rng(0).normal(size=400))
    np.testing.assert_array_equal(selector.get_support(), before)


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


@pytest.fixture
def confounded(make_activations):
    """Neuron 7 and the target both follow the length of the text; neurons 4 and 17 say something of their own."""
    rng = np.random.default_rng(3)
    length = rng.gamma(2.0, size=400)
    X = make_activations().toarray()
    X[:, 7] = (length + 0.2 * rng.normal(size=400)) * (rng.random(400) < 0.8)
    y = 4 * length + X[:, [4, 17]] @ np.array([0.7, -0.7]) + 0.3 * rng.normal(size=400)
    return csr_matrix(X), y, length[:, None]


@pytest.mark.parametrize("method", METHODS)
def test_controls_leave_the_effects_beyond_them(confounded, method):
    X, y, length = confounded
    assert NeuronSelector(2, method=method).fit(X, y).get_support()[7]
    selector = NeuronSelector(2, method=method).fit(X, y, controls=length)
    assert selector.get_support(indices=True).tolist() == [4, 17]
    assert np.sign(selector.scores_[[4, 17]]).tolist() == [1, -1]
    assert selector.pvalues_[7] > 1e-4
    assert selector.pvalues_[[4, 17]].max() < 1e-9


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), method=st.sampled_from(METHODS), n_controls=st.integers(1, 4))
def test_controls_are_regressed_out(seed, method, n_controls):
    rng = np.random.default_rng(seed)
    controls = rng.normal(size=(60, n_controls)) + rng.integers(0, 50)
    X = rng.exponential(size=(60, 12)) * (rng.random((60, 12)) < 0.4)
    y = X[:, :5] @ rng.normal(size=5) + controls.sum(axis=1) + rng.normal(size=60)
    selector = NeuronSelector(4, method=method, n_top=10).fit(csr_array(X), y, controls=controls)

    def left(values):
        return values - LinearRegression().fit(controls, values).predict(controls)

    by_hand = NeuronSelector(4, method=method, n_top=10).fit(X if method == "separation" else left(X), left(y))
    np.testing.assert_allclose(selector.scores_, by_hand.scores_, atol=1e-7)
    np.testing.assert_array_equal(selector.get_support(), by_hand.get_support())

    shuffled = rng.permutation(60)
    scaled = controls * 10.0 ** rng.integers(-4, 5, size=n_controls) + 1
    other = NeuronSelector(4, method=method, n_top=10).fit(X[shuffled], y[shuffled], controls=scaled[shuffled])
    np.testing.assert_allclose(other.scores_, selector.scores_, atol=1e-7)
    np.testing.assert_allclose(other.pvalues_, selector.pvalues_, rtol=1e-5)
    np.testing.assert_array_equal(other.get_support(), selector.get_support())


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    method=st.sampled_from(METHODS),
    task=st.sampled_from(["regression", "binary", "multiclass"]),
    with_controls=st.booleans(),
)
def test_a_weight_is_the_row_repeated(seed, method, task, with_controls):
    rng = np.random.default_rng(seed)
    X = rng.exponential(size=(50, 8)) * (rng.random((50, 8)) < 0.5)
    y = X[:, :3] @ np.array([1.0, -1.0, 2.0]) + rng.normal(size=50)
    if task != "regression":
        y = np.array(["a", "b", "c", "d"])[np.digitize(y, [0] if task == "binary" else [-1, 1])]
    weight = rng.integers(0, 4, size=50)
    y[0], weight[0] = ("d" if task == "multiclass" else y[0]), 0  # a class without weight is no class
    controls = rng.normal(size=(50, 2)) if with_controls else None
    weighted = NeuronSelector(3, method=method, task=task, n_top=12)
    weighted.fit(csr_array(X), y, controls=controls, sample_weight=weight)
    repeated = NeuronSelector(3, method=method, task=task, n_top=12).fit(
        np.repeat(X, weight, axis=0),
        np.repeat(y, weight),
        controls=np.repeat(controls, weight, axis=0) if with_controls else None,
    )
    attribute = "class_scores_" if task == "multiclass" else "scores_"  # of equal class scores rounding picks one
    np.testing.assert_allclose(getattr(weighted, attribute), getattr(repeated, attribute), atol=1e-9)
    np.testing.assert_allclose(weighted.pvalues_, repeated.pvalues_, rtol=1e-6)
    np.testing.assert_array_equal(weighted.get_support(), repeated.get_support())
    if task != "regression":
        assert weighted.classes_.tolist() == repeated.classes_.tolist()


def test_stepwise_ranks_by_order_of_choice_so_that_choices_are_nested(planted):
    X, y = planted
    twenty = NeuronSelector(20, method="stepwise").fit(X, y)
    assert np.count_nonzero(twenty.scores_) == 20
    for n_neurons in (1, 3, 10):
        fewer = NeuronSelector(n_neurons, method="stepwise").fit(X, y)
        np.testing.assert_array_equal(fewer.get_support(), twenty.ranking_ <= n_neurons)


def test_stepwise_scores_are_least_squares_per_standard_deviation(planted):
    X, y = planted
    selector = NeuronSelector(3, method="stepwise").fit(X, y)
    kept = selector.transform(X).toarray()
    expected = LinearRegression().fit(kept, y).coef_ * kept.std(axis=0)
    np.testing.assert_allclose(selector.scores_[selector.get_support()], expected)


def test_a_class_that_the_controls_tell_apart_does_not_stop_the_others(make_activations):
    X = make_activations()
    y = np.where(X[:, 10].toarray()[:, 0] > 0, "berry", "cherry")
    y[:50] = "apple"
    for method in METHODS:
        selector = NeuronSelector(1, method=method).fit(X, y, controls=(y == "apple")[:, None])
        assert selector.get_support(indices=True).tolist() == [10]
        assert (selector.class_scores_[0] == 0).all()


def test_controls_and_weights_are_routed(confounded):
    X, y, length = confounded
    with config_context(enable_metadata_routing=True):
        selector = NeuronSelector(2).set_fit_request(controls=True, sample_weight=True)
        model = LinearRegression().set_fit_request(sample_weight=True)
        pipeline = make_pipeline(selector, model)
        scorer = make_scorer(r2_score).set_score_request(sample_weight=True)
        weight = np.arange(400) % 3
        pipeline.fit(X, y, controls=length, sample_weight=weight)
        expected = NeuronSelector(2).fit(X, y, controls=length, sample_weight=weight)
        np.testing.assert_array_equal(pipeline[0].scores_, expected.scores_)
        search = GridSearchCV(pipeline, {"neuronselector__n_neurons": [1, 2]}, cv=3, scoring=scorer)
        search.fit(X, y, controls=length, sample_weight=weight)
        assert search.best_estimator_[0].get_support()[[4, 17]].any()
        kept = selector.fit_transform(X, y, controls=length, sample_weight=weight)
        assert kept.shape == (400, 2)
    kept = make_pipeline(NeuronSelector(2)).fit_transform(X, y, neuronselector__controls=length)
    assert kept.shape == (400, 2)


def test_stability_is_the_share_of_halves_that_choose_a_neuron(planted):
    X, y = planted
    selector = NeuronSelector(5, n_resamples=20, random_state=0).fit(X, y)
    assert selector.stability_.shape == (60,)
    assert (selector.stability_[[4, 17, 33]] == 1).all()
    assert selector.stability_.sum() == pytest.approx(5)
    assert 0 < np.delete(selector.stability_, [4, 17, 33]).max() < 1
    again = NeuronSelector(5, n_resamples=20, random_state=0).fit(X, y)
    np.testing.assert_array_equal(again.stability_, selector.stability_)
    other = NeuronSelector(5, n_resamples=20, random_state=1).fit(X, y)
    assert (other.stability_ != selector.stability_).any()
    np.testing.assert_array_equal(other.scores_, selector.scores_)
    assert not hasattr(again.set_params(n_resamples=0).fit(X, y), "stability_")


def test_halves_come_in_complementary_pairs():
    for n_samples in (10, 11):
        halves = list(complementary_halves(n_samples, 5, np.random.RandomState(0)))
        assert [len(half) for half in halves] == [5] * 5
        for first, second in (halves[0:2], halves[2:4]):
            assert len(set(first) | set(second)) == 10
        assert set(halves[0]) != set(halves[2])


def test_halves_without_both_classes_choose_nothing(make_activations):
    X = make_activations()
    y = np.zeros(400)
    y[0] = 1  # in one half of each pair
    selector = NeuronSelector(3, method="correlation", n_resamples=10, random_state=0).fit(X, y)
    assert selector.stability_.sum() == pytest.approx(3 * 0.5)


def test_stability_takes_controls_weights_classes_and_callables(confounded):
    X, y, length = confounded
    classes = np.digitize(y, [5, 12])
    for method in METHODS:
        selector = NeuronSelector(4, method=method, task="multiclass", n_resamples=4, random_state=0)
        selector.fit(X, classes, controls=length, sample_weight=1 + np.arange(400) % 2)
        assert selector.stability_.sum() == pytest.approx(4)
    by_activity = NeuronSelector(4, method=lambda X, y: np.asarray(X.sum(axis=0)).ravel(), n_resamples=4)
    assert by_activity.fit(X, y).stability_.sum() == pytest.approx(4)


def test_max_fdr_keeps_those_of_the_choice_that_pass(planted):
    X, y = planted
    X = np.column_stack([X.toarray(), np.zeros(400)])
    everything = NeuronSelector(20).fit(X, y)
    assert np.isnan(everything.pvalues_[60])
    passing = np.zeros(61, dtype=bool)
    passing[:60] = false_discovery_control(everything.pvalues_[:60]) <= 0.05
    selector = NeuronSelector(20, max_fdr=0.05).fit(X, y)
    np.testing.assert_array_equal(selector.get_support(), everything.get_support() & passing)
    assert 3 <= selector.get_support().sum() < 20
    assert selector.transform(X).shape[1] == selector.get_support().sum()
    np.testing.assert_array_equal(selector.ranking_, everything.ranking_)


def test_max_fdr_holds_on_average_where_the_truth_is_known(make_activations):
    X = make_activations()
    shares = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        true = rng.choice(60, size=5, replace=False)
        y = X[:, true] @ np.full(5, 0.5) + rng.normal(size=400)
        found = NeuronSelector(60, method="correlation", max_fdr=0.2).fit(X, y).get_support(indices=True)
        shares.append(np.mean(~np.isin(found, true)))
    assert 0.02 < np.mean(shares) < 0.25


def test_without_any_association_max_fdr_says_so(make_activations):
    y = np.random.default_rng(0).normal(size=400)
    with pytest.raises(ValueError, match=r"None of the best 5 neurons passes max_fdr=0\.01; raise max_fdr"):
        NeuronSelector(5, max_fdr=0.01).fit(make_activations(), y)


@pytest.mark.parametrize(
    ("kwargs", "passed", "message"),
    [
        ({}, {"controls": np.full((400, 1), np.nan)}, "Input controls contains NaN"),
        ({}, {"controls": np.full((400, 1), np.inf)}, "Input controls contains infinity"),
        ({}, {"controls": np.ones((399, 1))}, "controls has 399 rows for the 400 rows of X"),
        ({}, {"controls": np.ones((400, 1, 1))}, "Found array with dim 3"),
        ({}, {"controls": [[f"secret {i}"] for i in range(400)]}, "'control 0' has another value in each row"),
        ({}, {"sample_weight": np.full(400, np.nan)}, "Input sample_weight contains NaN"),
        ({}, {"sample_weight": np.ones(399)}, r"sample_weight.shape == \(399,\)"),
        ({}, {"sample_weight": -np.ones(400)}, "Negative values in data passed to `sample_weight`"),
        ({}, {"sample_weight": np.zeros(400)}, "(?i)sample.weight"),
        ({}, {"sample_weight": np.eye(400)[0]}, "y is constant"),
        ({"method": lambda X, y: np.ones(60)}, {"controls": np.ones((400, 1))}, "controls are not passed on"),
        ({"method": lambda X, y: np.ones(60)}, {"sample_weight": np.ones(400)}, "sample_weight is not passed on"),
        ({"max_fdr": 1.0}, {}, "'max_fdr' parameter"),
        ({"n_resamples": -1}, {}, "'n_resamples' parameter"),
    ],
)
def test_bad_controls_and_weights_get_one_sentence(planted, kwargs, passed, message):
    with pytest.raises(ValueError, match=message) as error:
        NeuronSelector(3, **kwargs).fit(*planted, **passed)
    assert "secret" not in str(error.value)


def test_a_frame_of_controls_is_numbers_and_indicators(confounded):
    X, y, length = confounded
    length = np.ravel(length)
    rng = np.random.default_rng(0)
    topic = rng.choice(["a", "b", "c"], size=len(y))
    y = y + 3 * (topic == "c")
    frame = pd.DataFrame({"length": length, "topic": topic})
    theirs = np.column_stack([length, topic == "b", topic == "c"])
    one, other = (NeuronSelector(2).fit(X, y, controls=controls) for controls in (frame, theirs))
    np.testing.assert_allclose(one.scores_, other.scores_, atol=1e-9)


def test_controls_that_leave_nothing_are_refused(planted):
    X, y = planted
    with pytest.raises(ValueError, match="y is a linear combination of the controls"):
        NeuronSelector(3).fit(X, y, controls=np.column_stack([np.arange(400), 3 * y + 1]))
    with pytest.raises(ValueError, match="none varies \\(beyond the controls, if any\\)"):
        NeuronSelector(1).fit(X[:, [4]], y, controls=X[:, [4]].toarray())


def test_an_ordinal_target_is_its_places():
    rng = np.random.default_rng(0)
    X = rng.random((200, 6))
    places = np.digitize(X[:, 2] + 0.1 * rng.random(200), [0.3, 0.6, 0.9])
    words = np.array(["never", "rarely", "often", "always"])[places]
    ordinal = NeuronSelector(2, task="ordinal").fit(X, words)
    np.testing.assert_allclose(ordinal.scores_, NeuronSelector(2).fit(X, places + 1.0).scores_)
    assert ordinal.task_ == "regression"
    weights = (words != "rarely").astype(float)
    weighted = NeuronSelector(2, task="ordinal").fit(X, words, sample_weight=weights)
    expected = NeuronSelector(2).fit(X, places + 1.0, sample_weight=weights)
    np.testing.assert_allclose(weighted.scores_, expected.scores_)
    with pytest.raises(ValueError, match="classes of no known order"):
        NeuronSelector(2, task="ordinal").fit(X, np.array(["soup", "bread", "fish", "salt"])[places])


def test_spare_neurons_are_the_next_in_the_ranking_and_change_nothing_else():
    rng = np.random.default_rng(0)
    X = rng.random((200, 12))
    y = X[:, 3] - X[:, 8] + 0.3 * X[:, 5] + 0.1 * rng.random(200)
    plain, spare = NeuronSelector(2).fit(X, y), NeuronSelector(2, n_spare=3).fit(X, y)
    np.testing.assert_array_equal(spare.ranking_, plain.ranking_)
    np.testing.assert_array_equal(spare.scores_, plain.scores_)
    assert set(np.flatnonzero(spare.get_support())) == set(np.flatnonzero(plain.ranking_ <= 5))
    assert NeuronSelector(2, n_spare=99).fit(X, y).get_support().all()
