"""Embeddings to sparse neuron activations."""

from ._top_k_sae_transformer import TopKSAETransformer

__all__ = ["TopKSAETransformer"]
