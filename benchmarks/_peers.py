"""The other packages, called as their documentation says: HypotheSAEs and SAELens."""

import contextlib
import io
import os
import warnings

import numpy as np
import torch

from benchmarks._floor import BATCH, DEVICE
from sklearn_sae.utils._optional import require


@contextlib.contextmanager
def quiet():
    """Silence what peers print and warn of."""
    with (
        warnings.catch_warnings(action="ignore"),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        yield


def hypothesaes(module):
    """Import one of its modules."""
    os.environ.setdefault("OPENAI_KEY_SAE", "none")  # looked for at import; nothing is sent
    with quiet():
        return require(f"hypothesaes.{module}", extra="benchmarks", purpose="The comparison")


def train_hypothesaes(X, m, k, seed):
    """Train HypotheSAEs at its defaults, with a tenth of the rows to stop early by, as ours."""
    train_sae = hypothesaes("quickstart").train_sae
    torch.manual_seed(seed)
    held_out, rest = np.split(np.random.default_rng(seed).permutation(len(X)), [len(X) // 10])
    with quiet():
        return train_sae(embeddings=X[rest], M=m, K=k, val_embeddings=X[held_out], show_progress=False)


def hypothesaes_with(weights):
    """Return an autoencoder of HypotheSAEs with the weights of a fitted `TopKSAETransformer`."""
    m, n_features = weights.components_.shape
    sae = hypothesaes("sae").SparseAutoencoder(n_features, m, weights.k_)
    state = {
        "encoder.weight": weights.encoder_weight_,
        "decoder.weight": weights.components_.T,
        "input_bias": weights.bias_,
        "neuron_bias": weights.encoder_bias_,
        "threshold": np.float32(0),
    }
    sae.load_state_dict({name: torch.tensor(value) for name, value in state.items()})
    return sae


def epochs_of_hypothesaes(X, m, k):
    """Return a function that trains for so many epochs from the start, by `SparseAutoencoder.fit`."""
    sae_class = hypothesaes("sae").SparseAutoencoder
    rows = torch.from_numpy(X)

    def train(n_epochs):
        with quiet():
            sae_class(X.shape[1], m, k).fit(rows, n_epochs=n_epochs, batch_size=BATCH, show_progress=False)

    return train


def epochs_of_sae_lens(X, m, k, *, sparse=False):
    """Return a function that trains for so many epochs from the start: the training pass in a plain Adam loop.

    Its trainer's counts of dead neurons, clipping and logs are left out, which can only make it faster. Its sparse
    activations do not train on top of its rescaling by the decoder's norms, so that is off with them.
    """
    with quiet():
        lens = require("sae_lens", extra="benchmarks", purpose="The comparison")
    from sae_lens.saes.sae import TrainStepInput

    config = {"use_sparse_activations": True, "rescale_acts_by_decoder_norm": False} if sparse else {}
    rows = torch.from_numpy(X).to(DEVICE)

    def train(n_epochs):
        sae = lens.TopKTrainingSAE(lens.TopKTrainingSAEConfig(d_in=X.shape[1], d_sae=m, k=k, device=DEVICE, **config))
        optimizer = torch.optim.Adam(sae.parameters(), lr=3e-4)
        for _ in range(n_epochs):
            for chosen in torch.randperm(len(rows), device=DEVICE).split(BATCH):
                step = TrainStepInput(
                    rows[chosen].float(), {}, dead_neuron_mask=None, n_training_steps=0, is_logging_step=False
                )
                optimizer.zero_grad()
                sae.training_forward_pass(step).loss.backward()
                optimizer.step()

    def silently(n_epochs):
        with quiet():
            train(n_epochs)

    return silently
