"""Texts, read by a language model, as the latents of a sparse autoencoder: a published one, or one trained here."""

from sklearn_sae.pretrained._pretrained_sae_transformer import PretrainedSAETransformer
from sklearn_sae.pretrained._reader_sae_transformer import ReaderSAETransformer

__all__ = ["PretrainedSAETransformer", "ReaderSAETransformer"]
