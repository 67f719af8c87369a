"""The plots of `analysis` draw with the parts of the displays; here with names that are hard to draw."""

import numpy as np
import pandas as pd
import pytest

from sklearn_sae import analysis

from .conftest import HARD_NAMES, assert_nothing_overlaps

pytest.importorskip("matplotlib").use("agg")

N = len(HARD_NAMES)
FALLING = np.linspace(0.9, 0.1, N)


def _top_documents(ax=None, n=10):
    X = np.random.default_rng(0).random((n, 3))
    table = analysis.top_documents(X, [0, 1, 2], HARD_NAMES[:n], labels=HARD_NAMES[-3:], n_documents=n)
    return analysis.plot_top_documents(table, n_documents=n, ax=ax)


def _one_feature(ax=None, n=N):
    table = analysis.top_documents(FALLING[:n, None], 0, HARD_NAMES[:n], labels=[HARD_NAMES[0] * 5], n_documents=n)
    return analysis.plot_top_documents(table, n_documents=n, ax=ax)


def _diff_features(ax=None, n=N, *, groups=("$A$", "B_1")):
    rng = np.random.default_rng(0)
    sets = {name: pd.DataFrame(rng.random((90, n)) < FALLING[:n], columns=HARD_NAMES[:n]) for name in groups}
    return analysis.plot_diff_features(analysis.diff_features(sets), n_features=n, ax=ax)


def _diff_features_of_three(ax=None, n=N):
    return _diff_features(ax, n, groups=("A", "B " * 40, "C"))


def _feature_correlations(ax=None, n=N):
    table = pd.DataFrame(
        {
            "label": HARD_NAMES[:n],
            "other_label": HARD_NAMES[:n][::-1],
            "npmi": FALLING[:n],
            "count": np.arange(n) + 1000,
            "significant": np.arange(n) % 2 == 0,
        }
    )
    return analysis.plot_feature_correlations(table, n_pairs=n, ax=ax)


def _label_similarity(ax=None, n=N):
    ranking = pd.DataFrame({"label": HARD_NAMES[:n], "similarity": FALLING[:n]})
    return analysis.plot_label_similarity(ranking, n_labels=n, ax=ax)


def _clusters(ax=None, n=N):
    table = pd.DataFrame(
        {
            "cluster": np.arange(n) // 10,
            "label": HARD_NAMES[:n],
            "frequency": FALLING[:n],
            "frequency_elsewhere": FALLING[:n] / 2,
        }
    )
    return analysis.plot_clusters(table, names=pd.Series(HARD_NAMES[-5:]), n_labels=10, ax=ax)


def _search(ax=None, n=N):
    X = pd.DataFrame(np.random.default_rng(0).random((n, N)), columns=HARD_NAMES)
    return analysis.plot_search(analysis.PropertyRetriever().fit(X).search("the staff and the bill", n=n), ax=ax)


PLOTS = [
    _top_documents,
    _one_feature,
    _diff_features,
    _diff_features_of_three,
    _feature_correlations,
    _label_similarity,
    _clusters,
    _search,
]


@pytest.mark.filterwarnings("ignore:No installed font", "ignore:There are")
@pytest.mark.parametrize("plot", PLOTS)
def test_40_hard_names_do_not_overlap(plot, keep):
    ax = plot()
    assert_nothing_overlaps(keep(ax.figure))
    width, height = ax.figure.get_size_inches()
    assert width < 10
    assert height <= 25


@pytest.mark.filterwarnings("ignore:No installed font", "ignore:There are")
@pytest.mark.parametrize("plot", PLOTS)
def test_names_fit_on_axes_that_are_given(plot, keep):
    from matplotlib import pyplot

    figure, ax = pyplot.subplots(figsize=(9, 6), layout="constrained")
    before = dict(pyplot.rcParams)
    assert plot(ax, n=8) is ax
    assert dict(pyplot.rcParams) == before
    assert_nothing_overlaps(keep(figure))
