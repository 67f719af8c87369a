import numpy as np
import pytest
from scipy.sparse import csr_matrix


@pytest.fixture(scope="session")
def make_activations():
    """Rows with k positive activations each, as a sparse autoencoder gives them."""

    def make(n_samples=400, n_neurons=60, k=6, seed=0, dtype=np.float64):
        rng = np.random.default_rng(seed)
        columns = rng.random((n_samples, n_neurons)).argsort(axis=1)[:, :k].astype(np.int32)
        values = rng.exponential(size=n_samples * k) + 0.1
        starts = np.arange(0, n_samples * k + 1, k, dtype=np.int32)
        X = csr_matrix((values.astype(dtype), columns.ravel(), starts), shape=(n_samples, n_neurons))
        X.sort_indices()
        return X

    return make
