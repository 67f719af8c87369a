"""Transformers of texts, applied to pairs of texts and to long documents."""

from sklearn_sae.compose._chunk_transformer import ChunkTransformer
from sklearn_sae.compose._pair_transformer import PairTransformer

__all__ = ["ChunkTransformer", "PairTransformer"]
