"""The C code of the autoencoder, and the calls of it that check their arguments."""

from sklearn_sae.sae.native._calls import state

__all__ = ["state"]
