import warnings

import numpy as np
import pytest
from sklearn.decomposition import PCA

from sklearn_sae import NeuronMapDisplay, TopKSAETransformer, discover
from sklearn_sae.datasets import make_concept_texts

from .conftest import HARD_NAMES, assert_nothing_overlaps

pytest.importorskip("matplotlib").use("agg")

rng = np.random.default_rng(0)
POSITIONS = rng.normal(size=(60, 2))
EFFECTS = np.where(np.arange(60) < 40, rng.normal(size=60), np.nan)


@pytest.fixture(scope="module")
def reviews():
    return make_concept_texts(400, n_concepts=4, random_state=0)


@pytest.fixture(scope="module")
def found(reviews):
    return discover(reviews.data, reviews.target, n_hypotheses=4, random_state=0)


@pytest.mark.filterwarnings("ignore:No installed font")
@pytest.mark.parametrize("layout", ["spread", "at one point", "in a line"])
def test_40_hard_names_do_not_overlap(layout, keep):
    positions = {"spread": POSITIONS, "at one point": 0 * POSITIONS, "in a line": POSITIONS * [1, 0]}[layout]
    display = NeuronMapDisplay(positions=positions, names=[*HARD_NAMES, *[""] * 20], effects=EFFECTS).plot()
    assert_nothing_overlaps(keep(display.figure_))
    assert len(display.labels_) == 40
    for label in display.labels_:  # beside the map
        x = label.get_position()[0]
        assert x < 0 or x > 1


def test_lines_to_labels_do_not_cross(keep):
    display = NeuronMapDisplay(positions=POSITIONS[:40], names=[f"n{i}" for i in range(40)]).plot()
    keep(display.figure_)
    ends = [(np.array(label.xy), np.array(label.get_position())) for label in display.labels_]

    def side(a, b, c):
        return np.sign((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))

    for i, (a, b) in enumerate(ends):
        for c, d in ends[:i]:
            assert side(a, b, c) == side(a, b, d) or side(c, d, a) == side(c, d, b)


@pytest.mark.filterwarnings("ignore:No installed font")
def test_names_fit_on_axes_that_are_given(keep):
    from matplotlib import pyplot

    figure, ax = pyplot.subplots(figsize=(9, 5), layout="constrained")
    NeuronMapDisplay(positions=POSITIONS[:40], names=HARD_NAMES, effects=EFFECTS[:40]).plot(ax)
    assert_nothing_overlaps(keep(figure))


def test_effects_have_markers_by_their_sign(keep):
    display = NeuronMapDisplay(positions=POSITIONS, effects=EFFECTS).plot(max_labels=5)
    keep(display.figure_)
    unknown, up, down = (points.get_offsets() for points in display.points_)
    np.testing.assert_array_equal(unknown, POSITIONS[40:])
    np.testing.assert_array_equal(up, POSITIONS[EFFECTS >= 0])
    np.testing.assert_array_equal(down, POSITIONS[EFFECTS < 0])
    assert display.labels_ == []  # there are no names
    low, high = display.points_[1].get_clim()
    assert low == -high


def test_labels_are_of_the_largest_effects():
    display = NeuronMapDisplay(positions=POSITIONS, names=[f"n{i}" for i in range(60)], effects=EFFECTS)
    shown = {label.get_text() for label in display.plot(max_labels=5).labels_}
    assert shown == {f"n{i}" for i in np.argsort(-np.abs(EFFECTS))[:5]}


def test_hypotheses_stand_at_their_neurons(reviews, found, keep):
    display = NeuronMapDisplay.from_estimator(found, method="pca")
    assert_nothing_overlaps(keep(display.figure_))
    annotator = found.pipeline["hypotheses"]
    sae = annotator.encoder_["sentences"].transformer_["sae"] if "sentences" in annotator.encoder_.named_steps else None
    sae = annotator.encoder_["sae"] if sae is None else sae
    columns = sae.get_feature_names_out().tolist()
    assert len(display.positions) == len(columns)
    for row in found.table.itertuples():
        i = columns.index(row.feature)
        assert display.effects[i] == row.separation_score
        assert row.short == display.names[i]
    assert np.isfinite(display.effects).sum() == len(found.table)
    selected = NeuronMapDisplay.from_estimator(found.pipeline, method="pca")
    assert selected.effect_name == "selection score"
    rows = sae.components_ / np.linalg.norm(sae.components_, axis=1, keepdims=True)
    pca = PCA(2).fit_transform(rows.astype(float))
    np.testing.assert_allclose(np.abs(display.positions), np.abs(pca), atol=1e-5)


@pytest.mark.parametrize("method", ["tsne", "pca", "mds", PCA(2, svd_solver="full")], ids=str)
@pytest.mark.parametrize("n_components", [1, 2, 3, 24])
def test_every_layout_of_every_size(method, n_components, keep):
    X = np.random.default_rng(0).normal(size=(60, 24))
    sae = TopKSAETransformer(n_components, 1, max_epochs=1, random_state=0).fit(X)
    if n_components == 1 and not isinstance(method, str):
        pytest.skip("PCA itself refuses a single row.")
    names = {0: "the first"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        display = NeuronMapDisplay.from_estimator(sae, method=method, names=names, random_state=0)
        again = NeuronMapDisplay.from_estimator(sae, method=method, names=names, random_state=0)
        keep(display.figure_)
    assert np.isfinite(display.positions).all()
    np.testing.assert_array_equal(display.positions, again.positions)
    assert [label.get_text() for label in display.labels_] == ["the first"]


def test_a_class_of_several(reviews):
    target = np.array(["low", "mid", "high"])[np.digitize(reviews.target, np.quantile(reviews.target, [0.3, 0.7]))]
    found = discover(reviews.data, target, n_hypotheses=3, random_state=0)
    display = NeuronMapDisplay.from_estimator(found, class_="low", method="pca")
    assert display.effect_name == "effect on low"
    block = found.table[found.table["class"] == "low"]
    assert sorted(display.effects[np.isfinite(display.effects)]) == sorted(block["separation_score"])
    with pytest.raises(ValueError, match="class_='none' is no class"):
        NeuronMapDisplay.from_estimator(found, class_="none")


def test_what_does_not_fit_is_refused():
    sae = TopKSAETransformer(4, 1, max_epochs=1, random_state=0).fit(rng.normal(size=(20, 3)))
    with pytest.raises(ValueError, match="effects must have one entry a neuron: 3 for 4"):
        NeuronMapDisplay.from_estimator(sae, effects=[1, 2, 3])
    with pytest.raises(ValueError, match="method='umap' must be"):
        NeuronMapDisplay.from_estimator(sae, method="umap")
    with pytest.raises(ValueError, match=r"array of shape \(4, 2\); got \(4, 3\)"):
        NeuronMapDisplay.from_estimator(sae, method=PCA(3))
