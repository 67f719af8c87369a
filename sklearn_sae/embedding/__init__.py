"""Texts to embeddings."""

from sklearn_sae.embedding._embedding_transformer import EmbeddingTransformer

__all__ = ["EmbeddingTransformer"]
