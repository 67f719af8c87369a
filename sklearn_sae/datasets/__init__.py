"""Texts whose truth is known."""

from sklearn_sae.datasets._make_concept_texts import make_concept_texts

__all__ = ["make_concept_texts"]
