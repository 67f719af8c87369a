"""The start of training: principal components rotated by varimax."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import linalg

from sklearn_sae import TopKSAETransformer
from sklearn_sae.sae import _rotation
from sklearn_sae.sae._rotation import rotated_components, varimax
from sklearn_sae.sae._schedule import resolve_schedule


def sums_of_few(n_rows=2000, n_directions=10, n_features=30, seed=0):
    """Return centered rows that are sums of a few directions each with positive amounts, and the directions."""
    rng = np.random.default_rng(seed)
    directions = np.linalg.qr(rng.standard_normal((n_features, n_directions)))[0].T
    amounts = rng.exponential(size=(n_rows, n_directions)) * (rng.random((n_rows, n_directions)) < 0.1)
    rows = amounts @ directions + 0.01 * rng.standard_normal((n_rows, n_features))
    return (rows - rows.mean(axis=0)).astype(np.float32), directions


def cosines(some, others):
    """Return the largest cosine of each unit vector with one of others."""
    return (some @ others.T).max(axis=1)


@pytest.mark.parametrize("seed", range(3))
def test_the_directions_that_rows_are_sums_of_are_found_with_their_signs(seed):
    rows, directions = sums_of_few(seed=seed)
    found = rotated_components(rows, len(directions))
    assert found.dtype == np.float32
    assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    assert cosines(directions, found).min() > 0.95


def test_principal_components_alone_do_not_find_them():
    rows, directions = sums_of_few()
    axes = np.linalg.svd(rows, full_matrices=False)[2][: len(directions)]
    assert np.median(np.abs(directions @ axes.T).max(axis=1)) < 0.9


def test_the_rotation_is_orthogonal_and_a_maximum_of_the_fourth_moments():
    rows, directions = sums_of_few()
    axes = np.linalg.svd(rows, full_matrices=False)[2][: len(directions)]
    white = rows.astype(np.float64) @ axes.T.astype(np.float64)
    white /= np.sqrt(np.mean(white**2, axis=0))
    rotation = varimax(white)
    assert_allclose(rotation @ rotation.T, np.eye(len(directions)), atol=1e-9)
    turned = white @ rotation
    pull = turned.T @ turned**3 / len(white)
    assert_allclose(pull, pull.T, atol=0.02 * pull.max())  # as where no small turn changes the moments
    others = [np.linalg.qr(np.random.default_rng(i).standard_normal(rotation.shape))[0] for i in range(20)]
    assert (turned**4).mean() > 1.5 * max(((white @ other) ** 4).mean() for other in [*others, np.eye(10)])


def test_neither_the_order_of_rows_nor_rounding_changes_the_directions():
    rows, _ = sums_of_few()
    rng = np.random.default_rng(1)
    found = rotated_components(rows, 10)
    rounded = (rows * (1 + 1e-6 * rng.standard_normal(rows.shape))).astype(np.float32)
    assert_allclose(rotated_components(rng.permutation(rows), 10), found, atol=1e-4)
    assert_allclose(rotated_components(rounded, 10), found, atol=1e-3)


@pytest.mark.parametrize(
    ("rows", "n_found"),
    [
        (np.zeros((20, 5)), 0),
        (np.ones((1, 5)), 0),
        (np.repeat(np.eye(5)[:2] - np.eye(5)[:2].mean(axis=0), 10, axis=0), 1),
        (np.random.default_rng(0).standard_normal((6, 40)), 5),
        (np.random.default_rng(0).standard_normal((50, 3)) @ np.random.default_rng(1).standard_normal((3, 8)), 3),
    ],
    ids=["constant", "one row", "two points", "fewer rows than features", "rank 3"],
)
def test_only_directions_along_which_rows_vary_are_returned(rows, n_found):
    found = rotated_components(rows.astype(np.float32), 8)
    assert np.linalg.matrix_rank(found) == n_found
    assert n_found <= len(found) <= 8
    assert np.isfinite(found).all()


def test_two_groups_of_like_size_have_a_direction_each():
    rows, directions = sums_of_few()
    group = np.random.default_rng(1).choice([-1, 1], size=len(rows))
    between = np.linalg.qr(np.column_stack([directions.T, np.ones(30)]))[0][:, -1]
    found = rotated_components((rows + np.outer(group, between)).astype(np.float32), 16)
    assert cosines(np.array([between, -between]), found).min() > 0.95
    assert cosines(directions, found).min() > 0.9


def test_a_signed_neuron_stands_for_both_of_two_groups():
    rows, directions = sums_of_few()
    group = np.random.default_rng(1).choice([-1, 1], size=len(rows))
    between = np.linalg.qr(np.column_stack([directions.T, np.ones(30)]))[0][:, -1]
    found = rotated_components((rows + np.outer(group, between)).astype(np.float32), 11, signed=True)
    assert np.sum(np.abs(found @ between) > 0.95) == 1
    assert cosines(directions, found).min() > 0.9
    sae = TopKSAETransformer(11, 3, signed=True, random_state=0).fit(rows + np.outer(group, between))
    assert (sae.components_ @ sae.components_.T).min() > -0.5  # no neuron is the contrary of another


def test_more_features_than_rows_take_no_matrix_of_all_features(monkeypatch):
    rows = np.random.default_rng(0).standard_normal((80, 400)).astype(np.float32)
    rows -= rows.mean(axis=0)
    axes = np.linalg.svd(rows, full_matrices=False)[2][:20]
    sizes = []

    def eigh(matrix, **options):
        sizes.append(len(matrix))
        return linalg.eigh(matrix, **options)

    monkeypatch.setattr(_rotation, "eigh", eigh)
    found = rotated_components(rows, 20)
    assert sizes == [80]
    assert_allclose(np.linalg.norm(found @ axes.T, axis=1), 1, atol=1e-5)  # They span what the largest axes do.


def test_rows_of_two_kinds_in_turn_give_directions_of_both():
    rng = np.random.default_rng(3)
    directions = np.linalg.qr(rng.standard_normal((30, 12)))[0].T
    amounts = rng.exponential(size=(8192, 12)) * (rng.random((8192, 12)) < 0.2)
    amounts[::2, :6] = amounts[1::2, 6:] = 0
    rows = amounts @ directions + 0.01 * rng.standard_normal((8192, 30))
    options = {"max_epochs": 1, "learning_rate": 1e-12, "validation_fraction": None}  # hardly more than the start
    start = TopKSAETransformer(12, 3, **options, random_state=0).fit(rows).components_
    assert cosines(directions, start).min() > 0.95


@pytest.mark.parametrize("options", [{}, {"encoder": "matching_pursuit"}, {"signed": True}], ids=str)
def test_few_rows_give_the_same_neurons_with_any_seed_and_in_any_order(options):
    rows, _ = sums_of_few(600)
    order = np.random.default_rng(2).permutation(len(rows))
    options = {"n_components": 10, "k": 2, "validation_fraction": None, **options}
    first, second, ordered = (
        TopKSAETransformer(**options, random_state=seed).fit(x).components_
        for seed, x in ((0, rows), (1, rows), (0, rows[order]))
    )
    assert cosines(first, second).min() > 0.999
    assert cosines(first, ordered).min() > 0.99


def test_rows_that_vary_alike_along_all_axes_have_directions():
    rows = np.repeat(np.eye(20), 25, axis=0)  # of a category each, all of one size
    found = rotated_components((rows - rows.mean(axis=0)).astype(np.float32), 16)
    assert_allclose(found @ found.T, np.eye(16), atol=1e-6)
    assert TopKSAETransformer(16, 1, random_state=0).fit(rows).score(rows) > 0.5


def test_the_first_neurons_stand_for_more_than_the_last():
    rows, _ = sums_of_few(400)
    rows[:, :3] *= 5
    start = rotated_components(rows, 10)
    spread = (rows @ start.T).var(axis=0)
    assert spread[:3].min() > spread[-3:].max()


def test_a_threshold_that_is_learned_keeps_k_neurons_of_few_rows():
    rows, _ = sums_of_few(1500)
    sae = TopKSAETransformer(32, 4, sparsity="batch_topk", random_state=0).fit(rows)
    assert sae.transform(rows).nnz / len(rows) == pytest.approx(4, rel=0.3)


def test_few_rows_make_one_batch_unless_told_otherwise():
    auto = {"batch_size": "auto", "learning_rate": "auto", "max_epochs": "auto", "pursuit": False}
    assert_array_equal(resolve_schedule(1200, 32, **auto)[::2], (1200, 100))
    assert_array_equal(resolve_schedule(1200, 32, **auto, in_batches=True)[::2], (128, 25))
    assert_array_equal(resolve_schedule(1200, 32, **{**auto, "max_epochs": 7})[::2], (128, 7))
    assert_array_equal(resolve_schedule(1200, 32, **{**auto, "batch_size": 64})[::2], (64, 25))
    assert_array_equal(resolve_schedule(1200, 65, **auto)[::2], (128, 25))
    assert_array_equal(resolve_schedule(3000, 32, **auto)[::2], (128, 25))
