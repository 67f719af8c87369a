"""What must not regress, counted and not timed: operations a step, and no tensor as large as a dense (n, M) matrix."""

from collections import Counter

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from sklearn_sae import TopKSAETransformer
from sklearn_sae.sae import _encoding, _kernels, _pursuit
from sklearn_sae.sae._initialization import initial_weights
from sklearn_sae.sae._settings import Settings
from sklearn_sae.sae._training import State, training_step
from sklearn_sae.sae.native import _calls

B, D, M, K = 64, 8, 1024, 4
DENSE = B * M  # larger than any parameter


@pytest.fixture(autouse=True)
def compiled(monkeypatch):
    """Count what a machine without bfloat16 instructions does."""
    monkeypatch.setattr(_kernels, "multiplies_bfloat16", lambda: False)


class Operations(TorchDispatchMode):
    """Counts the operations by name, and those whose result has at least `large` entries of its own memory."""

    def __init__(self, large):
        super().__init__()
        self.threshold, self.counts, self.large, self.large_types = large, Counter(), Counter(), set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        tensors = out if isinstance(out, (tuple, list)) else (out,)
        tensors = [t for t in tensors if isinstance(t, torch.Tensor) and t.layout == torch.strided]
        name = func.overloadpacket.__name__
        self.counts[name] += 1
        if not func.is_view and any(t.numel() >= self.threshold for t in tensors):
            self.large[name] += 1
            self.large_types |= {t.dtype for t in tensors}
        return out


def step_operations(settings, *, n_steps=1, dead_after=10**6, large=DENSE):
    """Return the operations of the last of some steps."""
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(M, D)).astype(np.float32)
    weights = initial_weights(directions / np.linalg.norm(directions, axis=1, keepdims=True))
    state = State.start(weights, "cpu")
    for _ in range(n_steps):
        x = torch.from_numpy(rng.normal(size=(B, D)).astype(np.float32))
        with Operations(large) as operations:
            training_step(state, x, settings, learning_rate=1e-3, dead_after=dead_after)
    return operations


def test_a_step_forms_one_dense_matrix_the_pre_activations(maybe_compiled):
    operations = step_operations(Settings(k=K, aux_k=8, aux_weight=1 / 32))
    compiled = _calls.compiled is not None
    assert operations.large == {"addmm": 1}
    assert operations.counts["topk"] == (not compiled)
    assert operations.counts["sparse_sampled_addmm"] == (not compiled)  # the gradient of the codes
    products = 0 if compiled else 5  # the decoder, two weight gradients, those of the two biases
    assert operations.counts["_embedding_bag_forward_only"] == products
    assert operations.counts["_fused_adam_"] == 1
    assert sum(operations.counts.values()) <= (50 if compiled else 90)


def test_a_compiled_step_forms_no_gradient_of_a_weight():
    if _calls.compiled is None:
        pytest.skip("installed without a C compiler")
    assert step_operations(Settings(k=K, aux_k=8, aux_weight=1 / 32), large=M * D).large == {"addmm": 1}


@pytest.mark.parametrize(
    ("settings", "products"),
    [
        (Settings(k=K, batch_topk=True), 1),
        (Settings(k=K, prefixes=(64, M)), 1),
        (Settings(k=K, multi_k=16, multi_weight=0.1), 2),
    ],
)
def test_no_term_forms_another(settings, products):
    assert step_operations(settings).large == {"addmm": products}


def test_through_bfloat16_no_dense_matrix_has_32_bits(monkeypatch):
    if _calls.compiled is None:
        pytest.skip("installed without a C compiler")
    monkeypatch.setattr(_kernels, "multiplies_bfloat16", lambda: True)
    operations = step_operations(Settings(k=K))
    assert sum(operations.large.values()) == 1
    assert operations.large_types == {torch.bfloat16}


def test_dead_neurons_cost_only_while_there_are_any():
    settings = Settings(k=K, aux_k=8, aux_weight=1 / 32)
    alive, dead = step_operations(settings, n_steps=4), step_operations(settings, n_steps=4, dead_after=2)
    assert alive.counts["addmm"] == 1
    assert dead.counts["addmm"] == 2
    assert dead.large == {"addmm": 1}  # the dead are fewer than all


@pytest.mark.parametrize("sparsity", ["topk", "batch_topk"])
def test_transform_holds_one_chunk_of_pre_activations(monkeypatch, sparsity):
    X = np.random.default_rng(0).normal(size=(3000, 4)).astype(np.float32)
    sae = TopKSAETransformer(n_components=2048, k=2, max_epochs=1, sparsity=sparsity, random_state=0).fit(X)
    monkeypatch.setattr(_encoding, "_CHUNK_ENTRIES", 2**17)
    with Operations(2**17 + 1) as operations:
        codes = sae.transform(X)
    assert codes.shape == (3000, 2048)
    assert not operations.large
    assert operations.counts["addmm"] == -(-3000 // 64)


def test_a_pursuit_holds_one_chunk_of_correlations(monkeypatch):
    X = np.random.default_rng(0).normal(size=(600, 4)).astype(np.float32)
    sae = TopKSAETransformer(n_components=512, k=3, max_epochs=1, encoder="matching_pursuit", random_state=0).fit(X)
    monkeypatch.setattr(_encoding, "_CHUNK_ENTRIES", 2**15)
    with Operations(2**15 + 1) as operations:
        sae.transform(X)
    assert operations.large == {"addmm": 1}  # the Gram matrix, once
    assert operations.counts["addmm"] == 1 + -(-600 // 64)
    monkeypatch.setattr(_pursuit, "_LARGEST_GRAM", 2**16)
    with Operations(2**15 + 1) as operations:
        sae.transform(X)
    assert not operations.large
    assert operations.counts["addmm"] == 3 * -(-600 // 64)
    sae = TopKSAETransformer(n_components=64, k=40, max_epochs=1, encoder="matching_pursuit", random_state=0).fit(X)
    with Operations(2**15 + 1) as operations:
        sae.transform(X)
    assert not operations.large
