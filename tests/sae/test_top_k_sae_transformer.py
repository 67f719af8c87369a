"""TopKSAETransformer as its users meet it."""

import pickle
import re
import traceback

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.utils import get_tags

from sklearn_sae import TopKSAETransformer
from sklearn_sae.sae import _encoding, _fitting, _training
from sklearn_sae.sae._sizes import suggest_size


def small(**params):
    defaults = {"n_components": 32, "k": 4, "max_epochs": 5, "random_state": 0}
    return TopKSAETransformer(**defaults | params)


# What comes out


@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(2, 70),
    d=st.integers(1, 9),
    m=st.integers(1, 40),
    k=st.integers(1, 40),
    dtype=st.sampled_from([np.float16, np.float32, np.float64]),
    seed=st.integers(0, 10),
)
def test_codes_are_the_k_largest_positive_pre_activations(n, d, m, k, dtype, seed):
    k = min(k, m)
    rng = np.random.default_rng(seed)
    X = rng.normal(loc=2, size=(n, d)).astype(dtype)
    sae = TopKSAETransformer(n_components=m, k=k, max_epochs=2, random_state=0).fit(X)
    codes = sae.transform(X)

    assert sparse.issparse(codes)
    assert codes.shape == (n, m)
    assert codes.dtype == (np.float64 if dtype == np.float64 else np.float32)
    assert codes.indices.dtype == codes.indptr.dtype == np.int32
    assert (codes.data > 0).all()
    assert np.diff(codes.indptr).max(initial=0) <= k
    for row in codes:
        assert (np.diff(row.indices) > 0).all()

    pre = (X.astype(np.float64) - sae.bias_) @ sae.encoder_weight_.T.astype(np.float64) + sae.encoder_bias_
    largest = np.sort(pre, axis=1)[:, -k:].clip(0)  # as values, for equal ones have no order
    dense = codes.toarray()
    np.testing.assert_allclose(np.sort(dense, axis=1)[:, -k:], largest, atol=1e-5)
    np.testing.assert_allclose(dense[dense > 0], pre[dense > 0], atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(sae.components_, axis=1), 1, rtol=1e-5)
    assert all(a.dtype == np.float32 for a in (sae.components_, sae.encoder_weight_, sae.encoder_bias_, sae.bias_))
    np.testing.assert_allclose(sae.density_, (dense > 0).mean(axis=0), rtol=1e-6)


@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(2, 70),
    d=st.integers(1, 9),
    m=st.integers(1, 40),
    k=st.integers(1, 40),
    sparsity=st.sampled_from(["topk", "batch_topk"]),
    seed=st.integers(0, 10),
)
def test_signed_codes_are_the_pre_activations_largest_in_magnitude(n, d, m, k, sparsity, seed):
    k = min(k, m)
    X = np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)
    sae = TopKSAETransformer(m, k, signed=True, sparsity=sparsity, max_epochs=2, random_state=0).fit(X)
    pre = (X - sae.bias_) @ sae.encoder_weight_.T + sae.encoder_bias_
    least = np.sort(np.abs(pre))[:, [-k]] if sparsity == "topk" else np.nextafter(np.float32(sae.threshold_), 9)
    expected = np.where(np.abs(pre) >= least, pre, 0)
    is_near = np.abs(np.abs(pre) - least) < 1e-5 * np.abs(pre).max()  # rounding decides
    codes = sae.transform(X).toarray()
    np.testing.assert_allclose(codes[~is_near], expected[~is_near], rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(sae.density_, (codes != 0).mean(axis=0, dtype=np.float32))


def test_signed_neurons_do_the_work_of_two_on_differences():
    """Of two texts either may come first, so that every direction occurs with both signs."""
    rng = np.random.default_rng(0)
    concepts = rng.normal(size=(16, 32))
    signs = rng.choice([-1, 1], size=(2000, 2))
    X = (concepts[[rng.permutation(16)[:2] for _ in range(2000)]] * signs[..., None]).sum(axis=1)
    signed, plain = (TopKSAETransformer(16, 2, signed=signed, random_state=0).fit(X) for signed in (True, False))
    assert 1 - signed.score(X) < 0.7 * (1 - plain.score(X))
    codes = signed.transform(X)
    assert (codes.data < 0).mean() == pytest.approx(0.5, abs=0.05)
    np.testing.assert_allclose(signed.inverse_transform(codes), codes @ signed.components_ + signed.bias_)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), a=st.floats(-3, 3), b=st.floats(-3, 3))
def test_inverse_transform_is_affine(seed, a, b):
    rng = np.random.default_rng(seed)
    sae = _FITTED
    u, v = rng.random((2, 5, 32))
    left = sae.inverse_transform(a * u + b * v) - sae.bias_
    right = a * (sae.inverse_transform(u) - sae.bias_) + b * (sae.inverse_transform(v) - sae.bias_)
    np.testing.assert_allclose(left, right, atol=1e-5)
    np.testing.assert_allclose(sae.inverse_transform(sparse.csr_array(u)), sae.inverse_transform(u), atol=1e-5)


_FITTED = small().fit(np.random.default_rng(1).normal(size=(100, 6)))


def test_score_is_the_r2_of_the_reconstruction(X):
    sae = small().fit(X)
    reconstruction = sae.inverse_transform(sae.transform(X))
    assert sae.score(X) == pytest.approx(r2_score(X, reconstruction, multioutput="variance_weighted"), abs=1e-6)


@pytest.mark.parametrize("sparsity", ["topk", "batch_topk"])
def test_history_is_the_normalized_error(X, sparsity):
    sae = small(sparsity=sparsity, max_epochs=20).fit(X[:400], X_val=X[400:])
    frame = pd.DataFrame(sae.history_)
    assert list(frame.epoch) == list(range(1, sae.n_iter_ + 1))
    assert {"train_loss", "validation_loss", "dead_fraction"} <= set(frame)
    residual = X[400:] - sae.inverse_transform(sae.transform(X[400:]))
    normalized = np.square(residual).sum(axis=1).mean() / X[:400].var(axis=0).sum()
    assert frame.validation_loss.min() == pytest.approx(normalized, rel=1e-4)


def test_scale_and_shift_of_the_data_do_not_matter(X):
    a, b = small().fit(X), small().fit(1000 * X - 5000)
    np.testing.assert_allclose(a.components_, b.components_, atol=2e-2)
    assert a.score(X) == pytest.approx(b.score(1000 * X - 5000), abs=2e-2)


@pytest.mark.parametrize("exponent", [-30, 19, 30])
def test_scales_near_the_ends_of_float32(X, exponent):
    scaled = X * 10.0**exponent
    expected = small().fit(X).score(X)
    for rows in (scaled, scaled.astype(np.float32)):
        sae = small().fit(rows)
        assert sae.score(rows) == pytest.approx(expected, abs=1e-2)
        assert np.isfinite(sae.components_).all()


@pytest.mark.parametrize("reverse", [np.s_[::-1], np.s_[:, ::-1], np.s_[::-1, ::-1]])
def test_views_that_run_backward(X, reverse):
    view, copy = X[reverse], X[reverse].copy()
    sae = small().fit(copy)
    assert (sae.transform(view) != sae.transform(copy)).nnz == 0
    assert sae.score(view) == sae.score(copy)
    _assert_same_bits(small().fit(view), sae)
    _assert_same_bits(small().partial_fit(view).partial_fit(view), small().partial_fit(copy).partial_fit(copy))
    frame = pd.DataFrame(X)
    assert (small().fit(frame).transform(frame.iloc[::-1]) != small().fit(frame).transform(frame)[::-1]).nnz == 0


@pytest.mark.parametrize("fitted", ["topk", "batch_topk"])
def test_transform_is_as_fitted_until_the_next_fit(X, fitted):
    sae = small(sparsity=fitted).fit(X)
    codes = sae.transform(X)
    sae.set_params(sparsity="topk" if fitted == "batch_topk" else "batch_topk", k=1)
    assert (sae.transform(X) != codes).nnz == 0


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"sparse_output": False},
        {"sparsity": "batch_topk"},
        {"target_weight": 0.5},
        {"encoder": "matching_pursuit", "target_weight": 0.5},
        {"signed": True, "sparsity": "batch_topk"},
        {"signed": True, "target_weight": 0.5},
    ],
)
@pytest.mark.parametrize("form", [np.float32, np.float64, pd.DataFrame])
def test_fit_transform_is_fit_and_transform_with_one_encoding(X, params, form, monkeypatch):
    rows = pd.DataFrame(X).add_prefix("x") if form is pd.DataFrame else X.astype(form)
    monkeypatch.setattr(_encoding, "_CHUNK_ENTRIES", 2**13)  # several chunks
    two, one, calls = small(**params), small(**params), []
    codes = two.fit(rows, X[:, 0], X_val=rows[:50]).transform(rows)
    encoded = _encoding._encoded_chunks
    monkeypatch.setattr(_encoding, "_encoded_chunks", lambda *args: calls.append(len(args[0])) or encoded(*args))
    together = one.fit_transform(rows, X[:, 0], X_val=rows[:50])
    assert calls == [len(X)]
    _assert_same_bits(two, one)
    assert type(together) is type(codes)
    assert together.dtype == codes.dtype
    if params.get("sparse_output", True):
        for name in ("data", "indices", "indptr"):
            assert getattr(together, name).tobytes() == getattr(codes, name).tobytes()
    else:
        assert together.tobytes() == codes.tobytes()
    calls.clear()
    pd.testing.assert_frame_equal(
        one.set_output(transform="pandas").fit_transform(rows, X[:, 0], X_val=rows[:50]), one.transform(rows)
    )
    two.fit(rows, X[:, 0])
    assert calls == [len(X)] * 3


def test_transform_output_containers(X):
    frame = pd.DataFrame(X, columns=[f"x{i}" for i in range(X.shape[1])], index=np.arange(len(X)) + 7)
    sae = small().fit(frame)
    codes = sae.transform(frame)
    assert sparse.isspmatrix_csr(codes)
    dense = clone(sae).set_params(sparse_output=False).fit(frame).transform(frame)
    np.testing.assert_array_equal(codes.toarray(), dense)

    out = sae.set_output(transform="pandas").transform(frame)
    assert all(isinstance(dtype, pd.SparseDtype) for dtype in out.dtypes)
    assert list(out.columns) == [f"topksaetransformer{i}" for i in range(32)]
    assert (out.index == frame.index).all()
    np.testing.assert_array_equal(out.to_numpy(), dense)
    np.testing.assert_allclose(sae.inverse_transform(out), sae.inverse_transform(dense), atol=1e-6)
    sae.set_output(transform="default")
    try:
        with config_context(sparse_interface="sparray"):
            assert isinstance(sae.transform(frame), sparse.csr_array)
    except TypeError:
        pass  # scikit-learn has no such setting yet


@pytest.mark.parametrize("n_features", [1, 2, 3])
def test_more_active_neurons_than_features(n_features):
    X = np.random.default_rng(0).normal(size=(300, n_features))
    assert TopKSAETransformer(256, 8, random_state=0).fit(X).score(X) > 0.95


def test_every_epoch_has_its_own_order_and_the_rate_warms_up(X, monkeypatch):
    orders, rates, one_epoch = [], [], _training.one_epoch

    def spy(*args, order, rate, **kwargs):
        orders.append(order.tolist())
        rates.append([rate(step) for step in range(150)])
        return one_epoch(*args, order=order, rate=rate, **kwargs)

    for module in (_training, _fitting):
        monkeypatch.setattr(module, "one_epoch", spy)
    small(max_epochs=3, validation_fraction=0, batch_size=12).fit(X)
    assert all(sorted(order) == list(range(600)) for order in orders)
    assert len({tuple(order) for order in [*orders, range(600)]}) == 4
    assert rates[0] == rates[2]
    assert np.argmax(rates[0]) in (14, 15)  # a tenth of 150 steps
    assert rates[0][0] == pytest.approx(5e-3 / 15)
    assert max(rates[0]) == pytest.approx(5e-3)
    assert rates[0][-1] < 1e-5
    online = small()
    online.partial_fit(X).partial_fit(X)
    assert orders[3] != orders[4]
    assert np.argmax(rates[3]) in (49, 50)
    assert rates[3][0] == pytest.approx(5e-3 / 50)


def test_the_starting_weights_come_from_all_rows():
    X = np.random.default_rng(0).normal(size=(400, 5))
    X = X[np.argsort(X[:, 0])]
    start = TopKSAETransformer(50, 2, max_epochs=1, learning_rate=1e-12, random_state=0).fit(X).components_
    start = start[5:]  # after the rotated principal components
    assert 10 < (start[:, 0] > 0).sum() < 40  # neither the first rows nor the smallest
    steps = np.diff(start[:, 0]) > 0
    assert 10 < steps.sum() < 40  # nor sorted
    rows = X - X.mean(axis=0)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    assert ((start @ rows.T).max(axis=1) > 0.99).all()


def test_same_seed_same_bits_whatever_the_number_of_threads(X):
    threads, results = torch.get_num_threads(), []
    random_before = torch.random.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    try:
        for n in (1, 2, 3):
            torch.set_num_threads(n)
            results.append(small(sparsity="batch_topk", matryoshka_prefixes=[5, 32], dead_after=2).fit(X))
            assert torch.get_num_threads() == n
    finally:
        torch.set_num_threads(threads)
    for other in results[1:]:
        _assert_same_bits(results[0], other)
    assert torch.equal(random_before[0], torch.random.get_rng_state())
    assert (random_before[1] == np.random.get_state()[1]).all()  # noqa: NPY002


def _assert_same_bits(a, b):
    for name in ("components_", "encoder_weight_", "encoder_bias_", "bias_", "density_"):
        assert getattr(a, name).tobytes() == getattr(b, name).tobytes(), name
    assert a.threshold_ == b.threshold_
    assert pd.DataFrame(a.history_).equals(pd.DataFrame(b.history_))


def test_batch_topk_threshold_keeps_k_on_average(X):
    sae = small(sparsity="batch_topk", max_epochs=40, patience=None).fit(X)
    counts = np.diff(sae.transform(X).indptr)
    assert sae.threshold_ > 0
    assert counts.mean() == pytest.approx(4, rel=0.12)
    assert counts.max() > 4
    assert small().fit(X).threshold_ == 0.0


@pytest.mark.parametrize(
    "steps", [{"dead_after": 10, "max_epochs": 20}, {"max_epochs": 40}, {"max_epochs": "auto"}], ids=str
)
def test_auxiliary_loss_revives_dead_neurons(X, steps):
    sae = small(warm_start=True, patience=None, **steps).fit(X)
    sae.encoder_weight_[:16] *= 0.05  # still positive on some rows,
    sae.encoder_bias_[:16] = 0.0
    sae.encoder_bias_[16:] += 4.0  # and never among the largest
    state, unused, score = pickle.dumps(sae), {}, {}
    for weight in (0.0, 1 / 32):
        continued = pickle.loads(state).set_params(aux_weight=weight).fit(X)
        unused[weight], score[weight] = int((continued.density_ == 0).sum()), continued.score(X)
        assert continued.history_[-1]["dead_fraction"] == pytest.approx(unused[weight] / 32, abs=0.1)
    assert unused[0.0] >= 12
    assert unused[1 / 32] <= 6
    assert score[1 / 32] > score[0.0] + 0.05


def test_early_stopping_keeps_the_best_epoch():
    rng = np.random.default_rng(0)
    X, X_val = rng.normal(size=(2, 60, 10))  # nothing to learn that generalizes
    sae = small(max_epochs=200, patience=3).fit(X, X_val=X_val)
    losses = [row["validation_loss"] for row in sae.history_]
    best = int(np.argmin(losses))
    assert sae.n_iter_ < 200
    assert sae.n_iter_ == best + 1 + 3
    left = np.square(X_val - sae.inverse_transform(sae.transform(X_val))).sum(axis=1).mean()
    assert losses[best] == pytest.approx(left / X.var(axis=0).sum(), rel=1e-4)


@pytest.mark.parametrize("params", [{"validation_fraction": None}, {"validation_fraction": 0}, {"patience": None}])
def test_without_early_stopping_all_epochs_run(X, params):
    sae = small(max_epochs=9, **params).fit(X)
    assert sae.n_iter_ == len(sae.history_) == 9
    assert np.isnan(sae.history_[0]["validation_loss"]) == ("validation_fraction" in params)


def test_warm_start_continues(X):
    sae = small(max_epochs=10, warm_start=True).fit(X)
    before, first = sae.score(X), sae.history_[0]["train_loss"]
    sae.set_params(learning_rate=1e-3).fit(X)
    assert sae.score(X) > before
    assert sae.history_[0]["train_loss"] < first / 1.5
    with pytest.raises(ValueError, match="n_components=16, but the fitted weights"):
        sae.set_params(n_components=16).fit(X)


def test_partial_fit_over_chunks_comes_close_to_fit(X):
    whole = small(max_epochs=20, validation_fraction=None).fit(X)
    chunks = small()
    for _ in range(20):
        for start in range(0, len(X), 200):
            chunks.partial_fit(X[start : start + 200])
    assert chunks.n_iter_ == len(chunks.history_) == 60
    assert chunks.score(X) > whole.score(X) - 0.05
    again = pickle.loads(pickle.dumps(chunks))
    _assert_same_bits(chunks.partial_fit(X[:100]), again.partial_fit(X[:100]))
    assert chunks.partial_fit(X[:1]).n_iter_ == 62


def test_partial_fit_keeps_the_mean_and_scale_of_the_first_call(X):
    sae = small(learning_rate=1e-12).partial_fit(X)
    bias, offset = sae.bias_, sae.encoder_bias_
    np.testing.assert_allclose(bias, X.mean(axis=0), atol=1e-5)
    sae.partial_fit(7 * X + 3)
    np.testing.assert_allclose(sae.bias_, bias, atol=1e-5)
    np.testing.assert_allclose(sae.encoder_bias_, offset, atol=1e-5)


def test_partial_fit_after_fit_goes_on_from_it(X):
    sae = small(max_epochs=20).fit(X)
    before = sae.score(X)
    sae.set_params(learning_rate=1e-4).partial_fit(X)
    assert sae.n_iter_ == 1
    assert sae.score(X) > before - 0.01


# The target


def _rows_with_a_faint_signal(task):
    """Sums of a few of 40 directions; the target is how much there is of the two faintest."""
    rng = np.random.default_rng(0)
    present = rng.random((1000, 40)) < 0.08
    present[:, -2:] = rng.random((1000, 2)) < 0.3
    strength = np.r_[np.linspace(3, 1, 38), 0.6, 0.6]
    X = present * strength @ np.linalg.qr(rng.normal(size=(40, 40)))[0] + 0.05 * rng.normal(size=(1000, 40))
    signal = present[:, -2:].sum(axis=1)
    y = {"regression": 10.0 * signal + 100, "binary": signal > 0, "multiclass": signal}[task]
    return X, np.array(["low", "mid", "high"])[y] if task == "multiclass" else y


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
def test_target_weight_aligns_neurons_with_the_target(task):
    X, y = _rows_with_a_faint_signal(task)
    reached = {}
    for weight in (0.0, 1.0):
        sae = small(target_weight=weight, max_epochs=60).fit(X[:700], y[:700])
        codes, test = sae.transform(X[:700]), sae.transform(X[700:])
        if task == "regression":
            coef = np.linalg.lstsq(np.c_[codes.toarray(), np.ones(700)], y[:700], rcond=None)[0]
            reached[weight] = r2_score(y[700:], np.c_[test.toarray(), np.ones(300)] @ coef)
        else:
            reached[weight] = LogisticRegression(C=10, max_iter=1000).fit(codes, y[:700]).score(test, y[700:])
    assert reached[1.0] > reached[0.0] + 0.15

    assert sae.task_ == task
    outputs = test @ sae.target_coef_.T + sae.target_intercept_
    if task == "regression":
        assert r2_score(y[700:], outputs[:, 0]) > 0.5
    else:
        codes = outputs.argmax(axis=1) if task == "multiclass" else (outputs[:, 0] > 0.5).astype(int)
        assert (sae.classes_[codes] == y[700:]).mean() > 0.6
        if task == "multiclass":
            np.testing.assert_allclose(outputs.sum(axis=1), 1, atol=1e-4)  # they are read as probabilities
    assert get_tags(sae).target_tags.required
    assert not get_tags(small()).target_tags.required


def test_the_loss_is_that_of_the_rows_and_of_what_is_read_from_them(X):
    y = np.sin(X[:, 0]) + X[:, 1]
    sae = small(target_weight=3.0, validation_fraction=0, learning_rate=1e-12, max_epochs=1).fit(X, y)
    reconstruction = sae.inverse_transform(sae.transform(X))
    coef = np.linalg.lstsq(sae.components_, sae.target_coef_[0], rcond=None)[0]  # of the linear model, on rows
    assert r2_score(y, X @ coef) > 0.5
    np.testing.assert_allclose(np.corrcoef(X @ coef, y)[0, 1] ** 2, RidgeCV().fit(X, y).score(X, y), atol=1e-3)
    read = 3.0 * np.square((X - reconstruction) @ coef).mean() / y.var()
    loss = np.square(X - reconstruction).sum(axis=1).mean() / X.var(axis=0).sum() + read
    of_the_mean = 1 + 3.0 * (X @ coef).var() / y.var()
    assert sae.history_[0]["train_loss"] == pytest.approx(loss / of_the_mean, rel=1e-3)


def test_a_target_that_nothing_predicts_changes_nothing_much(X):
    noise = np.random.default_rng(0).normal(size=len(X))
    plain, told = small().fit(X), small(target_weight=1.0).fit(X, noise)
    np.testing.assert_allclose(np.linalg.norm(told.components_, axis=1), 1, atol=0.1)
    assert told.score(X) == pytest.approx(plain.score(X), abs=0.02)


def test_target_in_validation_and_warm_start():
    X, y = _rows_with_a_faint_signal("multiclass")
    sae = small(target_weight=0.5, warm_start=True).fit(X, y, X_val=X[:50], y_val=y[:50])
    loss, score = sae.history_[-1]["train_loss"], sae.score(X)
    sae.fit(X, y, X_val=X[:50])  # whose target is not needed
    assert sae.history_[-1]["train_loss"] < loss
    sae.set_params(learning_rate=1e-12, max_epochs=1)
    for weight in (4.0, 0.0):  # from one metric to another
        before = sae.transform(X).toarray()
        after = sae.set_params(target_weight=weight).fit(X, y).transform(X).toarray()
        same = np.isclose(before > 0, after > 0).mean()
        assert same > 0.9
        # The length of a neuron's direction is another in another metric, and so is the scale of its activations.
        alike = [np.corrcoef(x, z)[0, 1] for x, z in zip(before.T, after.T, strict=True) if x.any() and z.any()]
        assert np.median(alike) > 0.95
        assert sae.score(X) > score - 0.2
    assert not hasattr(sae, "target_coef_")


@pytest.mark.parametrize("encoder", ["linear", "matching_pursuit"])
def test_calls_of_partial_fit_add_up_what_they_learn_of_the_target(encoder):
    X, y = _rows_with_a_faint_signal("multiclass")
    whole = small(target_weight=2.0, encoder=encoder, validation_fraction=0).fit(X, y)
    chunks = np.array_split(np.argsort(y, kind="stable"), 8)  # the first has one class only
    online = small(target_weight=2.0, encoder=encoder)
    for _ in range(2):
        for chunk in chunks:
            online.partial_fit(X[chunk], y[chunk], classes=["low", "mid", "high"])
    assert online.target_coef_.shape == (3, 32)
    assert all(row["train_loss"] < 3 for row in online.history_)
    codes = online.transform(X)
    share = {
        sae: (sae.classes_[(sae.transform(X) @ sae.target_coef_.T + sae.target_intercept_).argmax(axis=1)] == y).mean()
        for sae in (whole, online)
    }
    assert share[online] > share[whole] - 0.1
    again = pickle.loads(pickle.dumps(online))
    _assert_same_bits(online.partial_fit(X[:100], y[:100]), again.partial_fit(X[:100], y[:100]))
    assert codes.nnz <= 4 * len(X)
    with pytest.raises(ValueError, match="was not there at the first fit: 'new'"):
        online.partial_fit(X[:2], ["new", "low"])

    before = whole.target_coef_
    whole.set_params(learning_rate=1e-12).partial_fit(X[:50], y[:50])  # after fit, what it learned stays
    np.testing.assert_allclose(whole.target_coef_, before, rtol=1e-3, atol=1e-4)
    whole.set_params(target_weight=0.0).partial_fit(X[:50])
    assert not hasattr(whole, "target_coef_")


def test_the_target_is_learned_further_with_another_encoder():
    X, y = _rows_with_a_faint_signal("regression")
    sae = small(target_weight=1.0).partial_fit(X[:50], y[:50]).set_params(encoder="matching_pursuit")
    sae.partial_fit(X[50:], y[50:])
    alone = small(target_weight=1.0, encoder="matching_pursuit").partial_fit(X[:50], y[:50]).partial_fit(X[50:], y[50:])
    np.testing.assert_array_equal(sae._scaling.metric.coef, alone._scaling.metric.coef)


@pytest.mark.parametrize(
    ("classes", "message"),
    [(["a", None], "Input classes contains NaN: row 1"), ([["a", "b"]], "should be a 1d array")],
)
def test_classes_are_checked_as_a_target(X, classes, message):
    with pytest.raises(ValueError, match=message):
        small(target_weight=1.0).partial_fit(X[:50], ["a", "b"] * 25, classes=classes)
    of_several_types = np.array([1, "a"], dtype=object)
    sae = small(target_weight=1.0).partial_fit(X[:50], of_several_types[[0, 1] * 25], classes=of_several_types)
    assert sae.classes_.tolist() == [1, "a"]


@pytest.mark.parametrize("y", [np.ones(50), ["a"] * 50, np.ones(50, bool)])
def test_the_first_chunk_must_say_what_the_target_is(X, y):
    sae = small(target_weight=0.5)
    with pytest.raises(ValueError, match=r"one distinct value in the first call of partial_fit.*classes="):
        sae.partial_fit(X[:50], y)
    with pytest.raises(ValueError, match="classes must name two or more classes; got 1"):
        sae.partial_fit(X[:50], y, classes=[y[0], y[0]])
    sae.partial_fit(X, X[:, 0]).partial_fit(X[:1], [3])  # known by now
    assert sae.task_ == "regression"


def test_the_validation_target_is_read_as_the_target(X):
    stars = np.clip(np.round(X[:, 0]), 1, 5)
    few, halves = np.flatnonzero(np.isin(stars, [1, 5])), (X[:, 0] > 1).astype(int)

    def fit(y, rows, y_val):
        return small(target_weight=1.0, max_epochs=1).fit(X, y, X_val=X[rows], y_val=y_val)

    whole, part = fit(stars, few, stars[few]), fit(stars, few, list(stars[few].astype(int)))
    assert part.history_ == whole.history_
    assert fit(halves, slice(5), np.zeros(5, int)).task_ == "binary"
    with pytest.raises(ValueError, match=r"y_val has a class that y has not: 2") as error:
        fit(halves, slice(5), [0, 1, 2, 0, 0])
    assert "classes=" not in str(error.value)
    with pytest.raises(ValueError, match="y_val is not numeric"):
        fit(stars, slice(2), ["low", "high"])


@pytest.mark.parametrize("scale", [1e-200, 1e-40, 1e39, 1e200, 1e307])
def test_targets_of_extreme_scale(X, scale):
    y = X[:, 0].astype(np.float64)
    with pytest.raises(ValueError, match="y has values too large or too close together"):
        small(target_weight=1.0).fit(X, y * scale)
    sae = small(target_weight=1.0).partial_fit(X, y * 1e-20)
    with pytest.raises(ValueError, match="y has values too far"):
        sae.partial_fit(X, y * max(scale, 1.0))
    with pytest.raises(ValueError, match="y_val has values too far"):
        sae.fit(X, y * 1e-20, X_val=X, y_val=y)
    assert np.isfinite(sae.target_coef_).all()


def test_targets_of_other_scales_give_the_same(X):
    a, b = (small(target_weight=1.0).fit(X, X[:, 0] * scale) for scale in (1.0, 1e20))
    np.testing.assert_allclose(b.target_coef_, a.target_coef_ * 1e20, rtol=1e-2, atol=1e17)


# Bad input


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"k": 33}, "k=33 is larger than n_components=32"),
        ({"k": 0}, "'k' parameter"),
        ({"n_components": 0}, "'n_components' parameter"),
        ({"aux_k": 33}, "aux_k=33 is larger than n_components=32"),
        ({"multi_k": 33}, "multi_k=33 is larger than n_components=32"),
        ({"matryoshka_prefixes": [8, 4, 32]}, "increase strictly"),
        ({"matryoshka_prefixes": [8, 8, 32]}, "increase strictly"),
        ({"matryoshka_prefixes": [8, 16]}, "end in n_components=32"),
        ({"matryoshka_prefixes": [0, 32]}, "positive integers"),
        ({"matryoshka_prefixes": []}, "positive integers"),
        ({"matryoshka_prefixes": ["a", 32]}, "positive integers"),
        ({"sparsity": "l1"}, "'sparsity' parameter"),
        ({"device": "abacus"}, "device='abacus' cannot be used here"),
        ({"target_weight": 1.0}, "requires y to be passed"),
    ],
)
def test_wrong_parameters_are_named(X, params, message):
    with pytest.raises(ValueError, match=message):
        small(**params).fit(X)


def test_wrong_data_are_named(X):
    bad = X.copy()
    bad[3, 2] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        small().fit(bad)
    bad[3, 2] = np.inf
    with pytest.raises(ValueError, match="infinity"):
        small().fit(bad)
    with pytest.raises(ValueError, match=r"1 sample.*minimum of 2"):
        small().fit(X[:1])
    with pytest.raises(ValueError, match="too large for float32"):
        small().fit(X.astype(np.float64) * 1e300)
    outlier = np.r_[X.astype(np.float64), np.full((1, 20), 1e39)]
    for rows in (outlier, np.full((5, 3), 1e39)):
        with pytest.raises(ValueError, match="too large for float32"):
            small().fit(rows)
    with pytest.raises(ValueError, match="without X_val"):
        small(target_weight=1.0).fit(X, X[:, 0], y_val=X[:, 0])
    with pytest.raises(ValueError, match="y is constant"):
        small(target_weight=1.0).fit(X, np.ones(len(X)))
    sae = small().fit(X, np.ones(len(X)))  # not looked at
    with pytest.raises(ValueError, match="expecting 20 features"):
        sae.transform(X[:, :5])
    with pytest.raises(ValueError, match="X has 5 columns, but there are 32 neurons"):
        sae.inverse_transform(np.ones((2, 5)))


@pytest.mark.parametrize("sparsity", ["topk", "batch_topk"])
@pytest.mark.parametrize("value", [0.0, 3.3, 1e20])
def test_equal_rows_give_no_nan(sparsity, value):
    X = np.full((20, 5), value)
    sae = small(sparsity=sparsity, dead_after=1).fit(X)
    for array in (sae.components_, sae.encoder_weight_, sae.bias_, sae.transform(X).toarray(), sae.score(X)):
        assert np.isfinite(array).all()


def test_repeated_rows_and_more_neurons_than_rows():
    X = np.repeat(np.random.default_rng(0).normal(size=(5, 8)), 10, axis=0)
    sae = small(n_components=64).fit(X)
    assert np.isfinite(sae.components_).all()
    assert len(np.unique(sae.components_.round(4), axis=0)) == 64


def test_values_beyond_float32_in_other_rows_are_named(X):
    X = X.astype(np.float64)
    for sparsity in ("topk", "batch_topk"):
        sae = small(sparsity=sparsity).fit(X)
        for factor in (1e300, 1e38):
            for method in (sae.transform, sae.score):
                with pytest.raises(ValueError, match="too large for float32"):
                    method(X * factor)
    for factor in (1e300, 1e25):
        with pytest.raises(ValueError, match="too large for float32"):
            small().fit(X, X_val=X * factor)
        with pytest.raises(ValueError, match="too large for float32"):
            small().partial_fit(X).partial_fit(X * factor)
    with pytest.raises(ValueError, match="too small for float32"):
        small().fit(X * 1e-50)


def test_training_that_diverges_says_so(X):
    sae = small(learning_rate=1e30)
    with pytest.raises(ValueError, match=r"diverged at epoch 1.*lower learning_rate"):
        sae.fit(X)
    assert not hasattr(sae, "components_")
    sae.set_params(learning_rate=1e-3).partial_fit(X)
    before = pickle.dumps(sae.set_params(learning_rate=1e30))
    with pytest.raises(ValueError, match=r"diverged at epoch 2.*lower learning_rate"):
        sae.partial_fit(X)
    assert pickle.dumps(sae) == before
    with pytest.raises(ValueError, match="diverged at epoch 1"):  # by its one step, after its loss
        small(learning_rate=3e37, batch_size=600, validation_fraction=0, max_epochs=1).fit(X)


@pytest.mark.filterwarnings("ignore:X has feature names")
@pytest.mark.parametrize(
    "form", [list, np.array, pd.Series, lambda t: pd.DataFrame({"a": t}), lambda t: [[text, 1.0] for text in t]]
)
def test_texts_are_refused_and_not_quoted(form):
    texts = form(["I love secret", "secrets é"])
    sae = small().fit(np.random.default_rng(0).normal(size=(20, 1)))
    calls = [
        lambda: small().fit(texts),
        lambda: small().partial_fit(texts),
        lambda: sae.transform(texts),
        lambda: sae.score(texts),
        lambda: sae.inverse_transform(texts),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="X holds texts where numbers are needed; embed them first") as error:
            call()
        shown = "".join(traceback.format_exception_only(error.value))
        assert not re.search("love|secret", shown)
        assert error.value.__suppress_context__
    with pytest.raises(ValueError, match="X_val holds texts"):
        small().fit(np.ones((4, 1)), X_val=texts)


# In company


def test_auto_sizes(X):
    assert suggest_size(400) == (32, 8)
    assert suggest_size(1_000) == (48, 12)
    assert suggest_size(10_000) == (256, 8)
    assert suggest_size(100_000) == (1024, 8)
    sae = TopKSAETransformer(n_components="auto", k="auto", max_epochs=1).fit(X)
    assert (sae.n_components_, sae.k_) == suggest_size(len(X))
    sae = TopKSAETransformer(n_components="auto", k="auto", max_epochs=1, warm_start=True).fit(X[:600])
    assert (sae.n_components_, sae.k_) == (48, 12)
    assert (sae.fit(X[:100]).n_components_, sae.k_) == (48, 12)
    sae = TopKSAETransformer(n_components="auto", k=9, max_epochs=1).fit(X[:2])
    assert (sae.n_components_, sae.k_) == (32, 9)
    sae = TopKSAETransformer(n_components=200, k="auto", max_epochs=1).fit(X)
    assert (sae.n_components_, sae.k_) == (200, 8)


def test_pickles_hold_no_torch(X):
    for sae in (small().fit(X), small(sparsity="batch_topk").partial_fit(X)):
        stored = pickle.dumps(sae)
        assert b"torch" not in stored
        np.testing.assert_array_equal(pickle.loads(stored).transform(X).toarray(), sae.transform(X).toarray())


def test_grid_search_in_two_processes_gives_the_same_as_in_one():
    X, y = make_classification(200, 12, random_state=0)
    X = X.astype(np.float32)
    pipeline = make_pipeline(small(max_epochs=2), LogisticRegression())
    grid = {"topksaetransformer__n_components": [8, 16], "topksaetransformer__k": [2, 4]}
    scores = [
        GridSearchCV(pipeline, grid, scoring="roc_auc", cv=2, n_jobs=n_jobs).fit(X, y).cv_results_["mean_test_score"]
        for n_jobs in (1, 2)
    ]
    assert np.array_equal(*scores)


def test_feature_union_of_two_sizes(X):
    union = FeatureUnion([("coarse", small(n_components=8, k=2)), ("fine", small())])
    codes = union.fit_transform(X)
    assert sparse.issparse(codes)
    names = union.get_feature_names_out()
    assert codes.shape[1] == len(names) == 40
    assert (names[0], names[8]) == ("coarse__topksaetransformer0", "fine__topksaetransformer0")


def test_memory_mapped_half_precision(X, tmp_path):
    np.save(tmp_path / "X.npy", X.astype(np.float16))
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    a, b = small().fit(mapped), small().fit(X.astype(np.float16).astype(np.float32))
    np.testing.assert_allclose(a.components_, b.components_, atol=1e-5)
    assert (a.transform(mapped) != b.transform(mapped)).nnz < 50


def test_reconstruction_error_on_reviews(yelp):
    _, _, X = yelp
    train, test = next(KFold(5, shuffle=True, random_state=0).split(X))
    sae = TopKSAETransformer(256, 8, random_state=0).fit(X[train])
    assert 1 - sae.score(X[test]) < 0.61
    assert (sae.density_ == 0).mean() < 0.02


def test_progress_bar_only_when_asked_for(X, capfd):
    small().fit(X)
    assert capfd.readouterr() == ("", "")
    small(verbose=True).fit(X)
    out, err = capfd.readouterr()
    assert out == ""
    assert "TopKSAETransformer" in err
    assert "validation_loss" in err


def test_training_goes_on_from_weights_in_any_memory_order(X):
    losses = []
    for order in "CF":
        sae = small(random_state=0).fit(X)
        for name in ("components_", "encoder_weight_"):
            setattr(sae, name, np.asarray(getattr(sae, name), order=order))
        sae.set_params(warm_start=True).fit(X)
        losses.append([row["train_loss"] for row in sae.history_])
        assert np.allclose(np.linalg.norm(sae.components_, axis=1), 1, atol=1e-5)
    assert losses[0] == losses[1]
