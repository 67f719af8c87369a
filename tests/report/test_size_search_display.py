import warnings

import numpy as np
import pytest
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, PredefinedSplit, RandomizedSearchCV
from sklearn.pipeline import make_pipeline

from sklearn_sae import SizeSearchDisplay, TopKSAETransformer

from .conftest import assert_nothing_overlaps

pytest.importorskip("matplotlib").use("agg")

rng = np.random.default_rng(0)
X = rng.normal(size=(120, 8)).astype(np.float32)
Y = X[:, 0] + np.abs(X[:, 1])
PIPELINE = make_pipeline(TopKSAETransformer(max_epochs=2, random_state=0), Ridge())
M, K = "topksaetransformer__n_components", "topksaetransformer__k"


def _labels(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


def test_each_k_is_a_line_over_m(keep):
    search = GridSearchCV(PIPELINE, {M: [8, 16, 32], K: [2, 4]}, cv=3, scoring="r2").fit(X, Y)
    display = SizeSearchDisplay.from_estimator(search)
    assert_nothing_overlaps(keep(display.figure_))
    results = search.cv_results_
    for line, k in zip(display.lines_, (2, 4), strict=True):
        assert line.get_label() == f"K = {k}"
        rows = [i for i, params in enumerate(results["params"]) if params[K] == k]
        np.testing.assert_allclose(line.get_ydata(), results["mean_test_score"][rows])
        np.testing.assert_allclose(line.get_xdata(), [8, 16, 32], rtol=0.05)
    low, high = np.array([path.vertices[:, 1] for path in display.bars_[0].get_paths()]).T
    np.testing.assert_allclose((high - low) / 2, results["std_test_score"][[p[K] == 2 for p in results["params"]]])
    best = search.best_params_
    assert f"chosen: M = {best[M]}, K = {best[K]}" in _labels(display)
    assert display.ax_.get_ylabel().startswith("r2\n")


def test_of_other_parameters_the_best_is_drawn(keep):
    grid = {M: [8, 16], "ridge__alpha": [1e-3, 1e6]}
    search = GridSearchCV(PIPELINE.set_params(**{K: 2}), grid, cv=2).fit(X, Y)
    display = SizeSearchDisplay.from_estimator(search, score_name="R²")
    keep(display.figure_)
    means = search.cv_results_["mean_test_score"]
    best = [max(means[i] for i, p in enumerate(search.cv_results_["params"]) if p[M] == m) for m in (8, 16)]
    assert display.k is None
    np.testing.assert_allclose(display.lines_[0].get_ydata(), best)


def test_many_values_of_k_are_points(keep):
    search = RandomizedSearchCV(
        PIPELINE, {M: np.arange(20, 64), K: np.arange(1, 20)}, n_iter=12, cv=2, random_state=0
    ).fit(X, Y)
    display = SizeSearchDisplay.from_estimator(search)
    assert_nothing_overlaps(keep(display.figure_))
    assert display.lines_ == []
    np.testing.assert_array_equal(np.sort(display.points_.get_array()), np.sort(display.k))


def test_a_halved_candidate_stands_where_it_was_scored_last(keep):
    search = HalvingGridSearchCV(PIPELINE, {M: [8, 16, 32], K: [2, 4]}, cv=2, min_resources=30, random_state=0)
    display = SizeSearchDisplay.from_estimator(search.fit(X, Y))
    assert_nothing_overlaps(keep(display.figure_))
    assert len(display.n_components) == 6
    assert len(set(display.n_resources.tolist())) > 1
    last = {}
    for params, resources in zip(search.cv_results_["params"], search.cv_results_["n_resources"], strict=True):
        last[params[M], params[K]] = resources
    sizes = zip(display.n_components, display.k, display.n_resources, strict=True)
    assert {(m, k): n for m, k, n in sizes} == last
    assert "on fewer samples" in _labels(display)


@pytest.mark.parametrize("k", [[2, 16], [16]])
def test_failed_fits_are_marked(k, keep):
    search = GridSearchCV(PIPELINE, {M: [8, 12], K: k}, cv=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if k == [16]:  # scikit-learn refuses a search in which every fit fails
            display = SizeSearchDisplay(n_components=[8, 12], k=[16, 16], scores=np.full((2, 2), np.nan), best=0)
            display.plot()
        else:
            display = SizeSearchDisplay.from_estimator(search.fit(X, Y))
    assert_nothing_overlaps(keep(display.figure_))
    assert len([line for line in display.ax_.lines if line.get_marker() == "x" and len(line.get_xdata())]) == 2
    if k == [16]:
        assert [text.get_text() for text in display.ax_.texts] == ["every fit failed"]
    else:
        assert "failed" in _labels(display)


def test_one_fold_has_no_bars_and_scores_may_be_negative(keep):
    search = GridSearchCV(PIPELINE, {K: [2, 4]}, cv=PredefinedSplit([-1] * 90 + [0] * 30)).fit(X, Y)
    display = SizeSearchDisplay.from_estimator(search)
    keep(display.figure_, "search")
    assert display.bars_ == []
    assert display.n_components is None
    assert display.ax_.get_xlabel() == "K, active neurons"
    np.testing.assert_allclose(display.lines_[0].get_xdata(), [2, 4])
    assert "one fold" in display.ax_.get_ylabel()
    display = SizeSearchDisplay(n_components=[8, 16], k=[2, 2], scores=[[-3.0], [-0.1]]).plot()
    assert_nothing_overlaps(keep(display.figure_))


def test_several_metrics():
    search = GridSearchCV(PIPELINE, {M: [8, 16]}, cv=2, scoring=["r2", "neg_mean_absolute_error"], refit="r2")
    search.fit(X, Y)
    display = SizeSearchDisplay.from_estimator(search)
    np.testing.assert_allclose(display.scores.mean(axis=1), search.cv_results_["mean_test_r2"])
    other = SizeSearchDisplay.from_estimator(search, metric="neg_mean_absolute_error")
    assert other.best is None
    assert other.score_name == "neg mean absolute error"
    with pytest.raises(ValueError, match="metric='auc' is none of the search's: r2, neg_mean_absolute_error"):
        SizeSearchDisplay.from_estimator(search, metric="auc")


def test_candidates_without_a_number_are_left_out(keep):
    grids = [{M: [8, 16, "auto"], K: [2]}, {"ridge__alpha": [1.0]}]
    search = GridSearchCV(PIPELINE.set_params(**{K: 2}), grids, cv=2).fit(X, Y)
    display = SizeSearchDisplay.from_estimator(search)
    keep(display.figure_)
    assert display.n_components.tolist() == [8, 16]
    with pytest.raises(ValueError, match="No candidate of the search has a number"):
        SizeSearchDisplay.from_estimator(GridSearchCV(PIPELINE, {M: ["auto"]}, cv=2).fit(X, Y))


def test_what_is_no_search_of_sizes_is_refused():
    with pytest.raises(ValueError, match="Ridge has no cv_results_; pass a search that is fitted"):
        SizeSearchDisplay.from_estimator(Ridge())
    search = GridSearchCV(Ridge(), {"alpha": [1, 2]}, cv=2).fit(X, Y)
    with pytest.raises(ValueError, match="over neither n_components nor k, but alpha"):
        SizeSearchDisplay.from_estimator(search)
