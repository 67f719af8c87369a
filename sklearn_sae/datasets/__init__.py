"""Texts whose truth is known, and texts that are too many for memory."""

from sklearn_sae.datasets._make_concept_texts import make_concept_texts
from sklearn_sae.utils._parquet_texts import ParquetTexts

__all__ = ["ParquetTexts", "make_concept_texts"]
