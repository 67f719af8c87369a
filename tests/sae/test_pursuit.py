"""Matching pursuit: the codes, their gradient, and the autoencoder that has them for an encoder."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline

from sklearn_sae import TopKSAETransformer
from sklearn_sae.sae import _checkpoint, _encoding, _fitting, _pursuit, _training
from sklearn_sae.sae._network import compute_gradient, compute_loss
from sklearn_sae.sae._optimizer import dense_gradient
from sklearn_sae.sae._pursuit import gram_matrix, pursue
from sklearn_sae.sae._settings import Settings
from sklearn_sae.sae._training import State, training_step
from sklearn_sae.sae._weights import Weights


def unit_rows(n_components, n_features, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(n_components, n_features, generator=generator, dtype=torch.float64)
    return (rows / rows.norm(dim=1, keepdim=True)).to(dtype)


def normal(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def densify(codes, neurons, n_components):
    """Return the codes as (B, M); a slot that no neuron holds adds its zero somewhere."""
    return codes.new_zeros(len(codes), n_components).scatter_add_(1, neurons, codes)


# The codes


def pursue_row(x, components, k):
    """Return the codes (M,) of one row, written plainly in NumPy: the first k rounds of Lawson and Hanson's NNLS."""
    codes, support = np.zeros(len(components)), []
    least = 1e-5 * max(0, (components @ x).max())
    for _ in range(k):
        correlations = components @ (x - codes @ components)
        best = int(correlations.argmax())
        off = components[best]
        if support:
            chosen = components[support]
            off = off - np.linalg.lstsq(chosen.T, off, rcond=None)[0] @ chosen
        if correlations[best] <= least or off @ off <= 1e-4:
            continue
        support.append(best)
        while (z := np.linalg.lstsq(components[support].T, x, rcond=None)[0]).min() < 0:
            old = codes[support]
            share = [a / (a - b) if b < 0 else np.inf for a, b in zip(old, z, strict=True)]
            codes[support] = old + min(share) * (z - old)
            codes[support.pop(int(np.argmin(share)))] = 0
        codes[support] = z
    return codes


@pytest.mark.parametrize("with_gram", [True, False])
@pytest.mark.parametrize("arrangement", ["random", "cone", "coincident"])
@pytest.mark.parametrize(
    ("n_components", "n_features", "k"), [(64, 16, 8), (64, 6, 12), (20, 30, 20), (5, 1, 3), (1, 4, 1), (300, 40, 1)]
)
def test_codes_equal_the_plain_ones_and_are_the_optimum_on_their_neurons(
    n_components, n_features, k, arrangement, with_gram
):
    components, x = unit_rows(n_components, n_features), normal(60, n_features)
    if arrangement == "cone":  # neurons that overlap, so that many leave again
        components, x = components.abs(), x.abs()
    elif arrangement == "coincident":
        components[1::2] = components[: n_components // 2 * 2 : 2] + 1e-3 * components[1::2]
        components /= components.norm(dim=1, keepdim=True)
    codes, neurons = pursue(x, components, gram_matrix(components) if with_gram else None, k)
    for row, dense in zip(x.numpy(), densify(codes, neurons, n_components).numpy(), strict=True):
        np.testing.assert_allclose(dense, pursue_row(row, components.numpy(), k), atol=1e-8)
        support = np.flatnonzero(dense)
        if len(support):
            np.testing.assert_allclose(dense[support], nnls(components[support].numpy().T, row)[0], atol=1e-8)


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 20),
    d=st.integers(1, 9),
    m=st.integers(1, 30),
    k=st.integers(1, 12),
    repeated=st.booleans(),
    with_gram=st.booleans(),
    exponent=st.integers(-12, 12),
    precision=st.sampled_from([(torch.float32, 1e-2), (torch.float64, 1e-8)]),
    seed=st.integers(0, 10**6),
)
@example(8, 7, 20, 11, False, False, 0, (torch.float32, 1e-2), 311)  # a neuron chosen again, by rounding errors
def test_codes_are_never_negative_and_leave_less_each_round(n, d, m, k, repeated, with_gram, exponent, precision, seed):
    dtype, tolerance = precision
    components, x = unit_rows(m, d, seed, dtype), (normal(n, d, seed=seed + 1) * 10.0**exponent).to(dtype)
    if repeated:
        components[m // 2 :] = components[: m - m // 2].clone()
    x[0] = 0.0
    gram = gram_matrix(components) if with_gram else None
    before, tolerance = x.norm(dim=1), tolerance * x.norm(dim=1)
    for rounds in range(1, min(k, m) + 1):
        codes, neurons = pursue(x, components, gram, rounds)
        assert codes.shape == neurons.shape == (n, rounds)
        assert (codes >= 0).all()
        assert codes.isfinite().all()
        assert (codes[0] == 0).all()
        held = [row[code > 0].tolist() for row, code in zip(neurons, codes, strict=True)]
        assert all(len(set(row)) == len(row) for row in held)
        residual = x - densify(codes, neurons, m) @ components
        left = residual.norm(dim=1)
        assert (left <= before + tolerance).all()
        code_gradients = (residual @ components.T).gather(1, neurons) * (codes > 0)
        assert (code_gradients.abs().amax(1) <= tolerance).all()
        before = left


def test_what_is_reconstructed_exactly_takes_no_further_neuron():
    components = unit_rows(100, 20, dtype=torch.float32)
    x = 3 * components[:10]
    codes, neurons = pursue(x, components, gram_matrix(components), 8)
    assert ((codes > 0).sum(1) == 1).all()
    torch.testing.assert_close(densify(codes, neurons, 100), 3 * torch.eye(10, 100))


def test_it_finds_the_neurons_that_a_row_was_made_of():
    components = torch.linalg.qr(normal(30, 30))[0]
    weights = torch.zeros(50, 30, dtype=torch.float64)
    for row in weights:
        row[torch.randperm(30, generator=torch.Generator().manual_seed(2))[:4]] = torch.tensor([1.0, 2, 3, 4]).double()
    codes, neurons = pursue(weights @ components, components, None, 4)
    torch.testing.assert_close(densify(codes, neurons, 30), weights)


def test_a_large_gram_matrix_is_not_formed(monkeypatch):
    assert gram_matrix(unit_rows(10, 3)).shape == (10, 10)
    monkeypatch.setattr(_pursuit, "_LARGEST_GRAM", 99)
    assert gram_matrix(unit_rows(10, 3)) is None


@pytest.mark.parametrize(("n_rows", "d", "m", "k"), [(1, 3, 5, 2), (100, 20, 64, 8), (333, 48, 100, 16)])
def test_codes_do_not_depend_on_the_number_of_threads(n_rows, d, m, k):
    components, x, threads = unit_rows(m, d, dtype=torch.float32), normal(n_rows, d).float(), torch.get_num_threads()
    try:
        results = []
        for n in (1, 2, 3):
            torch.set_num_threads(n)
            results.append([*pursue(x, components, gram_matrix(components), k), *pursue(x, components, None, k)])
    finally:
        torch.set_num_threads(threads)
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


# The loss and its gradient

B, D, M, K = 30, 9, 24, 4
DEAD = torch.tensor([1, 4, 5, 12, 13, 19])


def parameters():
    empty = torch.zeros(0, D, dtype=torch.float64), torch.zeros(0, dtype=torch.float64)
    return Weights(*empty, unit_rows(M, D), 0.3 * normal(D, seed=5)), normal(B, D)


def solve(x, components, supports):
    """Return the least-squares codes (B, M) on given neurons, for autograd to go through."""
    codes = []
    for row, support in zip(x, supports, strict=True):
        chosen = components[support]
        z = torch.linalg.solve(chosen @ chosen.T, chosen @ row)
        codes.append(torch.zeros(len(components), dtype=x.dtype).index_put((support,), z))
    return torch.stack(codes)


@pytest.mark.parametrize(("aux_weight", "aux_k"), [(0.0, 1), (0.5, 3), (0.5, 11)])
def test_loss_and_gradient_equal_autograd_through_the_solution_at_fixed_neurons(aux_weight, aux_k, reference):
    params, x = parameters()
    loss = compute_loss(params, x, Settings(k=K, pursuit=True, aux_k=aux_k, aux_weight=aux_weight), dead=DEAD)
    ours = dense_gradient(params, compute_gradient(loss))

    def supports(term):
        on = term.codes > 0
        return [term.active.neurons[on & (term.active.rows == row)] for row in range(B)]

    p = {name: tensor.clone().requires_grad_() for name, tensor in params._asdict().items()}
    codes = solve(x - p["bias"], p["components"], supports(loss.terms[0]))
    plain = reference.mse(x, reference.reconstruct(p, codes))
    torch.testing.assert_close(loss.fit, plain)
    if aux_weight:
        residual = (x - reference.reconstruct(p, codes)).detach()
        chosen = supports(loss.terms[-1])
        assert set(torch.cat(chosen).tolist()) <= set(DEAD.tolist())
        assert sum(map(len, chosen)) > B
        plain = plain + aux_weight * reference.mse(residual, solve(residual, p["components"], chosen) @ p["components"])
    torch.testing.assert_close(loss.total, plain)

    theirs = torch.autograd.grad(plain, tuple(p.values()), allow_unused=True, materialize_grads=True)
    for name, a, b in zip(Weights._fields, ours, theirs, strict=True):
        if name == "components":
            torch.testing.assert_close((a * params.components).sum(1), torch.zeros(M).double(), atol=1e-12, rtol=0)
            b = b - (b * params.components).sum(1, keepdim=True) * params.components
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-10, msg=lambda m, name=name: f"{name}: {m}")


def test_a_step_moves_the_components_along_their_spheres():
    params, x = parameters()
    state = State.start(params.arrays(), "cpu")
    s = Settings(k=K, pursuit=True)
    losses = [float(training_step(state, x.float(), s, learning_rate=0.01, dead_after=9)) for _ in range(50)]
    assert losses[-1] < 0.7 * losses[0]
    torch.testing.assert_close(state.weights.components.norm(dim=1), torch.ones(M))


# The estimator


def small(**params):
    defaults = {"n_components": 32, "k": 4, "max_epochs": 5, "random_state": 0, "encoder": "matching_pursuit"}
    return TopKSAETransformer(**defaults | params)


def assert_same_bits(a, b):
    for name in ("components_", "encoder_weight_", "encoder_bias_", "bias_", "density_"):
        assert getattr(a, name).tobytes() == getattr(b, name).tobytes(), name
    assert pd.DataFrame(a.history_).equals(pd.DataFrame(b.history_))


@settings(max_examples=15, deadline=None)
@given(
    n=st.integers(2, 70),
    d=st.integers(1, 9),
    m=st.integers(1, 40),
    k=st.integers(1, 12),
    dtype=st.sampled_from([np.float16, np.float32, np.float64]),
    seed=st.integers(0, 10),
)
def test_the_codes_of_an_autoencoder(n, d, m, k, dtype, seed):
    k = min(k, m)
    X = np.random.default_rng(seed).normal(loc=2, size=(n, d)).astype(dtype)
    sae = small(n_components=m, k=k, max_epochs=2).fit(X)
    codes = sae.transform(X)
    assert codes.shape == (n, m)
    assert codes.dtype == (np.float64 if dtype == np.float64 else np.float32)
    assert codes.indices.dtype == codes.indptr.dtype == np.int32
    assert (codes.data > 0).all()
    assert np.diff(codes.indptr).max(initial=0) <= k
    for row in codes:
        assert (np.diff(row.indices) > 0).all()
    dense = codes.toarray().astype(np.float64)
    residual = X.astype(np.float64) - sae.bias_ - dense @ sae.components_
    assert np.abs((residual @ sae.components_.T)[dense > 0]).max(initial=0) < 1e-3 * (1 + np.abs(X).max())
    np.testing.assert_allclose(np.linalg.norm(sae.components_, axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(sae.encoder_weight_, sae.components_)
    assert not np.shares_memory(sae.encoder_weight_, sae.components_)
    assert (sae.encoder_bias_ == np.zeros(m, np.float32)).all()
    np.testing.assert_allclose(sae.density_, (dense > 0).mean(axis=0), rtol=1e-6)


def test_it_reconstructs_better_than_the_linear_encoder(X):
    linear, pursued = small(encoder="linear", max_epochs=25).fit(X), small(max_epochs=25).fit(X)
    assert 1 - pursued.score(X) < 0.7 * (1 - linear.score(X))


def test_reconstruction_error_on_reviews(yelp):
    _, _, X = yelp
    train, test = next(KFold(5, shuffle=True, random_state=0).split(X))
    sae = small(n_components=256, k=8, max_epochs=12).fit(X[train])
    assert 1 - sae.score(X[test]) < 0.53
    assert (sae.density_ == 0).mean() < 0.02


def test_history_is_the_normalized_error_of_transform(X):
    sae = small(max_epochs=20).fit(X[:400], X_val=X[400:])
    residual = X[400:] - sae.inverse_transform(sae.transform(X[400:]))
    normalized = np.square(residual).sum(axis=1).mean() / X[:400].var(axis=0).sum()
    assert min(row["validation_loss"] for row in sae.history_) == pytest.approx(normalized, rel=1e-4)


@pytest.mark.parametrize("exponent", [-30, 19, 30])
def test_scales_near_the_ends_of_float32(X, exponent):
    expected = small().fit(X).score(X)
    sae = small().fit(X * 10.0**exponent)
    assert sae.score(X * 10.0**exponent) == pytest.approx(expected, abs=1e-2)
    with pytest.raises(ValueError, match="too large for float32"):
        sae.transform(X.astype(np.float64) * 1e38)


@pytest.mark.parametrize(
    "X",
    [
        np.full((20, 5), 3.3),
        np.repeat(np.random.default_rng(0).normal(size=(5, 8)), 10, axis=0),
        np.random.default_rng(0).normal(size=(60, 2)),
        np.random.default_rng(0).normal(size=(60, 3)) @ np.random.default_rng(1).normal(size=(3, 12)),
    ],
    ids=["equal rows", "repeated rows", "more active than features", "rows of low rank"],
)
def test_degenerate_rows_give_no_nan(X):
    sae = small(n_components=64, k=8, dead_after=1).fit(X)
    for array in (sae.components_, sae.bias_, sae.transform(X).toarray(), sae.score(X)):
        assert np.isfinite(array).all()
    if len(np.unique(X, axis=0)) > 1:
        assert sae.score(X) > 0.9


def test_the_auxiliary_term_revives_dead_neurons(X):
    X = np.c_[X, np.zeros_like(X)]
    sae = small(warm_start=True, dead_after=10, max_epochs=20, patience=None, target_weight=0.0).fit(X)
    aside = np.zeros((16, X.shape[1]), np.float32)
    aside[:, X.shape[1] // 2 :] = 1
    sae.components_[:16] = 0.05 * sae.components_[:16] + aside  # of the rows, they see next to nothing
    sae.components_ /= np.linalg.norm(sae.components_, axis=1, keepdims=True)
    state, unused, score = pickle.dumps(sae), {}, {}
    for weight in (0.0, 1 / 32):
        continued = pickle.loads(state).set_params(aux_weight=weight).fit(X)
        unused[weight], score[weight] = int((continued.density_ == 0).sum()), continued.score(X)
    assert unused[0.0] >= 10
    assert unused[1 / 32] <= 6
    assert score[1 / 32] > score[0.0]


def test_same_bits_whatever_the_number_of_threads(X):
    threads, results = torch.get_num_threads(), []
    try:
        for n in (1, 2, 3):
            torch.set_num_threads(n)
            sae = small(target_weight=0.5, dead_after=2).fit(X, X[:, 0])
            results.append((sae, sae.transform(np.tile(X, (20, 1)))))
    finally:
        torch.set_num_threads(threads)
    for sae, codes in results[1:]:
        assert_same_bits(results[0][0], sae)
        for name in ("data", "indices", "indptr"):
            assert getattr(codes, name).tobytes() == getattr(results[0][1], name).tobytes()


def test_a_row_has_the_same_codes_in_any_company(X, monkeypatch):
    sae = small().fit(X)
    codes = sae.transform(X)
    monkeypatch.setattr(_encoding, "_CHUNK_ENTRIES", 2**9)
    for rows in (slice(None), slice(5, 100), slice(7, 8), slice(None, None, -1)):
        np.testing.assert_allclose(sae.transform(X[rows]).toarray(), codes[rows].toarray(), atol=1e-5)


def test_few_chosen_of_many_neurons_without_a_gram_matrix(X, monkeypatch):
    sae = small().fit(X)
    codes = sae.transform(X)
    monkeypatch.setattr(_pursuit, "_LARGEST_GRAM", 10)
    np.testing.assert_allclose(sae.transform(X).toarray(), codes.toarray(), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(small().fit(X).components_, sae.components_, atol=1e-2)


def test_the_target_pulls_at_the_components():
    rng = np.random.default_rng(0)
    present = rng.random((1000, 40)) < 0.08
    present[:, -2:] = rng.random((1000, 2)) < 0.3
    strength = np.r_[np.linspace(3, 1, 38), 0.6, 0.6]
    X = present * strength @ np.linalg.qr(rng.normal(size=(40, 40)))[0] + 0.05 * rng.normal(size=(1000, 40))
    y = 10.0 * present[:, -2:].sum(axis=1) + 100
    reached = {}
    for weight in (0.0, 1.0):
        sae = small(target_weight=weight, n_components=24, k=3, max_epochs=60).fit(X[:700], y[:700])
        codes = sae.transform(X)
        reached[weight] = LinearRegression().fit(codes[:700].toarray(), y[:700]).score(codes[700:].toarray(), y[700:])
    assert reached[1.0] > reached[0.0] + 0.15
    outputs = sae.transform(X[700:]) @ sae.target_coef_[0] + sae.target_intercept_[0]
    assert np.square(y[700:] - outputs).mean() < 0.5 * y[700:].var()
    assert (np.diff(codes.indptr) <= 3).all()
    assert codes.data.min() > 0


@pytest.mark.parametrize(
    ("params", "named"),
    [
        ({"sparsity": "batch_topk"}, "sparsity"),
        ({"matryoshka_prefixes": [4, 32]}, "matryoshka_prefixes"),
        ({"multi_weight": 0.1}, "multi_weight"),
        ({"signed": True}, "signed"),
    ],
)
def test_what_it_excludes_is_named(X, params, named):
    for method in ("fit", "partial_fit"):
        with pytest.raises(ValueError, match=f"encoder='matching_pursuit' does not go with {named}"):
            getattr(small(**params), method)(X)
    small(**params, encoder="linear", max_epochs=1).fit(X)


@pytest.mark.parametrize(("encoder", "expected"), [("linear", 5e-3), ("matching_pursuit", 2e-2)])
def test_the_automatic_learning_rate(X, monkeypatch, encoder, expected):
    rates, one_epoch = [], _training.one_epoch

    def spy(*args, rate, **kwargs):
        rates.append(max(rate(step) for step in range(60)))
        return one_epoch(*args, rate=rate, **kwargs)

    for module in (_training, _fitting):
        monkeypatch.setattr(module, "one_epoch", spy)
    sae = small(encoder=encoder, max_epochs=20).fit(X)
    sae.partial_fit(X)
    sae.set_params(learning_rate=0.125).partial_fit(X)
    assert rates[0] == pytest.approx(expected, rel=0.02)
    assert rates[-2:] == [pytest.approx(expected), pytest.approx(0.125)]
    with pytest.raises(ValueError, match="learning_rate"):
        small(learning_rate="fast").fit(X)


@pytest.mark.parametrize("fitted", ["linear", "matching_pursuit"])
def test_transform_is_as_fitted_until_the_next_fit(X, fitted):
    other = "linear" if fitted == "matching_pursuit" else "matching_pursuit"
    sae = small(encoder=fitted).fit(X)
    codes = sae.transform(X)
    sae.set_params(encoder=other)
    assert (sae.transform(X) != codes).nnz == 0
    assert (pickle.loads(pickle.dumps(sae)).transform(X) != codes).nnz == 0
    sae.fit(X)
    assert (sae.transform(X) != codes).nnz > 0
    assert_same_bits(sae, small(encoder=other).fit(X))


@pytest.mark.parametrize("fitted", ["linear", "matching_pursuit"])
def test_weights_of_one_encoder_start_the_other(X, fitted):
    other = "linear" if fitted == "matching_pursuit" else "matching_pursuit"
    start = small(encoder=fitted, max_epochs=20, warm_start=True).fit(X)
    stored, fresh = pickle.dumps(start), small(encoder=other, max_epochs=1).fit(X)
    warm = pickle.loads(stored).set_params(encoder=other, max_epochs=1).fit(X)
    assert warm.history_[0]["train_loss"] < fresh.history_[0]["train_loss"]
    online = pickle.loads(stored).partial_fit(X).set_params(encoder=other).partial_fit(X).partial_fit(X)
    assert online.n_iter_ == 2
    assert online.score(X) > small(encoder=other).partial_fit(X).score(X)


def test_warm_start_and_partial_fit(X):
    sae = small(max_epochs=10, warm_start=True).fit(X)
    before, first = sae.score(X), sae.history_[0]["train_loss"]
    sae.set_params(learning_rate=1e-3).fit(X)
    assert sae.score(X) > before
    assert sae.history_[0]["train_loss"] < first / 1.5

    chunks = small()
    for _ in range(10):
        for start in range(0, len(X), 200):
            chunks.partial_fit(X[start : start + 200])
    assert chunks.n_iter_ == 30
    assert chunks.score(X) > before - 0.05
    again = pickle.loads(pickle.dumps(chunks))
    assert_same_bits(chunks.partial_fit(X[:100]), again.partial_fit(X[:100]))
    assert b"torch" not in pickle.dumps(chunks)


class Stop(Exception):
    """Stands for whatever ends a process."""


def test_an_interrupted_fit_goes_on(X, tmp_path, monkeypatch):
    save, saves = _checkpoint.Checkpoint.save, []

    def save_and_stop(self, arrays):
        save(self, arrays)
        saves.append(1)
        if len(saves) == 3:
            raise Stop

    with monkeypatch.context() as patch:
        patch.setattr(_checkpoint.Checkpoint, "save", save_and_stop)
        with pytest.raises(Stop):
            small(checkpoint_dir=tmp_path, target_weight=1.0).fit(X, X[:, 0])
    small(checkpoint_dir=tmp_path, target_weight=1.0, encoder="linear").fit(X, X[:, 0])
    assert len(list(tmp_path.iterdir())) == 1  # that of another encoder was not taken up
    resumed = small(checkpoint_dir=tmp_path, target_weight=1.0).fit(X, X[:, 0])
    assert_same_bits(resumed, small(target_weight=1.0).fit(X, X[:, 0]))
    assert not list(tmp_path.iterdir())


def test_grid_search_over_encoders(X):
    grid = {"topksaetransformer__encoder": ["linear", "matching_pursuit"]}
    search = GridSearchCV(make_pipeline(small(max_epochs=15)), grid, cv=2).fit(X)
    assert search.best_params_ == {"topksaetransformer__encoder": "matching_pursuit"}
    assert search.best_estimator_.get_feature_names_out()[0] == "topksaetransformer0"
