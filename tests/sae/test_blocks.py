"""Many rows are chosen and shuffled in blocks: each once, and nearly as random as one by one."""

import numpy as np
import pytest

from sklearn_sae import TopKSAETransformer
from sklearn_sae.sae import _blocks
from sklearn_sae.sae._blocks import BlockOrder, Blocks, choose_rows, draw_order, hold_out_blocks
from sklearn_sae.sae._initialization import initial_directions
from sklearn_sae.sae._rows import Rows
from sklearn_sae.sae._scaling import center_and_scale


@pytest.mark.parametrize("n_samples", [256, 1000, 1024, 5000])
@pytest.mark.parametrize("fraction", [0, 0.1, 0.5, None])
def test_each_row_is_trained_on_or_held_out(n_samples, fraction):
    rows, held_out = hold_out_blocks(n_samples, fraction, np.random.default_rng(0))
    both = [np.asarray(some) for some in (rows, held_out) if some is not None]
    np.testing.assert_array_equal(np.sort(np.concatenate(both)), np.arange(n_samples))
    for some, array in zip((rows, held_out), both, strict=False):
        assert len(some) == len(array)
        assert (np.diff(array) > 0).all()
        np.testing.assert_array_equal(some[100:300], array[100:300])
        positions = np.random.default_rng(0).permutation(len(array))
        np.testing.assert_array_equal(some[positions], array[positions])


@pytest.mark.parametrize("n_rows", [300, 65_536, 200_001])
@pytest.mark.parametrize("batch_size", [128, 512, 1000])
def test_an_epoch_has_each_row_once(n_rows, batch_size):
    order = BlockOrder(n_rows, np.random.default_rng(0))
    batches = list(order.batches(batch_size))
    assert len(order) == n_rows
    np.testing.assert_array_equal(np.sort(np.concatenate(batches)), np.arange(n_rows))
    assert max(map(len, batches)) <= batch_size
    assert len(batches) <= np.ceil(n_rows / batch_size) + 1


def test_a_batch_has_rows_from_everywhere():
    first, *_ = BlockOrder(10_000_000, np.random.default_rng(0)).batches(512)
    assert len(np.unique(first // 256)) > 200
    assert np.ptp(first) > 9_000_000


def test_few_rows_are_chosen_one_by_one():
    rng = np.random.default_rng
    np.testing.assert_array_equal(draw_order(1000, rng(0)), rng(0).permutation(1000))
    index, held_out = choose_rows(1000, 0.1, rng(0))
    assert isinstance(index, np.ndarray)
    assert len(held_out) == 100


def test_what_precedes_training_keeps_no_int64_for_each_row(peak_bytes):
    n_rows = 2**20
    X = np.random.default_rng(0).standard_normal((n_rows, 2), dtype=np.float32)
    index = Blocks(np.arange(n_rows // 256), n_rows)
    scaling, of_scaling = peak_bytes(lambda: center_and_scale(X, index))
    rows = Rows(X, scaling, "cpu", index=index)
    directions, of_directions = peak_bytes(lambda: initial_directions(rows, 16, np.random.default_rng(0)))
    assert of_scaling < 0.1 * 8 * n_rows
    assert of_directions < 0.6 * 8 * n_rows
    in_order = Rows(X, scaling, "cpu")
    np.testing.assert_array_equal(directions, initial_directions(in_order, 16, np.random.default_rng(0)))
    assert scaling.spread == center_and_scale(X, np.arange(n_rows)).spread


@pytest.mark.parametrize("target_weight", [0, 0.2])
@pytest.mark.parametrize("task", ["regression", "classes"])
def test_training_in_blocks_is_as_good_as_row_by_row(monkeypatch, tmp_path, target_weight, task):
    rng = np.random.RandomState(0)
    X = (rng.rand(6000, 24) < 0.1) @ rng.randn(24, 16) + 0.1 * rng.randn(6000, 16)
    y = X[:, 0] if task == "regression" else np.array(["low", "mid", "high"])[np.digitize(X[:, 0], [-0.5, 0.5])]
    sae = TopKSAETransformer(n_components=32, k=3, max_epochs=8, target_weight=target_weight)

    def scores():
        return [sae.set_params(random_state=seed).fit(X[:5000], y[:5000]).score(X[5000:]) for seed in range(4)]

    one_by_one = scores()
    monkeypatch.setattr(_blocks, "MANY_ROWS", 1000)
    assert isinstance(choose_rows(5000, 0.1, np.random.default_rng(0))[0], Blocks)
    in_blocks = scores()
    assert np.mean(in_blocks) == pytest.approx(np.mean(one_by_one), abs=0.03)
    assert in_blocks[0] != one_by_one[0]
    assert not np.isnan(sae.history_[-1]["validation_loss"])
    sae.set_params(checkpoint_dir=tmp_path)
    assert sae.fit(X[:5000], y[:5000]).score(X[5000:]) == in_blocks[-1]
