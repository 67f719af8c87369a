"""From annotations and a target to tested hypotheses."""

from sklearn_sae.evaluation._evaluate_hypotheses import evaluate_hypotheses
from sklearn_sae.evaluation._hypothesis_evaluation import HypothesisEvaluation
from sklearn_sae.evaluation._match_hypotheses import HypothesisMatching, match_hypotheses

__all__ = ["HypothesisEvaluation", "HypothesisMatching", "evaluate_hypotheses", "match_hypotheses"]
