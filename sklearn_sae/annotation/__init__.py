"""Neurons and texts to hypotheses in plain language, and to annotations of any text."""

from sklearn_sae.annotation._keyword_hypothesis_annotator import KeywordHypothesisAnnotator
from sklearn_sae.annotation._llm_hypothesis_annotator import LLMHypothesisAnnotator
from sklearn_sae.annotation._quote_hypothesis_annotator import QuoteHypothesisAnnotator
from sklearn_sae.annotation._score_hypotheses import score_hypotheses

__all__ = ["KeywordHypothesisAnnotator", "LLMHypothesisAnnotator", "QuoteHypothesisAnnotator", "score_hypotheses"]
