"""From annotations and a target to tested hypotheses."""

from sklearn_sae.evaluation._evaluate_hypotheses import evaluate_hypotheses
from sklearn_sae.evaluation._hypothesis_evaluation import HypothesisEvaluation

__all__ = ["HypothesisEvaluation", "evaluate_hypotheses"]
