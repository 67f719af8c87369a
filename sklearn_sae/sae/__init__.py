"""Embeddings to sparse neuron activations."""

from sklearn_sae.sae._top_k_sae_transformer import TopKSAETransformer

__all__ = ["TopKSAETransformer"]
