"""Texts, read by a language model, as the named latents of a published sparse autoencoder."""

from sklearn_sae.pretrained._pretrained_sae_transformer import PretrainedSAETransformer

__all__ = ["PretrainedSAETransformer"]
