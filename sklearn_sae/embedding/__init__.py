"""Texts to embeddings."""

from ._embedding_transformer import EmbeddingTransformer

__all__ = ["EmbeddingTransformer"]
