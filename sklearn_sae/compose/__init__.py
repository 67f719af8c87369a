"""Transformers of texts, applied to pairs of texts and to long documents, and any estimator to large collections."""

from sklearn_sae.compose._chunk_transformer import ChunkTransformer
from sklearn_sae.compose._pair_transformer import PairTransformer
from sklearn_sae.compose._partition_transformer import PartitionTransformer

__all__ = ["ChunkTransformer", "PairTransformer", "PartitionTransformer"]
