"""Selection of neurons whose effect differs between subgroups."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn import config_context
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sklearn_sae import NeuronSelector


@pytest.fixture
def made():
    rng = np.random.default_rng(0)
    X = np.where(rng.random((800, 40)) < 0.3, rng.random((800, 40)), 0)
    town = pd.Series(rng.choice(["Trier", "Ulm", "Halle"], size=800), name="town")
    return rng, X, town, X[:, 7] - X[:, 11] + 0.3 * rng.normal(size=800)


@pytest.mark.parametrize("method", ["lasso", "stepwise", "correlation", "separation"])
@pytest.mark.parametrize("sparse", [False, True])
def test_a_neuron_that_predicts_in_one_subgroup_is_chosen_with_by_alone(made, method, sparse):
    _, X, town, y = made
    x = X[:, 20] - X[:, 20].mean()
    opposite = x * np.where(town == "Ulm", 2, -1)
    y = y + 1.5 * (opposite - x * (x @ opposite) / (x @ x))  # no correlation with the neuron is left
    X = csr_array(X) if sparse else X
    selector = NeuronSelector(3, method=method, n_top=60)
    assert 20 not in selector.fit(X, y).get_support(indices=True)
    assert not hasattr(selector, "interaction_scores_")
    assert selector.fit(X, y, by=town).get_support(indices=True).tolist() == [7, 11, 20]
    assert selector.interaction_scores_.shape == (3, 40)
    of_ulm, scores = np.sort(np.unique(town)).tolist().index("Ulm"), selector.interaction_scores_[:, 20]
    assert scores[of_ulm] == scores.max() > 0 > scores.min()
    without = NeuronSelector(3, method=method, n_top=60, interaction=False).fit(X, y, by=town)
    np.testing.assert_array_equal(without.scores_, NeuronSelector(3, method=method, n_top=60).fit(X, y).scores_)


def test_an_effect_that_is_the_same_everywhere_is_chosen_once_and_as_without_by(made):
    _, X, town, y = made
    one, other = NeuronSelector(2).fit(X, y), NeuronSelector(2).fit(X, y, by=town)
    np.testing.assert_array_equal(one.get_support(), other.get_support())
    assert np.abs(other.interaction_scores_[:, [7, 11]]).max() < 0.1 * np.abs(other.scores_[[7, 11]]).min()


def test_a_neuron_that_goes_with_the_subgroup_has_no_interaction(made):
    rng, X, town, y = made
    X[:, 3] = (town == "Ulm") * rng.random(800)
    y = y + 2 * (town == "Ulm")
    found = NeuronSelector(4).fit(X, y, by=town)
    assert np.abs(found.interaction_scores_[:, 3]).max() < 0.05


def test_periods_are_in_their_order_and_rows_without_one_say_nothing(made):
    rng, X, _, y = made
    month = pd.Series(pd.date_range("2025-01-01", periods=800, freq="12h")).dt.to_period("M")
    y = y + 1.5 * X[:, 20] * np.linspace(-1, 1, 800)
    selector = NeuronSelector(3).fit(X, y, by=month)
    assert selector.get_support(indices=True).tolist() == [7, 11, 20]
    assert selector.interaction_scores_.shape == (1, 40)
    assert selector.interaction_scores_[0, 20] > 0
    gaps = month.where(np.arange(800) % 2 == 0)
    doubled = y.copy()
    doubled[1::2] = rng.normal(size=400) * 1e-9 + y[1::2]
    one, other = (NeuronSelector(3, method="correlation").fit(X, some, by=gaps) for some in (y, doubled))
    np.testing.assert_allclose(one.interaction_scores_, other.interaction_scores_, atol=1e-6)


def test_weights_are_repeated_rows(made):
    rng, X, town, y = made
    y = y + 1.5 * X[:, 20] * np.where(town == "Ulm", 2, -1)
    w = rng.integers(0, 3, size=800)
    rows = np.repeat(np.arange(800), w)
    weighted = NeuronSelector(3).fit(X, y, by=town, sample_weight=w)
    repeated = NeuronSelector(3).fit(X[rows], y[rows], by=town.iloc[rows])
    np.testing.assert_allclose(weighted.interaction_scores_, repeated.interaction_scores_, atol=1e-10)
    np.testing.assert_array_equal(weighted.get_support(), repeated.get_support())


def test_controls_are_taken_out_of_interactions(made):
    rng, X, town, y = made
    length = rng.gamma(2, size=800)
    X[:, 5] = length + 0.5 * rng.random(800)
    y = y + 2 * length * np.where(town == "Ulm", 2, -1)
    found = NeuronSelector(3).fit(X, y, by=town, controls=np.column_stack([length, length * (town == "Ulm")]))
    assert 5 not in found.get_support(indices=True)


def test_several_classes_and_resamples(made):
    _, X, town, y = made
    y = y + 1.5 * X[:, 20] * np.where(town == "Ulm", 2, -1)
    classes = pd.cut(y, 3, labels=["low", "middle", "high"]).astype(str)
    found = NeuronSelector(3, n_resamples=10, random_state=0).fit(X, classes, by=town)
    assert found.get_support()[20]
    assert found.class_scores_.shape == (3, 40)
    assert found.interaction_scores_.shape == (9, 40)
    assert found.stability_[[7, 20]].min() > 0.8


def test_by_is_searched_over_and_what_cannot_be_used_is_said(made):
    _, X, town, y = made
    with config_context(enable_metadata_routing=True):
        model = make_pipeline(NeuronSelector(3).set_fit_request(by=True), LinearRegression())
        search = GridSearchCV(model, {"neuronselector__interaction": [False, True]}, cv=3).fit(X, y, by=town)
        assert (
            hasattr(search.best_estimator_[0], "interaction_scores_")
            == search.best_params_["neuronselector__interaction"]
        )
    with pytest.raises(ValueError, match="by must be one value a row"):
        NeuronSelector(3).fit(X, y, by=town[:5])
    with pytest.raises(ValueError, match="by has 800 values, too many"):
        NeuronSelector(3).fit(X, y, by=np.arange(800))
    with pytest.raises(ValueError, match="by is not passed on to a callable method"):
        NeuronSelector(3, method=lambda X, y: X.sum(axis=0)).fit(X, y, by=town)
